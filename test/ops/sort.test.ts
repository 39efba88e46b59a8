import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { tensor } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { few, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import { ref } from '../reference/array.ts'
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

test('parts give the bits of the whole', () =>
  sizes([few, odd, odd], (n, m, k) => {
    const x = () => some([n, m, k], 0.5, 1.5)
    lw.sort(x(), { axis: 1 })
    lw.topk(x(), 1, { axis: 1 })
  }))
