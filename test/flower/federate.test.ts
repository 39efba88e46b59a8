// Handlers made of a model, called as a node calls them.

import { beforeAll, describe, expect, test } from 'vitest'
import { federate, handlersOf } from '../../src/flower/federate.ts'
import type { PrivacyOptions } from '../../src/flower/privacy.ts'
import type { ConfigRecord, FlowerRequest, ReceivedArrays } from '../../src/flower/types.ts'
import { DataLoader, init, losses, manualSeed, metrics, nn, optim, TensorDataset, tensor } from '../../src/index.ts'
import type { StoredArray } from '../../src/io/index.ts'

beforeAll(async () => {
  await init()
})

const samples = (n: number, features: number, seed = 1): Float32Array =>
  Float32Array.from({ length: n * features }, (_, i) => Math.sin(seed + 1.7 * i))

const dataset = () =>
  new TensorDataset(
    { data: samples(12, 3), shape: [12, 3] },
    { data: Int32Array.from({ length: 12 }, (_, i) => i % 2), shape: [12] },
  )

function setup(options: Partial<Parameters<typeof federate>[1]> = {}, model: nn.Module = new nn.Linear(3, 2)) {
  const optimizer = options.optimizer ?? new optim.SGD(model.parameters(), { lr: 0.5 })
  const loader = new DataLoader(dataset(), { batchSize: 5 })
  const all = { train: loader, validation: loader, loss: losses.crossEntropy, ...options, optimizer }
  return { model, optimizer, handlers: federate(model, all), all }
}

const stored = (state: Record<string, { shape: readonly number[]; data: ArrayLike<number> }>): ReceivedArrays =>
  Object.fromEntries(
    Object.entries(state).map(([name, array]) => [name, { ...array, dtype: 'f32' } as unknown as StoredArray]),
  )

const request = (type: string, arrays: ReceivedArrays = {}, config: ConfigRecord = {}): FlowerRequest => ({
  type,
  runId: 1n,
  messageId: 'm',
  expires: Date.now() + 1e6,
  arrays,
  config,
  metrics: {},
  records: {},
  signal: new AbortController().signal,
})

const start: ReceivedArrays = stored({
  weight: { shape: [2, 3], data: Float32Array.of(0.1, -0.2, 0.3, 0.4, 0.5, -0.6) },
  bias: { shape: [2], data: Float32Array.of(0, 0.1) },
})

const flat = (arrays: unknown): number[] =>
  Object.values(arrays as Record<string, { data: Float32Array }>).flatMap(({ data }) => [...data])

