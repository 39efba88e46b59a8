import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { tensor } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { few, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import { build, get, type Ref, ref } from '../reference/array.ts'
import * as reference from '../reference/sort.ts'

beforeAll(() => lw.init())

covers('sort')

const exact = { ulps: 0, gradient: { ulps: 0, absolute: 16 } }

/** Around the step from insertion to passes over bytes, at 48. */
const cases: [number[], number][] = [
  [[0], 0],
  [[1], 0],
  [[2], 0],
  [[17], -1],
  [[48], 0],
  [[49], 0],
  [[3, 5], 0],
  [[3, 5], 1],
  [[2, 50, 2], 1],
  [[0, 3], 1],
]

describe.each([false, true])('sort, descending %s', (descending) => {
  test.each(cases)('%j along %i', (shape, axis) => {
    const d = (axis + shape.length) % shape.length
    check({
      shapes: [shape],
      ours: (x) => x.sort({ axis, descending, stable: true }).values,
      reference: (x) => reference.sort(x, d, descending),
      tolerance: exact,
    })
  })
})

describe.each([true, false])('topk, largest %s', (largest) => {
  test.each(cases)('%j along %i', (shape, axis) => {
    const d = (axis + shape.length) % shape.length
    const size = shape[d] as number
    for (const k of new Set([0, 1, 2, 5, size].filter((n) => n <= size)))
      check({
        shapes: [shape],
        ours: (x) => x.topk(k, { axis, largest, sorted: true }).values,
        reference: (x) => reference.sort(x, d, largest, k),
        tolerance: exact,
      })
  })
})

const values = fc.array(fc.constantFrom(0, -0, 1, -1, 2, -2.5, 1e-45, -1e-45, 3e38, Infinity, -Infinity, NaN), {
  minLength: 1,
  maxLength: 120,
})

describe('sort and topk', () => {
  test('order ties by position, and NaN as the largest', () => {
    fc.assert(
      fc.property(values, fc.boolean(), fc.nat(), (list, descending, seed) => {
        const x = tensor(list)
        const expected = reference.positions(ref([list.length], x.data()), 0, descending).data
        const sorted = x.sort({ descending })
        expect([...sorted.indices.data()]).toEqual([...expected])
        expect([...sorted.values.data()]).toEqual([...expected].map((i) => x.data()[i]))
        const k = seed % (list.length + 1)
        const top = x.topk(k, { largest: descending })
        expect([...top.indices.data()]).toEqual([...expected.subarray(0, k)])
        expect([...top.values.data()]).toEqual([...expected.subarray(0, k)].map((i) => x.data()[i]))
      }),
    )
  })

  test('a large row, against the sort of JavaScript', () => {
    const x = lw.normal([70_000], 0, 1, new lw.Generator(8))
    const data = Float32Array.from(x.data()).sort()
    expect(x.sort().values.data()).toEqual(data)
    expect(x.topk(1000).values.data()).toEqual(data.reverse().slice(0, 1000))
  })

  test('take a tensor without axes', () => {
    expect(lw.sort(3).values.tolist()).toBe(3)
    expect(lw.topk(3, 1).indices.tolist()).toBe(0)
  })

  test('say what is wrong', () => {
    const x = lw.zeros([2, 3])
    expect(() => x.topk(4)).toThrow('topk: k is 4, expected a whole number from 0 to 3, the size of axis 1 of x [2, 3]')
    expect(() => x.topk(1, { axis: 2 })).toThrow('topk: axis is 2')
    expect(() => x.topk(1, { smallest: true } as object)).toThrow('topk: unknown option smallest')
    expect(() => x.sort({ descending: 1 } as object)).toThrow('sort: descending is 1, expected true or false')
    expect(() => x.sort({ axis: -3 })).toThrow('sort: axis is -3')
  })
})

describe('median and quantile', () => {
  const ranked = (x: Ref, axis: number, place: number): Ref => {
    const sorted = reference.sort(x, axis, false)
    return build(
      x.shape.filter((_, i) => i !== axis),
      (at) => {
        const [low, high] = [Math.floor(place), Math.ceil(place)].map((i) =>
          get(sorted, [...at.slice(0, axis), i, ...at.slice(axis)]),
        ) as [number, number]
        return low + (place % 1) * (high - low)
      },
    )
  }
  test.each([
    [[1], 0],
    [[7], 0],
    [[4, 3], 0],
    [[3, 6], 1],
    [[2, 5, 3], 1],
  ] as [number[], number][])('%j along %i', (shape, axis) => {
    const size = shape[axis] as number
    check({
      shapes: [shape],
      ours: (x) => lw.median(x, { axis }).values,
      reference: (x) => ranked(x, axis, (size - 1) >> 1),
      tolerance: exact,
    })
    for (const q of [0, 0.3, 0.5, 1])
      check({
        shapes: [shape],
        ours: (x) => lw.quantile(x, q, { axis }),
        reference: (x) => ranked(x, axis, q * (size - 1)),
        // Two products, each of a difference of up to 4.
        tolerance: { ulps: 4, absolute: 16, gradient: { absolute: 32 } },
      })
  })
  test('NaN, ties, indices, and axes that are kept', () => {
    const x = tensor([
      [3, 1, 2, 4],
      [1, NaN, 0, 2],
    ])
    const { values, indices } = x.median({ axis: 1, keepDim: true })
    expect([values.tolist(), indices.tolist()]).toEqual([
      [[2], [NaN]],
      [[2], [1]],
    ])
    expect(x.median().values.item()).toBeNaN()
    expect(lw.median(Float32Array.of(5, 3, 4)).values.item()).toBe(4)
    expect(x.quantile([0, 1], { axis: 1, keepDim: true }).shape).toEqual([2, 2, 1])
    expect(x.quantile(0.5, { axis: 0 }).tolist()).toEqual([2, NaN, 1, 3])
    expect(lw.quantile(Float32Array.of(-Infinity, -Infinity, 1), 0.25).item()).toBe(-Infinity)
  })
  test('interpolation', () => {
    const at = (q: number) =>
      (['linear', 'lower', 'higher', 'midpoint', 'nearest'] as const).map((interpolation) =>
        lw.quantile(Float32Array.of(0, 10, 20, 30), q, { interpolation }).item(),
      )
    expect(at(0.25)).toEqual([7.5, 0, 10, 5, 10])
    // Places 0.5 and 1.5: to 0 and to 2.
    expect([at(1 / 6)[4], at(0.5)[4]]).toEqual([0, 20])
    expect(at(1)).toEqual([30, 30, 30, 30, 30])
  })
  test('say what is wrong', () => {
    expect(() => lw.median(lw.zeros([2, 0]), { axis: 1 })).toThrow('median: axis 1 of x [2, 0] has size 0')
    expect(() => lw.quantile(lw.zeros([0]), 0.5)).toThrow('quantile: axis 0 of x [0] has size 0')
    expect(() => lw.quantile(lw.zeros([2]), 1.5)).toThrow('quantile: q is 1.5, expected a probability from 0 to 1')
    expect(() => lw.quantile(lw.zeros([2]), 0.5, { interpolation: 'cubic' as never })).toThrow(
      "interpolation is 'cubic'",
    )
  })
})

describe('searchSorted and unique', () => {
  test('searchSorted counts what is below, one row for all or each its own', () => {
    fc.assert(
      fc.property(values, values, fc.boolean(), (row, keys, right) => {
        const sorted = lw.sort(tensor(row)).values
        const rank = (x: number) => (Number.isNaN(x) ? Infinity : Math.min(Math.max(x, -3.4e38), 3.4e38))
        const [s, v] = [sorted.data(), tensor(keys).data()]
        const expected = [...v].map(
          (key) => [...s].filter((x) => (right ? rank(x) <= rank(key) : rank(x) < rank(key))).length,
        )
        expect([...lw.searchSorted(sorted, tensor(keys), { right }).data()]).toEqual(expected)
      }),
      { numRuns: 30 },
    )
    const rows = tensor([
      [1, 3, 5],
      [2, 4, 6],
    ])
    const keys = tensor([
      [3, 9],
      [3, 0],
    ])
    expect(lw.searchSorted(rows, keys).tolist()).toEqual([
      [1, 3],
      [1, 0],
    ])
    expect(lw.searchSorted(rows.select(0, 0), keys, { right: true }).tolist()).toEqual([
      [2, 3],
      [2, 0],
    ])
    expect(lw.searchSorted(lw.zeros([0]), 2).item()).toBe(0)
    expect(() => lw.searchSorted(rows, lw.ones([3, 1]))).toThrow(
      'searchSorted: sorted has shape [2, 3], expected one axis, or leading axes [3] as values [3, 1]',
    )
  })
  test('unique finds each value once, and says where and how often', () => {
    fc.assert(
      fc.property(values, (list) => {
        const x = tensor(list)
        const { values: found, inverse, counts } = x.unique()
        const data = [...x.data()]
        const back = [...inverse.data()].map((i) => found.data()[i])
        // Zeros of both signs are one value.
        expect(back.map((v) => (v as number) + 0)).toEqual(data.map((v) => v + 0))
        expect(found.size).toBe(
          new Set(data.filter((v) => !Number.isNaN(v)).map((v) => v + 0)).size + data.filter(Number.isNaN).length,
        )
        expect([...counts.data()]).toEqual(
          Array.from({ length: found.size }, (_, i) => inverse.data().filter((k) => k === i).length),
        )
        const numbers = [...found.data()].filter((v) => !Number.isNaN(v))
        expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      }),
      { numRuns: 30 },
    )
    const { values: labels, inverse } = lw.unique({ data: Int32Array.of(5, 2, 5, 2), shape: [2, 2] })
    expect([labels.data(), inverse.shape]).toEqual([Int32Array.of(2, 5), [2, 2]])
    expect(() => lw.compile((a: lw.Tensor) => a.unique().values)(lw.ones([2]))).toThrow('unique: its size depends')
  })
})

test('parts give the bits of the whole', () =>
  sizes([few, odd, odd], (n, m, k) => {
    const x = () => some([n, m, k], 0.5, 1.5)
    lw.sort(x(), { axis: 1 })
    lw.topk(x(), 1, { axis: 1 })
    lw.searchSorted(lw.arange(m), some([8 * n]))
  }))
