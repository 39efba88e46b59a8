// The child's half of the driver's protocol: a line in, a line of JSON out.
//   (loaded)            { version, runtime }
//   prepare CASE        { check }             builds the case (JSON) and does its first 20 steps
//   run N               { ms }                N steps
//   profile             { profile }           text: where the time of a step goes (a case with profile: true)
// Any answer may be { error } instead.
//
// `builders` has a function for each kind of case. It gets the case and returns
//   step()    one step; a Promise when the library makes it so
//   timed     whether step() gives the milliseconds itself (a fresh process, by its own clock)
//   profile() text, where the implementation can be profiled
//   result()  the numbers that the last step computed: its loss, or the elements of the product
// The driver compares the mean of the result after 20 steps across implementations.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

const FIRST_STEPS = 20

// Answers own stdout, and some libraries greet on it.
console.log = console.info = console.error
const answer = (object) => process.stdout.write(`${JSON.stringify(object)}\n`)

export async function serve(version, builders) {
  let runner
  const run = async (steps) => {
    if (runner.timed) {
      let ms = 0
      for (let i = 0; i < steps; i++) ms += runner.step()
      return ms
    }
    const start = performance.now()
    for (let i = 0; i < steps; i++) {
      const pending = runner.step()
      if (pending instanceof Promise) await pending
    }
    return performance.now() - start
  }
  const commands = {
    async prepare(text) {
      const entry = JSON.parse(text)
      runner = await builders[entry.kind](entry)
      await run(FIRST_STEPS)
      const result = await runner.result()
      const values = typeof result === 'number' ? [result] : result
      return { check: values.reduce((sum, value) => sum + value, 0) / values.length }
    },
    run: async (text) => ({ ms: await run(Number(text)) }),
    profile: async () => ({ profile: String(runner.profile()) }),
  }
  answer({ version, runtime: `Node ${process.versions.node}` })
  for await (const line of createInterface({ input: process.stdin })) {
    const space = line.indexOf(' ')
    try {
      answer(await commands[line.slice(0, space)](line.slice(space + 1)))
    } catch (error) {
      answer({ error: String(error) })
    }
  }
  // Worker threads of a library would keep the process alive.
  process.exit()
}

/** The version in the package.json of a directory, given from bench/. */
export const versionOf = (directory) =>
  JSON.parse(readFileSync(new URL(`../${directory}/package.json`, import.meta.url), 'utf8')).version
