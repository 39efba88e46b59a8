// npm run bits: trains three small models in each runtime at hand and prints the SHA-256 of all that came of it, a line
// each: bits RUNTIME THREADS MODEL SHA. Exits with 1 where two differ, 2 where a runtime failed or there is but one.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { packagedNode } from '../bench/impls.mjs'

const usage = 'usage: npm run bits [-- --steps N]      N: a whole number from 1, default 200'
function stepsAsked() {
  try {
    const { steps } = parseArgs({ options: { steps: { type: 'string', default: '200' } } }).values
    if (/^[1-9]\d*$/.test(steps)) return steps
    console.error(`bits: --steps is ${steps}, expected a whole number from 1\n${usage}`)
  } catch (error) {
    console.error(`bits: ${error.message}\n${usage}`)
  }
  return process.exit(2)
}

const steps = stepsAsked()
const child = fileURLToPath(new URL('../test/bits/child.mjs', import.meta.url))
const version = (node) => execFileSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).trim()

const newer = packagedNode()
const runtimes = [
  { node: process.execPath, mode: 'plain' },
  ...(newer ? ['plain', 'wide'].map((mode) => ({ node: newer, mode })) : []),
]
if (!newer) {
  console.error('bits: nothing to compare with: no Node 24; npm ci --prefix bench --ignore-scripts brings it')
  process.exitCode = 2
}

const seen = new Map()
for (const { node, mode } of runtimes) {
  const name = `node-${version(node)}${mode === 'plain' ? '' : `-${mode}`}`
  let found
  try {
    found = JSON.parse(execFileSync(node, [child, steps, mode], { encoding: 'utf8' }))
  } catch (error) {
    console.error(`bits: ${name}: ${error.message}`)
    process.exitCode = 2
    continue
  }
  for (const [model, sha] of Object.entries(found)) {
    console.log(`bits ${name} 1 ${model} ${sha}`)
    if (seen.has(model) && seen.get(model) !== sha) process.exitCode ||= 1
    seen.set(model, sha)
  }
}
