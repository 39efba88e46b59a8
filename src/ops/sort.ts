// Sorting, and the largest elements.

import { settle, written } from '../checks.ts'
import * as core from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { checkAxis, show, sizeOf } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { computed, empty, type Tensor } from '../tensor/tensor.ts'
import { float, type Value } from './input.ts'

export interface SortOptions {
  /** The axis to sort along; default the last. */
  axis?: number | undefined
  /** The largest first; default false. */
  descending?: boolean | undefined
  /** Equal elements keep their order: they always do. */
  stable?: boolean | undefined
}

export interface TopkOptions {
  /** The axis to choose along; default the last. */
  axis?: number | undefined
  /** The largest (default), or with false the smallest. */
  largest?: boolean | undefined
  /** In order, the most extreme first: they always are. */
  sorted?: boolean | undefined
}

/** x as [outer, size, inner] around an axis; a tensor without axes counts as one element. */
function along(op: string, x: Value, axis: number) {
  const a = float(op, 'x', x)
  const d = checkAxis(op, axis, Math.max(1, a.ndim))
  return { a, d, outer: sizeOf(a.shape.slice(0, d)), size: a.shape[d] ?? 1, inner: sizeOf(a.shape.slice(d + 1)) }
}

/** Records values = x at `indices` of an axis: each gradient goes back to its element. */
function chosen(op: string, values: Tensor, positions: Tensor, x: Tensor, count: number, sizes: number[]): Tensor {
  const [outer, size, inner] = sizes as [number, number, number]
  return record(
    op,
    values,
    [x],
    [
      (dy) =>
        computed(`${op} gradient`, x.shape, (dx) =>
          core.scatterAdd(dx, null, dy, positions, outer, size, count, inner),
        ),
    ],
  )
}

/** x in ascending order along an axis, and the index (i32) that each element had; equal ones keep their order, NaN
 *  counts as the largest. Both of x's shape. torch.sort. */
export function sort(x: Value, options: SortOptions = {}): { values: Tensor; indices: Tensor } {
  const { axis, descending } = settle('sort', options, { axis: -1, descending: false, stable: true })
  const { a, outer, size, inner } = along('sort', x, axis)
  const values = empty('sort', a.shape)
  const positions = empty('sort', a.shape, 'i32')
  withScratch(1024 + 16 * size, 'sort', (buffer) =>
    emit(core.sort(values, positions, buffer, a, Number(descending), outer, size, inner)),
  )
  return { values: chosen('sort', values, positions, a, size, [outer, size, inner]), indices: positions }
}

/** The k largest elements along an axis, in order, and their indices (i32); of equal ones the first, NaN counts as
 *  the largest. Both of x's shape with k at the axis. torch.topk. */
export function topk(x: Value, k: number, options: TopkOptions = {}): { values: Tensor; indices: Tensor } {
  const { axis, largest } = settle('topk', options, { axis: -1, largest: true, sorted: true })
  const { a, d, outer, size, inner } = along('topk', x, axis)
  if (!Number.isInteger(k) || k < 0 || k > size)
    throw new RangeError(
      `topk: k is ${written(k)}, expected a whole number from 0 to ${size}, the size of axis ${d} of x ${show(a.shape)}`,
    )
  const shape = a.ndim === 0 ? [k] : a.shape.map((n, i) => (i === d ? k : n))
  const values = empty('topk', a.ndim === 0 && k === 1 ? [] : shape)
  const positions = empty('topk', values.shape, 'i32')
  withScratch(8 * k, 'topk', (buffer) =>
    emit(core.topk(values, positions, buffer, a, Number(!largest), k, outer, size, inner)),
  )
  return { values: chosen('topk', values, positions, a, k, [outer, size, inner]), indices: positions }
}
