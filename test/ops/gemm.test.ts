import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { DEPTH, ROWS } from '../../src/core/commands.ts'
import * as lw from '../../src/index.ts'
import { type Tensor, tensor } from '../../src/index.ts'
import { check, numbers, type Tolerance } from '../helpers/check.ts'
import { both, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import * as reference from '../reference/ops.ts'

beforeAll(() => lw.init())

covers('gemm')

const products: [number, number, number][] = []
for (const m of [0, 1, 2, 3, 4, 5, 7, 8, 13])
  for (const n of [0, 1, 3, 4, 5, 8, 9, 12, 15, 16, 17, 33])
    for (const k of [0, 1, 3, 4, 5, 8]) products.push([m, k, n])
products.push([49, 5, 9], [48, 9, 16], [3, 511, 2], [2, DEPTH, 3], [7, DEPTH + 1, 5], [50, 2 * DEPTH + 1, 3])
products.push([ROWS + 1, 5, 9], [ROWS + 3, DEPTH + 1, 17], [2 * ROWS + 1, 3, 16])
/** Products of numbers in ±2 have the deviation 4/3: partial sums of k of them stay within 4 √k, three deviations. Each of
 *  k additions rounds one, up or down. */
const sums = (k: number): Tolerance => ({ ulps: 2, absolute: 4 * k ** 0.5 * k ** 0.5 + 4 })

describe('matmul', () => {
  test('follows its reference, with both gradients, for all sizes around the tiles', () => {
    for (const [m, k, n] of products) {
      const small = m * n * k < 250
      check({
        shapes: [
          [m, k],
          [k, n],
        ],
        ours: lw.matmul,
        reference: reference.matmul,
        tolerance: { ...sums(k), gradient: { ulps: 2, absolute: 2 * Math.max(m, n) + 16 } },
        differentiable: small,
      })
    }
  })
  test.each([
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    [
      [2, 1, 3, 4],
      [3, 4, 2],
    ],
    [
      [3, 4],
      [2, 4, 5],
    ],
    [
      [2, 3, 4],
      [4, 5],
    ],
    [
      [0, 3, 4],
      [4, 5],
    ],
  ] as [number[], number[]][])('broadcasts the leading axes of %j and %j', (a, b) =>
    check({
      shapes: [a, b],
      ours: lw.matmul,
      reference: reference.matmul,
      tolerance: { ...sums(4), gradient: { ulps: 4, absolute: 64 } },
    }),
  )
  test('takes a vector as a row on the left and as a column on the right', () => {
    const a = tensor([1, 2, 3])
    const m = tensor([
      [1, 0],
      [0, 1],
      [2, 2],
    ])
    expect(a.matmul(m).tolist()).toEqual([7, 8])
    expect(m.transpose().matmul(a).tolist()).toEqual([7, 8])
    expect(a.matmul(a).tolist()).toBe(14)
  })
})

describe('linear', () => {
  const cases: [number[], number][] = [
    [[1, 1], 1],
    [[5, 3], 2],
    [[7, 9], 8],
    [[13, 20], 17],
    [[2, 3, 4], 5],
    [[4], 3],
    [[0, 3], 2],
    [[3, 0], 2],
  ]
  test.each(cases)('maps %j to %i features', (shape, out) => {
    const inputs = shape.at(-1) as number
    check({
      shapes: [shape, [out, inputs], [out]],
      ours: lw.linear,
      reference: reference.linear,
      tolerance: { ...sums(inputs), gradient: { ulps: 2, absolute: 2 * 50 + 32 } },
    })
    check({
      shapes: [shape, [out, inputs], [out]],
      ours: (x, w, b) => lw.relu(lw.linear(x, w, b)),
      reference: (x, w, b) => reference.relu(reference.linear(x, w, b)),
      tolerance: sums(inputs),
      differentiable: false,
    })
  })

  test('sums the gradient of the bias over more rows than a block has', () => {
    const out = ROWS + 5
    check({
      shapes: [[5, 1], [out, 1], [out]],
      ours: lw.linear,
      reference: reference.linear,
      tolerance: { ...sums(1), gradient: sums(out) },
    })
  })

  // A row alone goes another way through the kernel, and so do columns at the edge; k runs over two blocks.
  test.each([
    [1, 1],
    [7, 16],
    [515, 35],
    [1030, 48],
  ])('a sample of %i numbers gives the same %i bits alone as in a batch', (inputs, out) => {
    const x = tensor(numbers(9 * inputs, 1), { shape: [9, inputs] })
    const w = tensor(numbers(out * inputs, 2), { shape: [out, inputs] })
    const b = tensor(numbers(out, 3), { shape: [out] })
    const together = lw.relu(lw.linear(x, w, b)).data()
    const single = lw.compile((row: Tensor) => lw.relu(lw.linear(row, w, b)))
    for (let i = 0; i < 9; i++)
      expect(single(lw.slice(x, { start: i, end: i + 1 })).data()).toEqual(together.slice(i * out, (i + 1) * out))
  })
})

test('parts give the bits of the whole', () =>
  sizes([fc.integer({ min: 97, max: 130 }), fc.integer({ min: 1, max: 130 }), odd], (m, n, k) => {
    both(lw.linear(some([m, k]), some([n, k]), some([n])))
    both(lw.linear(some([n, k]), some([m, k]), some([m])))
  }))
