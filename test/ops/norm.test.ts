import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { tensor } from '../../src/index.ts'
import { check, expectClose, numbers } from '../helpers/check.ts'
import { both, few, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import { ref, size } from '../reference/array.ts'
import * as reference from '../reference/norm.ts'

beforeAll(() => lw.init())

covers('norm')

/** Rows of sizes around vectors, pairs of vectors and unrolled loops; rows around the 64 that share a partial sum. */
const rowShapes: [number[], number][] = [
  [[3, 1], 1],
  [[2, 2], 1],
  [[2, 3], 1],
  [[3, 4], 1],
  [[2, 5], 1],
  [[2, 7], 1],
  [[2, 8], 1],
  [[2, 9], 1],
  [[3, 15], 1],
  [[3, 16], 1],
  [[3, 17], 1],
  [[1, 33], 1],
  [[6], 1],
  [[2, 3, 4], 2],
  [[2, 2, 3], 3],
  [[0, 4], 1],
  [[3, 0], 1],
  [[65, 3], 1],
]

/** x̂ is a quotient of two sums: its error is that of a mean, divided by the deviation. */
const tolerance = { ulps: 8, absolute: 24, gradient: { ulps: 32, absolute: 512 } }

describe('layerNorm', () => {
  test.each(rowShapes)('%j over the last %i axes', (shape, axes) => {
    const last = shape.slice(shape.length - axes)
    const eps = 2 ** -7
    check({
      shapes: [shape, last, last],
      ours: (x, weight, bias) => lw.layerNorm(x, last, { weight, bias, eps }),
      reference: (x, w, b) => reference.layerNorm(x, axes, eps, w, b),
      tolerance,
    })
    check({
      shapes: [shape, last],
      ours: (x, weight) => lw.layerNorm(x, last, { weight, eps }),
      reference: (x, w) => reference.layerNorm(x, axes, eps, w),
      tolerance,
    })
    check({
      shapes: [shape, last],
      ours: (x, bias) => lw.layerNorm(x, last, { bias, eps }),
      reference: (x, b) => reference.layerNorm(x, axes, eps, undefined, b),
      tolerance,
    })
    check({
      shapes: [shape],
      ours: (x) => lw.layerNorm(x, last, { eps }),
      reference: (x) => reference.layerNorm(x, axes, eps),
      tolerance,
    })
  })

  test('rows longer than a chunk, far from 0', () => {
    const n = 2048 + 37
    const x = numbers(n, 5, 99, 101)
    const y = lw.layerNorm(tensor(x), [n]).data()
    const m = x.reduce((a, b) => a + b, 0) / n
    const deviation = Math.sqrt(x.reduce((s, v) => s + (v - m) ** 2, 0) / n + 1e-5)
    // The mean is rounded to f32, U · 100 = 6e-6, and so are 128 sums in each of 16 lanes, up to U · 12 800 each: by chance
    // √(128 / 16) of these over 128, 1.7e-5. Both over a deviation of 0.58.
    for (const [i, v] of y.entries()) expect(Math.abs(v - ((x[i] as number) - m) / deviation)).toBeLessThan(4e-5)
  })

  test('frozen parameters and inputs without gradient leave the others theirs', () => {
    const run = (wanted: boolean[]): (lw.Tensor | null)[] => {
      const given = [numbers(12, 1), numbers(4, 2), numbers(4, 3)].map((data, i) =>
        tensor(data, { shape: i === 0 ? [3, 4] : [4], requiresGrad: wanted[i] as boolean }),
      )
      const [x, weight, bias] = given as [lw.Tensor, lw.Tensor, lw.Tensor]
      lw.backward(
        lw
          .layerNorm(x, [4], { weight, bias })
          .mul(lw.layerNorm(x, [4]))
          .sum(),
      )
      return given.map(({ grad }) => grad)
    }
    const all = run([true, true, true])
    for (const wanted of [
      [true, false, false],
      [false, true, false],
      [false, false, true],
      [true, false, true],
    ])
      for (const [i, grad] of run(wanted).entries())
        expect(grad?.data(), `${wanted} ${i}`).toEqual(wanted[i] ? all[i]?.data() : undefined)
  })

  test('a graph that is kept gives its gradients again', () => {
    const x = tensor(numbers(8, 1), { shape: [2, 4], requiresGrad: true })
    const weight = tensor(numbers(4, 2), { requiresGrad: true })
    const y = lw.layerNorm(x, [4], { weight })
    const gradient = tensor(numbers(8, 3), { shape: [2, 4] })
    lw.backward(y, { gradient, retainGraph: true })
    const once = [x.grad?.data(), weight.grad?.data()]
    lw.backward(y, { gradient })
    expect([x.grad?.data(), weight.grad?.data()]).toEqual(once.map((g) => g?.map((v) => 2 * v)))
  })

  test('says what does not fit', () => {
    const x = lw.ones([2, 3])
    expect(() => lw.layerNorm(x, [4])).toThrow(
      'layerNorm: x has shape [2, 3], expected last dimensions [4] (normalizedShape)',
    )
    expect(() => lw.layerNorm(x, [])).toThrow('expected an array of at least one size')
    expect(() => lw.layerNorm(x, [3], { weight: lw.ones([2]) })).toThrow(
      'layerNorm: weight has shape [2], expected [3]',
    )
    expect(() => lw.layerNorm(x, [3], { eps: -1 })).toThrow('layerNorm: eps is -1, expected a finite number >= 0')
    expect(() => lw.layerNorm(x, [3], { epsilon: 1 } as lw.NormOptions)).toThrow('unknown option epsilon')
  })
})

describe('rmsNorm', () => {
  test.each(rowShapes)('%j over the last %i axes', (shape, axes) => {
    const last = shape.slice(shape.length - axes)
    check({
      shapes: [shape, last],
      ours: (x, weight) => lw.rmsNorm(x, last, { weight, eps: 2 ** -7 }),
      reference: (x, w) => reference.rmsNorm(x, axes, 2 ** -7, w),
      tolerance,
    })
    check({
      shapes: [shape],
      ours: (x) => lw.rmsNorm(x, last, { eps: 2 ** -7 }),
      reference: (x) => reference.rmsNorm(x, axes, 2 ** -7),
      tolerance,
    })
  })

  test('the default eps keeps rows of 0', () => {
    expect(lw.rmsNorm(lw.zeros([1, 3]), [3]).tolist()).toEqual([[0, 0, 0]])
  })
})

const channelShapes = [
  [2, 1],
  [3, 2],
  [2, 4],
  [5, 5],
  [17, 9],
  [2, 2, 1],
  [2, 2, 3],
  [3, 4, 4],
  [2, 3, 7],
  [1, 2, 9],
  [2, 2, 3, 3],
  [2, 1, 4, 5],
]

describe('groupNorm', () => {
  test.each([
    [[2, 1], 1],
    [[2, 4], 2],
    [[3, 6], 3],
    [[2, 6, 1], 1],
    [[2, 4, 3], 2],
    [[1, 6, 9], 3],
    [[3, 2, 2, 2], 2],
    [[2, 4, 5, 5], 2],
    [[0, 4, 3], 2],
    [[2, 4, 0], 2],
  ] as [number[], number][])('%j in %i groups', (shape, groups) => {
    const channels = [shape[1] as number]
    const eps = 2 ** -7
    check({
      shapes: [shape, channels, channels],
      ours: (x, weight, bias) => lw.groupNorm(x, groups, { weight, bias, eps }),
      reference: (x, w, b) => reference.groupNorm(x, groups, eps, w, b),
      tolerance,
    })
    check({
      shapes: [shape],
      ours: (x) => lw.groupNorm(x, groups, { eps }),
      reference: (x) => reference.groupNorm(x, groups, eps),
      tolerance,
    })
  })

  test('says what does not fit', () => {
    expect(() => lw.groupNorm(lw.ones([2, 4]), 3)).toThrow(
      'groupNorm: groups is 3, expected a divisor of the 4 channels of x',
    )
    expect(() => lw.groupNorm(lw.ones([4]), 2)).toThrow('groupNorm: x has shape [4], expected [batch, channels]')
  })
})

describe('batchNorm', () => {
  test.each([...channelShapes, [0, 3], [2, 0, 3]].map((shape) => [shape]))('%j in training', (shape) => {
    const channels = [shape[1] as number]
    const eps = 2 ** -7
    check({
      shapes: [shape, channels, channels],
      ours: (x, weight, bias) => lw.batchNorm(x, { weight, bias, eps, training: true }),
      reference: (x, w, b) => reference.batchNorm(x, eps, w, b),
      tolerance,
    })
    check({
      shapes: [shape],
      ours: (x) => lw.batchNorm(x, { eps, training: true }),
      reference: (x) => reference.batchNorm(x, eps),
      tolerance,
    })
  })

  test.each([...channelShapes, [1, 3], [0, 3]].map((shape) => [shape]))('%j by running statistics', (shape) => {
    const channels = [shape[1] as number]
    const eps = 2 ** -7
    const mean = numbers(channels[0] as number, 4)
    const variance = numbers(channels[0] as number, 5, 0.5, 2)
    const given = { runningMean: tensor(mean), runningVar: tensor(variance), eps }
    const m = ref(channels, mean)
    const v = ref(channels, variance)
    check({
      shapes: [shape, channels, channels],
      ours: (x, weight, bias) => lw.batchNorm(x, { ...given, weight, bias }),
      reference: (x, w, b) => reference.fixedBatchNorm(x, m, v, eps, w, b),
      tolerance,
    })
    check({
      shapes: [shape],
      ours: (x) => lw.batchNorm(x, given),
      reference: (x) => reference.fixedBatchNorm(x, m, v, eps),
      tolerance,
    })
    expect([given.runningMean.data(), given.runningVar.data()]).toEqual([mean, variance])
  })

  test.each(channelShapes.map((shape) => [shape]))('running statistics of %j, eager and compiled', (shape) => {
    const channels = shape[1] as number
    for (const momentum of [0.1, 0.75, null]) {
      const runningMean = lw.zeros([channels])
      const runningVar = lw.ones([channels])
      const batchesTracked = lw.zeros([], 'i32')
      const run = (x: lw.Tensor): lw.Tensor =>
        lw.batchNorm(x, { runningMean, runningVar, batchesTracked, momentum, training: true })
      const step = lw.compile(run)
      const m = new Array<number>(channels).fill(0)
      const v = new Array<number>(channels).fill(1)
      for (let i = 1; i <= 4; i++) {
        const data = numbers(size(shape), i, -1, 3)
        const x = tensor(data, { shape })
        if (i % 2) run(x)
        else step(x)
        const batch = reference.channelStatistics({ shape, data: Float64Array.from(data) })
        const share = momentum ?? 1 / i
        for (let c = 0; c < channels; c++) {
          m[c] = (1 - share) * (m[c] as number) + share * (batch.mean[c] as number)
          v[c] = (1 - share) * (v[c] as number) + share * (batch.variance[c] as number)
        }
      }
      // Four batches: in each the rounding of a mean of values up to 3, of squares up to 16, and of the update.
      expectClose(runningMean.data(), m, 8, 32, `mean, momentum ${momentum}`)
      expectClose(runningVar.data(), v, 16, 64, `variance, momentum ${momentum}`)
      expect(batchesTracked.item()).toBe(4)
    }
  })

  test('says what does not fit, and changes nothing', () => {
    const runningMean = lw.zeros([3])
    const runningVar = lw.ones([3])
    const batchesTracked = lw.zeros([], 'i32')
    const options = { runningMean, runningVar, batchesTracked, training: true }
    expect(() => lw.batchNorm(lw.ones([1, 3]), options)).toThrow(
      'batchNorm: x has shape [1, 3], expected more than 1 value per channel when training; use a larger batch, or eval()',
    )
    expect(() => lw.batchNorm(lw.ones([2, 4]), options)).toThrow('batchNorm: runningMean has shape [3], expected [4]')
    expect(() => lw.batchNorm(lw.ones([2, 3]), { ...options, momentum: 2 })).toThrow('momentum is 2')
    expect(() => lw.batchNorm(lw.ones([2, 3]), { ...options, momentum: null, batchesTracked: null })).toThrow(
      'expected a count of batches',
    )
    expect(() => lw.batchNorm(lw.ones([2, 3]), { ...options, batchesTracked: runningMean })).toThrow(
      'batchesTracked is f32 [3], expected one i32 element',
    )
    expect(() => lw.batchNorm(lw.ones([2, 3]))).toThrow('expected both outside of training')
    expect([runningMean.tolist(), runningVar.tolist(), batchesTracked.item()]).toEqual([[0, 0, 0], [1, 1, 1], 0])
  })
})

test('parts of norms give the bits of the whole', () =>
  sizes([few, odd, odd, fc.boolean()], (n, c, s, learned) => {
    const affine = (d: number) => (learned ? { weight: some([d]), bias: some([d]) } : {})
    both(lw.layerNorm(some([64 * n, c]), [c], affine(c)))
    both(lw.rmsNorm(some([n, c]), [c]))
    both(lw.groupNorm(some([n, 2 * c, s]), 2, affine(2 * c)))
    both(lw.groupNorm(some([64 * n - s, 2 * c]), 2, affine(2 * c)))
  }))

test('parts of norms over a batch give the bits of the whole', () =>
  sizes([few, odd, odd, fc.boolean()], (n, c, s, average) => {
    // Sixteen channels at a time where each has one element of a sample.
    for (const shape of [
      [n, 7 + c, s + 1],
      [n, 112 + c],
    ]) {
      const of = (low: number, high: number) => some([shape[1] as number], low, high)
      const state = () => ({ runningMean: of(-1, 1).detach(), runningVar: of(0.5, 2).detach() })
      const counted = { batchesTracked: tensor(Int32Array.of(3)), momentum: average ? null : 0.25 }
      both(lw.batchNorm(some(shape), { training: true, ...state(), ...counted, weight: of(-1, 1), bias: of(-1, 1) }))
      both(lw.batchNorm(some(shape), { training: true }))
      both(lw.batchNorm(some(shape), { ...state(), weight: of(-1, 1), bias: of(-1, 1) }))
      both(lw.batchNorm(some(shape), state()))
      expect(counted.batchesTracked.item()).toBe(4)
    }
  }))

describe('values around 1e5 are normalised like the same values around 0', () => {
  // Steps of 2^-7, which is what f32 has there: the difference to 99991 is exact, so that the results are the same numbers.
  const FAR = 99991
  const shapes: Record<string, number[]> = { rows: [5, 300], columns: [300, 5], maps: [7, 6, 43] }
  const ops: Record<string, [string[], (x: lw.Tensor) => lw.Tensor]> = {
    layerNorm: [['rows', 'maps'], (x) => lw.layerNorm(x, [x.shape.at(-1) as number])],
    groupNorm: [['maps'], (x) => lw.groupNorm(x, 2)],
    'groupNorm of single values': [['rows'], (x) => lw.groupNorm(x, 10)],
    batchNorm: [['columns', 'maps'], (x) => lw.batchNorm(x, { training: true })],
    std: [['rows', 'columns', 'maps'], (x) => lw.std(x, { axis: -1 })],
    'std of columns': [['columns', 'maps'], (x) => lw.std(x, { axis: 0 })],
    variance: [['rows', 'maps'], (x) => lw.variance(x)],
  }
  for (const [name, [kinds, op]] of Object.entries(ops))
    test.each(kinds)(`${name} of %s`, (kind) => {
      const shape = shapes[kind] as number[]
      const steps = numbers(size(shape), 3, 0, 40).map((v) => Math.floor(v) / 128)
      const run = (data: Float32Array) => {
        const x = tensor(data, { shape, requiresGrad: true })
        const y = op(x)
        y.backward({ gradient: tensor(numbers(y.size, 5), { shape: y.shape }) })
        return { y: y.data(), dx: (x.grad as lw.Tensor).data() }
      }
      const near = run(steps)
      const far = run(steps.map((v) => FAR + v))
      // Deviations are 0.09: their means and squares are a few roundings of numbers below 1 / 3 apart, divided by it.
      const largest = Math.max(...near.dx.map(Math.abs))
      expectClose(far.y, near.y, 16, 16, `${name}, values`)
      expectClose(far.dx, near.dx, 16, 64 * largest, `${name}, gradient`)
    })
})
