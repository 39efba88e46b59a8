// The Worker of test/worker.test.ts: serves the training that workerData names.

import { parentPort, workerData } from 'node:worker_threads'
import { serve } from 'lanewise/worker'
import { build } from './model.mjs'

const trainings = {
  /** Learns from points for a number of steps; what it has seen of them at the end. */
  async *points({ steps, lr }, { signal, share }) {
    const { model, step } = await build(lr)
    share(model)
    let loss = Number.NaN
    for (let done = 1; done <= steps; done++) {
      loss = step()
      yield { done, loss }
      if (signal.aborted) return { done, loss }
    }
    return { done: steps, loss }
  },
  /** Never looks whether it should stop. */
  *endless(_, { share, report }) {
    let steps = 0
    share({ stateDict: () => ({ steps: { shape: [1], data: Float32Array.of(steps) } }) })
    try {
      while (true) yield ++steps
    } finally {
      report('left')
    }
  },
  /** Answers stop with work that takes further steps. */
  *thorough() {
    try {
      while (true) yield
    } finally {
      for (let i = 0; i < 10; i++) yield i
    }
  },
  /** Waits for what never comes, until the signal ends the wait. */
  async *waiting(_, { signal }) {
    yield 'waits'
    await new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
  },
  /** Steps that take nearly no time. */
  *fast({ steps, reports = [] }, { report }) {
    for (let done = 1; done <= steps; done++) {
      if (reports.includes(done)) report({ done, epoch: true })
      yield { done }
    }
    return steps
  },
  *echo(options) {
    yield
    return options
  },
  /** Shares nothing, and ends at once. */
  *nothing() {},
  async *fails({ how }) {
    yield 1
    if (how === 'range') throw new RangeError('the rate is 1e9', { cause: new Error('its cause') })
    if (how === 'own') throw Object.assign(new Error('mine'), { name: 'OwnError' })
    if (how === 'text') throw 'a text'
    if (how === 'progress') yield () => {}
    if (how === 'uncaught' || how === 'exit') {
      setTimeout(() => {
        if (how === 'exit') process.exit(7)
        throw new TypeError('thrown by a timer')
      }, 50)
      await new Promise(() => {})
    }
    return () => {}
  },
  plain: async () => 1,
}

if (workerData.before) parentPort.postMessage('of another')
if (workerData.after) await new Promise((wake) => setTimeout(wake, workerData.after))
if (workerData.never) parentPort.on('message', () => {})
else serve(trainings[workerData.name], parentPort)
