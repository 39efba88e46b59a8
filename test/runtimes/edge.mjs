// Edge runtimes: places that compile no code at run time.

import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { esbuild, packageVersion } from './bundlers.mjs'
import { resident } from './memory.mjs'
import { after, answer, freePort, run, start } from './processes.mjs'
import { connect } from './socket.mjs'

const file = (name) => fileURLToPath(new URL(name, import.meta.url))
export const workerdPath = file('node_modules/@cloudflare/workerd-linux-64/bin/workerd')
const wranglerPath = file('node_modules/wrangler/bin/wrangler.js')

export const versions = {
  workerd: async () => (await run(workerdPath, ['--version'])).match(/[\d-]+/)[0],
  wrangler: async () => packageVersion('wrangler'),
  edge: async () => packageVersion('edge-runtime'),
}

/** Bundles `entry` and serves it by workerd alone; the address and the process. */
export async function workerd(folder, entry, name) {
  const out = join(folder, name)
  mkdirSync(out, { recursive: true })
  await esbuild(folder, {
    entryPoints: { worker: entry },
    outdir: out,
    conditions: ['workerd'],
    loader: { '.wasm': 'copy' },
  })
  const modules = readdirSync(out)
    .filter((module) => /\.(js|wasm)$/.test(module))
    .sort((a) => (a === 'worker.js' ? -1 : 1))
    .map((module) => `(name = "${module}", ${module.endsWith('.js') ? 'esModule' : 'wasm'} = embed "${module}")`)
  const port = await freePort()
  writeFileSync(
    join(out, 'config.capnp'),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]
);
const worker :Workerd.Worker = (modules = [${modules.join(', ')}], compatibilityDate = "2026-01-01");
`,
  )
  return { url: `http://127.0.0.1:${port}/`, process: start(workerdPath, ['serve', 'config.capnp'], { cwd: out }) }
}

/** The folder of a Worker under wrangler's development server. */
export async function wranglerDev(folder, args = []) {
  const port = await freePort()
  const env = { ...process.env, HOME: folder, CI: 'true', WRANGLER_SEND_METRICS: 'false', NO_UPDATE_NOTIFIER: '1' }
  const inspector = await freePort()
  const ports = ['--ip', '127.0.0.1', '--port', `${port}`, '--inspector-port', `${inspector}`]
  const command = [wranglerPath, 'dev', ...args, ...ports, '--show-interactive-dev-session=false']
  return { url: `http://127.0.0.1:${port}/`, process: start(process.execPath, command, { cwd: folder, env }) }
}

/** The Worker of `folder`, bundled by wrangler, under Miniflare; `heap()` is what its JavaScript holds, in bytes, after
 *  garbage was collected. */
export async function miniflare(folder) {
  const env = { ...process.env, HOME: folder, CI: 'true', WRANGLER_SEND_METRICS: 'false' }
  const out = join(folder, 'out')
  await run(process.execPath, [wranglerPath, 'deploy', '--dry-run', '--outdir', out], { cwd: folder, env })
  const [wasm] = readdirSync(out).filter((module) => module.endsWith('.wasm'))
  const inspectorPort = await freePort()
  const { Miniflare } = await import('miniflare')
  const worker = new Miniflare({
    name: 'worker',
    inspectorPort,
    modulesRoot: out,
    modules: [
      { type: 'ESModule', path: join(out, 'index.js') },
      { type: 'CompiledWasm', path: join(out, wasm) },
    ],
    compatibilityDate: '2026-01-01',
    durableObjects: { LEARNER: { className: 'Learner', useSQLite: true } },
  })
  const url = await worker.ready
  return {
    url,
    process: { child: { exitCode: null }, output: '', errors: '' },
    heap: () => heapOf(`ws://127.0.0.1:${inspectorPort}/core:user:worker`, url),
    resident: () => resident(process.pid, 'workerd'),
    stop: () => worker.dispose(),
  }
}

async function heapOf(inspector, worker) {
  const { call, close } = await connect(inspector)
  // Workerd hears its inspector when the worker next runs: at a request, or eight seconds later at its alarm.
  await Promise.all([call('HeapProfiler.collectGarbage'), after(10).then(() => fetch(worker))])
  const { usedSize, embedderHeapUsedSize, backingStorageSize } = await call('Runtime.getHeapUsage')
  close()
  return usedSize + embedderHeapUsedSize + backingStorageSize
}

/** What `served` answers at its root, as JSON. */
export async function ask(served, options) {
  try {
    const response = await answer(served.url, served.process, options)
    const text = await response.text()
    if (!response.ok) throw new Error(`status ${response.status}: ${text}\n${served.process.errors}`)
    return JSON.parse(text)
  } finally {
    await served.process.stop()
  }
}

/** Bundles `entry` as Vercel does, where `x.wasm?module` becomes a module compiled when the function is deployed. */
export async function bundleForVercel(folder, entry, name) {
  const out = join(folder, name)
  mkdirSync(out, { recursive: true })
  const wasm = {
    name: 'wasm-module',
    setup(build) {
      build.onResolve({ filter: /\.wasm\?module$/ }, ({ path, resolveDir }) => {
        copyFileSync(join(resolveDir, path.replace('?module', '')), join(out, 'kernels.wasm'))
        return { path: 'kernels', namespace: 'wasm-module' }
      })
      build.onLoad({ filter: /./, namespace: 'wasm-module' }, () => ({ contents: 'export default globalThis.kernels' }))
    },
  }
  await esbuild(folder, {
    entryPoints: { function: entry },
    outdir: out,
    conditions: ['edge-light'],
    format: 'iife',
    globalName: 'edgeFunction',
    plugins: [wasm],
  })
  return out
}

/** Runs a bundle for Vercel in a process of its own, where nothing may be compiled; what it answers. */
export const vercel = async (out, ...paths) =>
  JSON.parse(await run(process.execPath, [file('edge-child.mjs'), out, ...paths]))
