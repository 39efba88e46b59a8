// A training in a Worker, for real: worker_threads of Node. test/runtimes has Workers of pages, Deno and Bun.

import { once } from 'node:events'
import { parentPort, Worker } from 'node:worker_threads'
import { afterEach, beforeAll, describe, expect, expectTypeOf, test, vi } from 'vitest'
import { loaded } from '../scripts/size.mjs'
import { written } from '../src/checks.ts'
import { init, type NDArray, nn } from '../src/index.ts'
import { type AnyTrain, type Context, serve, type Train, Training } from '../src/worker/index.ts'
import { build } from './worker/model.mjs'

const script = new URL('worker/trainings.mjs', import.meta.url)

type Points = Train<{ steps: number; lr: number }, { done: number; loss: number }, { done: number; loss: number }>

const open: { terminate(): unknown }[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.terminate()
})
beforeAll(() => init())

const startWorker = (name: string, more: object = {}, url = script) => {
  const worker = new Worker(url, { workerData: { name, ...more } })
  open.push(worker)
  return worker
}
const training = <T extends AnyTrain>(name: string, more: object = {}, url = script) =>
  new Training<T>(startWorker(name, more, url))

type Loose = Train<object, number | string, unknown>
const settled = async (promise: Promise<unknown>) => (await Promise.allSettled([promise]))[0]
const wait = (ms: number) => new Promise((done) => setTimeout(done, ms))

