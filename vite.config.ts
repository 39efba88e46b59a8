import { readdirSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildOptions, Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { filesOfFuzz, filesOfKernels } from './test/helpers/files.ts'

const root = fileURLToPath(new URL('.', import.meta.url))

const namespaces: Readonly<Record<string, string>> = {
  nn: 'src/nn/index.ts',
  init: 'src/nn/initializers.ts',
  losses: 'src/losses/index.ts',
  optim: 'src/optim/index.ts',
  metrics: 'src/metrics/index.ts',
}

/** Entries that stay imports where others use them. */
const kept: Readonly<Record<string, string>> = { ...namespaces, index: 'src/index.ts' }

/** The name of the library that a module belongs to. */
const packageOf = (id: string): string | undefined => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1]

const modules: BuildOptions = {
  target: 'es2022',
  lib: {
    entry: {
      index: 'src/index.ts',
      ...namespaces,
      io: 'src/io/index.ts',
      data: 'src/data/index.ts',
      train: 'src/train/index.ts',
      learn: 'src/learn/index.ts',
      worker: 'src/worker/index.ts',
      flower: 'src/flower/index.ts',
      node: 'src/node/index.ts',
      'kernels/node': 'src/node/kernels.ts',
      'kernels/web': 'src/kernels/web.ts',
      'kernels/workerd': 'src/kernels/workerd.ts',
      'kernels/edge-light': 'src/kernels/edge-light.ts',
      'node/workers': 'src/node/workers.ts',
      'node/worker': 'src/node/worker.ts',
      precision: 'src/core/precision.ts',
      'threads/team': 'src/threads/index.ts',
      'threads/web': 'src/threads/web.ts',
      'threads/web-worker': 'src/threads/web-worker.ts',
      'threads/none': 'src/threads/none.ts',
    },
    formats: ['es'],
  },
  // scripts/build.mjs removes what was there, the page's file for the page alone.
  emptyOutDir: false,
  sourcemap: true,
  minify: false,
  rolldownOptions: {
    external: /^node:|^#(kernels|workers)$/,
    // Of the compressors one is wasm that compiles where it is imported, which pages and edge runtimes refuse; it is not used.
    treeshake: { moduleSideEffects: (id) => !/hyparquet-compressors|hysnappy/.test(id) },
    output: {
      // What a dynamic import of a library gives lies beside the library.
      chunkFileNames: ({ name, facadeModuleId }) =>
        name === 'walk' || name === 'work'
          ? 'threads/[name].js'
          : facadeModuleId && packageOf(facadeModuleId)
            ? `imports/${packageOf(facadeModuleId)}.js`
            : '[name].js',
      minifyInternalExports: false,
      codeSplitting: {
        groups: [
          { name: 'kernels/base64', test: /src\/kernels\/base64/ },
          // The page of a training in a Worker has these, and not the core.
          { name: 'checks', test: /src\/checks/, priority: 1 },
          // Each library is a file, of which only what is used remains.
          { name: (id) => `lib/${packageOf(id)}`, test: /node_modules/, priority: 1 },
          { name: 'formats', test: /src\/io\/(?!index|dtypes)/ },
          {
            name: 'core',
            test: /src\/((start|math|printed)\.ts|io\/dtypes|data\/(dataset|loader|random|split)|(core|tensor|ops|nn|losses|optim|metrics)\/(?!index|initializers|precision))/,
          },
        ],
      },
    },
  },
}

const page: BuildOptions = {
  target: 'es2022',
  lib: { entry: { 'lanewise.min': 'src/page.ts' }, formats: ['es'] },
  emptyOutDir: false,
  sourcemap: true,
  // Models print themselves by the names of their classes: 0.2 KB.
  rolldownOptions: {
    output: {
      minify: { compress: true, codegen: true, mangle: { keepNames: { class: true, function: false } } },
      codeSplitting: false,
    },
  },
}

const deflatedKernels: Plugin = {
  name: 'deflated-kernels',
  // Before Vite takes the file for an asset.
  enforce: 'pre',
  load: (id) =>
    id.endsWith('.wasm?deflated')
      ? `export default ${JSON.stringify(readFileSync(id.replace('?deflated', '.base64'), 'utf8'))}`
      : null,
}

/** Vite would bundle a worker into the file that starts it; whoever bundles the package shall find the address. */
const workerScripts = (scripts: Readonly<Record<string, string>>): Plugin => ({
  name: 'worker-scripts',
  renderChunk(code, { fileName }) {
    const script = scripts[fileName]
    if (!script) return null
    return { code: code.replaceAll('WORKER_SCRIPT', `new URL('${script}', import.meta.url)`), map: null }
  },
})

/** lanewise.min.js lies beside what is one folder up for the files of kernels. */
const beside: Plugin = {
  name: 'beside',
  transform: (code) => ({ code: code.replace('../kernels-relaxed.wasm', './kernels-relaxed.wasm'), map: null }),
}

