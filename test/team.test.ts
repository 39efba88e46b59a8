// Threads: how many run and why, what becomes of a step whose thread dies, and that ending leaves nothing. That parts
// compute the bits of the whole: `npm run test:threads` and the tests of each op.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { fill } from '../src/core/commands.ts'
import { currentEngine, newHeldStorage } from '../src/core/engine.ts'
import type { Stage } from '../src/core/plan.ts'
import type { Storage } from '../src/core/storage.ts'
import * as lw from '../src/index.ts'
import { losses, nn, optim } from '../src/index.ts'
import * as start from '../src/start.ts'

const { init, dispose, threads } = start

const whole = (storage: Storage) => ({ storage, offset: 0 })

let workers: Worker[] = []
const see = (worker: Worker) => workers.push(worker)
beforeEach(() => {
  workers = []
  process.on('worker', see)
})
afterEach(async () => {
  process.off('worker', see)
  vi.unstubAllGlobals()
  await dispose()
})

/** Losses of some steps of a model that is large enough to be shared out. */
function train(steps: number, between: (step: number) => unknown = () => {}) {
  lw.manualSeed(1)
  const model = new nn.Sequential(new nn.Linear(256, 128), new nn.ReLU(), new nn.Linear(128, 10))
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2 })
  const step = lw.compile((x: lw.Tensor, y: lw.Tensor) => {
    const loss = losses.crossEntropy(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  const x = { data: Float32Array.from({ length: 64 * 256 }, (_, i) => Math.sin(i * 0.7)), shape: [64, 256] }
  const y = { data: Int32Array.from({ length: 64 }, (_, i) => i % 10), shape: [64] }
  return Array.from({ length: steps }, (_, i) => {
    between(i)
    return step(x, y).item()
  })
}

test('the same losses with one thread and with more than there are cores', async () => {
  await init()
  expect(threads()).toEqual({ count: 1, reason: 'as asked' })
  const alone = train(20)
  await dispose()
  await init({ threads: 7 })
  expect(threads().count).toBe(7)
  expect(threads().reason).toMatch(/^as asked, on \d+ cores?$/)
  expect(workers.length).toBe(6)
  expect(train(20)).toEqual(alone)
})

test('threads is a whole number from 1 to 16, or auto', async () => {
  for (const wrong of [0, 1.5, 17, Number.NaN, null]) {
    await expect(init({ threads: wrong as never })).rejects.toThrow(
      `init: threads is ${wrong}, expected a whole number from 1 to 16, or 'auto'`,
    )
  }
  await expect(init({ threads: '2' as never })).rejects.toThrow(/threads is '2', expected/)
  await init({ threads: 'auto' })
  expect(threads().reason).toMatch(/^one for each of \d+ cores?$/)
})

const pinned = process.platform === 'linux' && spawnSync('taskset', ['-c', '0', 'true']).status === 0

// It takes a way to have one core: taskset of Linux.
test.skipIf(!pinned)('on one core auto is one thread', () => {
  const script =
    "import { init, threads } from './dist/index.js'; await init({ threads: 'auto' }); console.log(JSON.stringify(threads()))"
  const { stdout } = spawnSync('taskset', ['-c', '0', process.execPath, '--input-type=module', '-e', script], {
    encoding: 'utf8',
  })
  expect(JSON.parse(stdout)).toEqual({ count: 1, reason: 'one for each of 1 core' })
})

test('a compiled module is for one thread', async () => {
  const bytes = readFileSync('build/kernels.wasm')
  const module = new WebAssembly.Module(bytes)
  await expect(init({ threads: 2, wasm: module })).rejects.toThrow(/with threads pass bytes, a URL or a Response/)
  await init({ threads: 2, wasm: bytes })
  expect(threads().count).toBe(2)
})

test('without shared memory there is one thread, and a reason', async () => {
  vi.stubGlobal('SharedArrayBuffer', undefined)
  await init({ threads: 4 })
  expect(threads()).toEqual({ count: 1, reason: 'this process has no SharedArrayBuffer' })
})

test('a first thread that may not sleep, as in a page, runs as well', async () => {
  await init()
  const alone = train(5)
  await dispose()
  const wait = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
    throw new TypeError('Atomics.wait cannot be called in this context')
  })
  try {
    await init({ threads: 3 })
    expect(threads().count).toBe(3)
    expect(train(5)).toEqual(alone)
    expect(wait).toHaveBeenCalledTimes(1)
  } finally {
    wait.mockRestore()
  }
})

test('workers that are killed between steps, or while one begins, are missed by nobody', async () => {
  await init()
  const alone = train(20)
  await dispose()
  await init({ threads: 3 })
  const killed = [] as Promise<number>[]
  const found = train(20, (step) => {
    if (step === 10) killed.push(...workers.map((worker) => worker.terminate()))
  })
  expect(found).toEqual(alone)
  await Promise.all(killed)
  expect(threads()).toEqual({ count: 1, reason: 'a worker ended: exit code 1' })
  expect(train(20)).toEqual(alone)
})

