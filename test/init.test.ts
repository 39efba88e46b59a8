import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../src/index.ts'
import { nn } from '../src/index.ts'

beforeAll(() => lw.init())

const { init } = nn

const moments = (data: ArrayLike<number>) => {
  const list = Array.from(data)
  const mean = list.reduce((s, x) => s + x, 0) / list.length
  const variance = list.reduce((s, x) => s + (x - mean) ** 2, 0) / list.length
  const fourth = list.reduce((s, x) => s + (x - mean) ** 4, 0) / list.length
  return { mean, variance, kurtosis: fourth / variance ** 2, low: Math.min(...list), high: Math.max(...list) }
}

/** Mean and variance within five standard errors; kurtosis (3 of a normal, 1.8 of an even distribution) within 0.2. */
function expectMoments(x: lw.Tensor, mean: number, std: number, kurtosis: number): void {
  const found = moments(x.data())
  expect(Math.abs(found.mean - mean)).toBeLessThan((5 * std) / Math.sqrt(x.size))
  expect(Math.abs(found.variance / std ** 2 - 1)).toBeLessThan(5 * Math.sqrt((kurtosis - 1) / x.size))
  expect(Math.abs(found.kurtosis - kurtosis)).toBeLessThan(0.2)
}

const NORMAL = 3
const EVEN = 1.8
const weight = (...shape: number[]) => new nn.Parameter(lw.ones(shape))

