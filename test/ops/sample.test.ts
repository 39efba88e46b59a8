import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { tensor } from '../../src/index.ts'
import { length, sizes } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'

beforeAll(() => lw.init())

covers('sample')

/** Pearson's Σ (found - expected)² / expected stays below its mean + 5 standard deviations + 5. */
function expectShares(values: Iterable<number>, shares: number[]): void {
  const counts = shares.map(() => 0)
  let n = 0
  for (const value of values) {
    counts[value] = (counts[value] as number) + 1
    n++
  }
  const freedom = shares.filter((share) => share > 0).length - 1
  const chi = shares.reduce((sum, share, i) => {
    const found = counts[i] as number
    if (share === 0) expect(found).toBe(0)
    return share === 0 ? sum : sum + (found - n * share) ** 2 / (n * share)
  }, 0)
  expect(chi).toBeLessThan(freedom + 5 * Math.sqrt(2 * freedom) + 5)
}

const N = 60_000
const seeded = (seed: number) => new lw.Generator(seed)

describe('moments', () => {
  test.each([0, 0.1, 0.5, 1])('bernoulli of p = %f', (p) => {
    expectShares(lw.bernoulli(lw.full([N], p), seeded(1)).data(), [1 - Math.fround(p), Math.fround(p)])
  })
  test.each([
    [0, 7],
    [-3, 2],
    [5, 6],
  ])('randint from %i to %i', (low, high) => {
    const data = lw.randint([N], low, high, seeded(2)).data()
    expectShares(
      [...data].map((x) => x - low),
      Array.from({ length: high - low }, () => 1 / (high - low)),
    )
  })
  test('randint over all of 32 bits but one', () => {
    const data = lw.randint([N], -(2 ** 31), 2 ** 31 - 1, seeded(3)).data()
    expectShares(
      [...data].map((x) => Math.floor((x + 2 ** 31) / 2 ** 28)),
      Array.from({ length: 16 }, () => 1 / 16),
    )
  })
  test('permutation: each order of three as likely', () => {
    const generator = seeded(4)
    const orders = ['0,1,2', '0,2,1', '1,0,2', '1,2,0', '2,0,1', '2,1,0']
    const found = Array.from({ length: 6000 }, () => orders.indexOf(String(lw.permutation(3, generator).tolist())))
    expectShares(
      found,
      orders.map(() => 1 / 6),
    )
  })
  test('multinomial with replacement', () => {
    const weights = [1, 0, 3, 0.5, 5.5, 0]
    const draws = lw.multinomial(tensor([weights, [0, 2, 0, 0, 0, 2]]), N, { replacement: true, generator: seeded(5) })
    const [first, second] = draws.tolist() as number[][]
    expectShares(
      first as number[],
      weights.map((w) => w / 10),
    )
    expectShares(second as number[], [0, 0.5, 0, 0, 0, 0.5])
  })
  test('multinomial without: the first by weight, the second by the weights that remain', () => {
    const weights = [1, 0, 2, 5]
    const rows = lw.expand(tensor([weights]), [N, 4])
    const pairs = lw.multinomial(rows, 2, { generator: seeded(6) }).tolist() as [number, number][]
    expectShares(
      pairs.map(([a, b]) => 4 * a + b),
      Array.from({ length: 16 }, (_, i) => {
        const a = weights[i >> 2] as number
        return i >> 2 === (i & 3) ? 0 : ((a / 8) * (weights[i & 3] as number)) / (8 - a)
      }),
    )
  })
})

describe.each([
  ['bernoulli', (g: lw.Generator) => lw.bernoulli(lw.full([33], 0.5), g)],
  ['randint', (g: lw.Generator) => lw.randint([3, 5], 0, 1000, g)],
  ['permutation', (g: lw.Generator) => lw.permutation(20, g)],
  ['multinomial', (g: lw.Generator) => lw.multinomial(lw.ones([30]), 9, { generator: g })],
  ['multinomial again', (g: lw.Generator) => lw.multinomial(lw.ones([30]), 9, { generator: g, replacement: true })],
] as const)('%s', (name, draw) => {
  test('is fresh at each run of a program, as eagerly, and replayable', () => {
    const [generator, other] = [seeded(7), seeded(7)]
    const run = lw.compile(() => draw(generator))
    const compiled = [run().tolist(), run().tolist()]
    expect(compiled[1]).not.toEqual(compiled[0])
    expect([draw(other).tolist(), draw(other).tolist()]).toEqual(compiled)
    other.seed(7, 1)
    expect(draw(other).tolist()).toEqual(compiled[1])
    if (name === 'permutation') expect([...draw(other).data()].sort((a, b) => a - b)).toEqual([...Array(20).keys()])
    if (name === 'multinomial') expect(new Set(draw(other).data()).size).toBe(9)
  })
})

describe('sizes and refusals', () => {
  test('nothing gives nothing', () => {
    expect(lw.permutation(0).tolist()).toEqual([])
    expect(lw.permutation(1).tolist()).toEqual([0])
    expect(lw.randint([0, 2], 0, 1).tolist()).toEqual([])
    expect(lw.bernoulli(lw.zeros([0])).tolist()).toEqual([])
    expect(lw.multinomial(lw.zeros([0, 3]), 2).shape).toEqual([0, 2])
  })
  test('bad input is named', () => {
    expect(() => lw.bernoulli(tensor([0.5, 1.5]))).toThrow('bernoulli: p is 1.5 at position 1, expected a probability')
    expect(() => lw.bernoulli(tensor([NaN]))).toThrow('p is NaN at position 0')
    expect(() => lw.randint([2], 3, 3)).toThrow('randint: low is 3 and high is 3')
    expect(() => lw.randint([2], -(2 ** 31), 2 ** 31)).toThrow('less than 2^32 apart')
    expect(() => lw.permutation(2.5)).toThrow('permutation: n is 2.5')
    expect(() => lw.multinomial(lw.ones([3]), 4)).toThrow(
      'multinomial: count is 4, expected a whole number from 1 to 3',
    )
    expect(() => lw.multinomial(lw.ones([3]), 0, { replacement: true })).toThrow('count is 0')
    expect(() => lw.multinomial(lw.ones([1, 1, 1]), 1)).toThrow('weights have shape [1, 1, 1]')
    for (const replacement of [true, false]) {
      expect(() => lw.multinomial(tensor([1, -1]), 1, { replacement })).toThrow('weight -1 at position 1')
      expect(() => lw.multinomial(tensor([1, Infinity]), 1, { replacement })).toThrow('weight Infinity at position 1')
      expect(() => lw.multinomial(lw.zeros([2, 3]), 1, { replacement })).toThrow('row 0 of weights [2, 3] has too few')
    }
    expect(() => lw.multinomial(tensor([1, 0, 2]), 3)).toThrow('has too few above 0, expected at least 3')
  })
})

test('parts of draws give the bits of the whole', () =>
  sizes([length], (n) => {
    lw.bernoulli(lw.full([n], 0.3))
    lw.randint([n], 0, 100)
  }))