describe('train', () => {
  test('takes the weights, trains, and gives the weights, the number of samples and the mean loss', async () => {
    const { model, handlers } = setup()
    const reply = await handlers.train(request('train', start))
    expect(Object.keys(reply)).toEqual(['arrays', 'metrics'])
    expect(reply.metrics).toEqual({ 'num-examples': 12n, train_loss: expect.any(Number) })
    expect(reply.arrays).toEqual(model.stateDict())
    // The same by hand.
    const own = new nn.Linear(3, 2)
    own.loadStateDict(start)
    const optimizer = new optim.SGD(own.parameters(), { lr: 0.5 })
    let sum = 0
    for (const [x, y] of new DataLoader(dataset(), { batchSize: 5 })) {
      optimizer.zeroGrad()
      const loss = losses.crossEntropy(own.forward(tensor(x)), tensor(y))
      loss.backward()
      optimizer.step()
      sum += loss.item() * y.data.length
    }
    expect(reply.arrays).toEqual(own.stateDict())
    expect(reply.metrics!.train_loss).toBe(sum / 12)
  })

  test('begins each time with the state that the optimizer had', async () => {
    const model = new nn.Linear(3, 2)
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.1 })
    const { handlers } = setup({ optimizer }, model)
    const once = await handlers.train(request('train', start))
    await handlers.train(request('train', start, { lr: 0.9 }))
    expect(await handlers.train(request('train', start))).toEqual(once)
  })

  test('honours lr, local-epochs, proximal-mu and clipping_norm', async () => {
    const train = async (config: ConfigRecord) =>
      flat((await setup().handlers.train(request('train', start, config))).arrays)
    const plain = await train({ 'server-round': 3 })
    expect(await train({ 'proximal-mu': 0, 'local-epochs': 1, lr: 0.5 })).toEqual(plain)
    expect(await train({ lr: 0.25 })).not.toEqual(plain)
    const again = await setup({ epochs: 2 }).handlers.train(request('train', start))
    expect(await train({ 'local-epochs': 2 })).toEqual(flat(again.arrays))
    expect(again.metrics!['num-examples']).toBe(12n)

    const moved = plain.map((x, i) => x - (flat(start)[i] as number))
    const clipped = (await train({ clipping_norm: 0.1 })).map((x, i) => x - (flat(start)[i] as number))
    expect(Math.hypot(...moved)).toBeGreaterThan(0.1)
    expect(Math.hypot(...clipped)).toBeCloseTo(0.1, 5)
    // A step of SGD on mu/2 · ‖w - w₀‖² takes lr · mu of the distance back.
    const weights = await train({ 'proximal-mu': 0.8 })
    expect(weights).not.toEqual(plain)
    const own = new nn.Linear(3, 2)
    own.loadStateDict(start)
    const optimizer = new optim.SGD(own.parameters(), { lr: 0.5 })
    const before = flat(start)
    for (const [x, y] of new DataLoader(dataset(), { batchSize: 5 })) {
      const at = flat(own.stateDict())
      optimizer.zeroGrad()
      losses.crossEntropy(own.forward(tensor(x)), tensor(y)).backward()
      optimizer.step()
      let i = 0
      for (const parameter of own.parameters())
        parameter.copyFrom(
          parameter.data().map((value) => {
            const pulled = value - 0.5 * 0.8 * ((at[i] as number) - (before[i] as number))
            i++
            return pulled
          }),
        )
    }
    for (const [i, value] of flat(own.stateDict()).entries()) expect(weights[i]).toBeCloseTo(value, 5)
    // Twice in a row: the anchor moves to the new weights.
    const { handlers } = setup()
    await handlers.train(
      request(
        'train',
        stored({
          weight: { shape: [2, 3], data: new Float32Array(6) },
          bias: { shape: [2], data: new Float32Array(2) },
        }),
        { 'proximal-mu': 0.8 },
      ),
    )
    expect(flat((await handlers.train(request('train', start, { 'proximal-mu': 0.8 }))).arrays)).toEqual(weights)
  })

  test.each([
    ['missing names', { weight: start.weight! }, /loadStateDict:.*bias/],
    ['unknown names', { ...start, more: start.bias! }, /loadStateDict:.*more/],
    ['another shape', { ...start, bias: { ...start.weight! } }, /loadStateDict:.*bias/],
    [
      'whole numbers',
      { ...start, bias: { shape: [2], data: Int32Array.of(1, 2), dtype: 'i64' as const } },
      /loadStateDict:.*bias/,
    ],
    ['no arrays', {}, /the message has no arrays/],
    [
      'NaN',
      { ...start, bias: { shape: [2], data: Float32Array.of(1, Number.NaN), dtype: 'f32' as const } },
      /'bias' has values that are not finite/,
    ],
    [
      'a packed array of another size',
      { packed: { shape: [7], data: new Float32Array(7), dtype: 'f32' as const } },
      /'packed' has shape \[7\], expected f32 of shape \[8\]/,
    ],
  ])('refuses %s, and trains nothing', async (_, arrays, text) => {
    const { model, handlers } = setup()
    const before = model.stateDict()
    await expect(handlers.train(request('train', arrays as ReceivedArrays))).rejects.toThrow(text)
    await expect(handlers.evaluate(request('evaluate', arrays as ReceivedArrays))).rejects.toThrow(text)
    expect(model.stateDict()).toEqual(before)
    expect((await handlers.train(request('train', start))).metrics!['num-examples']).toBe(12n)
  })

  test.each([
    [{ lr: 0 }, /the server's config: lr is 0, expected a finite number above 0/],
    [{ lr: 'fast' }, /lr is 'fast'/],
    [{ 'local-epochs': 101 }, /local-epochs is 101, expected a whole number from 1 to 100/],
    [{ 'local-epochs': 1.5 }, /local-epochs is 1.5/],
    [{ 'proximal-mu': -1 }, /proximal-mu is -1/],
    [{ clipping_norm: 0 }, /clipping_norm is 0/],
  ])('refuses a config with %o', async (config, text) => {
    await expect(setup().handlers.train(request('train', start, config))).rejects.toThrow(text)
  })

  test('sends nothing that is not finite', async () => {
    const { handlers } = setup()
    await expect(handlers.train(request('train', start, { lr: 1e38, 'local-epochs': 5 }))).rejects.toThrow(
      /the loss is not finite|the trained weights are not finite/,
    )
  })

  test('stops between batches when its signal aborts', async () => {
    const { handlers } = setup({ epochs: 100 })
    const controller = new AbortController()
    const training = handlers.train({ ...request('train', start), signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(training).rejects.toThrow('enough')
  })

  test('works on one message at a time', async () => {
    const { handlers } = setup()
    const [first, second] = await Promise.allSettled([
      handlers.train(request('train', start)),
      handlers.train(request('train', start)),
    ])
    expect(first.status).toBe('fulfilled')
    expect(second).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining('at work on another') },
    })
  })

  test('lets the event loop have its turn', async () => {
    const loader = new DataLoader(dataset(), { batchSize: 12 })
    const { handlers } = setup({ train: loader, maxEpochs: 1e6 })
    let beats = 0
    const timer = setInterval(() => beats++, 20)
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 400)
    await expect(
      handlers.train({ ...request('train', start, { 'local-epochs': 1e6, lr: 1e-6 }), signal: controller.signal }),
    ).rejects.toThrow()
    clearInterval(timer)
    expect(beats).toBeGreaterThan(3)
  })
})