describe('a training in a Worker', () => {
  test('gives progress, the result, and weights with the bits of a training without one', async () => {
    const run = training<Points>('points')
    const seen: { done: number; loss: number }[] = []
    const state = { before: run.state }
    const end = run.start({ steps: 3000, lr: 0.01 }, { onProgress: (progress) => seen.push(progress) })
    expect([state.before, run.state]).toEqual(['idle', 'running'])
    const result = await end
    expect(run.state).toBe('idle')
    const { model, step } = await build(0.01)
    const losses = Array.from({ length: 3000 }, step)
    expect(result).toEqual({ done: 3000, loss: losses.at(-1) })
    // Each is what the training yielded, in order, the last among them; few of the 3000, since they are throttled.
    for (const { done, loss } of seen) expect(loss).toBe(losses[done - 1])
    expect(seen.map(({ done }) => done)).toEqual(seen.map(({ done }) => done).toSorted((a, b) => a - b))
    expect(seen.at(-1)).toEqual(result)
    expect(seen.length).toBeLessThan(1000)
    const weights = await run.weights()
    expect(weights).toEqual(model.stateDict())
    const other = new nn.Sequential(new nn.Linear(8, 16), new nn.Tanh(), new nn.Linear(16, 1))
    other.loadStateDict(weights)
    expect(other.stateDict()).toEqual(model.stateDict())
  })

  test('pauses, gives weights of where it is, and goes on to the same bits', async () => {
    const run = training<Points>('points')
    const seen: number[] = []
    const end = run.start({ steps: 20_000, lr: 0.01 }, { onProgress: ({ done }) => seen.push(done) })
    const running = await run.weights()
    expect(await run.pause()).toBe(true)
    expect(run.state).toBe('paused')
    const at = seen.at(-1) as number
    const paused = await run.weights()
    await wait(60)
    expect(await run.weights()).toEqual(paused)
    // The page knows of every step that was made.
    expect(seen.at(-1)).toBe(at)
    expect(await run.pause()).toBe(true)
    run.resume()
    expect(run.state).toBe('running')
    const result = await end
    const { model, step } = await build(0.01)
    const states = new Map<number, object>()
    for (let done = 1; done <= 20_000; done++) {
      step()
      if (done === at) states.set(done, model.stateDict())
    }
    expect(at).toBeLessThan(20_000)
    expect(paused).toEqual(states.get(at))
    expect(running).not.toEqual(paused)
    expect(result?.done).toBe(20_000)
    expect(await run.weights()).toEqual(model.stateDict())
  })

  test('stops: what it returns then is the result', async () => {
    const run = training<Points>('points')
    const end = run.start({ steps: 1e9, lr: 0.01 })
    await run.weights()
    await run.stop()
    expect(run.state).toBe('idle')
    const { done, loss } = (await end) as { done: number; loss: number }
    expect(done).toBeGreaterThan(0)
    const { model, step } = await build(0.01)
    for (let i = 1; i < done; i++) step()
    expect(loss).toBe(step())
    expect(await run.weights()).toEqual(model.stateDict())
    // The same Worker trains anew.
    expect((await run.start({ steps: 5, lr: 0.01 }))?.done).toBe(5)
  })

  test('is ended at its next step where it does not look, also while paused; finally blocks run', async () => {
    const run = training<Loose>('endless')
    const seen: unknown[] = []
    for (const pause of [false, true]) {
      const end = run.start({}, { onProgress: (progress) => seen.push(progress) })
      await run.weights()
      if (pause) expect(await run.pause()).toBe(true)
      await run.stop()
      expect(await end).toBe(undefined)
      expect(seen.at(-1)).toBe('left')
    }
    expect((await run.weights()).steps?.data[0]).toBeGreaterThan(0)
    const thorough = training<Loose>('thorough')
    const end = thorough.start({}, { onProgress: (progress) => seen.push(progress) })
    await thorough.pause()
    await thorough.stop()
    expect(await end).toBe(undefined)
  })

  test('that waits is ended by the signal', async () => {
    const run = training<Loose>('waiting')
    let waits = () => {}
    const waiting = new Promise<void>((done) => (waits = done))
    const end = run.start({}, { onProgress: () => waits() })
    await waiting
    const weights = settled(run.weights())
    const paused = run.pause()
    await run.stop()
    expect([await end, await paused]).toEqual([undefined, false])
    expect(await weights).toMatchObject({ reason: { message: expect.stringMatching(/shared nothing; call share/) } })
  })

  test('throttles what it yields, and loses nothing of what it reports', async () => {
    const run = training<Train<object, { done: number; epoch?: boolean }, number>>('fast')
    const seen: { done: number; epoch?: boolean }[] = []
    const reports = [1, 2, 3, 40_000, 200_000]
    const started = performance.now()
    await run.start({ steps: 200_000, reports }, { onProgress: (progress) => seen.push(progress) })
    const frames = (performance.now() - started) / 16
    expect(seen.filter(({ epoch }) => epoch).map(({ done }) => done)).toEqual(reports)
    const yielded = seen.filter(({ epoch }) => !epoch).map(({ done }) => done)
    expect(yielded.at(-1)).toBe(200_000)
    expect(yielded).toEqual(yielded.toSorted((a, b) => a - b))
    // One a frame, the first, the last, and those that went with a report.
    expect(yielded.length).toBeLessThanOrEqual(frames + 2 + reports.length)
  })

  test('sends nothing to a page that has not taken what came before', async () => {
    const worker = startWorker('endless')
    const run = new Training<Loose>(worker)
    let messages = 0
    worker.on('message', ({ lanewise }) => {
      if (lanewise === 'progress') messages++
    })
    run.start({})
    await run.weights()
    messages = 0
    const until = performance.now() + 400
    while (performance.now() < until);
    await wait(0)
    expect(messages).toBeLessThanOrEqual(2)
    await run.stop()
  })

  test('passes arrays both ways, moved where asked', async () => {
    const run = training<Train<{ x: Float32Array }, number, { x: Float32Array }>>('echo')
    const x = Float32Array.of(1, 2, 3)
    expect(await run.start({ x })).toEqual({ x })
    expect(await run.start({ x }, { transfer: [x.buffer] })).toEqual({ x: Float32Array.of(1, 2, 3) })
    expect(x.length).toBe(0)
  })

  test('weights are moved, not copied', async () => {
    const { port1, port2 } = new MessageChannel()
    open.push({ terminate: () => port1.close() })
    const state = {
      a: { shape: [4], data: new Float32Array(4) },
      b: { shape: [2], data: new Float32Array(8).subarray(2, 4) },
    }
    serve(function* (_: unknown, { share }: Context) {
      share({ stateDict: () => state })
      yield
    }, port1)
    const run = new Training(port2)
    await run.start()
    expect(await run.weights()).toEqual({
      a: { shape: [4], data: new Float32Array(4) },
      b: { shape: [2], data: new Float32Array(2) },
    })
    // The second is a part of its buffer, and may share it with others.
    expect([state.a.data.length, state.b.data.length]).toEqual([0, 2])
  })
})

