// Bundles of pages, made as users make them: no plugin or option that is not there for the bundler itself.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

export const packageVersion = (name) =>
  JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')).version

/** The page of a bundle, in a folder of its own. */
export function page(folder, name, head = '<script type="module" src="page.js"></script>') {
  const out = join(folder, name)
  mkdirSync(out, { recursive: true })
  copyFileSync(join(folder, 'app/page-worker.js'), join(out, 'page-worker.js'))
  writeFileSync(join(out, 'index.html'), `<!doctype html><meta charset="utf-8"><title>${name}</title>${head}\n`)
  return out
}

export async function esbuild(folder, options) {
  const { build } = await import('esbuild')
  return build({ absWorkingDir: folder, bundle: true, minify: true, format: 'esm', logLevel: 'error', ...options })
}

/** Each writes page.js into the folder `out`, of an entry in the folder `app`. */
export const bundlers = {
  esbuild: (folder, out, entry = 'page.js') =>
    esbuild(folder, { entryPoints: [`app/${entry}`], outfile: join(out, 'page.js') }),
  async Rollup(folder, out, entry = 'page.js') {
    const { rollup } = await import('rollup')
    const { default: nodeResolve } = await import('@rollup/plugin-node-resolve')
    const bundle = await rollup({ input: join(folder, 'app', entry), plugins: [nodeResolve()] })
    await bundle.write({ dir: out, format: 'es', entryFileNames: 'page.js' })
    await bundle.close()
  },
  async webpack(folder, out, file = 'page.js') {
    const webpack = createRequire(import.meta.url)('webpack')
    const entry = join(folder, 'app', file)
    const options = { mode: 'production', context: folder, entry, output: { path: out, filename: 'page.js' } }
    await new Promise((done, fail) => {
      webpack(options, (error, stats) => {
        if (error || stats.hasErrors()) fail(error ?? new Error(stats.toString()))
        else done()
      })
    })
  },
  async Vite(folder, out, entry = 'page.js') {
    const { build } = await import('vite')
    const input = join(folder, 'app', entry)
    const output = { entryFileNames: 'page.js' }
    await build({
      root: folder,
      // The page is not at the root of its server.
      base: './',
      configFile: false,
      logLevel: 'error',
      build: { outDir: out, emptyOutDir: false, rolldownOptions: { input, output } },
    })
  },
}

/** Vite's development server for `folder`, with the configuration that lies there; its address and close(). */
export async function viteDev(folder) {
  const { createServer } = await import('vite')
  const server = await createServer({
    root: folder,
    logLevel: 'error',
    server: { host: '127.0.0.1', port: 0 },
  })
  await server.listen()
  const { port } = server.httpServer.address()
  return { origin: `http://127.0.0.1:${port}`, close: () => server.close() }
}

/** Builds the project in `folder` and serves what came out, both as `vite` does without configuration. */
export async function vitePreview(folder) {
  const { build, preview } = await import('vite')
  await build({ root: folder, logLevel: 'error' })
  const server = await preview({ root: folder, preview: { host: '127.0.0.1', port: 0 } })
  const { port } = server.httpServer.address()
  return { origin: `http://127.0.0.1:${port}`, close: () => server.close() }
}
