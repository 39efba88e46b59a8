import { beforeAll, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { tensor } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { map } from '../reference/array.ts'
import * as reference from '../reference/ops.ts'

beforeAll(() => lw.init())

test('arange counts as in PyTorch, each element rounded once', () => {
  expect(lw.arange(4).tolist()).toEqual([0, 1, 2, 3])
  expect(lw.arange(4).dtype).toBe('f32')
  expect(lw.arange(2, 5).tolist()).toEqual([2, 3, 4])
  expect(lw.arange(5, 0, -2, 'i32').data()).toEqual(Int32Array.of(5, 3, 1))
  expect(lw.arange(1, 2.5, 0.5).tolist()).toEqual([1, 1.5, 2])
  expect(lw.arange(3, 3).shape).toEqual([0])
  // Sums of steps would be 6e-6 off.
  expect(lw.arange(0, 100, 0.1).data()[999]).toBe(Math.fround(999 * 0.1))
  // A constant of the program.
  const step = lw.compile((x: lw.Tensor) => x.add(lw.arange(3)))
  expect([step(tensor([1, 1, 1])).tolist(), step(tensor([2, 2, 2])).tolist()]).toEqual([
    [1, 2, 3],
    [2, 3, 4],
  ])
  expect(() => lw.arange(0, 5, 0)).toThrow('arange: step is 0, expected one that leads from 0 to 5')
  expect(() => lw.arange(5, 0)).toThrow('arange: step is 1, expected one that leads from 5 to 0')
  expect(() => lw.arange(NaN)).toThrow('arange: end is NaN, expected a finite number')
  expect(() => lw.arange(0, 1.5, 1, 'i32')).toThrow('arange: end is 1.5, expected a whole number')
  expect(() => lw.arange(0, 2, 1, 'u8' as never)).toThrow("arange: dtype is 'u8', expected 'f32' or 'i32'")
  expect(() => lw.arange(1e12)).toThrow('arange: gives 1000000000000 elements, expected at most 2^30')
})

test('linspace reaches both ends', () => {
  expect(lw.linspace(0, 1, 5).tolist()).toEqual([0, 0.25, 0.5, 0.75, 1])
  expect(lw.linspace(3, -1, 3).tolist()).toEqual([3, 1, -1])
  expect([lw.linspace(2, 9, 1).tolist(), lw.linspace(2, 9, 0).tolist()]).toEqual([[2], []])
  const line = lw.linspace(0.1, 0.7, 1001).data()
  expect([line[0], line[1000]]).toEqual([Math.fround(0.1), Math.fround(0.7)])
  expect(() => lw.linspace(0, 1, 2.5)).toThrow('linspace: steps is 2.5')
})

test('eye, zerosLike and onesLike', () => {
  expect(lw.eye(2, 3).tolist()).toEqual([
    [1, 0, 0],
    [0, 1, 0],
  ])
  expect(lw.eye(2, 2, 'i32').data()).toEqual(Int32Array.of(1, 0, 0, 1))
  expect([lw.eye(0).shape, lw.eye(3, 1).tolist()]).toEqual([
    [0, 0],
    [[1], [0], [0]],
  ])
  const x = tensor([[1, 2]], { dtype: 'i32' })
  expect([lw.zerosLike(x).dtype, lw.onesLike(x).tolist()]).toEqual(['i32', [[1, 1]]])
  expect(() => lw.zerosLike(tensor(Uint8Array.of(1)))).toThrow('zerosLike: x is u8 [1]')
  expect(() => lw.eye(-1)).toThrow('eye: rows is -1')
})

test('meshgrid spreads each tensor along an axis of its own', () => {
  const [a, b] = [tensor([1, 2]), tensor([3, 4, 5])]
  const grids = (...x: lw.Tensor[]) => x.map((t) => t.tolist())
  const rows = [
    [1, 1, 1],
    [2, 2, 2],
  ]
  const columns = [
    [3, 4, 5],
    [3, 4, 5],
  ]
  expect(grids(...lw.meshgrid([a, b]))).toEqual([rows, columns])
  expect(lw.meshgrid([a, b], { indexing: 'xy' }).map((t) => t.tolist())).toEqual([
    [
      [1, 2],
      [1, 2],
      [1, 2],
    ],
    [
      [3, 3],
      [4, 4],
      [5, 5],
    ],
  ])
  check({
    shapes: [[2], [3]],
    ours: (x, y) => lw.mul(...(lw.meshgrid([x, y]) as [lw.Tensor, lw.Tensor])),
    reference: (x, y) => reference.mul(reference.reshape(x, [2, 1]), reference.reshape(map((v) => v)(y), [1, 3])),
    tolerance: { gradient: { absolute: 32 } },
  })
  expect(() => lw.meshgrid([rows as never])).toThrow('meshgrid: tensors[0] is object, expected a Tensor')
  expect(() => lw.meshgrid([])).toThrow('meshgrid: tensors is [], expected a list of at least one tensor')
  expect(() => lw.meshgrid([lw.ones([1, 2])])).toThrow('tensors[0] has shape [1, 2], expected at most one axis')
})
