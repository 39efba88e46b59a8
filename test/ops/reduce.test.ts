import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { type Tensor, tensor } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { both, few, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import type { Ref } from '../reference/array.ts'
import * as reference from '../reference/ops.ts'

beforeAll(() => lw.init())

covers('reduce', 'softmax')

const dims: [number[], number[] | undefined, boolean][] = [
  [[5], undefined, false],
  [[], undefined, false],
  [[0], undefined, false],
  [[3, 0], [0], false],
  [[1], [0], true],
  [[2049], undefined, false],
  [[3, 4], [0], false],
  [[3, 4], [1], true],
  [[17, 9], [0], true],
  [[2, 3, 4, 5], [1, 2], false],
  [[2, 3, 4, 5], [0, 2], true],
  [[2, 3, 4, 5], [0, 1, 2, 3], true],
  [[2, 3, 4, 5], [], false],
]
describe.each([
  ['sum', lw.sum, reference.sum],
  ['mean', lw.mean, reference.mean],
] as const)('%s', (_, ours, ref) => {
  test.each(dims)('%j over axes %j, keepDim %s', (shape, axis, keepDim) =>
    check({
      shapes: [shape],
      ours: (x) => ours(x, { ...(axis && { axis }), keepDim }),
      reference: (x) => ref(x, axis, keepDim),
      // 128 additions in a lane, of partial sums that random signs keep below 32.
      tolerance: { absolute: 128 * 32 },
    }),
  )
})

describe.each([
  ['variance', (x, o) => lw.variance(x, o), reference.variance(1)],
  ['variance of the sample', (x, o) => lw.variance(x, { ...o, correction: 0 }), reference.variance(0)],
  ['std', (x, o) => lw.std(x, o), (x, a, k) => reference.sqrt(reference.variance(1)(x, a, k))],
  ['logSumExp', (x, o) => lw.logSumExp(x, o), reference.logSumExp],
  ['norm', (x, o) => lw.norm(x, o), reference.norm(2)],
  ['norm 1', (x, o) => lw.norm(x, { ...o, p: 1 }), reference.norm(1)],
  ['norm 3', (x, o) => lw.norm(x, { ...o, p: 3 }), reference.norm(3)],
  ['norm Infinity', (x, o) => lw.norm(x, { ...o, p: Infinity }), reference.norm(Infinity)],
] as [string, (x: Tensor, options: lw.ReduceOptions) => Tensor, (x: Ref, axes?: number[], keepDim?: boolean) => Ref][])(
  '%s',
  (_, ours, ref) => {
    test.each([
      [[5], undefined, false],
      [[3, 4], [0], false],
      [[3, 4], [1], true],
      [[2, 3, 4], [0, 2], false],
      [[2, 3, 2, 3], [1, 2], true],
    ] as [number[], number[] | undefined, boolean][])('%j over axes %j, keepDim %s', (shape, axis, keepDim) =>
      check({
        shapes: [shape],
        ours: (x) => ours(x, { ...(axis && { axis }), keepDim }),
        reference: (x) => ref(x, axis, keepDim),
        // Some eight roundings of terms up to 16, over up to 24 of them, before a root or a quotient.
        tolerance: { ulps: 16, absolute: 8 * 24, gradient: { ulps: 64, absolute: 16 * 24 } },
      }),
    )
  },
)

describe('prod and cumsum', () => {
  test.each([
    [[7], 0],
    [[3, 5], 0],
    [[3, 5], 1],
    [[2, 3, 4], 1],
    [[1, 1], 0],
    [[0, 3], 1],
  ] as [number[], number][])('%j along axis %i', (shape, axis) => {
    check({
      shapes: [shape],
      ours: (x) => lw.prod(x, { axis, keepDim: true }),
      reference: (x) => reference.prod(x, [axis], true),
      tolerance: { ulps: 8, gradient: { ulps: 16, absolute: 64 } },
    })
    check({ shapes: [shape], ours: (x) => lw.cumsum(x, axis), reference: (x) => reference.cumsum(x, axis) })
    check({
      shapes: [shape],
      ours: (x) => lw.cumprod(x, axis),
      reference: (x) => reference.cumprod(x, axis),
      // Products of up to seven factors below 2, then sums of as many of them.
      tolerance: { ulps: 8, gradient: { ulps: 16, absolute: 7 * 128 } },
    })
    check({
      shapes: [shape],
      ours: (x) => lw.min(x, { axis }).values,
      reference: (x) => reference.neg(reference.max(reference.neg(x), axis)),
    })
    check({
      shapes: [shape],
      ours: (x) => lw.argmin(x, { axis }).to('f32'),
      reference: (x) => reference.argmax(reference.neg(x), axis),
      differentiable: false,
    })
  })
  test('the gradient of cumprod is right where elements are 0', () => {
    const x = tensor([2, 0, 3, 0, 5], { requiresGrad: true })
    lw.sum(lw.cumprod(x, 0)).backward()
    // 1 + 0 + …, 2 (1 + 3), 0, …: by the products without the element.
    expect(x.grad?.tolist()).toEqual([1, 8, 0, 0, 0])
  })
  test('any, all and trace', () => {
    const x = tensor([
      [0, 0, 0],
      [0, 2, NaN],
      [1, -1, 3],
    ])
    expect(lw.any(x, { axis: 1 }).tolist()).toEqual([0, 1, 1])
    expect(lw.all(x, { axis: 1, keepDim: true }).tolist()).toEqual([[0], [0], [1]])
    expect([lw.any(x).item(), lw.all(x).item()]).toEqual([1, 0])
    expect([lw.any(lw.zeros([0])).item(), lw.all(lw.zeros([0])).item()]).toEqual([0, 1])
    expect([lw.any(Uint8Array.of(0, 1)).item(), lw.all(Int32Array.of(0, 1)).item()]).toEqual([1, 0])
    check({
      shapes: [[3, 4]],
      ours: (x) => lw.trace(x),
      reference: (x) => reference.sum(reference.rearranged(x, [3], ([i]) => [i as number, i as number])),
    })
    expect(() => lw.trace(lw.ones([3]))).toThrow('trace: x has shape [3], expected a matrix')
  })
  test('the gradient of prod is right where elements are 0', () => {
    const x = tensor(
      [
        [2, 0, 3],
        [0, 0, 5],
      ],
      { requiresGrad: true },
    )
    lw.sum(lw.prod(x, { axis: 1 })).backward()
    expect(x.grad?.tolist()).toEqual([
      [0, 6, 0],
      [0, 0, 0],
    ])
  })
  test('logSumExp stays finite for large numbers, and is -Infinity for the sum of nothing', () => {
    expect(lw.logSumExp(tensor([1000, 1000])).item()).toBeCloseTo(1000 + Math.log(2), 3)
    expect(lw.logSumExp(tensor([-Infinity, -Infinity])).item()).toBe(-Infinity)
  })
  test('normalize gives rows of length 1, and 0 for 0', () => {
    check({
      shapes: [[3, 4]],
      ours: (x) => lw.normalize(x),
      reference: (x) => reference.div(x, reference.norm(2)(x, [1], true)),
      tolerance: { ulps: 16, gradient: { ulps: 32, absolute: 256 } },
    })
    expect(lw.normalize(tensor([3, 0, -4]), { axis: 0, p: 1 }).tolist()).toEqual(
      [3, 0, -4].map((v) => Math.fround(v / 7)),
    )
    const x = tensor([[0, 0]], { requiresGrad: true })
    lw.sum(lw.normalize(x)).backward()
    expect(x.grad?.data().every(Number.isFinite)).toBe(true)
    expect(() => lw.normalize(lw.ones([2]))).toThrow('normalize: axis is 1')
  })
  test('the gradient of a norm at 0 is 0', () => {
    const x = tensor([0, 0], { requiresGrad: true })
    lw.norm(x).backward()
    expect(x.grad?.tolist()).toEqual([0, 0])
  })
})

describe('max', () => {
  test.each([
    [[7], 0],
    [[3, 5], 1],
    [[3, 5], 0],
    [[2, 9, 4], 1],
    [[1, 1], 0],
    [[0, 3], 1],
  ] as [number[], number][])('%j along axis %i', (shape, axis) => {
    check({
      shapes: [shape],
      ours: (x) => lw.max(x, { axis, keepDim: true }).values,
      reference: (x) => reference.max(x, axis, true),
    })
    check({
      shapes: [shape],
      ours: (x) => lw.argmax(x, { axis }).to('f32'),
      reference: (x) => reference.argmax(x, axis),
      differentiable: false,
    })
  })
  test('takes the first of equal elements, and NaN above all', () => {
    const { values, indices } = lw.max(
      tensor([
        [1, 3, 3],
        [Number.NaN, 9, Number.NaN],
      ]),
      { axis: 1 },
    )
    expect(values.tolist()).toEqual([3, Number.NaN])
    expect(indices.tolist()).toEqual([1, 0])
  })
})

const rows: [number, number][] = [
  [0, 3],
  [1, 1],
  [3, 5],
  [2, 4],
  [5, 10],
  [3, 17],
]
test.each([
  [[5], 0],
  [[3, 17], 1],
  [[4, 3], 0],
  [[2, 3, 8], -1],
] as [number[], number][])('cosineSimilarity of %j along axis %i', (shape, axis) => {
  // A quotient of a sum of up to 17 products of size 4 and the square roots of two more.
  check({
    shapes: [shape, shape],
    ours: (a, b) => lw.cosineSimilarity(a, b, { axis }),
    reference: (a, b) => {
      const axes = [axis < 0 ? axis + shape.length : axis]
      const dot = reference.sum(reference.mul(a, b), axes)
      return reference.div(dot, reference.mul(reference.norm(2)(a, axes), reference.norm(2)(b, axes)))
    },
    tolerance: { ulps: 8, absolute: 17, gradient: { ulps: 16, absolute: 17 * 8 } },
  })
})

describe('softmax', () => {
  test.each(rows)('%i rows of %i', (r, d) => {
    // Each probability is a quotient of exponentials (1 ULP each) and a sum of d of them.
    check({
      shapes: [[r, d]],
      ours: (x) => lw.softmax(x),
      reference: (x) => reference.softmax(x, 1),
      tolerance: { ulps: 8, gradient: { ulps: 16, absolute: 16 } },
    })
    check({
      shapes: [[r, d, 2]],
      ours: (x) => lw.softmax(x, 1),
      reference: (x) => reference.softmax(x, 1),
      tolerance: { ulps: 8, gradient: { ulps: 16, absolute: 16 } },
    })
  })
  test('stays finite for large logits', () => {
    expect(
      lw
        .softmax(
          tensor([
            [1000, 1000],
            [-1000, 0],
          ]),
        )
        .tolist(),
    ).toEqual([
      [0.5, 0.5],
      [0, 1],
    ])
  })
})

describe('logSoftmax', () => {
  test.each([
    [[1], 0],
    [[5], 0],
    [[3, 9], 1],
    [[4, 3], 0],
    [[2, 3, 17], -1],
    [[2, 3, 2], 1],
    [[0, 3], 1],
    [[3, 0], 1],
  ] as [number[], number][])('logSoftmax of %j along axis %i', (shape, axis) =>
    check({
      shapes: [shape],
      ours: (x) => lw.logSoftmax(x, axis),
      reference: (x) => reference.logSoftmax(x, axis < 0 ? axis + shape.length : axis),
      // Σ dy of up to 17 terms of size 2 within the gradient.
      tolerance: { absolute: 16, gradient: { ulps: 16, absolute: 8 * 17 } },
    }),
  )

  test('logSoftmax stays finite where softmax is 0', () => {
    expect(lw.logSoftmax(tensor([1000, 0])).tolist()).toEqual([0, -1000])
  })
})

test('parts give the bits of the whole', () =>
  sizes([few, odd, odd], (n, m, k) => {
    const x = () => some([n, m, k], 0.5, 1.5)
    both(lw.sum(x(), { axis: 1 }))
    both(lw.max(x(), { axis: 1 }).values)
    both(lw.prod(x(), { axis: 1 }))
    both(lw.cumsum(x(), 1))
    both(lw.cumprod(x(), 1))
    both(lw.softmax(some([n, m])))
    both(lw.logSoftmax(some([n, m])))
  }))
