// npm run test:wide: the whole test suite with tiles of 16 columns and V8's 256-bit pass (`npm run bits` compares the bits
// of trainings with and without). npm run test:fast: the whole test suite on the fast core, and its kernels with the pass
// as well. On the Node 24 of bench's packages and the Node 26 of test/runtimes'.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { packagedNode } from '../bench/impls.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const [variant] = process.argv.slice(2)
const node24 = packagedNode()
const node26 = path('../test/runtimes/node_modules/node26/bin/node')
if (!(node24 && existsSync(node26))) {
  console.error(`test:${variant}: npm has no Node 24 or no Node 26 package for ${process.platform}-${process.arch}`)
  process.exit(2)
}
const run = (...words) => spawnSync(words[0], words.slice(1), { stdio: 'inherit', cwd: path('..') }).status ?? 1
const suite = (node, mode, ...files) =>
  run(node, path('../node_modules/vitest/vitest.mjs'), 'run', '--mode', mode, ...files)

/** Whether the pass compiles every function of a core, those too that no test makes hot, and whatever V8 inlines: that of
 *  Node 26.10 aborts the process at some. */
function compiles(node, core) {
  const flags = ['--experimental-wasm-revectorize', '--no-liftoff', '--no-wasm-lazy-compilation']
  const script = `new WebAssembly.Module(require('fs').readFileSync('build/${core}'))`
  const fits = [[], ['--no-wasm-inlining']].every((more) => run(node, ...flags, ...more, '-e', script) === 0)
  if (!fits) console.error(`test:${variant}: the pass of ${node} fails to compile ${core}`)
  return fits ? 0 : 1
}

const steps = {
  wide: () => [node24, node26].flatMap((node) => [compiles(node, 'kernels.wasm'), suite(node, 'wide')]),
  fast: () => [
    suite(node24, 'fast'),
    ...[node24, node26].map((node) => compiles(node, 'kernels-relaxed.wasm')),
    suite(node26, 'wide-fast', 'test/ops', 'test/math', 'test/pytorch'),
  ],
}
process.exit(Math.max(...steps[variant]()))
