import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { tensor } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { both, classes, few, length, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import { runs } from '../helpers/long.ts'
import { build, get } from '../reference/array.ts'
import * as reference from '../reference/gather.ts'

beforeAll(() => lw.init())

covers('gather')

/** Indices below `bound`, with repeats. */
const below = (bound: number, shape: readonly number[], seed = 1) => ({
  shape,
  data: Int32Array.from(
    { length: shape.reduce((a, b) => a * b, 1) },
    (_, i) => Math.abs(Math.imul(i + seed, 2654435761) >> 7) % bound,
  ),
})

describe('embedding', () => {
  test.each([
    [[5], 3, 4],
    [[2, 3], 7, 5],
    [[], 2, 9],
    [[0], 4, 3],
    [[40], 3, 17],
    [[3], 1, 1],
    [[3], 2, 65],
    [[4], 5, 0],
    [[2, 1, 2], 6, 67],
  ])('%j indices into [%i, %i]', (shape, count, dim) => {
    const index = below(count, shape)
    check({
      shapes: [[count, dim]],
      ours: (weight) => lw.embedding(tensor(index), weight),
      reference: (weight) => reference.embedding(weight, index),
      // A row of the gradient sums up to 40 terms of size 2.
      tolerance: { ulps: 0, gradient: { ulps: 0, absolute: 80 } },
    })
  })

  test('u8 indices are taken as they are', () => {
    const weight = tensor([[1], [2], [3]])
    expect(lw.embedding({ shape: [2], data: Uint8Array.of(2, 0) }, weight).tolist()).toEqual([[3], [1]])
  })

  test('the padding row gets no gradient', () => {
    const weight = tensor([[1], [2], [3]], { requiresGrad: true })
    lw.backward(lw.sum(lw.embedding(tensor([0, 2, 2], { dtype: 'i32' }), weight, -1)))
    expect(weight.grad?.tolist()).toEqual([[1], [0], [0]])
  })

  test('an index out of range is refused, eagerly and compiled', () => {
    const weight = lw.zeros([65, 16])
    const index = tensor(Int32Array.of(0, 64, 1, 65))
    const message = 'embedding: index 65 at position 3 is out of range, expected 0 to 64 (weight [65, 16])'
    expect(() => lw.embedding(index, weight)).toThrow(message)
    expect(() => lw.compile((i: lw.Tensor) => lw.embedding(i, weight))(index)).toThrow(message)
    expect(() => lw.embedding(tensor(Int32Array.of(-1)), weight)).toThrow('index -1 at position 0')
    expect(() => lw.embedding(index, lw.zeros([3]))).toThrow('embedding: weight has shape [3], expected [count, dim]')
    expect(() => lw.embedding(tensor([1]), weight)).toThrow('index is f32 [1], expected i32')
    expect(() => lw.embedding(index, weight, 65)).toThrow('paddingIdx is 65')
  })

  test('indices that changed before the backward are refused, not followed', () => {
    const weight = tensor([[1], [2]], { requiresGrad: true })
    const index = tensor(Int32Array.of(1))
    const y = lw.sum(lw.embedding(index, weight))
    index.copyFrom([1000])
    expect(() => lw.backward(y)).toThrow('index 1000 at position 0')
  })
})

/** Copies and single additions of terms of size 2: exact but for the sums, of up to 40 terms. */
const exact = { ulps: 0, absolute: 80, gradient: { ulps: 0, absolute: 80 } }

describe('indexSelect', () => {
  test.each([
    [[5], 0, 3],
    [[3, 4], 1, 6],
    [[3, 4], -2, 2],
    [[2, 3, 5], 1, 4],
    [[2, 7, 65], 1, 9],
    [[2, 3], 0, 0],
    [[0, 3], 1, 2],
    [[2, 3, 1, 1], 3, 3],
  ])('%j along %i, %i indices', (shape, axis, count) => {
    const d = (axis + shape.length) % shape.length
    const index = below(shape[d] as number, [count])
    check({
      shapes: [shape],
      ours: (x) => x.indexSelect(axis, tensor(index)),
      reference: (x) => reference.indexSelect(x, d, index),
      tolerance: exact,
    })
  })
  test('takes i32, and says what is wrong', () => {
    const x = tensor(Int32Array.of(7, 8, 9))
    const out = lw.indexSelect(x, 0, tensor(Int32Array.of(2, 2)))
    expect([out.dtype, out.tolist()]).toEqual(['i32', [9, 9]])
    expect(() => lw.indexSelect(x, 0, tensor(Int32Array.of(0, 3)))).toThrow(
      'indexSelect: index 3 at position 1 is out of range, expected 0 to 2 (axis 0 of x [3])',
    )
    expect(() => lw.indexSelect(x, 1, tensor(Int32Array.of(0)))).toThrow('indexSelect: axis is 1')
    expect(() => lw.indexSelect(x, 0, lw.zeros([1, 1], 'i32'))).toThrow('index has shape [1, 1], expected one axis')
    expect(() => lw.indexSelect(tensor(Uint8Array.of(1)), 0, tensor(Int32Array.of(0)))).toThrow('x is u8 [1]')
  })
})

const along: [number[], number, number[]][] = [
  [[5], 0, [7]],
  [[3, 4], 1, [3, 2]],
  [[3, 4], 0, [5, 4]],
  [[3, 4], 0, [2, 3]],
  [[2, 3, 5], 1, [2, 4, 5]],
  [[4, 3, 5], -1, [2, 3, 9]],
  [[2, 3], 1, [2, 0]],
  [[0, 3], 1, [0, 2]],
  [[1, 1], 1, [1, 1]],
]

describe('gather and scatterAdd', () => {
  test.each(along)('%j along %i by %j', (shape, axis, indexShape) => {
    const d = (axis + shape.length) % shape.length
    const index = below(shape[d] as number, indexShape)
    check({
      shapes: [shape],
      ours: (x) => x.gather(axis, tensor(index)),
      reference: (x) => reference.gather(x, d, index),
      tolerance: exact,
    })
    for (const more of [0, 2])
      check({
        shapes: [shape, indexShape.map((n) => n + more)],
        ours: (x, source) => x.scatterAdd(axis, tensor(index), source),
        reference: (x, source) => reference.scatterAdd(x, d, index, source),
        tolerance: exact,
      })
  })

  test('over random shapes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })), {
          minLength: 1,
          maxLength: 4,
        }),
        fc.nat(),
        fc.nat({ max: 999 }),
        (sizes, at, seed) => {
          const d = at % sizes.length
          const shape = sizes.map(([n]) => n)
          const indexShape = sizes.map(([n, m], i) => (i === d ? m : Math.min(n, m)))
          const index = below(shape[d] as number, indexShape, seed)
          check({
            shapes: [shape, indexShape],
            ours: (x, source) => lw.mul(x.gather(d, tensor(index)), x.scatterAdd(d, tensor(index), source).sum()),
            reference: (x, source) => {
              const total = reference.scatterAdd(x, d, index, source).data.reduce((a, b) => a + b, 0)
              const picked = reference.gather(x, d, index)
              return { shape: picked.shape, data: picked.data.map((value) => value * total) }
            },
            // A product of 2 with a sum of up to 512 terms of size 2; its gradient sums 256 such products.
            tolerance: { ulps: 8, absolute: 2 * 1024, gradient: { ulps: 64, absolute: 16 * 1024 } },
          })
        },
      ),
      { numRuns: runs(15, 60) },
    )
  })

  test('say what is wrong', () => {
    const x = lw.zeros([2, 3])
    const index = (values: number[][]) => tensor(values, { dtype: 'i32' })
    expect(() =>
      x.gather(
        1,
        index([
          [0, 2],
          [3, 0],
        ]),
      ),
    ).toThrow('gather: index 3 at position 2 is out of range, expected 0 to 2 (axis 1 of x [2, 3])')
    expect(() => x.gather(1, index([[0], [0], [0]]))).toThrow(
      'gather: index has shape [3, 1], expected 2 axes, all but',
    )
    expect(() => x.gather(2, index([[0]]))).toThrow('gather: axis is 2')
    expect(() => x.scatterAdd(0, index([[0, 2, 0]]), x)).toThrow('scatterAdd: index 2 at position 1')
    expect(() => x.scatterAdd(0, index([[0, 1, 0]]), lw.zeros([1, 2]))).toThrow(
      'scatterAdd: index has shape [1, 3], expected 2 axes at most those of source [1, 2]',
    )
    expect(() => x.scatterAdd(0, lw.zeros([1, 1]), x)).toThrow('index is f32')
  })
})

