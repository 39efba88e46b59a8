// The script of a worker of Node, Deno and Bun.

import { readlinkSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { work } from '../threads/work.ts'

/** Where Linux lists this thread while it lives; null elsewhere. */
function ownTask(): string | null {
  try {
    return `/proc/${readlinkSync('/proc/thread-self')}`
  } catch {
    return null
  }
}

await work(workerData, () => parentPort?.postMessage(ownTask()))
parentPort?.close()