describe('distributions', () => {
  test.each([
    ['uniform', () => init.uniform(weight(200, 100)), 0.5, Math.sqrt(1 / 12), EVEN],
    ['uniform of bounds', () => init.uniform(weight(200, 100), { a: -3, b: 1 }), -1, 4 / Math.sqrt(12), EVEN],
    ['normal', () => init.normal(weight(200, 100)), 0, 1, NORMAL],
    ['normal of mean and std', () => init.normal(weight(200, 100), { mean: 2, std: 0.5 }), 2, 0.5, NORMAL],
    ['xavierUniform', () => init.xavierUniform(weight(200, 100)), 0, Math.sqrt(2 / 300), EVEN],
    [
      'xavierUniform of a kernel',
      () => init.xavierUniform(weight(40, 20, 5, 5), { gain: 2 }),
      0,
      2 * Math.sqrt(2 / 1500),
      EVEN,
    ],
    [
      'xavierNormal',
      () => init.xavierNormal(weight(200, 100), { gain: 5 / 3 }),
      0,
      (5 / 3) * Math.sqrt(2 / 300),
      NORMAL,
    ],
    ['kaimingUniform', () => init.kaimingUniform(weight(200, 100)), 0, Math.sqrt(2 / 100), EVEN],
    [
      'kaimingUniform as Linear',
      () => init.kaimingUniform(weight(200, 100), { a: Math.sqrt(5) }),
      0,
      0.1 / Math.sqrt(3),
      EVEN,
    ],
    [
      'kaimingNormal',
      () => init.kaimingNormal(weight(40, 20, 5, 5), { mode: 'fanOut', nonlinearity: 'relu' }),
      0,
      Math.sqrt(2 / 1000),
      NORMAL,
    ],
    [
      'kaimingNormal by a slope',
      () => init.kaimingNormal(weight(200, 100), { a: 0.5 }),
      0,
      Math.sqrt(2 / 1.25 / 100),
      NORMAL,
    ],
    // Moments of N(0, 1) within ±2: variance 1 - 4 φ(2) / (2 Φ(2) - 1), kurtosis from its fourth moment.
    ['truncNormal', () => init.truncNormal(weight(200, 100)), 0, Math.sqrt(0.773741), 2.3655],
  ] as [string, () => lw.Tensor, number, number, number][])('%s', (_, make, mean, std, kurtosis) => {
    lw.manualSeed(5)
    const x = make()
    expectMoments(x, mean, std, kurtosis)
    lw.manualSeed(5)
    expect(make().data()).toEqual(x.data())
  })

  test('truncNormal stays in its window, wherever that lies', () => {
    const cases: [object, number, number, number][] = [
      [{ std: 0.02, a: -0.04, b: 0.04 }, -0.04, 0.04, 0],
      [{ a: -0.5, b: 0.5 }, -0.5, 0.5, 0],
      // φ(3) / (1 - Φ(3)): the mean of what is above 3.
      [{ a: 3, b: 100 }, 3, 100, 3.2831],
      [{ a: -100, b: -3 }, -100, -3, -3.2831],
      [{ mean: 1, a: 0, b: Infinity }, 0, Infinity, 1.2876],
    ]
    for (const [options, low, high, mean] of cases) {
      const found = moments(init.truncNormal(weight(200, 100), options).data())
      expect(found.low).toBeGreaterThanOrEqual(Math.fround(low))
      expect(found.high).toBeLessThanOrEqual(Math.fround(high))
      expect(Math.abs(found.mean - mean)).toBeLessThan(5 * Math.sqrt(found.variance / 20000))
    }
  })

  test.each([
    [[5, 5], 1],
    [[3, 8], 2],
    [[8, 3], 1],
    [[4, 2, 3], 0.5],
    [[1, 1], 1],
    [[64, 64], 1],
  ] as [number[], number][])('orthogonal %j, gain %d', (shape, gain) => {
    const x = init.orthogonal(weight(...shape), { gain })
    const rows = shape[0] as number
    const m = lw.reshape(x, [rows, -1])
    const product = rows <= (m.shape[1] as number) ? m.matmul(m.transpose(0, 1)) : m.transpose(0, 1).matmul(m)
    const n = product.shape[0] as number
    for (const [k, value] of product.data().entries())
      expect(Math.abs(value - (k % (n + 1) === 0 ? gain ** 2 : 0))).toBeLessThan(1e-6 * gain ** 2)
  })

  test('orthogonal matrices of one element are 1 and -1 alike', () => {
    const signs = Array.from({ length: 64 }, () => init.orthogonal(weight(1, 1)).item())
    expect(new Set(signs)).toEqual(new Set([1, -1]))
  })

  test('sparse leaves a share of each column 0', () => {
    const x = init.sparse(weight(21, 500), { sparsity: 0.25, std: 0.5 })
    const data = x.tolist() as number[][]
    const zeros = Array.from({ length: 500 }, (_, c) => data.filter((row) => row[c] === 0).length)
    expect(new Set(zeros)).toEqual(new Set([6]))
    const counts = data.map((row) => row.filter((v) => v === 0).length)
    // 500 draws of probability 6/21: five deviations of 10.
    for (const count of counts) expect(Math.abs(count - (500 * 6) / 21)).toBeLessThan(51)
    const rest = x.data().filter((v) => v !== 0)
    expectMoments(lw.tensor(rest), 0, 0.5, NORMAL)
  })

  test('constants, eye and dirac', () => {
    expect(init.constant(weight(2), 3.5).tolist()).toEqual([3.5, 3.5])
    expect(init.zeros(weight(2)).tolist()).toEqual([0, 0])
    expect(init.ones(init.zeros(weight(2))).tolist()).toEqual([1, 1])
    expect(init.eye(weight(2, 3)).tolist()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ])
    expect(init.dirac(weight(3, 2, 3)).tolist()).toEqual([
      [
        [0, 1, 0],
        [0, 0, 0],
      ],
      [
        [0, 0, 0],
        [0, 1, 0],
      ],
      [
        [0, 0, 0],
        [0, 0, 0],
      ],
    ])
    expect(init.dirac(weight(4, 1, 2, 1), { groups: 2 }).data()).toEqual(Float32Array.of(0, 1, 0, 0, 0, 1, 0, 0))
    expect(init.constant(new nn.Parameter(lw.zeros([])), 2).item()).toBe(2)
    expect(init.normal(weight(0, 3)).data()).toEqual(new Float32Array(0))
  })
})

test('gains are those of PyTorch', () => {
  expect(init.calculateGain('tanh')).toBe(5 / 3)
  expect(init.calculateGain('relu')).toBe(Math.SQRT2)
  expect(init.calculateGain('leakyRelu')).toBe(Math.sqrt(2 / 1.0001))
  expect(init.calculateGain('leakyRelu', 2)).toBe(Math.sqrt(2 / 5))
  expect(init.calculateGain('selu')).toBe(0.75)
  expect([init.calculateGain('linear'), init.calculateGain('conv2d'), init.calculateGain('sigmoid')]).toEqual([1, 1, 1])
})

