import type { Reporter, TestModule } from 'vitest/node'

/** Ends a run with one line that any continuous integration can read. */
export default class Tally implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    let passed = 0
    let failed = errors.length
    for (const module of modules) {
      // What breaks around tests, in afterAll say, fails none of them.
      for (const suite of [module, ...module.children.allSuites()]) if (suite.errors().length > 0) failed++
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed++
        else if (state === 'failed') failed++
      }
    }
    // After the summary of the default reporter.
    process.on('exit', () => console.log(`${passed} passed, ${failed} failed`))
  }
}
