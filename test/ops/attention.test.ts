import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import {
  type AttentionOptions,
  scaledDotProductAttention as attention,
  sum,
  type Tensor,
  tensor,
} from '../../src/index.ts'
import { check, numbers } from '../helpers/check.ts'
import { both, few, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import { runs } from '../helpers/long.ts'
import { ref, size } from '../reference/array.ts'
import * as reference from '../reference/attention.ts'

beforeAll(() => lw.init())

covers('attention')

const shapesOf = (lead: number[], T: number, S: number, D: number, Dv: number) => [
  [...lead, T, D],
  [...lead, S, D],
  [...lead, S, Dv],
]
/** Inputs are at most 1: a score is a sum of D products and one of its mask; a probability carries the errors of the
 *  scores, D + 4 roundings of at most 1 each, and the row's sum; a result is a sum of Dv-wide rows over S keys. */
const tolerance = (S: number, D: number) => ({
  absolute: 2 * (D + 4) + S + 8,
  gradient: { absolute: 16 * (D + S + 16) },
})

/** -Infinity is no number for a finite difference, but 0 in every probability. */
const maskOf = (shape: number[], seed: number) =>
  numbers(size(shape), seed).map((x) => (x > 0.5 ? Number.NEGATIVE_INFINITY : x))

describe('scaledDotProductAttention', () => {
  const cases: [number[], number, number, number, number][] = [
    [[1, 1], 1, 1, 1, 1],
    [[2, 3], 5, 7, 4, 6],
    [[1, 2], 8, 8, 8, 8],
    [[2], 25, 17, 3, 5],
    [[], 3, 4, 9, 12],
    [[], 49, 50, 1, 2],
    [[1, 1], 0, 3, 2, 2],
    [[1, 1], 3, 0, 2, 2],
    [[0, 2], 3, 3, 2, 2],
    [[1, 1], 3, 2, 0, 2],
  ]
  test.each(cases)('leading %j, T %i, S %i, D %i, Dv %i', (lead, T, S, D, Dv) => {
    for (const options of [{}, { isCausal: true }, { scale: 0.75 }])
      check({
        shapes: shapesOf(lead, T, S, D, Dv),
        ours: (q, k, v) => attention(q, k, v, options),
        reference: (q, k, v) => reference.attention(q, k, v, options),
        range: [-1, 1],
        tolerance: tolerance(S, D),
      })
  })

  test.each([[[5, 7]], [[2, 1, 1, 7]], [[2, 3, 5, 7]], [[3, 1, 1]], [[5, 1]]])(
    'a mask of shape %j broadcasts',
    (shape) => {
      const mask = maskOf(shape, 5)
      for (const isCausal of [false, true])
        check({
          shapes: shapesOf([2, 3], 5, 7, 4, 6),
          ours: (q, k, v) => attention(q, k, v, { mask: tensor(mask, { shape }), isCausal }),
          reference: (q, k, v) => reference.attention(q, k, v, { mask: ref(shape, mask), isCausal }),
          range: [-1, 1],
          tolerance: tolerance(7, 4),
        })
    },
  )

  test('in i32 and u8 masks 1 takes part', () => {
    const [q, k, v] = shapesOf([1, 2], 4, 5, 3, 3).map((shape, i) => tensor(numbers(size(shape), i), { shape }))
    const bits = [0, 1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    const added = tensor(bits.map((b) => (b ? 0 : Number.NEGATIVE_INFINITY))).reshape([4, 5])
    const expected = attention(q!, k!, v!, { mask: added }).data()
    for (const data of [Int32Array.from(bits), Uint8Array.from(bits)])
      expect(attention(q!, k!, v!, { mask: { shape: [4, 5], data } }).data()).toEqual(expected)
    // Query 2 sees nothing.
    expect([...expected.slice(6, 9)]).toEqual([0, 0, 0])
  })

  test('a mask may learn', () => {
    check({
      shapes: [...shapesOf([1, 2], 5, 7, 4, 6), [2, 5, 7]],
      ours: (q, k, v, mask) => attention(q, k, v, { mask }),
      reference: (q, k, v, mask) => reference.attention(q, k, v, { mask }),
      range: [-1, 1],
      tolerance: tolerance(7, 4),
    })
  })

  test('any shapes', () => {
    const length = fc.integer({ min: 1, max: 12 })
    fc.assert(
      fc.property(
        length,
        length,
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        (T, S, D, Dv, isCausal) =>
          check({
            shapes: shapesOf([1, 2], T, S, D, Dv),
            ours: (q, k, v) => attention(q, k, v, { isCausal }),
            reference: (q, k, v) => reference.attention(q, k, v, { isCausal }),
            range: [-1, 1],
            tolerance: tolerance(S, D),
          }),
      ),
      { numRuns: runs(6, 40), seed: 7 },
    )
  })

  test('dropout drops its share, scales the rest, and repeats its choice in the backward', () => {
    // With v the identity the result is the dropped probabilities.
    const [T, S, p] = [26, 26, 0.25]
    const eye = tensor(
      Float32Array.from({ length: S * S }, (_, i) => Number(i % (S + 1) === 0)),
      { shape: [1, 1, S, S] },
    )
    // Made before: a generator cannot be made in a compiled function.
    const generators = Array.from({ length: 6 }, () => new lw.Generator(3))
    const run = (q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions) =>
      attention(q, k, v, { dropout: p, generator: generators.pop() as lw.Generator, ...options })
    for (const isCausal of [false, true]) {
      const shapes = shapesOf([1, 1], T, S, 4, 5)
      const arrays = shapes.map((shape, i) => numbers(size(shape), i, -1, 1))
      const [q, k] = arrays.map((x, i) => tensor(x, { shape: shapes[i] as number[], requiresGrad: true }))
      const plain = attention(q!, k!, eye, { isCausal }).data()
      const dropped = run(q!, k!, eye, { isCausal }).data()
      const kept = Float64Array.from(plain, (x, i) => (x > 0 && dropped[i] === 0 ? 0 : 1 / (1 - p)))
      dropped.forEach((x, i) => {
        if (x !== 0) expect(x).toBeCloseTo((plain[i] as number) * (kept[i] as number), 5)
      })
      const seen = plain.filter((x) => x > 0).length
      const gone = [...kept].filter((x) => x === 0).length
      expect(Math.abs(gone / seen - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / seen))
      check({
        shapes,
        ours: (q, k, v) => run(q, k, v, { isCausal }),
        reference: (q, k, v) => reference.attention(q, k, v, { isCausal, keep: ref([1, 1, T, S], kept) }),
        range: [-1, 1],
        tolerance: tolerance(S, 4),
      })
    }
  })

  test('each run of a compiled function drops anew', () => {
    lw.manualSeed(1)
    const x = tensor(numbers(60, 1), { shape: [1, 1, 12, 5] })
    const f = lw.compile(() => attention(x, x, x, { dropout: 0.5 }))
    expect(f().data()).not.toEqual(f().data())
  })

  test('says what does not fit', () => {
    const q = lw.zeros([2, 3, 4])
    expect(() => attention(q, lw.zeros([2, 5, 3]), q)).toThrow('k has shape [2, 5, 3], expected [2, 5, 4]')
    expect(() => attention(q, q, lw.zeros([2, 5, 3]))).toThrow('v has shape [2, 5, 3], expected [2, 3, 3]')
    expect(() => attention(lw.zeros([4]), q, q)).toThrow('q has shape [4]')
    expect(() => attention(q, q, q, { dropout: 1 })).toThrow('dropout is 1, expected a number >= 0 and < 1')
    expect(() => attention(q, q, q, { mask: lw.zeros([4, 3]) })).toThrow(
      'mask has shape [4, 3], expected one that broadcasts to [2, 3, 3]',
    )
    expect(() => attention(q, q, q, { causal: true } as never)).toThrow('unknown option causal')
    expect(() => attention(q, q, q, { scale: Number.NaN })).toThrow('scale is NaN')
  })
})

describe('rotary', () => {
  const table = (T: number, half: number, f: (x: number) => number, offset = 0) =>
    tensor(
      Float32Array.from({ length: T * half }, (_, i) =>
        f((Math.floor(i / half) + offset) * 10000 ** (-(i % half) / half)),
      ),
      { shape: [T, half] },
    )
  test.each([[[3, 2]], [[5, 4]], [[2, 3, 6]], [[2, 2, 3, 14]], [[4, 16]], [[0, 4]], [[3, 0]]])('shape %j', (shape) => {
    const [T, D] = shape.slice(-2) as [number, number]
    for (const interleaved of [false, true])
      check({
        shapes: [shape],
        ours: (x) => lw.rotary(x, table(T, D / 2, Math.cos), table(T, D / 2, Math.sin), { interleaved }),
        reference: (x) => reference.rotary(x, { interleaved }),
        // Two products of numbers up to 2, and the roundings of cos and sin.
        tolerance: { absolute: 8 },
      })
  })

  test('says what does not fit', () => {
    const t = lw.zeros([3, 2])
    expect(() => lw.rotary(lw.zeros([3, 5]), t, t)).toThrow('x has shape [3, 5], expected an even last axis')
    expect(() => lw.rotary(lw.zeros([3, 6]), t, t)).toThrow('cosines have shape [3, 2], expected [3, 3]')
  })
})

test('a second backward looks at its gradient anew', () => {
  const x = tensor(
    [
      [1, 2],
      [3, -4],
    ],
    { requiresGrad: true },
  )
  const y = attention(x, x, x)
  const gradient = tensor([
    [1, 2],
    [3, 4],
  ])
  y.backward({ gradient, retainGraph: true })
  const first = [...x.grad!.data()]
  x.grad = null
  gradient.copyFrom([2, 4, 6, 8])
  y.backward({ gradient })
  expect([...x.grad!.data()]).toEqual(first.map((v) => 2 * v))
})

test('three compiled backwards of one gradient add up', () => {
  const x = tensor(
    [
      [1, 2],
      [3, -4],
    ],
    { requiresGrad: true },
  )
  const gradient = tensor([
    [1, 2],
    [3, 4],
  ])
  const once = attention(x, x, x)
  once.backward({ gradient })
  const first = [...x.grad!.data()]
  x.grad = null
  lw.compile(() => {
    const y = attention(x, x, x)
    y.backward({ gradient, retainGraph: true })
    y.backward({ gradient, retainGraph: true })
    y.backward({ gradient })
  })()
  for (const [i, v] of x.grad!.data().entries()) expect(v).toBeCloseTo(3 * first[i]!, 4)
})

test('a query that sees no key gives 0 and has gradient 0, also with a mask that learns', () => {
  const hidden = Number.NEGATIVE_INFINITY
  const [plain, learned] = [false, true].map((learns) => {
    const x = tensor(
      [
        [1, 2],
        [3, -4],
      ],
      { requiresGrad: true },
    )
    const mask = tensor(
      [
        [hidden, hidden],
        [0, hidden],
      ],
      { requiresGrad: learns },
    )
    const y = attention(x, x, x, { mask })
    sum(y).backward()
    return { y: y.tolist(), dx: x.grad!.tolist(), dmask: mask.grad?.tolist() }
  })
  expect(learned!.y).toEqual(plain!.y)
  expect(learned!.dx).toEqual(plain!.dx)
  for (const d of (learned!.dmask as number[][]).flat()) expect(Math.abs(d)).toBe(0)
})

test('parts give the bits of the whole', () =>
  sizes([few, odd, odd, fc.boolean()], (n, t, d, one) => {
    for (const dropout of [0, 0.3]) {
      const x = () => some(one ? [1, n, t, d] : [n, 2, t, d])
      both(lw.scaledDotProductAttention(x(), x(), x(), { dropout, isCausal: t > 4 }))
    }
    const angles = () => some([t, d]).detach()
    both(lw.rotary(some([n, t, 2 * d]), angles(), angles()))
  }))
