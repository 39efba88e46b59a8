// Loaded by --import into a process and its workers: in worker number 1 of Lanewise memory runs out, for real, at the
// place that EXHAUST names.

import { isMainThread, workerData } from 'node:worker_threads'

/** More and more objects, until Node ends this thread. */
function exhaust() {
  const kept = []
  for (;;) kept.push({ kept: kept.length, more: [kept.length] })
}

/** `fn`, until it is called for the nth time. */
const until = (n, fn) => {
  let calls = 0
  return (...args) => (++calls === n ? exhaust() : fn(...args))
}

if (!isMainThread && workerData?.self === 1) {
  const { instantiate } = WebAssembly
  const { wait } = Atomics
  const at = {
    start: () => {
      WebAssembly.instantiate = until(1, instantiate)
    },
    between: () => {
      Atomics.wait = until(5, wait)
    },
    part: () => {
      WebAssembly.instantiate = async (...args) => {
        const { exports } = await instantiate(...args)
        return { exports: { ...exports, run: until(5, exports.run) } }
      }
    },
  }
  at[process.env.EXHAUST]?.()
}
