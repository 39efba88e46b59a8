// npm run size: what travels to whom, in bytes; exit 1 where something is over its budget. With --write the table goes into
// docs/runtimes.md.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { build } from 'vite'
import { writeTable } from './table.mjs'

const KB = 1024

/** The only place that knows them. */
const budgets = {
  'kernels.wasm': { raw: 120 * KB, gzip: 42 * KB },
  'kernels-relaxed.wasm': { raw: 120 * KB, gzip: 42 * KB },
  core: { gzip: 30 * KB },
  flower: { gzip: 60 * KB },
  everything: { gzip: 100 * KB },
  page: { gzip: 68 * KB },
}

const root = fileURLToPath(new URL('..', import.meta.url))

const entry = (id) => `${root}dist/${id.slice('lanewise/'.length) || 'index'}.js`

/** The files that Vite makes of `code`, which imports from 'lanewise': page.js first; `first` are those that a page loads
 *  before anything is asked for. */
export async function bundle(code) {
  const { output } = await build({
    configFile: false,
    logLevel: 'error',
    base: './',
    build: {
      write: false,
      target: 'es2022',
      minify: 'oxc',
      modulePreload: false,
      assetsDir: '',
      rolldownOptions: {
        input: 'entry',
        preserveEntrySignatures: 'strict',
        output: { entryFileNames: 'page.js', chunkFileNames: '[name].js' },
      },
    },
    plugins: [
      {
        name: 'entry',
        enforce: 'pre',
        resolveId: (id) => (id === 'entry' ? '\0entry' : /^lanewise($|\/)/.test(id) ? entry(id) : null),
        load: (id) => (id === '\0entry' ? code : null),
      },
    ],
  })
  const byName = new Map(output.map((file) => [file.fileName, file]))
  const first = new Set([output[0].fileName])
  for (const name of first) for (const next of byName.get(name).imports) first.add(next)
  return output.map((file) => ({
    name: file.fileName,
    content: file.code ?? file.source,
    first: first.has(file.fileName),
  }))
}

/** The contents of the files that a page loads first. */
export const loaded = async (code) =>
  (await bundle(code)).filter(({ first }) => first).map(({ content }) => String(content))

/** The source of the minimal page: its HTML, and its script as it is written. */
export const page = (kind) => readFileSync(`${root}scripts/size/page.${kind}`, 'utf8')

/** The script without the core in it. */
const withoutCore = (code) => code.replace(/(["'`])[A-Za-z0-9+/=]{1000,}\1/, '""')

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const core = "export { compile, init, Tensor, tensor } from 'lanewise'"
  const measured = [
    ['kernels.wasm', 'dist/kernels.wasm', [readFileSync(`${root}dist/kernels.wasm`)]],
    [
      'kernels-relaxed.wasm',
      'dist/kernels-relaxed.wasm, only where asked for',
      [readFileSync(`${root}dist/kernels-relaxed.wasm`)],
    ],
    [
      'core',
      'engine, tensors with all methods, gradients, compile; without the wasm',
      (await loaded(core)).map(withoutCore),
    ],
    [
      'layers',
      'the same with every layer and optimizer; without the wasm',
      (await loaded(`${core}; export { nn, optim } from 'lanewise'`)).map(withoutCore),
    ],
    [
      'flower',
      'the same with lanewise/flower; without the wasm',
      (await loaded(`${core}; export * from 'lanewise/flower'`)).map(withoutCore),
    ],
    [
      'everything',
      'dist/lanewise.min.js; without the wasm',
      [withoutCore(readFileSync(`${root}dist/lanewise.min.js`, 'utf8'))],
    ],
    ['page', 'a page that trains an MLP: HTML, script, wasm', [page('html'), ...(await loaded(page('js')))]],
  ]
  const kb = (bytes) => (bytes / KB).toFixed(1)
  const lines = ['| KB | raw | gzip | brotli | budget |', '|---|---|---|---|---|']
  let over = 0
  for (const [name, what, contents] of measured) {
    // Each travels by itself.
    const sum = (bytes) => contents.reduce((total, content) => total + bytes(content), 0)
    const sizes = {
      raw: sum((content) => Buffer.byteLength(content)),
      gzip: sum((content) => gzipSync(content, { level: 9 }).length),
      brotli: sum((content) => brotliCompressSync(content).length),
    }
    const budget = Object.entries(budgets[name] ?? {})
    const past = budget.filter(([kind, limit]) => sizes[kind] > limit)
    over += past.length
    const limits = budget
      .map(([kind, limit]) => `${limit / KB} ${kind}${sizes[kind] > limit ? ', OVER' : ''}`)
      .join(', ')
    lines.push(`| ${what} | ${kb(sizes.raw)} | ${kb(sizes.gzip)} | ${kb(sizes.brotli)} | ${limits} |`)
  }
  console.log(lines.join('\n'))
  if (process.argv.includes('--write')) writeTable('docs/runtimes.md', 'size', lines)
  process.exitCode = over > 0 ? 1 : 0
}
