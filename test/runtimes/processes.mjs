// Processes that are ended for sure.

import { spawn } from 'node:child_process'
import { createServer } from 'node:net'

const running = new Set()

/** Starts a process in a group of its own, so that stop() ends its children too. */
export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options })
  const process = { child, output: '', errors: '', exited: new Promise((done) => child.once('close', done)) }
  child.on('error', (error) => {
    process.errors += error.message
  })
  child.stdout?.on('data', (chunk) => {
    process.output += chunk
  })
  child.stderr?.on('data', (chunk) => {
    process.errors += chunk
  })
  process.stop = async () => {
    running.delete(process)
    for (const signal of ['SIGTERM', 'SIGKILL']) {
      try {
        globalThis.process.kill(-child.pid, signal)
      } catch {
        return
      }
      if (await Promise.race([process.exited.then(() => true), after(2000)])) return
    }
  }
  running.add(process)
  return process
}

/** What a process prints, when it ends well within the time. */
export async function run(command, args, { timeout = 60_000, ...options } = {}) {
  const process = start(command, args, options)
  try {
    const code = await within(process.exited, timeout, `${command} ${args.join(' ')}`)
    if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${code}\n${process.output}${process.errors}`)
    return process.output
  } finally {
    await process.stop()
  }
}

export const after = (ms) => new Promise((done) => setTimeout(done, ms).unref())

export function within(promise, ms, what) {
  let timer
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what}: nothing within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** What a process has said that fits `words`, as soon as it has. */
export async function said(process, words, timeout = 30_000) {
  const end = Date.now() + timeout
  while (true) {
    const found = `${process.output}${process.errors}`.match(words)
    if (found) return found
    if (Date.now() > end || process.child.exitCode !== null)
      throw new Error(`${process.child.spawnfile} did not say ${words}:\n${process.output}${process.errors}`)
    await after(5)
  }
}

/** Asks until there is an answer. */
export async function answer(url, process, options, timeout = 30_000) {
  const end = Date.now() + timeout
  while (true) {
    try {
      return await fetch(url, options)
    } catch (error) {
      if (Date.now() > end || process.child.exitCode !== null) {
        throw new Error(`${url}: ${error.message}\n${process.output}${process.errors}`)
      }
      await after(2)
    }
  }
}

export async function freePort() {
  const server = createServer()
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address()
  await new Promise((done) => server.close(done))
  return port
}

process.on('exit', () => {
  for (const { child } of running) {
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {}
  }
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
