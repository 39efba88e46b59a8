// Workers of a page.

import type { Assignment, Worker as TeamWorker } from './worker.ts'

/** Address of web-worker.js: the build writes it in the words that bundlers look for. */
declare const WORKER_SCRIPT: URL

/** Logical cores of the machine, as the browser tells. */
export const cores = (): number => navigator.hardwareConcurrency || 1

/** Why there can be no workers over one memory here, or null. */
export function obstacle(): string | null {
  if (typeof Worker === 'undefined') return 'this place has no Worker'
  if (typeof SharedArrayBuffer === 'undefined' || !crossOriginIsolated)
    return (
      'the page is not cross-origin isolated: memory is shared where its server sends Document-Isolation-Policy: ' +
      'isolate-and-credentialless, or Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp'
    )
  return null
}

/** Starts a worker. Rejects when its script does not load, or cannot instantiate the core. */
export function spawn(assignment: Assignment): Promise<TeamWorker> {
  const worker = new Worker(WORKER_SCRIPT, { type: 'module', name: 'lanewise' })
  return new Promise((resolve, reject) => {
    let end = (_: string) => {}
    const ended = new Promise<string>((finish) => {
      end = finish
    })
    const over = (why: string) => {
      worker.terminate()
      end(why)
      reject(new Error(`a worker did not start: ${why}`))
    }
    worker.onerror = (event) => {
      event.preventDefault()
      over(
        event.message ||
          'its script, web-worker.js beside this one, could not be loaded, or came without a header of the page',
      )
    }
    worker.onmessage = ({ data }) => {
      if (data !== 'ready') return over(String(data))
      resolve({ alive: () => null, ended, end: () => over('it gave no sign of life') })
    }
    worker.postMessage(assignment)
  })
}
