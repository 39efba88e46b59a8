// What is run: the suite in every runtime, input that must be refused, examples, and figures that have limits.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { browsers } from './browsers.mjs'
import { bundlers, esbuild, packageVersion, page, viteDev } from './bundlers.mjs'
import { ask, bundleForVercel, vercel, versions, workerd, wranglerDev } from './edge.mjs'
import { run, within } from './processes.mjs'

const bin = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url))
const node = (version) => bin(`node${version}/bin/node`)
const deno = bin('@deno/linux-x64-glibc/deno')
const bun = bin('@oven/bun-linux-x64/bin/bun')

export function checks({ folder, server }) {
  /** The suite in a process that prints its report. */
  const inProcess = (command, args, versionArgs) => async () => {
    const version = (await run(command, versionArgs)).match(/[\d.]+/)[0]
    const report = JSON.parse(await run(command, args, { cwd: folder, env: { ...process.env, HOME: folder } }))
    return { version, ...report }
  }
  const nodes = Object.fromEntries(
    [20, 22, 24, 26].map((major) => [`Node ${major}`, inProcess(node(major), ['app/main.mjs'], ['--version'])]),
  )
  const requires = Object.fromEntries(
    [22, 24, 26].map((major) => [`Node ${major}, require`, inProcess(node(major), ['app/main.cjs'], ['--version'])]),
  )

  let pages = 0
  /** What the page at `path` of `origin` tells. */
  async function opened(browser, path, options = {}, origin = server.origin) {
    const id = `${pages++}`
    const to = encodeURIComponent(`${server.origin}/report?${id}`)
    const told = server.report(id)
    const process = await browser.open(`${origin}${path}?${to}`, folder, options)
    try {
      return await within(told, 60_000, `${origin}${path}`)
    } finally {
      await process.stop()
    }
  }
  const inBrowser = (name, path, prepare) => async () => {
    await prepare?.()
    const browser = browsers[name]
    return { version: await browser.version(), ...(await opened(browser, path)) }
  }

  /** The package as a static server gives it: one file, and an import map only for the suite's bare names. */
  const script = () => {
    const file = '../node_modules/lanewise/dist/lanewise.min.js'
    const map = JSON.stringify({ imports: { lanewise: file, 'lanewise/io': file } })
    page(
      folder,
      'script',
      `<script type="importmap">${map}</script><script type="module" src="../app/page.js"></script>`,
    )
  }
  let bundled
  const bundle = () => (bundled ??= bundlers.esbuild(folder, page(folder, 'esbuild')))
  const everyBrowser = Object.keys(browsers)
  const inPages = Object.fromEntries(
    everyBrowser.flatMap((name) => [
      [`${name}, <script type="module">`, inBrowser(name, '/isolated/script/index.html', script)],
      [`${name}, strict CSP`, inBrowser(name, '/strict/esbuild/index.html', bundle)],
    ]),
  )
  const inBundles = Object.fromEntries(
    Object.entries(bundlers).map(([name, build]) => [
      `${name}, in Chromium`,
      async () => {
        await build(folder, page(folder, name))
        const report = await opened(browsers.Chromium, `/isolated/${name}/index.html`)
        return { version: packageVersion(name.toLowerCase()), ...report }
      },
    ]),
  )

  const runtimes = {
    ...nodes,
    ...requires,
    Deno: inProcess(deno, ['run', '--allow-all', '--node-modules-dir=manual', 'app/main.mjs'], ['--version']),
    Bun: inProcess(bun, ['app/main.mjs'], ['--version']),
    'workerd (Cloudflare)': async () => {
      return { version: await versions.workerd(), ...(await ask(await workerd(folder, 'app/fetch.js', 'workerd'))) }
    },
    'wrangler dev (Cloudflare)': async () => {
      const args = ['app/fetch.js', '--compatibility-date', '2026-01-01']
      return { version: await versions.wrangler(), ...(await ask(await wranglerDev(folder, args))) }
    },
    'edge-runtime (Vercel)': async () => {
      const out = await bundleForVercel(folder, 'app/fetch.js', 'vercel')
      return { version: await versions.edge(), ...(await vercel(out)) }
    },
    ...inPages,
    'Vite dev, in Chromium': async () => {
      page(folder, 'dev', '<script type="module" src="/app/page.js"></script>')
      const vite = await viteDev(folder)
      try {
        const report = await opened(browsers.Chromium, '/dev/index.html', {}, vite.origin)
        return { version: packageVersion('vite'), ...report }
      } finally {
        await vite.close()
      }
    },
    ...inBundles,
    'esbuild, in Node': async () => {
      await esbuild(folder, { entryPoints: ['app/main.mjs'], outfile: join(folder, 'app/node.mjs'), platform: 'node' })
      const report = JSON.parse(await run(process.execPath, ['app/node.mjs'], { cwd: folder }))
      return { version: packageVersion('esbuild'), ...report }
    },
  }

  return {
    Runtimes: { columns: ['Runtime', 'Version', 'SIMD', 'Relaxed', 'Threads'], rows: runtimes },
  }
}