describe('out of turn', () => {
  test('before a start: pause, resume and stop do nothing, weights are refused', async () => {
    const run = training<Loose>('echo')
    expect(await run.pause()).toBe(false)
    run.resume()
    await run.stop()
    await expect(run.weights()).rejects.toThrow('Training.weights: no training was started')
    expect(await run.start({ a: 1 })).toEqual({ a: 1 })
  })

  test('a second start is refused, and the first goes on', async () => {
    const run = training<Points>('points')
    const end = run.start({ steps: 2000, lr: 0.01 })
    await expect(run.start({ steps: 1, lr: 1 })).rejects.toThrow(/Training.start: a training is running; stop\(\) it/)
    expect((await end)?.done).toBe(2000)
  })

  test('two pages of one Worker do not start two trainings', async () => {
    const worker = startWorker('endless')
    const [one, two] = [new Training<Loose>(worker), new Training<Loose>(worker)]
    const end = one.start({})
    await one.weights()
    await expect(two.start({})).rejects.toThrow('Training.start: a training is running in this Worker')
    await one.stop()
    await end
  })

  test('after the end nothing hangs; weights are refused where nothing was shared', async () => {
    const run = training<Loose>('nothing')
    const end = run.start({})
    const asked = [settled(run.pause()), settled(run.stop()), settled(run.weights())]
    expect(await end).toBe(undefined)
    const [paused, stopped, weights] = await Promise.all(asked)
    expect(paused).toEqual({ status: 'fulfilled', value: false })
    expect(stopped?.status).toBe('fulfilled')
    expect(weights).toMatchObject({
      reason: { message: expect.stringMatching(/^Training.weights: the training shared nothing/) },
    })
    expect(await run.pause()).toBe(false)
    await run.stop()
    await expect(run.weights()).rejects.toThrow('shared nothing')
  })

  test('a pause that comes after the end does nothing', async () => {
    const run = training<Loose>('nothing')
    const end = run.start({})
    expect(await run.pause()).toBe(false)
    expect(await end).toBe(undefined)
  })

  test('resume before the pause has come about', async () => {
    const run = training<Loose>('endless')
    run.start({})
    const paused = run.pause()
    run.resume()
    expect(await paused).toBe(false)
    expect(run.state).toBe('running')
    await run.stop()
  })

  test('a Worker that serves late, one that served before, and messages of others', async () => {
    const late = training<Loose>('echo', { after: 100, before: true })
    expect(await late.start({ a: 1 })).toEqual({ a: 1 })
    const worker = startWorker('echo')
    await once(worker, 'message')
    worker.postMessage('for others')
    worker.postMessage(null)
    const early = new Training<Loose>(worker)
    expect(await early.start({ a: 2 })).toEqual({ a: 2 })
  })
})

