// npm run bits: packs the package, and trains the models of app/models.mjs with it in every runtime, with every count of
// threads. A line each, bits RUNTIME THREADS MODEL SHA; exit 1 where a hash is not that of hashes.json.

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { install } from '../../scripts/install.mjs'
import { stopBrowsers } from '../runtimes/browsers.mjs'
import { project } from '../runtimes/project.mjs'
import { serve } from '../runtimes/server.mjs'
import { CHANGED } from './app/models.mjs'
import { runtimes } from './runtimes.mjs'

const help = `Usage: npm run bits -- [options]

  --only TEXT   only where "RUNTIME THREADS" has TEXT in it: --only node24, --only 'node24 1'
  --renew       write the hashes that the oldest Node finds into test/bits/hashes.json, and do nothing else
  --help`

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const hashesFile = here('hashes.json')

function options() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string', default: '' },
        renew: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    console.error(`bits: ${error.message}\n\n${help}`)
    return process.exit(2)
  }
}

async function renew([{ train }]) {
  const { hashes } = await train({})
  writeFileSync(hashesFile, `${JSON.stringify(hashes, null, 2)}\n`)
  console.error(`bits: written to ${hashesFile}`)
}

/** Trains everywhere and prints the lines. A hash that is not there counts as failed. */
async function compare(runs) {
  const expected = JSON.parse(readFileSync(hashesFile, 'utf8'))
  const models = Object.keys(expected)
  const seen = Object.fromEntries(models.map((model) => [model, new Set()]))
  let passed = 0
  for (const { name, threads, asked, train } of runs) {
    const started = performance.now()
    try {
      const found = await train({ threads: asked })
      if (found.count !== threads)
        throw new Error(`of ${asked} threads ${found.count} run, expected ${threads}: ${found.reason}`)
      for (const model of models) {
        const sha = found.hashes[model]
        console.log(`bits ${name} ${model} ${sha}`)
        seen[model].add(sha)
        if (sha === expected[model]) passed++
      }
    } catch (error) {
      console.error(`bits: ${name}: ${error.message}`)
    }
    console.error(`bits: ${name} took ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
  const differ = models.filter((model) => seen[model].size > 1)
  const changed = models.filter((model) => seen[model].size === 1 && !seen[model].has(expected[model]))
  if (differ.length > 0) console.error(`bits: ${differ.join(', ')}: not the same everywhere`)
  if (changed.length > 0) console.error(`bits: ${changed.join(', ')}: ${CHANGED}`)
  const failed = runs.length * models.length - passed
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0
}

const { only, renew: renewing, help: wanted } = options()
if (wanted) {
  console.log(help)
  process.exit(0)
}
await install('test/runtimes')
const { folder } = await project()
let server
try {
  cpSync(here('app'), join(folder, 'bits'), { recursive: true })
  server = await serve(folder)
  const all = Object.entries(runtimes({ folder, server })).flatMap(([runtime, { threads, asked, train }]) =>
    threads.map((count) => ({ name: `${runtime} ${count}`, threads: count, asked: asked ?? count, train })),
  )
  const runs = all.filter(({ name }) => name.includes(only))
  if (runs.length === 0) {
    console.error(`bits: nothing has "${only}" in its name; there are\n  ${all.map(({ name }) => name).join('\n  ')}`)
    process.exitCode = 2
  } else if (renewing) await renew(runs)
  else if (!(await compare(runs))) process.exitCode = 1
} finally {
  server?.close()
  await stopBrowsers()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