describe('layouts', () => {
  const model = () => new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.Flatten(), new nn.Linear(8, 2))
  const images = () =>
    new DataLoader(
      new TensorDataset(
        { data: samples(6, 16), shape: [6, 1, 4, 4] },
        { data: Int32Array.of(0, 1, 0, 1, 1, 0), shape: [6] },
      ),
      { batchSize: 6 },
    )

  test('all weights in one array give the bits of one array each, and come back so', async () => {
    manualSeed(4)
    const weights = model().stateDict()
    const all = flat(weights)
    const named = await setup({ train: images() }, model()).handlers.train(request('train', stored(weights)))
    const packed = await setup({ train: images() }, model()).handlers.train(
      request('train', stored({ packed: { shape: [all.length], data: Float32Array.from(all) } })),
    )
    expect(Object.keys(packed.arrays!)).toEqual(['packed'])
    expect(packed.arrays!.packed!.shape).toEqual([all.length])
    expect(flat(packed.arrays)).toEqual(flat(named.arrays))
    expect(packed.metrics).toEqual(named.metrics)
  })

  test('query gives the weights, in the layout that is asked for', async () => {
    const { model: own, handlers } = setup({ train: images() }, model())
    expect((await handlers.query(request('query'))).arrays).toEqual(own.stateDict())
    const { arrays } = await handlers.query(request('query', {}, { layout: 'packed' }))
    expect(flat(arrays)).toEqual(flat(own.stateDict()))
    await expect(handlers.query(request('query', {}, { layout: 'zip' }))).rejects.toThrow(
      "layout 'zip', expected named",
    )
  })

  test('counters of a model are not packed, and come as the floats that strategies make of them', async () => {
    const net = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 2))
    const { handlers } = setup({}, net)
    await expect(handlers.query(request('query', {}, { layout: 'packed' }))).rejects.toThrow(
      'cannot be packed into one array: 1.num_batches_tracked is not f32',
    )
    const state = stored(net.stateDict())
    const averaged = {
      ...state,
      '1.num_batches_tracked': { shape: [], data: Float32Array.of(2.5), dtype: 'f64' as const },
    }
    const reply = await handlers.train(request('train', averaged))
    expect((reply.arrays!['1.num_batches_tracked']!.data as Int32Array)[0]).toBe(2 + 3)
  })
})

