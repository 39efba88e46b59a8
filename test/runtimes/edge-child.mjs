// A function of Vercel's edge runtime: node edge-child.mjs FOLDER [FILE] prints what it answers to GET /, or to FILE.
// `codeGeneration` forbids what production forbids, and the package by itself does not.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EdgeRuntime } from 'edge-runtime'

const [folder, sent] = process.argv.slice(2)
const kernels = new WebAssembly.Module(readFileSync(join(folder, 'kernels.wasm')))
const runtime = new EdgeRuntime({
  codeGeneration: { strings: false, wasm: false },
  extend: (context) => Object.assign(context, { kernels }),
  initialCode: readFileSync(join(folder, 'function.js'), 'utf8'),
})
const response = await runtime.dispatchFetch(
  'http://localhost/',
  sent ? { method: 'POST', body: readFileSync(sent) } : {},
)
process.stdout.write(await response.text())
await response.waitUntil()