describe('errors', () => {
  test('of the training reject start with class, message, stack and cause; the Worker lives on', async () => {
    const run = training<Train<{ how: string }, number, undefined>>('fails')
    const error = await run.start({ how: 'range' }).catch((error) => error)
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({ message: 'the rate is 1e9', cause: new Error('its cause') })
    expect(error.stack).toMatch(/trainings\.mjs:\d+/)
    expect(run.state).toBe('idle')
    expect(await run.start({ how: 'own' }).catch(String)).toBe('OwnError: mine')
    expect(await run.start({ how: 'text' }).catch(String)).toBe('Error: a text')
  })

  test('what cannot be copied is named', async () => {
    const run = training<Train<object, unknown, unknown>>('fails')
    await expect(run.start({ how: 'progress' })).rejects.toThrow(
      /^serve: the progress cannot go to the page: .*plain values/,
    )
    await expect(run.start({ how: 'result' })).rejects.toThrow(/^serve: the result cannot go to the page/)
    await expect(run.start({ how: () => {} })).rejects.toThrow(/clone/)
    // Before the Worker listens, too.
    await expect(training<Train<object>>('echo').start({ how: () => {} })).rejects.toThrow(/clone/)
    await expect(run.start({ how: 'text' })).rejects.toThrow('a text')
  })

  test.each([
    ['throws outside of the training', 'fails', { how: 'uncaught' }, /thrown by a timer/],
    ['exits', 'fails', { how: 'exit' }, /the worker ended, with exit code 7/],
  ])('a Worker that %s rejects all that is waited for', async (_, name, options, message) => {
    const run = training<Train<object, number>>(name)
    let steps = () => {}
    const stepped = new Promise<void>((done) => (steps = done))
    const end = settled(run.start(options, { onProgress: () => steps() }))
    await stepped
    const others = [settled(run.weights()), settled(run.pause()), settled(run.stop())]
    expect(await end).toMatchObject({ reason: { message: expect.stringMatching(message) } })
    const [weights, paused, stopped] = await Promise.all(others)
    expect(weights).toMatchObject({ reason: { message: expect.stringMatching(message) } })
    expect([paused, stopped]).toMatchObject([{ value: false }, { status: 'fulfilled' }])
    await expect(run.start(options)).rejects.toThrow(message)
    await expect(run.weights()).rejects.toThrow(message)
    expect([run.state, await run.pause(), await run.stop()]).toEqual(['idle', false, undefined])
  })

  test('a script that is not there, or fails to load', async () => {
    const lost = training<Loose>('echo', {}, new URL('worker/none.mjs', import.meta.url))
    await expect(lost.start({})).rejects.toThrow(/none\.mjs/)
    const nameless = training<Loose>('no such training')
    await expect(nameless.start({})).rejects.toThrow('serve: train is undefined, expected a generator function')
  })

  test('a Worker that never calls serve rejects what waits when its time is over, and is ended', async () => {
    const worker = startWorker('echo', { never: true })
    const exit = once(worker, 'exit')
    const run = new Training<Loose>(worker, { timeout: 400 })
    const asked = [run.start({}), run.weights()].map(settled)
    const stopped = run.stop()
    const message =
      'Training: the Worker did not call serve within 400 ms; its script has to call serve(train) of lanewise/worker; ' +
      'where that takes longer, pass { timeout }, in milliseconds or Infinity'
    expect(await Promise.all(asked)).toMatchObject([{ reason: { message } }, { reason: { message } }])
    await stopped
    expect(run.state).toBe('idle')
    await expect(run.start({})).rejects.toThrow(message)
    await exit
  })

  test('a Worker may take its time before it serves', async () => {
    for (const timeout of [20, Infinity, 1e300]) {
      const run = new Training<Loose>(startWorker('echo', { after: 500 }), { timeout })
      const end = run.start({ a: 1 })
      if (timeout === 20) await expect(end).rejects.toThrow('did not call serve within 20 ms')
      else expect(await end).toEqual({ a: 1 })
    }
  })

  test('time counts while something is asked and the page could hear', async () => {
    const { port1, port2 } = new MessageChannel()
    const run = new Training(port2, { timeout: 100 })
    await wait(200)
    const end = run.start()
    // biome-ignore lint/correctness/useYield: ends at once
    serve(function* () {
      return 7
    }, port1)
    const until = performance.now() + 300
    while (performance.now() < until);
    expect(await end).toBe(7)
    await wait(200)
    expect(await run.start()).toBe(7)
    run.terminate()
  })

  test('terminate rejects what is waited for', async () => {
    const run = training<Loose>('endless')
    const end = settled(run.start({}))
    const stopped = run.stop()
    run.terminate()
    expect(await end).toMatchObject({ reason: { message: 'the training was terminated' } })
    await stopped
    await expect(run.start({})).rejects.toThrow('the training was terminated')
  })

  test('a training that is no generator; arguments', async () => {
    await expect(training<Loose>('plain').start({})).rejects.toThrow(
      /serve: train gave no generator; write it as function\*/,
    )
    // @ts-expect-error: no Worker
    expect(() => new Training('train.js')).toThrow("Training: worker is 'train.js', expected a Worker or a MessagePort")
    // @ts-expect-error: nothing to listen to
    expect(() => new Training({ postMessage() {} })).toThrow('Training: worker is Object, expected a Worker')
    expect(() => serve(function* () {})).toThrow('serve: this is no Worker; in Node, pass parentPort')
    expect(() => serve(function* () {}, null)).toThrow('serve: this is no Worker')
    // @ts-expect-error: no port
    expect(() => serve(function* () {}, 'page')).toThrow("serve: port is 'page', expected parentPort")
    // @ts-expect-error: no training
    expect(() => serve('train')).toThrow("serve: train is 'train', expected a generator function")
    const { port1, port2 } = new MessageChannel()
    for (const timeout of ['10', 0, -1, Number.NaN, null, 10n])
      expect(() => new Training(port2, { timeout: timeout as never })).toThrow(
        `Training: timeout is ${written(timeout)}, expected milliseconds above 0, or Infinity`,
      )
    // @ts-expect-error: misspelt
    expect(() => new Training(port2, { timeOut: 10 })).toThrow('Training: unknown option timeOut, expected timeout')
    expect(() => new Training(port2, null as never)).toThrow('Training: options are null, expected an object')
    const idle = new Training<Loose>(port2)
    for (const [more, message] of [
      [() => {}, 'Training.start: options are a function, expected an object with onProgress, transfer'],
      [null, 'Training.start: options are null, expected an object'],
      [{ onprogress() {} }, 'Training.start: unknown option onprogress, expected onProgress, transfer'],
      [{ onProgress: 'log' }, "Training.start: onProgress is 'log', expected a function"],
      [{ transfer: new ArrayBuffer(1) }, 'Training.start: transfer is ArrayBuffer, expected an array of ArrayBuffers'],
    ] as const)
      await expect(idle.start({}, more as never)).rejects.toThrow(message)
    expect(idle.state).toBe('idle')
    serve(function* (_: undefined, { share }: Context) {
      // @ts-expect-error: no model
      share({})
      yield
    }, port1)
    await expect(new Training(port2).start()).rejects.toThrow('share: source is Object, expected a model')
    port2.close()
  })

  test('an uncaught error of a Worker of the web, and one whose script is not there', async () => {
    const worker = () => Object.assign(new EventTarget(), { postMessage() {}, terminate: vi.fn() })
    const [failing, missing] = [worker(), worker()]
    const [one, two] = [new Training<Loose>(failing), new Training<Loose>(missing)]
    const ends = [settled(one.start({})), settled(two.start({}))]
    const details = { message: 'Uncaught Error: no', filename: 'train.js', lineno: 3 }
    const uncaught = Object.assign(new Event('error', { cancelable: true }), details)
    failing.dispatchEvent(uncaught)
    missing.dispatchEvent(new Event('error', { cancelable: true }))
    expect((await Promise.all(ends)).map((end) => String((end as PromiseRejectedResult).reason))).toEqual([
      'Error: the worker failed: Uncaught Error: no (train.js:3)',
      'Error: the worker did not start; is its address right, and its script a module that loads?',
    ])
    expect(uncaught.defaultPrevented).toBe(true)
    expect(failing.terminate).toHaveBeenCalledOnce()
  })
})