describe('oneHot', () => {
  test.each([[[4]], [[]], [[2, 3]], [[0]]])('of %j', (shape) => {
    const index = below(5, shape)
    check({
      shapes: [],
      ours: () => lw.oneHot(tensor(index), 5),
      reference: () => reference.oneHot(index, 5),
      differentiable: false,
    })
  })
  test('says what is wrong', () => {
    expect(() => lw.oneHot(tensor(Int32Array.of(0, 4)), 4)).toThrow(
      'oneHot: index 4 at position 1 is out of range, expected 0 to 3 (4 classes)',
    )
    expect(() => lw.oneHot(tensor(Int32Array.of(0)), 1.5)).toThrow('classes is 1.5')
  })
})

describe('unfold', () => {
  test.each([
    [[5], 0, 2, 1],
    [[7], 0, 3, 2],
    [[2, 5], 1, 5, 1],
    [[4, 2, 3], 0, 2, 2],
    [[3, 2], 0, 0, 1],
    [[2, 6, 2], -2, 3, 4],
  ] as [number[], number, number, number][])('%j along %i by %i every %i', (shape, axis, size, step) => {
    const d = (axis + shape.length) % shape.length
    const count = Math.floor(((shape[d] as number) - size) / step) + 1
    check({
      shapes: [shape],
      ours: (x) => lw.unfold(x, axis, size, step),
      reference: (x) =>
        build([...shape.map((n, i) => (i === d ? count : n)), size], (at) =>
          get(
            x,
            at.slice(0, -1).map((c, i) => (i === d ? c * step + (at.at(-1) as number) : c)),
          ),
        ),
      tolerance: { ulps: 0, gradient: { ulps: 0, absolute: 3 * 16 } },
    })
  })
  test('says what is wrong', () => {
    expect(() => lw.unfold(lw.ones([3]), 0, 4, 1)).toThrow('unfold: size is 4, expected a whole number from 0 to 3')
    expect(() => lw.unfold(lw.ones([3]), 0, 1, 0)).toThrow('unfold: step is 0')
  })
})

