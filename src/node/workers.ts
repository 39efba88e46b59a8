// Workers of Node, Deno and Bun.

import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Assignment, Worker as TeamWorker } from '../threads/worker.ts'

/** Address of worker.js: the build writes it in the words that bundlers look for. */
declare const WORKER_SCRIPT: URL

/** Cores that this process may use. */
export const cores = (): number => availableParallelism()

/** Why there can be no workers over one memory here, or null. */
export const obstacle = (): string | null =>
  typeof SharedArrayBuffer === 'undefined' ? 'this process has no SharedArrayBuffer' : null

/** Starts a worker; it does not keep the process alive. Rejects when it ends before it is ready. */
export function spawn(assignment: Assignment): Promise<TeamWorker> {
  const worker = new Worker(WORKER_SCRIPT, {
    workerData: assignment,
    name: 'lanewise',
  } as object)
  return new Promise((resolve, reject) => {
    let why = 'it ended'
    let task: string | null = null
    const ended = new Promise<string>((end) => {
      worker.once('exit', (code) => {
        if (why === 'it ended' && code !== 0) why = `exit code ${code}`
        end(why)
        reject(new Error(`a worker did not start: ${why}`))
      })
    })
    worker.on('error', (error: Error) => {
      why = error.message
    })
    worker.once('message', (path: string | null) => {
      task = path
      worker.unref()
      resolve({
        // Linux lists the threads of a process; elsewhere the end of one is told in a message, which waits for this one.
        alive: () => (task === null ? null : existsSync(task)),
        ended,
        end: () => void worker.terminate(),
      })
    })
  })
}