test('both sides in one thread, over a MessageChannel', async () => {
  const { port1, port2 } = new MessageChannel()
  serve(function* ({ steps }: { steps: number }) {
    for (let i = 0; i < steps; i++) yield i
    return steps
  }, port1)
  const run = new Training(port2)
  expect(await run.start({ steps: 3 })).toBe(3)
  run.terminate()
})

test("types tie the page's side to the Worker's", () => {
  const train = async function* (options: { lr: number }, { report }: Context<{ epoch: number }>) {
    report({ epoch: 1 })
    // @ts-expect-error: not what the context says
    report({ epochs: 1 })
    if (options.lr > 1) yield
    yield { step: 1, loss: 0.5 }
    return 'done'
  }
  const use = async (run: Training<typeof train>) => {
    const result = await run.start(
      { lr: 0.1 },
      {
        onProgress: (progress) =>
          expectTypeOf(progress).toEqualTypeOf<{ step: number; loss: number } | { epoch: number }>(),
      },
    )
    expectTypeOf(result).toEqualTypeOf<string | undefined>()
    expectTypeOf(await run.weights()).toEqualTypeOf<Record<string, NDArray>>()
    // @ts-expect-error: options are needed
    await run.start()
    // @ts-expect-error: not the options of this training
    await run.start({ rate: 0.1 })
    // @ts-expect-error: a number
    await run.start({ lr: '0.1' })
    // @ts-expect-error: progress has no such field
    await run.start({ lr: 0.1 }, { onProgress: ({ accuracy }) => accuracy })
    // @ts-expect-error: no option of start
    await run.start({ lr: 0.1 }, { progress: () => {} })
  }
  const free = function* (_: undefined, { share }: Context<never, { a: NDArray; b: number }>) {
    share({ stateDict: () => ({ a: { shape: [1], data: new Float32Array(1) }, b: 1 }) })
    // @ts-expect-error: another state
    share({ stateDict: () => ({ a: 1 }) })
    yield 1
  }
  const useFree = async (run: Training<typeof free>) => {
    // biome-ignore lint/suspicious/noConfusingVoidType: what the function returns
    expectTypeOf(await run.start()).toEqualTypeOf<void | undefined>()
    expectTypeOf(await run.weights()).toEqualTypeOf<{ a: NDArray; b: number }>()
  }
  const bare = function* () {
    yield 'text'
    return 1
  }
  const useBare = async (run: Training<typeof bare>) => {
    expectTypeOf(await run.start(undefined, { onProgress: (text) => text.toUpperCase() })).toEqualTypeOf<
      number | undefined
    >()
  }
  const annotated: Train<{ lr: number }, { loss: number }, number> = async function* ({ lr }, { signal }) {
    yield { loss: lr }
    return signal.aborted ? 0 : 1
  }
  // @ts-expect-error: yields something else
  const wrong: Train<{ lr: number }, { loss: number }, number> = async function* () {
    yield 'loss'
    return 1
  }
  const refused = () => {
    serve(train)
    serve(annotated, parentPort)
    // @ts-expect-error: no generator
    serve(async () => 1)
    // @ts-expect-error: the context is given by serve
    serve(function* (_: undefined, context: number) {
      yield context
    })
    // @ts-expect-error: a training, not its options
    return new Training<{ lr: number }>(new MessageChannel().port1)
  }
  expect([use, useFree, useBare, annotated, wrong, refused].map((each) => typeof each)).toEqual(
    Array(6).fill('function'),
  )
})

test('a page gets no core, and little else', async () => {
  const code = (await loaded("export { Training } from 'lanewise/worker'")).join('')
  expect(code).not.toMatch(/WebAssembly|stateDict\(\)/)
  expect(code.length).toBeLessThan(5632)
  expect((await loaded("export { serve } from 'lanewise/worker'")).join('').length).toBeLessThan(6144)
})