describe('what has a size that depends on values', () => {
  test('maskedSelect takes elements in order, and gives gradients back to them', () => {
    const x = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { requiresGrad: true },
    )
    const mask = tensor([[0], [1]], { dtype: 'i32' })
    const y = x.maskedSelect(mask)
    expect(y.tolist()).toEqual([3, 4])
    y.backward({ gradient: tensor([5, 6]) })
    expect(x.grad?.tolist()).toEqual([
      [0, 0],
      [5, 6],
    ])
    expect(lw.maskedSelect(tensor(Int32Array.of(7, 8)), x.detach().select(0, 0).greater(1)).data()).toEqual(
      Int32Array.of(8),
    )
    expect(lw.maskedSelect(x, 0).shape).toEqual([0])
    expect(() => lw.maskedSelect(x, lw.ones([3]))).toThrow('do not broadcast')
    expect(() => lw.maskedSelect(x, lw.ones([1, 2, 2]))).toThrow(
      'maskedSelect: mask has shape [1, 2, 2], expected one that broadcasts to x [2, 2]',
    )
    expect(() => lw.compile((a: lw.Tensor) => a.maskedSelect(a))(x)).toThrow(
      'maskedSelect: its size depends on values, which are not known while compile() traces; call it outside',
    )
  })
  test('bincount counts, and sums weights with their gradient', () => {
    const x = Int32Array.of(0, 3, 1, 3)
    expect(lw.bincount(x).data()).toEqual(Int32Array.of(1, 1, 0, 2))
    expect(lw.bincount(x, { minLength: 6 }).shape).toEqual([6])
    expect(lw.bincount(Uint8Array.of()).shape).toEqual([0])
    const weights = tensor([1, 2, 3, 4], { requiresGrad: true })
    const y = lw.bincount(x, { weights })
    expect(y.tolist()).toEqual([1, 3, 0, 6])
    y.backward({ gradient: tensor([10, 20, 30, 40]) })
    expect(weights.grad?.tolist()).toEqual([10, 40, 20, 40])
    expect(() => lw.bincount(Int32Array.of(1, -2))).toThrow(
      'bincount: x is -2 at index 1, expected a whole number >= 0',
    )
    expect(() => lw.bincount(x, { weights: lw.ones([3]) })).toThrow('bincount: weights has shape [3], expected [4]')
    expect(() => lw.bincount(lw.ones([2]))).toThrow('bincount: x is f32')
    expect(() => lw.compile((a: lw.Tensor) => lw.bincount(a))(tensor(x))).toThrow(
      'bincount: its size depends on values',
    )
  })
})

test('parts give the bits of the whole', () =>
  sizes([few, odd, odd], (n, m, k) => {
    both(lw.embedding(classes([n], m), some([m, k])))
    both(lw.gather(some([n, m, k]), 1, classes([n, m, k], m)))
    lw.oneHot(classes([n], m), m)
  }))

test('parts of oneHot give the bits of the whole', () =>
  sizes([length, odd], (n, k) => {
    lw.oneHot(classes([n], k), k)
  }))
