import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { type Tensor, tensor } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { both, classes, few, length, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import type { Ref } from '../reference/array.ts'
import * as reference from '../reference/ops.ts'

beforeAll(() => lw.init())

covers('copy', 'part')

describe('shape ops', () => {
  test.each([
    [
      [2, 3, 4],
      [4, 6],
    ],
    [[6], [2, 3]],
    [
      [0, 3],
      [3, 0],
    ],
    [[1], []],
  ] as [number[], number[]][])('reshape %j to %j', (from, to) =>
    check({ shapes: [from], ours: (x) => lw.reshape(x, to), reference: (x) => reference.reshape(x, to) }),
  )
  test.each([
    [
      [3, 1],
      [3, 5],
    ],
    [[4], [2, 3, 4]],
    [[], [3]],
    [
      [2, 1, 3, 1],
      [2, 5, 3, 7],
    ],
    [[1], [0]],
  ] as [number[], number[]][])('expand %j to %j', (from, to) =>
    check({
      shapes: [from],
      ours: (x) => lw.expand(x, to),
      reference: (x) => reference.expand(x, to),
      tolerance: { gradient: { ulps: 8, absolute: 120 } },
    }),
  )
  test.each([
    [
      [2, 3, 4],
      [2, 0, 1],
    ],
    [
      [2, 3, 4, 5],
      [0, 2, 1, 3],
    ],
    [[7], [0]],
    [
      [0, 2],
      [1, 0],
    ],
  ] as [number[], number[]][])('permute %j by %j', (shape, order) =>
    check({ shapes: [shape], ours: (x) => lw.permute(x, order), reference: (x) => reference.permute(x, order) }),
  )
  test.each([
    [[1, 1], 0, 1],
    [[3, 4], 0, 1],
    [[4, 4], 0, 1],
    [[9, 6], 0, 1],
    [[2, 8, 5], 1, 2],
    [[2, 3, 4], 0, 2],
    [[5, 0], 0, 1],
  ] as [number[], number, number][])('transpose %j: axes %i and %i', (shape, i, j) =>
    check({ shapes: [shape], ours: (x) => lw.transpose(x, i, j), reference: (x) => reference.transpose(x, i, j) }),
  )
  test('flatten merges all axes but the first', () => {
    check({ shapes: [[2, 3, 4]], ours: (x) => lw.flatten(x), reference: (x) => reference.reshape(x, [2, 12]) })
  })
  test('clone has its own elements', () => {
    check({
      shapes: [[5]],
      ours: (x) => lw.clone(x),
      reference: (x) => reference.mul(x, { shape: [], data: Float64Array.of(1) }),
    })
    const bytes = tensor(Uint8Array.of(1, 2, 255))
    const copy = bytes.clone()
    bytes.copyFrom([0, 0, 0])
    expect([...copy.data()]).toEqual([1, 2, 255])
  })
})

describe('parts of tensors', () => {
  const same = (shapes: number[][], ours: (...x: Tensor[]) => Tensor, ref: (...x: Ref[]) => Ref) =>
    check({ shapes, ours, reference: ref })
  test('slice takes ranges with steps, from both ends', () => {
    same(
      [[7]],
      (x) => lw.slice(x, { start: 1, end: 6, step: 2 }),
      (x) => reference.rearranged(x, [3], ([i]) => [1 + 2 * (i as number)]),
    )
    same(
      [[4, 5]],
      (x) => lw.slice(x, { start: -3, end: -1 }, { step: 3 }),
      (x) => reference.rearranged(x, [2, 2], ([i, j]) => [1 + (i as number), 3 * (j as number)]),
    )
    same(
      [[2, 3, 4]],
      (x) => lw.slice(x, null, { start: 2 }),
      (x) => reference.rearranged(x, [2, 1, 4], ([i, , k]) => [i as number, 2, k as number]),
    )
    same(
      [[3]],
      (x) => lw.slice(x, { start: 2, end: 1 }),
      (x) => reference.rearranged(x, [0], () => null),
    )
    same(
      [[3]],
      (x) => lw.slice(x, { start: -9, end: 9 }),
      (x) => reference.rearranged(x, [3], (at) => at),
    )
  })
  test('select, squeeze and unsqueeze change axes', () => {
    same(
      [[2, 3, 4]],
      (x) => lw.select(x, 1, -1),
      (x) => reference.rearranged(x, [2, 4], ([i, k]) => [i as number, 2, k as number]),
    )
    same(
      [[1, 3, 1]],
      (x) => lw.squeeze(x),
      (x) => reference.reshape(x, [3]),
    )
    same(
      [[1, 3, 1]],
      (x) => lw.squeeze(x, 0),
      (x) => reference.reshape(x, [3, 1]),
    )
    same(
      [[1, 3, 1]],
      (x) => lw.squeeze(x, 1),
      (x) => x.shape && reference.reshape(x, [1, 3, 1]),
    )
    same(
      [[2, 3]],
      (x) => lw.unsqueeze(x, -1),
      (x) => reference.reshape(x, [2, 3, 1]),
    )
  })
  test.each([
    [[2], [3], 0],
    [[2, 3], [4, 3], 0],
    [[2, 3], [2, 5], 1],
    [[2, 3, 4], [2, 1, 4], -2],
    [[0, 3], [2, 3], 0],
  ] as [number[], number[], number][])('cat %j and %j along axis %i', (a, b, axis) =>
    same(
      [a, b],
      (x, y) => lw.cat([x, y], axis),
      (x, y) => reference.cat(x, y, (axis + a.length) % a.length),
    ),
  )
  test('stack makes an axis, split undoes cat', () => {
    same(
      [
        [2, 3],
        [2, 3],
      ],
      (x, y) => lw.stack([x, y], 1),
      (x, y) => reference.cat(reference.reshape(x, [2, 1, 3]), reference.reshape(y, [2, 1, 3]), 1),
    )
    same(
      [[5, 2]],
      (x) => lw.cat(lw.split(x, 2).reverse()),
      (x) => reference.rearranged(x, [5, 2], ([i, j]) => [[4, 2, 3, 0, 1][i as number] as number, j as number]),
    )
    expect(lw.split(lw.zeros([5]), [1, 4]).map(({ shape }) => shape)).toEqual([[1], [4]])
  })
  test.each([
    [[3], [2]],
    [
      [2, 3],
      [2, 2],
    ],
    [[2], [3, 2]],
    [
      [2, 1, 3],
      [1, 4, 2],
    ],
    [
      [2, 3],
      [0, 1],
    ],
    [[], [3]],
  ] as [number[], number[]][])('repeat %j by %j', (shape, counts) => {
    const lead = counts.length - shape.length
    same(
      [shape],
      (x) => lw.repeat(x, counts),
      (x) =>
        reference.rearranged(
          x,
          counts.map((count, i) => count * (shape[i - lead] ?? 1)),
          (at) => at.slice(lead).map((c, i) => c % (shape[i] as number)),
        ),
    )
  })
  test('tile repeats the last axes, chunk cuts into as many parts', () => {
    expect(
      tensor([[1, 2]])
        .tile([2])
        .tolist(),
    ).toEqual([[1, 2, 1, 2]])
    expect(tensor([1, 2]).tile([2, 1]).tolist()).toEqual([
      [1, 2],
      [1, 2],
    ])
    const shapes = (n: number, chunks: number) =>
      lw
        .zeros([n])
        .chunk(chunks)
        .map(({ size }) => size)
    expect([shapes(6, 3), shapes(7, 3), shapes(2, 5), shapes(0, 2)]).toEqual([[2, 2, 2], [3, 3, 1], [1, 1], [0]])
    expect(lw.chunk(lw.zeros([2, 4]), 2, -1).map(({ shape }) => shape)).toEqual([
      [2, 2],
      [2, 2],
    ])
  })
  test.each([0, 1, -2, 5])('diag %i takes a diagonal, and makes a matrix of one', (k) => {
    const count = k >= 0 ? Math.max(0, Math.min(3, 4 - k)) : 1
    same(
      [[3, 4]],
      (x) => lw.diag(x, k),
      (x) =>
        reference.rearranged(x, [count], ([i]) => [(i as number) + Math.max(0, -k), (i as number) + Math.max(0, k)]),
    )
    const size = 3 + Math.abs(k)
    same(
      [[3]],
      (x) => lw.diag(x, k),
      (x) =>
        reference.rearranged(x, [size, size], ([i, j]) =>
          (j as number) - (i as number) === k ? [Math.min(i as number, j as number)] : null,
        ),
    )
  })
  test('flip reverses and roll goes round', () => {
    same(
      [[5]],
      (x) => lw.flip(x, 0),
      (x) => reference.rearranged(x, [5], ([i]) => [4 - (i as number)]),
    )
    same(
      [[2, 3, 4]],
      (x) => lw.flip(x, [0, -1]),
      (x) => reference.rearranged(x, [2, 3, 4], ([i, j, k]) => [1 - (i as number), j as number, 3 - (k as number)]),
    )
    same(
      [[2, 5]],
      (x) => lw.roll(x, 2, 1),
      (x) => reference.rearranged(x, [2, 5], ([i, j]) => [i as number, ((j as number) + 3) % 5]),
    )
    same(
      [[3]],
      (x) => lw.roll(x, -4, 0),
      (x) => reference.rearranged(x, [3], ([i]) => [((i as number) + 1) % 3]),
    )
    same(
      [[0]],
      (x) => lw.roll(x, 1, 0),
      (x) => reference.rearranged(x, [0], (at) => at),
    )
  })
  test('pad puts a value around', () => {
    same(
      [[2, 3]],
      (x) =>
        lw.pad(
          x,
          [
            [1, 0],
            [2, 1],
          ],
          7,
        ),
      (x) =>
        reference.rearranged(
          x,
          [3, 6],
          ([i, j]) =>
            (i as number) > 0 && (j as number) > 1 && (j as number) < 5 ? [(i as number) - 1, (j as number) - 2] : null,
          7,
        ),
    )
  })
  test.each([-1, 0, 1])('tril and triu keep one side of diagonal %i', (diagonal) => {
    const inside = (keep: (d: number) => boolean) => (at: number[]) =>
      keep((at.at(-1) as number) - (at.at(-2) as number)) ? at : null
    same(
      [[2, 3, 4]],
      (x) => lw.tril(x, diagonal),
      (x) =>
        reference.rearranged(
          x,
          [2, 3, 4],
          inside((d) => d <= diagonal),
        ),
    )
    same(
      [[4, 3]],
      (x) => lw.triu(x, diagonal),
      (x) =>
        reference.rearranged(
          x,
          [4, 3],
          inside((d) => d >= diagonal),
        ),
    )
  })
})

describe('dtypes', () => {
  test.each([0, 1, 7, 8, 9, 31])('%i bytes are widened exactly', (n) => {
    const bytes = Uint8Array.from({ length: n }, (_, i) => 255 - i)
    expect([...tensor(bytes).to('f32').data()]).toEqual([...bytes])
    expect([...tensor(bytes).to('i32').data()]).toEqual([...bytes])
    expect([...tensor(bytes).div(255).data()]).toEqual([...bytes].map((x) => Math.fround(x / 255)))
  })
  test('f32 becomes i32 towards zero, saturating; NaN becomes 0', () => {
    expect([...tensor([1.9, -1.9, 3e9, -3e9, Number.NaN]).to('i32').data()]).toEqual([
      1, -1, 2147483647, -2147483648, 0,
    ])
    expect([...tensor(Int32Array.of(-7, 16777216)).to('f32').data()]).toEqual([-7, 16777216])
  })
})

/** Every m, n and k around the tile (4 rows, 8 or 16 columns, packing from 48 rows), then ones that are deeper and
 *  longer than a block. */

test('full, zeros and ones fill every element', () => {
  for (const n of [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33]) {
    expect([...lw.full([n], 2.5).data()]).toEqual(new Array(n).fill(2.5))
    expect([...lw.zeros([n], 'i32').data()]).toEqual(new Array(n).fill(0))
    expect([...lw.ones([n]).data()]).toEqual(new Array(n).fill(1))
  }
})

test('parts of copies give the bits of the whole', () =>
  sizes([length, few, odd], (n, m, k) => {
    const whole = classes([n], 9)
    lw.full([n], 3)
    lw.to(lw.to(whole, 'f32'), 'i32')
    const bytes = tensor(Uint8Array.from({ length: 4 * n }, (_, i) => i))
    both(lw.clone(some([n])))
    for (const x of [lw.to(bytes, 'f32'), lw.to(bytes, 'i32'), lw.clone(bytes)]) lw.to(x, 'f32').sum()
    both(lw.transpose(some([m, n, k])).mul(2))
    both(lw.permute(some([m, n, k]), [2, 0, 1]).mul(2))
    both(lw.tril(some([m, k, 5])))
  }))
