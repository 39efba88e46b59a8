// Runs the suites of suites.mjs: installs what they need, prints what each says, then their seconds and the tally of all.
// A suite that cannot be run, that passes its limit or ends without a tally has failed, and is named.
//
//   .ci/run                 all
//   .ci/run bits test:wide  these

import { spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { suites } from './suites.mjs'

/** Where this is run for every change, all ends without a word after 90 minutes. */
const MINUTES = 85
/** Suites at a time. */
const LANES = 2
const LOGS = 'build/ci'

const seconds = () => performance.now() / 1000
const say = (text) => console.log(`ci: ${`${Math.round(seconds())}`.padStart(4)} s  ${text}`)

const running = new Set()

/** Asks a command and all that it started to end, and after five seconds ends them. */
function stop({ child, ended }) {
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal)
    } catch {
      // Nobody is left.
    }
  }
  kill('SIGTERM')
  const forced = setTimeout(kill, 5000, 'SIGKILL')
  ended.finally(() => clearTimeout(forced))
}

/** Runs a command, at most for so many minutes: its exit code, or why there is none, and all that it said. */
async function run(words, log, { minutes = MINUTES, env = {} } = {}) {
  const path = `${LOGS}/${log.replaceAll(/[^\w]+/g, '-')}.log`
  const file = openSync(path, 'w')
  const stdio = ['ignore', file, file]
  // A group of processes of its own, which can be ended together.
  const child = spawn(words[0], words.slice(1), { detached: true, stdio, env: { ...process.env, ...env } })
  const ended = new Promise((done) => {
    child.once('error', ({ message }) => done(message))
    child.once('close', (code, signal) => done(signal ?? code))
  })
  const job = { child, ended }
  running.add(job)
  const limit = Math.min(60 * minutes, 60 * MINUTES - seconds())
  let late = false
  const timer = setTimeout(() => {
    late = true
    stop(job)
  }, 1000 * limit)
  const code = await ended
  clearTimeout(timer)
  running.delete(job)
  closeSync(file)
  return { code: late ? `stopped after ${Math.round(limit)} s, its limit` : code, said: readFileSync(path, 'utf8') }
}

/** Installs packages of Debian. Throws when some cannot be had. */
async function debian(packages) {
  const missing = () => {
    const format = '$' + '{Package} $' + '{db:Status-Status}\n'
    const { stdout } = spawnSync('dpkg-query', ['-W', '-f', format, ...packages], { encoding: 'utf8' })
    const installed = new Set((stdout ?? '').split('\n'))
    return packages.filter((name) => !installed.has(`${name} installed`))
  }
  if (missing().length === 0) return
  const apt = [
    ...(process.getuid() === 0 ? [] : ['sudo', '-n']),
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    '-qq',
  ]
  await run([...apt, 'update'], 'apt-update')
  const { code, said } = await run([...apt, 'install', '-y', '--no-install-recommends', ...missing()], 'apt-install')
  if (missing().length > 0)
    throw new Error(
      `Debian's ${missing().join(' ')} cannot be had (${code}): apt-get install ${missing().join(' ')}\n${said}`,
    )
}

async function folder(path) {
  const { code, said } = await run([process.execPath, 'scripts/install.mjs', path], `install ${path}`)
  if (code !== 0) throw new Error(said)
}

