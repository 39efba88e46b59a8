// Who is measured. An implementation is a file in impl/ that answers the driver (see impl/serve.mjs), and a
// line here; `kinds` are the kinds of cases it can build (`except` cases by name, too slow or
// too large to be of use), `node: 24` asks for the Node of bench/'s packages.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const training = ['mlp']
const layers = ['cnn', 'gpt', 'lstm', 'op']

export const impls = [
  { name: 'lanewise', file: 'lanewise.mjs', kinds: ['gemm', 'cold', ...training, ...layers] },
  // Its wasm backend has no gradient of a convolution or an embedding, and its cpu backend is plain JavaScript.
  { name: 'tfjs-wasm', file: 'tfjs.mjs', kinds: ['gemm', ...training, 'lstm'] },
  { name: 'tfjs-cpu', file: 'tfjs-cpu.mjs', kinds: ['cnn'], except: ['cnn-large'] },
  // Made for the newest engines: it refers to `navigator` (Node 21) and Float16Array (Node 24).
  { name: 'jax-js', file: 'jax.mjs', kinds: ['gemm', ...training], node: 24 },
  { name: 'ort-web', file: 'ort.mjs', kinds: ['gemm'] },
  { name: 'plain-js', file: 'plain.mjs', kinds: ['mlp'], except: ['mlp-small', 'mlp-large', 'logreg'] },
  { name: 'pytorch', file: 'pytorch.py', kinds: ['gemm', ...training, ...layers] },
]

/** Lanewise with the fast core. */
const fast = { ...impls[0], name: 'lanewise-fast', words: ['--fast'], kinds: ['gemm', ...training, ...layers] }

/** Who takes part, with variants as rows of their own: the fast core, and n threads for those who have them in Node. */
export function racers({ fast: withFast, threads }) {
  const base = [impls[0], ...(withFast ? [fast] : []), ...impls.slice(1)]
  if (threads === 1) return base
  const threaded = base
    .filter(({ name }) => name.startsWith('lanewise') || name === 'pytorch')
    .map((impl) => ({
      ...impl,
      name: `${impl.name}-${threads}t`,
      threads,
      kinds: impl.kinds.filter((kind) => kind !== 'cold'),
    }))
  return [...base, ...threaded]
}

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url))

/** The Node 24 among bench/'s packages, which npm has for some systems only. Straight from its package: the
 *  npm package `node` would fetch it in an install script, and npm may be told not to run those. */
export function packagedNode() {
  const system = process.platform === 'win32' ? 'win' : process.platform
  const directory = path(`node_modules/node-${system}-${process.arch}/bin/`)
  return [`${directory}node`, `${directory}node.exe`].find(existsSync)
}

/** The commands that may start an implementation, best first. `node`: undefined, '24', or the path of a
 *  binary for all of JavaScript's; `wide`: with V8's 256-bit pass on. */
export function commandsOf(impl, { node, wide }) {
  const file = path(`impl/${impl.file}`)
  const crew = impl.threads ? ['--threads', String(impl.threads)] : []
  // Debian's torch belongs to Debian's Python, which may not be the first on the path.
  if (file.endsWith('.py')) return ['python3', '/usr/bin/python3'].map((python) => [python, file, ...crew])
  // The flag is for the peers; Lanewise, told by the last word, sets it itself.
  const own = [file, ...(impl.words ?? [])]
  const words = [...(wide ? ['--experimental-wasm-revectorize', ...own, '--wide'] : own), ...crew]
  if (node !== undefined && node !== '24') return [[node, ...words]]
  const running = process.execPath
  const newEnough = Number(process.versions.node.split('.')[0]) >= 24
  if (node === '24') {
    const binary = packagedNode() ?? (newEnough ? running : undefined)
    if (!binary) throw new Error(`npm has no Node 24 package for ${process.platform}-${process.arch}`)
    return [[binary, ...words]]
  }
  return [[(impl.node === 24 && !newEnough && packagedNode()) || running, ...words]]
}
