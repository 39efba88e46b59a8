import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { tensor } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { both, length, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import { mul } from '../reference/ops.ts'

beforeAll(() => lw.init())

covers('dropout')

/** The factors of a draw: what dropout makes of ones. */
const factors = (draw: (x: lw.Tensor) => lw.Tensor, shape: number[]) => {
  const x = draw(lw.ones(shape))
  return { shape, data: Float64Array.from(x.data()) }
}

type Case = [string, typeof lw.dropout, number[][]]

describe.each([
  ['dropout', lw.dropout, [[0], [1], [3], [4], [5], [8], [9], [31], [33], [], [2, 3]]],
  [
    'dropout2d',
    lw.dropout2d,
    [
      [2, 3, 4, 5],
      [1, 5, 7],
      [0, 3, 2, 2],
    ],
  ],
] as Case[])('%s', (_, op, shapes) => {
  test.each(shapes)('multiplies by 0 or 1 / (1 - p), and the gradient by the same: %j', (...shape) => {
    const p = 0.25
    // check runs the op twice, each time on draw 0 of a generator of its own.
    const draw = (x: lw.Tensor) => op(x, p, generators.pop() as lw.Generator)
    const generators = [1, 2, 3].map(() => new lw.Generator(5))
    const factor = factors(draw, shape)
    for (const f of factor.data) expect([0, Math.fround(1 / (1 - p))]).toContain(f)
    check({
      shapes: [shape],
      ours: draw,
      reference: (x) => mul(x, factor),
      tolerance: { gradient: { ulps: 4, absolute: 1 } },
    })
  })
})

describe('dropout', () => {
  test.each([0, 0.1, 0.5, 0.9, 1])('keeps the share 1 - p = 1 - %f, and the mean', (p) => {
    const n = 100_000
    const out = lw.dropout(lw.ones([n]), p, new lw.Generator(1)).data()
    const kept = out.filter((x) => x !== 0).length / n
    // Five standard deviations of a share.
    expect(Math.abs(kept - (1 - p))).toBeLessThanOrEqual(5 * Math.sqrt((p * (1 - p)) / n))
  })

  test('is fresh at each run of a compiled program, and replayable', () => {
    const generator = new lw.Generator(3)
    const run = lw.compile((x: lw.Tensor) => lw.dropout(x, 0.5, generator))
    const x = lw.ones([64])
    const first = run(x).tolist()
    const second = run(x).tolist()
    expect(second).not.toEqual(first)
    expect(generator.draw).toBe(2)
    generator.seed(3, 1)
    expect(run(x).tolist()).toEqual(second)
    generator.seed(3)
    expect(lw.dropout(x, 0.5, generator).tolist()).toEqual(first)
  })

  test('the elements of one channel share their fate', () => {
    const rows = lw
      .dropout2d(lw.ones([4, 8, 3, 3]), 0.5, new lw.Generator(2))
      .reshape([32, 9])
      .tolist() as number[][]
    expect(new Set(rows.map((row) => new Set(row).size))).toEqual(new Set([1]))
    expect(new Set(rows.map((row) => row[0]))).toEqual(new Set([0, 2]))
  })

  test('NaN stays NaN, and p is checked', () => {
    expect(lw.dropout(tensor([NaN]), 1).item()).toBeNaN()
    expect(() => lw.dropout(lw.ones([2]), 1.5)).toThrow('dropout: p is 1.5, expected a probability from 0 to 1')
    expect(() => lw.dropout(lw.ones([2]), NaN)).toThrow('p is NaN')
    expect(() => lw.dropout2d(lw.ones([2, 3]))).toThrow('dropout2d: x has shape [2, 3], expected [batch, channels,')
  })
})

test('parts give the bits of the whole', () => sizes([length], (n) => both(lw.dropout(some([n]), 0.3))))

test('the default generator goes on where its state was taken', () => {
  lw.manualSeed(2 ** 40 + 7)
  lw.uniform([5])
  const state = lw.getRngState()
  expect(JSON.parse(JSON.stringify(state))).toEqual({ seed: 2 ** 40 + 7, draw: 1 })
  const draw = () => [lw.uniform([5]), lw.dropout(lw.ones([50]), 0.5), lw.normal([3])].map((x) => String(x.data()))
  const first = draw()
  expect(draw()).not.toEqual(first)
  lw.setRngState(state)
  expect(draw()).toEqual(first)
  const own = new lw.Generator(3)
  own.loadStateDict(state)
  expect(own.stateDict()).toEqual(state)
  for (const wrong of [
    undefined,
    null,
    7,
    {},
    { seed: 1 },
    { seed: 1, draw: -1 },
    { seed: 0.5, draw: 0 },
    { seed: 1, draw: 0, x: 1 },
  ]) {
    expect(() => lw.setRngState(wrong as never)).toThrow(
      /^Generator.loadStateDict: state is .*, expected \{ seed, draw \}/,
    )
    expect(own.stateDict()).toEqual(state)
  }
})
