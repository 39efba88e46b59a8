// npm run build: does the steps of which a file changed, and no others. What a step read and what it wrote is remembered
// by content, in build/steps.json: the step is done again where one byte of either is another, or a file has come or gone.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What is installed is read by every step. */
const INSTALLED = 'node_modules/.package-lock.json'
const host = { reads: ['src', 'tsconfig.json', 'tsconfig.build.json', 'package.json', INSTALLED] }
const cores = ['build/kernels.wasm', 'build/kernels.wasm.base64', 'build/kernels-relaxed.wasm']
const bundled = { reads: [...host.reads, ...cores, 'vite.config.ts'] }
const core = { reads: ['assembly', 'asconfig.json', INSTALLED] }

/** Steps in stages: those of a stage run side by side. `reads`: files and folders; `writes`: files, or those of a folder
 *  whose path fits; what is there of them is removed first. */
export const stages = {
  core: [
    {
      abi: {
        command: 'node scripts/abi.mjs',
        reads: ['assembly/kernels', 'assembly/gemm', 'scripts/abi.mjs', 'package.json', INSTALLED],
        writes: ['assembly/dispatch.ts', 'src/core/commands.ts', 'src/threads/signatures.ts'],
      },
    },
    {
      simd: { ...core, command: 'asc --target simd', writes: ['build/kernels.wasm', 'build/kernels.wat'] },
      relaxed: { ...core, command: 'asc --target relaxed', writes: ['build/kernels-relaxed.wasm'] },
    },
    {
      deflated: {
        command: 'node scripts/deflate.mjs',
        reads: ['build/kernels.wasm', 'scripts/deflate.mjs', INSTALLED],
        writes: ['build/kernels.wasm.base64'],
      },
    },
  ],
  host: [
    {
      modules: {
        ...bundled,
        command: 'vite build --logLevel warn',
        writes: [['dist', /^(?!dist\/lanewise\.min\.js)(?!.*\.d\.ts$)/]],
      },
      page: {
        ...bundled,
        command: 'vite build --mode page --logLevel warn',
        writes: [['dist', /^dist\/lanewise\.min\.js/]],
      },
      types: { ...host, command: 'tsc -p tsconfig.build.json', writes: [['dist', /\.d\.ts$/]] },
    },
  ],
}

/** The files of `root` that a list names. */
function filesOf(root, list) {
  const inside = (path) => {
    const entry = statSync(join(root, path), { throwIfNoEntry: false })
    if (!entry) return []
    return entry.isDirectory() ? readdirSync(join(root, path)).flatMap((name) => inside(`${path}/${name}`)) : [path]
  }
  return list.flatMap((item) =>
    typeof item === 'string' ? inside(item) : inside(item[0]).filter((f) => item[1].test(f)),
  )
}

function hashOf(root, files) {
  const hash = createHash('sha256')
  for (const file of files.toSorted()) {
    const content = readFileSync(join(root, file))
    hash.update(`${file}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

function run(root, command) {
  const path = [join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter)
  const child = spawn(command, { cwd: root, shell: true, stdio: 'inherit', env: { ...process.env, PATH: path } })
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) =>
      code === 0 ? done() : fail(new Error(`${command} ended with ${signal ?? `exit code ${code}`}`)),
    )
  })
}

/** Does what is not up to date of `stages` in `root`; the names of the steps that were done. Throws when one fails: those
 *  beside it are finished first, and it is done again by the next build. */
export async function build(root, stages, tell = () => {}) {
  const memory = join(root, 'build/steps.json')
  mkdirSync(join(root, 'build'), { recursive: true })
  const remembered = () => {
    try {
      return JSON.parse(readFileSync(memory, 'utf8'))
    } catch {
      return {}
    }
  }
  const written = ({ writes }) => filesOf(root, writes)
  const read = (step) => {
    const own = new Set(written(step))
    return filesOf(root, step.reads).filter((file) => !own.has(file))
  }
  const steps = remembered()
  const done = []
  for (const stage of stages) {
    const results = await Promise.allSettled(
      Object.entries(stage).map(async ([name, step]) => {
        // Before the step runs: what changes meanwhile is for the next build.
        const reads = hashOf(root, [...read(step)]) + step.command
        const last = steps[name]
        if (last?.reads === reads && last.writes === hashOf(root, written(step))) return
        const started = performance.now()
        delete steps[name]
        for (const file of written(step)) rmSync(join(root, file))
        await run(root, step.command)
        const missing = step.writes.find((item) => filesOf(root, [item]).length === 0)
        if (missing) throw new Error(`${step.command} wrote no ${missing}`)
        steps[name] = { reads, writes: hashOf(root, written(step)) }
        done.push(name)
        tell(`build: ${step.command}, ${((performance.now() - started) / 1000).toFixed(1)} s`)
      }),
    )
    writeFileSync(memory, JSON.stringify(steps, null, 2))
    const failed = results.find(({ status }) => status === 'rejected')
    if (failed) throw failed.reason
  }
  return done
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [part, ...more] = process.argv.slice(2)
  if (more.length > 0 || !(part === undefined || Object.hasOwn(stages, part))) {
    console.error(`build: expected nothing, or one of ${Object.keys(stages).join(', ')}; got ${process.argv.slice(2)}`)
    process.exit(2)
  }
  const root = fileURLToPath(new URL('..', import.meta.url))
  try {
    await build(root, part === undefined ? [...stages.core, ...stages.host] : stages[part], console.error)
  } catch (error) {
    console.error(`build: ${error.message}`)
    process.exitCode = 1
  }
}