// Elsewhere a death within a part is noticed after ten seconds only: src/node/workers.ts.
test.skipIf(process.platform !== 'linux')(
  'a worker that dies within a step fails it, and what is left goes on',
  async () => {
    await init({ threads: 2 })
    const current = currentEngine('test')
    const team = current.team as NonNullable<typeof current.team>
    const state = newHeldStorage(64, 'nn.Linear')
    const value = newHeldStorage(64, 'compile')
    const many = newHeldStorage(2 ** 26, 'compile')
    // The second thread writes past the end of memory: its wasm traps. The first is busy meanwhile.
    const outside = { storage: value, offset: 2 ** 32 - 2 ** 20 - value.address }
    const busy = Array.from({ length: 20 }, () => ({ command: fill(whole(many), 0, 2 ** 24), place: 0 }))
    const dying: Stage = [busy, [{ command: fill(outside, 0, 2 ** 18), place: 0 }]]
    const update: Stage = [[{ command: fill(whole(state), 0, 16), place: 1 }]]
    const held = new Set([state])
    const start = performance.now()
    const before = team.program([dying, update], held)
    expect(() => before.run()).toThrow(
      /^a thread of Lanewise died within a step \(number 1\); parameters and other state are as they were\. The run can go on, with 1 of its threads$/,
    )
    expect(performance.now() - start).toBeLessThan(5000)
    before.dispose()
    expect(threads()).toEqual({ count: 1, reason: 'a worker died within a step' })
    await once(workers[0] as Worker, 'exit').catch(() => {})
    await vi.waitFor(() =>
      expect(threads()).toEqual({ count: 1, reason: 'a worker died within a step: memory access out of bounds' }),
    )
    const loss = train(3)
    await dispose()
    await init({ threads: 2 })
    expect(train(3)).toEqual(loss)

    for (const [owner, message] of [
      ['gradients', /parameters and other state are as they were; gradients may be half written, zeroGrad\(\) clears/],
      ['optim.Adam', /parameters and other state may be half changed: optim\.Adam; load a checkpoint/],
    ] as const) {
      await dispose()
      await init({ threads: 2 })
      const again = currentEngine('test')
      const fresh = newHeldStorage(64, owner)
      const filler = newHeldStorage(2 ** 26, 'compile')
      const stage: Stage = [
        [
          { command: fill(whole(fresh), 0, 16), place: 0 },
          ...busy.map(() => ({ command: fill(whole(filler), 0, 2 ** 24), place: 0 })),
        ],
        [{ command: fill({ storage: fresh, offset: 2 ** 32 - 2 ** 20 - fresh.address }, 0, 2 ** 18), place: 0 }],
      ]
      const during = again.team?.program([stage], new Set([fresh]))
      expect(() => during?.run()).toThrow(message)
    }
  },
)

// Elsewhere a death within a part is noticed after ten seconds only: src/node/workers.ts.
test.skipIf(process.platform !== 'linux')(
  'when a step fails because a worker died, the others have stopped',
  async () => {
    await init({ threads: 3 })
    const current = currentEngine('test')
    const value = newHeldStorage(64, 'compile')
    const many = newHeldStorage(2 ** 24, 'compile')
    const own = newHeldStorage(2 ** 24, 'compile')
    const outside = { storage: value, offset: 2 ** 32 - 2 ** 20 - value.address }
    const busy = (storage: Storage, times: number) =>
      Array.from({ length: times }, () => ({ command: fill(whole(storage), 7, 2 ** 22), place: 0 }))
    const dying = [{ command: fill(outside, 0, 2 ** 18), place: 0 }]
    const program = current.team?.program([[busy(own, 100), dying, busy(many, 300)]], new Set())
    expect(() => program?.run()).toThrow(/died within a step/)
    const { i32 } = current.memory
    const first = many.address >>> 2
    i32[first] = 1
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(i32[first]).toBe(1)
  },
)

/** What test/team/train.mjs prints when memory runs out in its worker at `place`. */
function trained(count: number, place = '') {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--max-old-space-size=40', '--import', './test/team/exhaust.mjs', 'test/team/train.mjs'],
    { encoding: 'utf8', env: { ...process.env, THREADS: `${count}`, EXHAUST: place }, timeout: 60_000 },
  )
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return JSON.parse(stdout)
}