const entries: Plugin = {
  name: 'entries',
  enforce: 'pre',
  resolveId(source, importer) {
    // Left to the bundlers of edge runtimes.
    if (/^\.\.\/kernels\.wasm(\?module)?$/.test(source)) return { id: source, external: true }
    // A namespace that stays an import is one that bundlers look into.
    const target = importer && relative(root, resolve(dirname(importer), source))
    const name = Object.keys(kept).find((key) => kept[key] === target)
    return name ? { id: `./${name}.js`, external: true } : null
  },
  generateBundle(_, bundle) {
    // Maps of these would repeat the core.
    for (const [name, file] of Object.entries(bundle)) {
      if (!name.startsWith('kernels/')) continue
      if (file.type === 'chunk') {
        // Not for our build, but for those of pages: `new URL` names a file that comes along.
        file.code = file.code.replace(/\n\/\/# sourceMappingURL=.*\n?$/, '\n').replace(/\/\* @vite-ignore \*\/\s*/, '')
      } else if (name.endsWith('.map')) delete bundle[name]
    }
    for (const fileName of ['kernels.wasm', 'kernels-relaxed.wasm'])
      this.emitFile({ type: 'asset', fileName, source: readFileSync(`build/${fileName}`) })
  },
}

/** The files of a library that say how it may be used. */
function licenceFiles(name: string): string[] {
  const folder = resolve(root, 'node_modules', name)
  const files = readdirSync(folder).filter((entry) => /^(licen[cs]e|notice)/i.test(entry))
  return files.some((file) => /^licen[cs]e/i.test(file))
    ? files.map((file) => `${readFileSync(resolve(folder, file), 'utf8').trim()}\n`)
    : []
}

/** What a library without such files says above its modules. Apache's licence stands in full at assemblyscript. */
function licenceComments(name: string, modules: readonly string[]): string[] {
  const own = modules.filter((id) => packageOf(id) === name)
  const heads = own.map((id) => /^(?:\/\/.*\n)*/.exec(readFileSync(id, 'utf8'))?.[0].replaceAll(/^\/\/ ?/gm, '') ?? '')
  const comments = [...new Set(heads)].filter((head) => /copyright/i.test(head))
  if (comments.length === 0) throw new Error(`${name} has no licence`)
  return comments
}

/** The libraries inside of the package, with their licences, as those ask. AssemblyScript's is in the core (NOTICE). */
const licences: Plugin = {
  name: 'licences',
  generateBundle(_, bundle) {
    const modules = Object.values(bundle).flatMap((file) => (file.type === 'chunk' ? Object.keys(file.modules) : []))
    // Those of which something is left.
    const libraries = Object.keys(bundle).flatMap((file) => /^lib\/(.*)\.js$/.exec(file)?.[1] ?? [])
    const names = ['assemblyscript', ...libraries].sort()
    const parts = names.map((name) => {
      const { version, license } = JSON.parse(readFileSync(resolve(root, 'node_modules', name, 'package.json'), 'utf8'))
      const files = licenceFiles(name)
      const texts = files.length > 0 ? files : licenceComments(name, modules)
      return `## ${name} ${version} (${license})\n\n${texts.join('\n')}`
    })
    const source = `# Libraries inside of this package\n\n${parts.join('\n')}`
    this.emitFile({ type: 'asset', fileName: 'THIRD_PARTY.md', source })
  },
}

const onKernels = (setup: string) => () => ({ include: filesOfKernels(), setupFiles: [`test/helpers/${setup}.ts`] })
/** Modes of Vitest: which files of tests it runs, and what it sets up. */
const modes: Readonly<Record<string, () => { include: string[]; setupFiles?: string[] }>> = {
  test: () => ({ include: ['test/**/*.test.ts'] }),
  fuzz: () => ({ include: filesOfFuzz() }),
  threads: onKernels('threads'),
  wide: onKernels('modes'),
  fast: onKernels('modes'),
  'wide-fast': onKernels('modes'),
}

// The package: one file with all code, and small ones that name what of it belongs to each entry. Node loads seven files
// in 12 ms (a file for each source: 54), and bundlers leave out what a page does not use. The core is in the files of
// kernels, of which package.json's `imports` picks one for each runtime, and a file of its own. `--mode page` makes the
// one file for pages without a bundler.
export default defineConfig(({ mode }) => ({
  assetsInclude: ['**/*.wasm'],
  ...(mode === 'page'
    ? {
        build: page,
        plugins: [deflatedKernels, beside, workerScripts({ 'lanewise.min.js': './threads/web-worker.js' })],
        resolve: {
          alias: { '#kernels': resolve(root, 'src/kernels/web.ts'), '#workers': resolve(root, 'src/threads/web.ts') },
        },
      }
    : {
        build: modules,
        plugins: [
          deflatedKernels,
          workerScripts({ 'node/workers.js': './worker.js', 'threads/web.js': './web-worker.js' }),
          ...(mode === 'production' ? [entries, licences] : []),
        ],
      }),
  test: {
    exclude: ['**/node_modules/**'],
    ...modes[mode]?.(),
    // For a machine with other work to do: no test measures time.
    testTimeout: 30_000,
    // Vitest leaves one core to itself, which on two is half the machine, and has nothing to do there.
    maxWorkers: '100%',
    reporters: ['default', './test/tally.ts'],
  },
}))