/** Runs a suite, once what it needs is there: how it ended, and how many of its checks have passed and failed. */
async function result({ npm, words = [], minutes, tally = true, debian = [], folders = [] }, needs, workers) {
  const began = seconds()
  const name = [npm, ...words].join(' ')
  const taken = () => ({ name, seconds: seconds() - began })
  const problems = (await Promise.all([...debian, ...folders].map((need) => needs.get(need)))).filter((text) => text)
  if (seconds() > 60 * MINUTES) problems.push('no time is left')
  if (problems.length > 0) {
    say(`${name} is not run: ${[...new Set(problems)].join('\n')}`)
    return { ...taken(), passed: 0, failed: 1, why: 'was not run' }
  }
  say(name)
  const command = npm === 'cit' ? ['npm', 'cit', '--no-audit', '--no-fund'] : ['npm', 'run', npm, '--', ...words]
  const { code, said } = await run(command, name, { minutes, env: { VITEST_MAX_WORKERS: `${workers}` } })
  const tallies = [...said.matchAll(/^(\d+) passed, (\d+) failed$/gm)]
  let [passed, failed] = [1, 2].map((i) => tallies.reduce((sum, found) => sum + Number(found[i]), 0))
  let why = failed > 0 ? `${failed} failed` : ''
  if (failed === 0 && code !== 0) {
    failed = 1
    why = typeof code === 'number' ? `exit code ${code}` : code
  } else if (passed === 0 && !why) {
    passed = tally ? 0 : 1
    failed = tally ? 1 : 0
    why = tally ? 'ended without a check' : ''
  }
  console.log(said)
  say(`${name} took ${taken().seconds.toFixed(0)} s${why && `: ${why}`}`)
  return { ...taken(), passed, failed, why }
}

function refuse(text) {
  console.error(`ci: ${text}`)
  console.log('0 passed, 1 failed')
  process.exit(1)
}

const asked = process.argv.slice(2)
const { scripts, engines } = JSON.parse(readFileSync('package.json', 'utf8'))
const lines = suites.map(({ npm }) => npm)
const lost = [...asked.filter((npm) => !lines.includes(npm)), ...lines.filter((npm) => npm !== 'cit' && !scripts[npm])]
if (lost.length > 0) refuse(`${lost.join(', ')}: expected a line in .ci/suites.mjs, and a script of package.json`)
const [, major, minor] = engines.node.match(/>=(\d+)\.(\d+)/).map(Number)
const [ownMajor, ownMinor] = process.versions.node.split('.').map(Number)
if (ownMajor < major || (ownMajor === major && ownMinor < minor))
  refuse(`Node ${engines.node} is needed, this is ${process.versions.node}: https://nodejs.org/en/download`)

for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, async () => {
    const left = [...running]
    left.forEach(stop)
    await Promise.all(left.map(({ ended }) => ended))
    refuse(`ended by ${signal}`)
  })

mkdirSync(LOGS, { recursive: true })
const chosen = suites.filter(({ npm }) => asked.length === 0 || asked.includes(npm))
/** What is needed by name, with a promise of what is wrong with it. */
const needs = new Map()
const need = (names, promise) => {
  const problem = promise.then(
    () => '',
    ({ message }) => message,
  )
  for (const name of names) needs.set(name, problem)
}
const packages = [...new Set(chosen.flatMap(({ debian = [] }) => debian))]
need(packages, debian(packages))
for (const path of new Set(chosen.flatMap(({ folders = [] }) => folders))) need([path], folder(path))

const results = []
const cores = availableParallelism()
const lanes = Math.min(LANES, cores)
const first = chosen.filter(({ npm }) => npm === 'cit')
const alone = chosen.filter((suite) => suite.alone)
const beside = chosen.filter((suite) => !first.includes(suite) && !alone.includes(suite))
for (const suite of first) results.push(await result(suite, needs, cores))
const lane = async () => {
  for (let suite = beside.shift(); suite; suite = beside.shift())
    results.push(await result(suite, needs, Math.max(1, Math.floor(cores / lanes))))
}
await Promise.all(Array.from({ length: lanes }, lane))
for (const suite of alone) results.push(await result(suite, needs, cores))

results.sort((a, b) => b.seconds - a.seconds)
console.log(`\nci: seconds of each suite; ${seconds().toFixed(0)} in all`)
for (const { name, seconds, why } of results)
  console.log(`${seconds.toFixed(0).padStart(6)}  ${name}${why && `: ${why}`}`)
const [passed, failed] = ['passed', 'failed'].map((kind) => results.reduce((sum, found) => sum + found[kind], 0))
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
