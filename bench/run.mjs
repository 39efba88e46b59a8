// npm run bench: Lanewise and its peers, interleaved in one run.
//
// Each implementation lives in a process of its own, and only one works at a time. They warm up, then take
// turns for some rounds of a fraction of a second; figures are medians of the rounds, so that what else the
// machine does in the meantime hits all alike. Trust ratios of one run; absolute figures need the machine.

import { openSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { install } from '../scripts/install.mjs'
import { cases } from './cases.mjs'
import { Child } from './child.mjs'
import { commandsOf, impls, racers } from './impls.mjs'

// Engines compile hot code anew after a while: a case warms up for this long and this many steps, but a slow
// peer no longer than the limit.
const WARM_UP_MS = 300
const WARM_UP_STEPS = 50
const WARM_UP_LIMIT_MS = 15_000
const ROUND_MS = 200
/** How far a peer's result may be from ours, relatively. Seen: 2e-6 from other orders of summation, 9e-4 from
 *  training without the update (mlp-large). */
const SAME_RESULT = 1e-4

const peers = impls.slice(1).map(({ name }) => name)
const help = `Usage: npm run bench -- [options]

  --case TEXT      only cases with TEXT in their name (${cases.map(({ name }) => name).join(' ')})
  --peers A,B      only these peers, or none (${peers.join(' ')})
  --rounds N       rounds of about ${ROUND_MS} ms that are timed; default 7
  --node PATH|24   run Lanewise and all peers in JavaScript on this Node, or on the 24 of bench's packages;
                   default the one that runs this (jax-js: 24)
  --wide           on Node 24 with V8's 256-bit pass on, for Lanewise and all peers in JavaScript
  --threads N      besides, Lanewise and PyTorch with N threads, as lanewise-Nt and pytorch-Nt
  --fast           Lanewise's fast core besides (lanewise-fast), all on Node 24
  --profile CASE   where the time of a step of Lanewise goes: time, rate and bytes of each kernel
  --growth FILE    draw how the time of a step grows with width, depth, batch and length, as an SVG
  --json           one JSON object a line: case, impl, ms or gflops, ratio
  --help

ratio is the implementation's time over Lanewise's.`

const tell = (line) => process.stderr.write(`${line}\n`)

function options() {
  try {
    const { values } = parseArgs({
      options: {
        case: { type: 'string', default: '' },
        peers: { type: 'string', default: peers.join() },
        rounds: { type: 'string', default: '7' },
        node: { type: 'string' },
        wide: { type: 'boolean', default: false },
        threads: { type: 'string', default: '1' },
        fast: { type: 'boolean', default: false },
        profile: { type: 'string' },
        growth: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    const chosen = values.peers === 'none' ? [] : values.peers.split(',').filter((name) => name !== '')
    const unknown = chosen.find((name) => !impls.some((impl) => impl.name === name))
    if (unknown !== undefined) throw new Error(`--peers: no peer ${unknown}, expected some of ${peers.join()}, or none`)
    if (values.profile !== undefined && !cases.some(({ name }) => name === values.profile))
      throw new Error(
        `--profile: no case ${values.profile}, expected one of ${cases.map(({ name }) => name).join(', ')}`,
      )
    const entries = cases.filter(({ name }) => name.includes(values.case))
    if (entries.length === 0)
      throw new Error(`--case: no case has ${values.case} in its name: ${cases.map(({ name }) => name).join(', ')}`)
    const rounds = Number(values.rounds)
    if (!(Number.isInteger(rounds) && rounds > 0))
      throw new Error(`--rounds: got ${values.rounds}, expected a whole number from 1`)
    const threads = Number(values.threads)
    if (!(Number.isInteger(threads) && threads >= 1 && threads <= 16))
      throw new Error(`--threads: got ${values.threads}, expected a whole number from 1 to 16`)
    if (values.wide || values.fast) values.node ??= '24'
    if (values.growth !== undefined && (values.json || values.profile !== undefined || values.case !== ''))
      throw new Error('--growth goes with --rounds, --node and --wide alone')
    const measured = racers({ ...values, threads }).filter(
      ({ name }) => name.startsWith('lanewise') || chosen.includes(name.replace(/-\d+t$/, '')),
    )
    return { ...values, rounds, entries, impls: measured }
  } catch (error) {
    tell(`${error.message}\n\n${help}`)
    return process.exit(2)
  }
}

/** A peer that is missing stops no run. */
const installed = () =>
  install('bench').catch((error) => tell(`bench: ${error.message}; peers that are not there are left out`))

/** Lets a child do more and more steps until it is warm; the number of steps that fill a round. */
async function warmUp(child) {
  let steps = 0
  let total = 0
  for (let n = 1; ; n *= 2) {
    const ms = await child.run(n)
    steps += n
    total += ms
    if ((steps >= WARM_UP_STEPS && total >= WARM_UP_MS) || total >= WARM_UP_LIMIT_MS)
      return Math.max(1, Math.round((ROUND_MS * n) / ms))
  }
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2
}

/** Names of implementations that did not come up, tried once only. */
const absent = new Set()
/** What the others said of themselves. */
const present = new Map()

async function start(impl, runtime) {
  try {
    const child = await Child.start(commandsOf(impl, runtime))
    present.set(impl.name, child.about)
    return child
  } catch (error) {
    absent.add(impl.name)
    throw error
  }
}

/** Median milliseconds a step of every implementation that can do the case, ours first; nothing without ours. */
async function measure(entry, { impls, rounds, ...runtime }) {
  const able = impls.filter(
    ({ name, kinds, except = [] }) => kinds.includes(entry.kind) && !except.includes(entry.name) && !absent.has(name),
  )
  let racers = []
  const skip = ({ name }, error) => {
    racers = racers.filter((racer) => racer.name !== name)
    tell(`${name}: ${absent.has(name) ? 'left out' : `left out of ${entry.name}`}: ${error.message}`)
  }
  const children = []
  try {
    let ours
    for (const impl of able) {
      try {
        const child = await start(impl, runtime)
        children.push(child)
        const check = await child.prepare(entry)
        ours ??= check
        if (!(Math.abs(check - ours) <= SAME_RESULT * Math.abs(ours)))
          throw new Error(`computes ${check}, where Lanewise computes ${ours}`)
        racers.push({ name: impl.name, child, steps: await warmUp(child), times: [] })
      } catch (error) {
        skip(impl, error)
        if (impl === impls[0]) return []
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const racer of racers) {
        try {
          racer.times.push((await racer.child.run(racer.steps)) / racer.steps)
        } catch (error) {
          skip(racer, error)
        }
      }
    }
  } finally {
    for (const child of children) child.close()
  }
  if (racers[0]?.name !== impls[0].name) return []
  return racers.map(({ name, times }) => ({ name, ms: median(times) }))
}

const round = (x) => Number(x.toPrecision(4))

function* rows(entry, results) {
  const ours = results[0]?.ms
  for (const { name, ms } of results) {
    const figure = entry.flops ? { gflops: round(entry.flops / ms / 1e6) } : { ms: round(ms) }
    yield { case: entry.name, impl: name, ...figure, ratio: round(ms / ours) }
  }
}

function printed({ case: name, impl, ms, gflops, ratio }) {
  const figure = gflops === undefined ? `${ms} ms   ` : `${gflops.toFixed(1)} GFLOP/s`
  return `${name.padEnd(12)}${impl.padEnd(14)}${figure.padStart(16)}${ratio.toFixed(2).padStart(10)}`
}

const settings = options()
if (settings.help) {
  console.log(help)
  process.exit()
}
await installed()
if (settings.profile !== undefined) {
  const child = await Child.start(commandsOf(impls[0], settings))
  await child.prepare({ ...cases.find(({ name }) => name === settings.profile), profile: true })
  await warmUp(child)
  console.log(await child.profile())
  child.close()
  process.exit()
}
if (settings.growth !== undefined) {
  const { figure, studies } = await import('./growth.mjs')
  // A path that cannot be written is told before the measuring.
  const file = openSync(settings.growth, 'w')
  const results = []
  for (const { axis, title, points, flops } of studies) {
    console.log(title)
    const rows = []
    for (const [x, entry] of points) {
      const [ours] = await measure(entry, { ...settings, impls: impls.slice(0, 1) })
      if (!ours) process.exit(1)
      const { ms } = ours
      console.log(`  ${`${axis} = ${x}`.padEnd(28)}${ms.toPrecision(4).padStart(10)} ms${(flops(entry) / ms / 1e6).toFixed(1).padStart(8)} GFLOP/s`) // biome-ignore format: one line
      rows.push([x, ms, flops(entry)])
    }
    results.push(rows)
  }
  const [processor] = cpus()
  const { runtime } = present.get(impls[0].name)
  const machine = `${processor?.model.trim()}, one thread, ${runtime}${settings.wide ? ', wide' : ''}, npm run bench -- --growth`
  writeFileSync(file, figure(results, machine))
  process.exit()
}

const say = settings.json ? tell : console.log
const [cpu] = cpus()
say(
  `${cpu?.model.trim() ?? process.arch}, ${cpus().length} cores, Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}`,
)
say(['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '))
if (!settings.json) say(`\n${'case'.padEnd(12)}${'impl'.padEnd(14)}${'a step'.padStart(16)}${'ratio'.padStart(10)}`)
for (const entry of settings.entries) {
  const results = await measure(entry, settings)
  for (const row of rows(entry, results)) console.log(settings.json ? JSON.stringify(row) : printed(row))
  if (results.length === 0) process.exitCode = 1
  if (absent.has(impls[0].name)) break
}
say(`\n${[...present].map(([name, { version, runtime }]) => `${name} ${version} (${runtime})`).join(', ')}`)
