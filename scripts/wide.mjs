// npm run test:wide: the whole test suite on the Node 24 of bench's packages, with tiles of 16 columns and V8's 256-bit
// pass. `npm run bits` compares the bits of trainings with and without.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { packagedNode } from '../bench/impls.mjs'

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))
const node = packagedNode()
if (!node) {
  console.error(`test:wide: npm has no Node 24 package for ${process.platform}-${process.arch}`)
  process.exit(2)
}
const words = [path('../node_modules/vitest/vitest.mjs'), 'run', '--mode', 'wide']
process.exit(spawnSync(node, words, { stdio: 'inherit', cwd: path('..') }).status ?? 1)
