// What is run: the suite in every runtime, input that must be refused, examples, and figures that have limits.

import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { browsers, told } from './browsers.mjs'
import { bundlers, esbuild, packageVersion, page, viteDev, vitePreview } from './bundlers.mjs'
import { ask, bundleForVercel, vercel, versions, workerd, wranglerDev } from './edge.mjs'
import { exampleChecks, NO_SIMD } from './examples.mjs'
import { memoryChecks, timeChecks } from './figures.mjs'
import { run } from './processes.mjs'
import { bun, deno, denoRun, node, nodes } from './project.mjs'

/** The core as another version has it: the number by which the host knows it is changed, and nothing else. */
async function otherVersion(bytes) {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16 })
  const { instance } = await WebAssembly.instantiate(bytes, { env: { memory, tileColumns: 8 } })
  // As i32.const has it: seven bits a byte, least significant first.
  const encoded = []
  for (let rest = instance.exports.abi(); ; rest >>= 7) {
    const last = (rest >> 6 === 0 || rest >> 6 === -1) && encoded.length > 0
    encoded.push((rest & 127) | (last ? 0 : 128))
    if (last) break
  }
  const at = bytes.indexOf(Buffer.from(encoded))
  if (at < 0 || bytes.indexOf(Buffer.from(encoded), at + 1) >= 0) throw new Error('checks: abi is not found once')
  const other = Buffer.from(bytes)
  other[at] ^= 1
  return other
}