test('a given generator is the only one that draws', () => {
  lw.manualSeed(1)
  const before = lw.uniform([3]).data()
  lw.manualSeed(1)
  const fill = () => {
    const generator = new lw.Generator(9)
    return [
      init.uniform(weight(5, 5), { generator }),
      init.kaimingNormal(weight(5, 5), { generator }),
      init.truncNormal(weight(5, 5), { generator }),
      init.orthogonal(weight(5, 5), { generator }),
      init.sparse(weight(5, 5), { sparsity: 0.5, generator }),
    ].map((x) => x.data())
  }
  expect(fill()).toEqual(fill())
  expect(lw.uniform([3]).data()).toEqual(before)
})

test('a filled parameter stays itself: compiled functions see the new values', () => {
  const layer = new nn.Linear(2, 2)
  const run = lw.compile((x) => layer.forward(x))
  run(lw.ones([1, 2]))
  init.eye(layer.weight)
  init.zeros(layer.bias as nn.Parameter)
  expect(run(lw.tensor([[3, 4]])).tolist()).toEqual([[3, 4]])
  expect(layer.weight.requiresGrad).toBe(true)
  expect(run.programs).toBe(1)
})

test('say what does not fit, and change nothing', () => {
  const x = weight(2, 3)
  const calls: [() => unknown, string][] = [
    [() => init.uniform([1] as unknown as lw.Tensor), 'nn.init.uniform: tensor is object, expected a Tensor'],
    [() => init.zeros(lw.zeros([2], 'i32')), 'nn.init.zeros: tensor is i32 [2], expected f32'],
    [() => init.uniform(x, { a: 2 }), 'nn.init.uniform: a is 2 and b is 1, expected a <= b'],
    [() => init.uniform(x, { low: 2 } as object), 'nn.init.uniform: unknown option low'],
    [() => init.uniform(x, { generator: 3 as unknown as lw.Generator }), 'generator is 3, expected a Generator'],
    [() => init.normal(x, { std: -1 }), 'nn.init.normal: std is -1, expected a finite number >= 0'],
    [() => init.constant(x, '1' as never), "nn.init.constant: value is '1', expected a number"],
    [() => init.eye(weight(2)), 'nn.init.eye: tensor has shape [2], expected two axes'],
    [() => init.dirac(x), 'nn.init.dirac: tensor has shape [2, 3], expected three to five axes'],
    [() => init.dirac(weight(3, 1, 1), { groups: 2 }), 'groups is 2, expected a divisor of 3'],
    [() => init.xavierNormal(weight(3)), 'nn.init.xavierNormal: tensor has shape [3], expected at least two axes'],
    [() => init.kaimingUniform(x, { mode: 'fan_in' as 'fanIn' }), "mode is 'fan_in', expected 'fanIn' or 'fanOut'"],
    [
      () => init.kaimingNormal(x, { nonlinearity: 'gelu' as 'relu' }),
      "nonlinearity is 'gelu', expected 'linear', 'conv1d'",
    ],
    [() => init.truncNormal(x, { a: 1, b: 1 }), 'nn.init.truncNormal: a is 1 and b is 1, expected a < b'],
    [() => init.truncNormal(x, { std: 0 }), 'nn.init.truncNormal: std is 0, expected a finite number above 0'],
    [() => init.orthogonal(weight(3)), 'nn.init.orthogonal: tensor has shape [3], expected at least two axes'],
    [() => init.sparse(x, { sparsity: 2 }), 'nn.init.sparse: sparsity is 2, expected a number from 0 to 1'],
    [() => lw.compile(() => init.ones(x))(), 'nn.init.ones: cannot be called while compile() traces'],
  ]
  for (const [call, message] of calls) expect(call).toThrow(message)
  expect(x.tolist()).toEqual([
    [1, 1, 1],
    [1, 1, 1],
  ])
})
