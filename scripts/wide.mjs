// npm run test:wide: the whole test suite with tiles of 16 columns and V8's 256-bit pass, on the Node 24 of bench's packages
// and the Node 26 of test/runtimes'. `npm run bits` compares the bits of trainings with and without.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { packagedNode } from '../bench/impls.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const nodes = [packagedNode(), path('../test/runtimes/node_modules/node26/bin/node')].filter(
  (node) => node && existsSync(node),
)
if (nodes.length < 2) {
  console.error(`test:wide: npm has no Node 24 or no Node 26 package for ${process.platform}-${process.arch}`)
  process.exit(2)
}
const run = (...words) => spawnSync(words[0], words.slice(1), { stdio: 'inherit', cwd: path('..') }).status ?? 1

/** Whether the pass compiles every function of the core, those too that no test makes hot, and whatever V8 inlines: that of
 *  Node 26.10 aborts the process at some. */
const compiles = (node) =>
  [[], ['--no-wasm-inlining']].every((flags) => {
    const all = ['--experimental-wasm-revectorize', '--no-liftoff', '--no-wasm-lazy-compilation', ...flags]
    return run(node, ...all, '-e', "new WebAssembly.Module(require('fs').readFileSync('build/kernels.wasm'))") === 0
  })

let failed = 0
for (const node of nodes) {
  if (!compiles(node)) {
    console.error(`test:wide: the pass of ${node} fails to compile the core`)
    failed ||= 1
  }
  failed = run(node, path('../node_modules/vitest/vitest.mjs'), 'run', '--mode', 'wide') || failed
}
process.exit(failed)