export function checks(context) {
  const { folder, server } = context
  /** The suite in a process that prints its report. */
  const inProcess = (command, args, versionArgs) => async () => {
    const version = (await run(command, versionArgs)).match(/[\d.]+/)[0]
    const report = JSON.parse(await run(command, args, { cwd: folder, env: { ...process.env, HOME: folder } }))
    return { version, ...report }
  }
  const inNodes = Object.fromEntries(
    nodes.map((major) => [`Node ${major}`, inProcess(node(major), ['app/main.mjs'], ['--version'])]),
  )
  const wides = Object.fromEntries(
    [24, 26].map((major) => [`Node ${major}, wide: 'auto'`, inProcess(node(major), ['app/wide.mjs'], ['--version'])]),
  )
  const requires = Object.fromEntries(
    [22, 24, 26].map((major) => [`Node ${major}, require`, inProcess(node(major), ['app/main.cjs'], ['--version'])]),
  )

  /** What the page at `path` of `origin` tells. */
  const opened = (browser, path, options = {}, origin = server.origin) =>
    told(browser, (to) => `${origin}${path}?${encodeURIComponent(to)}`, { folder, server, ...options })
  /** What watch.html tells of a page. */
  async function watched(prefix, { flags, ...what }, origin = server.origin) {
    const query = (to) => encodeURIComponent(JSON.stringify({ ...what, to }))
    const address = (to) => `${origin}${prefix}/watch.html?${query(to)}`
    const visits = await told(browsers.Chromium, address, { folder, server, flags })
    if (typeof visits === 'string') throw new Error(visits)
    return visits
  }
  /** Puts the watching page into a folder that is served by others. */
  const withWatcher = (root) => {
    for (const file of ['watch.html', 'watch.js', 'buttons.js', 'frames.js'])
      cpSync(join(folder, 'app', file), join(root, file))
  }
  async function fromVite(server, what) {
    try {
      return await watched('', { page: '/', ...what }, server.origin)
    } finally {
      await server.close()
    }
  }
  const pagesOfVite = {
    async preview(root, what) {
      const server = await vitePreview(root)
      withWatcher(join(root, 'dist'))
      return fromVite(server, what)
    },
    async viteDev(root, what) {
      withWatcher(root)
      return fromVite(await viteDev(root), what)
    },
  }
  /** What app/cold tells from Vite's development server, which begins without a cache. */
  const cold = async (name, config) => {
    const root = join(folder, name)
    cpSync(join(folder, 'app/cold'), root, { recursive: true })
    // Where a package.json is, the cache is.
    writeFileSync(join(root, 'package.json'), '{ "private": true, "type": "module" }\n')
    if (config) writeFileSync(join(root, 'vite.config.js'), config)
    const vite = await viteDev(root)
    try {
      return await opened(browsers.Chromium, '/', {}, vite.origin)
    } finally {
      await vite.close()
    }
  }
  const inBrowser = (name, path, prepare) => async () => {
    await prepare?.()
    const browser = browsers[name]
    return { version: await browser.version(), ...(await opened(browser, path)) }
  }

  /** The package as a static server gives it: one file, and an import map only for the suite's bare names. */
  const script = (name, entry) => {
    const file = '../node_modules/lanewise/dist/lanewise.min.js'
    const map = JSON.stringify({ imports: { lanewise: file, 'lanewise/io': file } })
    page(folder, name, `<script type="importmap">${map}</script><script type="module" src="${entry}"></script>`)
  }
  let bundled
  const bundle = () => (bundled ??= bundlers.esbuild(folder, page(folder, 'esbuild')))
  const everyBrowser = Object.keys(browsers)
  const inPages = Object.fromEntries(
    everyBrowser.flatMap((name) => [
      [`${name}, plain page`, inBrowser(name, '/isolated/script/index.html', () => script('script', '../app/page.js'))],
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
    ...inNodes,
    ...wides,
    ...requires,
    Deno: inProcess(deno, [...denoRun, 'app/main.mjs'], ['--version']),
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

  const NO_RELAXED = /^init: precision is 'fast', but this engine has no relaxed SIMD/
  const NOT_BROUGHT = /kernels-relaxed.wasm of this package, is not to be had here .*pass it: init/
  /** What app/fast.js found as a row: each of `expected` is a core, or words of a message. */
  function cores(found, expected) {
    const failures = []
    const cells = Object.entries(expected).map(([asked, wanted]) => {
      const { message, core, fused, same } = found[asked]
      const text = message ?? (core === 'fast' && !fused ? 'fast, does not fuse' : core)
      const fits = wanted instanceof RegExp ? wanted.test(text) : text === wanted
      if (!fits) failures.push(`precision: '${asked}' gave "${text}", expected ${wanted}`)
      // Roundings of a training differ where products are fused, and nowhere else.
      if (fits && message === undefined && same === fused)
        failures.push(`precision: '${asked}' trained to ${same ? 'the' : 'other'} bits than the default core`)
      return [asked, message === undefined ? text : 'an Error']
    })
    return { ...Object.fromEntries(cells), failures }
  }
  const FAST = { fast: 'fast', auto: 'fast' }
  const NEITHER = { fast: NO_RELAXED, auto: 'reproducible' }
  const fastInProcess = (command, args, expected) => async () =>
    cores(JSON.parse(await run(command, args, { cwd: folder, env: { ...process.env, HOME: folder } })), expected)
  /** As the package brings them, and with the fast core passed. */
  const fastInWorkerd = async (served) => {
    const { alone, passed } = await ask(served)
    const rows = [cores(alone, { fast: NOT_BROUGHT, auto: 'reproducible' }), cores(passed, FAST)]
    const both = (asked) => rows.map((row) => row[asked]).join('; passed: ')
    return { fast: both('fast'), auto: both('auto'), failures: rows.flatMap(({ failures }) => failures) }
  }
  const fastCores = {
    'Node 20': fastInProcess(node(20), ['app/fast.mjs'], NEITHER),
    'Node 20, --experimental-wasm-relaxed-simd': fastInProcess(
      node(20),
      ['--experimental-wasm-relaxed-simd', 'app/fast.mjs'],
      FAST,
    ),
    ...Object.fromEntries(
      [22, 24, 26].map((major) => [`Node ${major}`, fastInProcess(node(major), ['app/fast.mjs'], FAST)]),
    ),
    Deno: fastInProcess(deno, [...denoRun, 'app/fast.mjs'], FAST),
    Bun: fastInProcess(bun, ['app/fast.mjs'], { fast: 'fast, does not fuse', auto: 'fast, does not fuse' }),
    'workerd (Cloudflare)': async () => fastInWorkerd(await workerd(folder, 'app/fast-fetch.js', 'fast-workerd')),
    'wrangler dev (Cloudflare)': async () =>
      fastInWorkerd(await wranglerDev(folder, ['app/fast-fetch.js', '--compatibility-date', '2026-01-01'])),
    // Node 20 runs it, and has no relaxed SIMD.
    'edge-runtime (Vercel)': async () =>
      cores(await vercel(await bundleForVercel(folder, 'app/fast-vercel.js', 'fast-vercel')), NEITHER),
    ...Object.fromEntries(
      everyBrowser.map((name) => [
        name,
        async () => {
          script('fast', '../app/fast-page.js')
          const found = await opened(browsers[name], '/plain/fast/index.html')
          return cores(found, name === 'WebKitGTK' ? NEITHER : FAST)
        },
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(bundlers).map(([name, build]) => [
        `${name}, in Chromium`,
        async () => {
          await build(folder, page(folder, `fast-${name}`), 'fast-page.js')
          const found = await opened(browsers.Chromium, `/plain/fast-${name}/index.html`)
          const brings = name === 'Vite' || name === 'webpack'
          return cores(found, brings ? FAST : { fast: NOT_BROUGHT, auto: 'reproducible' })
        },
      ]),
    ),
  }

  /** Threads follow what the engine says of the page: two where it is isolated, else one and why. */
  const isolation = (name, mode, expected) => async () => {
    script('isolation', '../app/isolation.js')
    const { isolated, count, reason, wrong } = await opened(browsers[name], `/${mode}/isolation/index.html`)
    const failures = [...wrong]
    if (expected !== undefined && isolated !== expected) failures.push(`crossOriginIsolated is ${isolated}`)
    if (count !== (isolated ? 2 : 1)) failures.push(`${count} threads: ${reason}`)
    if (!isolated && !/not cross-origin isolated.*Document-Isolation-Policy/.test(reason)) failures.push(reason)
    return { isolated, threads: String(count), failures }
  }
  const isolations = {
    'Chromium, no header': isolation('Chromium', 'plain', false),
    'Chromium, Document-Isolation-Policy': isolation('Chromium', 'document', true),
    'Chromium, also COOP and COEP': isolation('Chromium', 'both', true),
    // Whether it has it is the engine's to say.
    'Firefox, Document-Isolation-Policy': isolation('Firefox', 'document'),
    'Firefox, also COOP and COEP': isolation('Firefox', 'both', true),
  }

  let trainingBundled
  const bundleTraining = () => {
    const out = page(folder, 'training')
    const entryPoints = {
      page: 'app/training-page.js',
      'training-worker': 'app/training-worker.js',
      'silent-worker': 'app/silent-worker.js',
    }
    trainingBundled ??= esbuild(folder, { entryPoints, outdir: out })
    return trainingBundled
  }
  const trainings = {
    Deno: async () => JSON.parse(await run(deno, [...denoRun, 'app/training.mjs'], { cwd: folder })),
    Bun: async () => JSON.parse(await run(bun, ['app/training.mjs'], { cwd: folder })),
    ...Object.fromEntries(
      everyBrowser.map((name) => [
        name,
        async () => {
          await bundleTraining()
          return opened(browsers[name], '/strict/training/index.html')
        },
      ]),
    ),
  }
  /** Names of rows, each followed by what it is about: --only finds them. */
  const about = (rows, what) =>
    Object.fromEntries(Object.entries(rows).map(([name, check]) => [`${name}: ${what}`, check]))

  /** Told is what init said: it must have words of each of `expected`. */
  const says = (messages, ...expected) => {
    const list = [messages].flat()
    return {
      failures: expected.flatMap((words, i) =>
        words.test(list[i]) ? [] : [`init said "${list[i]}", expected ${words}`],
      ),
    }
  }
  const SIMD = /this engine has no WebAssembly SIMD. Chrome 93/
  const CSP = /add 'wasm-unsafe-eval' to script-src/
  const MODULE = /import kernels.wasm as a module and pass it: init\(\{ wasm \}\)/
  let attemptBundled
  const attemptBundle = () => {
    const out = page(folder, 'attempt')
    attemptBundled ??= esbuild(folder, { entryPoints: ['app/attempt-page.js'], outfile: join(out, 'page.js') })
    return attemptBundled
  }
  const blocked = (name) => async () => {
    await attemptBundle()
    return says(await opened(browsers[name], '/nowasm/attempt/index.html'), CSP)
  }
  /** Files that are no core of this version, then the core under the wrong content type. */
  const served = (name) => async () => {
    await attemptBundle()
    const wasm = readFileSync(join(folder, 'node_modules/lanewise/dist/kernels.wasm'))
    page(
      folder,
      'files',
      `<meta data-sources='${JSON.stringify(['missing.wasm', 'index.html', 'other.wasm', '/text/files/kernels.wasm'])}'>
      <script type="module" src="../attempt/page.js"></script>`,
    )
    writeFileSync(join(folder, 'files/kernels.wasm'), wasm)
    writeFileSync(join(folder, 'files/other.wasm'), await otherVersion(wasm))
    return says(
      await opened(browsers[name], '/plain/files/index.html'),
      /missing.wasm came with status 404, expected kernels.wasm/,
      /wasm is not a WebAssembly module .* does its URL lead to kernels.wasm, or to a page?/,
      /wasm is the core of another version \(abi 0x[0-9a-f]+, expected 0x[0-9a-f]+\); use kernels.wasm of the same version/,
      /^$/,
    )
  }

  const refusals = {
    'no WebAssembly: Node 20 with --jitless': async () => {
      // V8 first prints that it does without.
      const told = await run(node(20), ['--jitless', 'app/attempt.mjs'], { cwd: folder })
      return says(
        JSON.parse(told.trim().split('\n').at(-1)),
        /this engine has no WebAssembly; Node has it without --jitless/,
      )
    },
    'no room for maxMemory: Node 20 in 2 GB of addresses': async () => {
      const args = ['-c', 'ulimit -v 2000000; exec "$0" app/attempt.mjs', node(20)]
      const found = JSON.parse(await run('sh', args, { cwd: folder }))
      return says(found, /maxMemory, 2147483648 bytes, could not be reserved \(.+\); pass a smaller one/)
    },
    'no SIMD: Node 20 on a processor without SSE4.1': async () => {
      const args = ['--no-enable-sse4-1', 'app/attempt.mjs']
      return says(JSON.parse(await run(node(20), args, { cwd: folder })), SIMD)
    },
    'no SIMD: Chromium on a processor without SSE4.1': async () => {
      await attemptBundle()
      return says(await opened(browsers.Chromium, '/plain/attempt/index.html', { flags: NO_SIMD }), SIMD)
    },
    ...Object.fromEntries(everyBrowser.map((name) => [`CSP without wasm-unsafe-eval: ${name}`, blocked(name)])),
    ...Object.fromEntries(
      everyBrowser.map((name) => [`not found, no wasm, another version, text/plain: ${name}`, served(name)]),
    ),
    'bytes where nothing compiles: workerd': async () => {
      const body = readFileSync(join(folder, 'node_modules/lanewise/dist/kernels.wasm'))
      return says(await ask(await workerd(folder, 'app/attempt-fetch.js', 'bytes'), { method: 'POST', body }), MODULE)
    },
    'bytes where nothing compiles: edge-runtime': async () => {
      const out = await bundleForVercel(folder, 'app/attempt-fetch.js', 'bytes-vercel')
      return says(await vercel(out, join(folder, 'node_modules/lanewise/dist/kernels.wasm')), MODULE)
    },
  }

  const watch = { watched: (prefix, what) => watched(`${prefix}/app`, what) }
  return {
    Runtimes: { columns: ['Runtime', 'Version', 'SIMD', 'Relaxed', 'Threads'], rows: runtimes },
    'Fast core': { columns: ['Runtime', 'Fast', 'Auto'], rows: about(fastCores, 'precision') },
    Isolation: { columns: ['Check', 'Isolated', 'Threads'], rows: about(isolations, 'two threads') },
    'Training in a Worker': { columns: ['Runtime'], rows: about(trainings, 'lanewise/worker') },
    'Bad input': { columns: ['Check'], rows: refusals },
    Examples: { columns: ['Check'], rows: exampleChecks(context, { ...watch, ...pagesOfVite, cold, deno }) },
    Memory: { columns: ['Check', 'Measured', 'Limit'], rows: memoryChecks(context) },
    Times: {
      columns: ['Check', 'Measured', 'Limit'],
      measuresTime: true,
      rows: timeChecks(context, { ...watch, ...pagesOfVite }),
    },
  }
}