test('a worker that runs out of memory: between steps nobody misses it, within one the step says so', () => {
  const memory = 'Worker terminated due to reaching memory limit: JS heap out of memory'
  const alone = trained(1)
  expect(alone.errors).toEqual([])
  const start = trained(2, 'start')
  expect(start).toMatchObject({ losses: alone.losses, errors: [] })
  expect(start.before).toEqual({ count: 1, reason: `a worker did not start: ${memory}` })
  const between = trained(2, 'between')
  expect(between).toMatchObject({ losses: alone.losses, errors: [], before: { count: 2 } })
  expect(between.after).toEqual({ count: 1, reason: `a worker ended: ${memory}` })
  // Elsewhere a death within a part is noticed after ten seconds only: src/node/workers.ts.
  if (process.platform !== 'linux') return
  const part = trained(2, 'part')
  expect(part.after).toEqual({ count: 1, reason: `a worker died within a step: ${memory}` })
  expect(part.errors.length).toBe(1)
  const [{ message, step, kept }] = part.errors
  expect(message).toMatch(/^a thread of Lanewise died within a step \(number 1\); parameters and other state (are|may)/)
  expect(part.losses.length).toBe(alone.losses.length - 1)
  // Which part it was, and so what is told, depends on when the worker woke up.
  const same = message.includes('are as they were')
  if (same) expect(kept).toBe(true)
  const count = same ? part.losses.length : step
  expect(part.losses.slice(0, count)).toEqual(alone.losses.slice(0, count))
}, 60_000)

test('data that is refused is named as with one thread, and stops the step before its update', async () => {
  const run = () => {
    lw.manualSeed(1)
    const weight = new nn.Parameter(lw.uniform([5000, 16]))
    const optimizer = new optim.SGD([weight], { lr: 1 })
    const step = lw.compile((index: lw.Tensor) => {
      const loss = lw.embedding(index, weight).sum()
      optimizer.minimize(loss)
      return loss
    })
    const index = Int32Array.from({ length: 4096 }, (_, i) => i)
    step({ data: index, shape: [4096] })
    const before = weight.data().slice()
    index[3000] = 7000
    index[4000] = -1
    const message = (() => {
      try {
        step({ data: index, shape: [4096] })
        return 'nothing'
      } catch (error) {
        return (error as Error).message
      }
    })()
    expect(weight.data()).toEqual(before)
    index[3000] = 1
    index[4000] = 1
    expect(step({ data: index, shape: [4096] }).item()).toBeGreaterThan(-Infinity)
    return message
  }
  await init()
  const alone = run()
  expect(alone).toContain('7000')
  await dispose()
  await init({ threads: 3 })
  expect(run()).toBe(alone)
})

test('of two refusals by different threads the first in the data is told, also after stages that all share', async () => {
  const [rows, classes] = [4000, 400]
  await init({ threads: 3 })
  lw.manualSeed(1)
  const model = new nn.Linear(4, classes)
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 })
  const step = lw.compile((x: lw.Tensor, y: lw.Tensor) => {
    const loss = losses.crossEntropy(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  const x = { data: new Float32Array(rows * 4).fill(0.5), shape: [rows, 4] }
  const y = { data: new Int32Array(rows), shape: [rows] }
  y.data[400] = classes
  y.data[3800] = -7
  for (let i = 0; i < 60; i++) expect(() => step(x, y)).toThrow(`${classes} at index 400`)
  y.data.fill(0)
  expect(step(x, y).item()).toBeGreaterThan(0)
})

test('after dispose tensors and compiled functions say so, and init begins anew', async () => {
  for (const count of [1, 2]) {
    await init({ threads: count })
    const x = lw.tensor([1, 2, 3])
    const double = lw.compile((v: lw.Tensor) => v.add(v))
    expect(double(x).tolist()).toEqual([2, 4, 6])
    await dispose()
    expect(() => x.data()).toThrow(/after dispose\(\)/)
    expect(() => double(x)).toThrow(/await init\(\) first/)
    expect(() => threads()).toThrow('threads: Lanewise is not ready; await init() first')
    await init({ threads: count })
    expect(() => x.add(1)).toThrow(/after dispose\(\)|freed/)
    expect(double(lw.tensor([1, 2])).tolist()).toEqual([2, 4])
    await dispose()
    await dispose()
  }
})

test('rounds of init and dispose leave no thread', async () => {
  for (let i = 0; i < 10; i++) {
    await init({ threads: 3 })
    await dispose()
  }
  expect(workers.length).toBe(20)
  await Promise.all(workers.map((worker) => worker.threadId === -1 || once(worker, 'exit')))
  if (process.platform === 'linux') expect(readdirSync('/proc/self/task').length).toBeLessThan(40)
})

test('what is made before dispose does not touch what is made after it', async () => {
  for (const count of [1, 2]) {
    await init({ threads: count })
    const model = new nn.Linear(4, 4)
    const state = model.stateDict()
    const generator = new lw.Generator(1)
    await dispose()
    await init({ threads: count })
    const fresh = lw.ones([64])
    expect(() => model.loadStateDict(state)).toThrow(/after dispose\(\)/)
    expect(() => generator.seed(3)).toThrow(/after dispose\(\)/)
    expect(fresh.tolist()).toEqual(Array.from({ length: 64 }, () => 1))
    await dispose()
  }
})

test('dispose and init may follow each other at once', async () => {
  await init({ threads: 2 })
  const ended = dispose()
  await init()
  await ended
  expect(threads().count).toBe(1)
  await dispose()
  const overtaken = init()
  const gone = dispose()
  await expect(overtaken).rejects.toThrow('init: dispose() was called before it was done')
  await gone
  await init()
  expect(lw.ones([2]).tolist()).toEqual([1, 1])
})