describe('evaluate', () => {
  test('gives mean loss, metrics and the number of samples, and leaves the weights and the mode', async () => {
    const { model, handlers } = setup({ metrics: { eval_acc: new metrics.Accuracy() } })
    const reply = await handlers.evaluate(request('evaluate', start))
    expect(reply).toEqual({
      metrics: { 'num-examples': 12n, eval_loss: expect.any(Number), eval_acc: expect.any(Number) },
    })
    expect(flat(model.stateDict())).toEqual(flat(start))
    expect(model.training).toBe(true)
    expect(await handlers.evaluate(request('evaluate', start))).toEqual(reply)
  })

  test('runs without dropout', async () => {
    const net = new nn.Sequential(new nn.Linear(3, 2), new nn.Dropout(0.9))
    const { handlers } = setup({}, net)
    const weights = stored(net.stateDict())
    const first = await handlers.evaluate(request('evaluate', weights))
    expect(await handlers.evaluate(request('evaluate', weights))).toEqual(first)
  })

  test('and train say so where they have no data', async () => {
    const { all, model } = setup()
    const { train: _, validation: __, ...rest } = all
    const handlers = federate(model, rest)
    await expect(handlers.train(request('train', start))).rejects.toThrow('this node has no training data')
    await expect(handlers.evaluate(request('evaluate', start))).rejects.toThrow('this node has no validation data')
  })
})

describe('privacy', () => {
  const seeded = (): (() => number) => {
    let n = 0
    return () => ((n++ * 0.754877666) % 1) * 0.999 + 0.0005
  }
  const make = (privacy: Partial<PrivacyOptions> = {}) => {
    const { model, all } = setup()
    return {
      model,
      handlers: handlersOf(model, { ...all, privacy: { clip: 0.1, noise: 1, rounds: 2, ...privacy } }, seeded()),
    }
  }

  test('sends a clipped and noised update, and nothing else of the data', async () => {
    const { model, handlers } = make()
    const { arrays, metrics: sent } = await handlers.train(request('train', start))
    expect(sent).toEqual({ 'num-examples': 1n })
    const exact = (await setup().handlers.train(request('train', start, { clipping_norm: 0.1 }))).arrays
    const noise = flat(arrays).map((x, i) => x - (flat(exact)[i] as number))
    expect(Math.hypot(...noise) / Math.sqrt(noise.length)).toBeGreaterThan(0.02)
    // No query gives away what was learned without noise.
    expect(flat(model.stateDict())).toEqual(flat(start))
    expect(flat((await handlers.query(request('query'))).arrays)).toEqual(flat(start))
    await expect(handlers.evaluate(request('evaluate', start))).rejects.toThrow('keeps its metrics to itself')
  })

  test('draws noise from the system, whatever seeds there are', async () => {
    const noisy = async (): Promise<number[]> => {
      manualSeed(1)
      const { model, all } = setup()
      const { train } = federate(model, { ...all, privacy: { clip: 0.1, noise: 1, rounds: 1 } })
      return flat((await train(request('train', start))).arrays)
    }
    expect(await noisy()).not.toEqual(await noisy())
  })

  test('is refused where it is used up, and counted before anything leaves', async () => {
    const counted: number[] = []
    const { handlers } = make({ spent: 1, onSpent: (n) => void counted.push(n) })
    await handlers.train(request('train', start))
    expect(counted).toEqual([2])
    await expect(handlers.train(request('train', start))).rejects.toThrow('taken part in 2 trainings, all that')
    const full = make({
      onSpent: () => {
        throw new Error('the disk is full')
      },
    })
    await expect(full.handlers.train(request('train', start))).rejects.toThrow('the disk is full')
    expect(flat(full.model.stateDict())).toEqual(flat(start))
  })

  test('refuses models with running statistics, and wrong options', () => {
    const net = new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 2))
    const privacy = { clip: 1, noise: 1, rounds: 1 }
    expect(() => setup({ privacy }, net)).toThrow(/may not have buffers, and 1.running_mean is one.*GroupNorm/)
    expect(() => setup({ privacy: { ...privacy, clip: 0 } })).toThrow('federate: privacy: clip is 0')
    expect(() => setup({ privacy: { ...privacy, noise: -1 } })).toThrow('federate: privacy: noise is -1')
    expect(() => setup({ privacy: { ...privacy, seed: 1 } as never })).toThrow('unknown option seed')
  })
})

test.each([
  [{ epochs: 0 }, /federate: epochs is 0/],
  [{ train: 5 as never }, /federate: train is 5, expected a DataLoader/],
  [{ loss: 'mse' as never }, /federate: loss is 'mse', expected a function/],
  [{ optimizer: {} as never }, /federate: optimizer is Object, expected one of optim/],
  [{ metrics: { eval_loss: new metrics.Accuracy() } }, /metrics may not be named eval_loss/],
  [{ batchSize: 3 } as never, /unknown option batchSize/],
])('refuses the options %o', (options, text) => {
  expect(() => setup(options)).toThrow(text)
})
