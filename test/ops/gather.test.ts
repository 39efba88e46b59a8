import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { tensor } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { covers } from '../helpers/guard.ts'
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
