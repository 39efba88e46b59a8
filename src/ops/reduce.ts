// Reductions over axes.

import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { checkAxis, type Shape, sameShape, show, sizeOf } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { empty, type Tensor, viewOf } from '../tensor/tensor.ts'
import { expand, reshape } from './copy.ts'
import { float, type Value } from './input.ts'

export interface ReduceOptions {
  /** Axes to reduce, negative counted from the end; default all. */
  axis?: number | readonly number[]
  /** Keep reduced axes with size 1; default false. */
  keepDim?: boolean
}

/** The distinct reduced axes, ascending. */
function axesOf(op: string, rank: number, axis: ReduceOptions['axis']): number[] {
  const list = axis === undefined ? Array.from({ length: rank }, (_, i) => i) : typeof axis === 'number' ? [axis] : axis
  const axes = list.map((a) => checkAxis(op, a, rank))
  if (new Set(axes).size !== axes.length) throw new RangeError(`${op}: axis ${show(list)} names an axis twice`)
  return axes.sort((a, b) => a - b)
}

/** x without gradient, summed over the given axes times scale, which keep size 1. */
function reduced(op: string, x: Tensor, axes: readonly number[], scale: number): Tensor {
  const shape = [...x.shape]
  let result = x
  let factor = scale
  // Runs of neighbouring axes, the last first: each is the middle of [outer, size, inner].
  for (let end = axes.length; end > 0; ) {
    let start = end - 1
    while (start > 0 && axes[start - 1] === (axes[start] as number) - 1) start--
    const first = axes[start] as number
    const last = axes[end - 1] as number
    const outer = sizeOf(shape.slice(0, first))
    const size = sizeOf(shape.slice(first, last + 1))
    const inner = sizeOf(shape.slice(last + 1))
    for (let i = first; i <= last; i++) shape[i] = 1
    const out = empty(op, [...shape])
    emit(core.sum(out, result, factor, outer, size, inner))
    result = out
    factor = 1
    end = start
  }
  return result
}

function sumScaled(
  op: string,
  x: Tensor,
  { axis, keepDim = false }: ReduceOptions,
  scale: (count: number) => number,
): Tensor {
  const axes = axesOf(op, x.ndim, axis)
  const factor = scale(axes.reduce((count, a) => count * (x.shape[a] as number), 1))
  const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size))
  const shape = keepDim ? kept : x.shape.filter((_, i) => !axes.includes(i))
  const sums = axes.length > 0 ? reduced(op, x, axes, factor) : null
  // No axis at all: every element is its own sum.
  const out = sums ? viewOf(sums, shape) : scaled(op, x, factor)
  return record(
    op,
    out,
    [x],
    [
      (dy) => {
        const each = scaled(op, dy, factor)
        return expand(reshape(each, kept), x.shape)
      },
    ],
  )
}

function scaled(op: string, x: Tensor, factor: number): Tensor {
  if (factor === 1) return viewOf(x, x.shape)
  const out = empty(op, x.shape)
  emit(core.mul(out, x, float(op, 'scale', factor), [1, x.size, 1, 0]))
  return out
}

/** Σ x over `axis`. */
export function sum(x: Value, options: ReduceOptions = {}): Tensor {
  return sumScaled('sum', float('sum', 'x', x), options, () => 1)
}

/** Mean of x over `axis`; NaN over no elements. */
export function mean(x: Value, options: ReduceOptions = {}): Tensor {
  return sumScaled('mean', float('mean', 'x', x), options, (count) => 1 / count)
}

/** The gradient of a value that was broadcast from `shape`: summed over the axes that were. */
export function sumTo(dy: Tensor, shape: Shape): Tensor {
  if (sameShape(dy.shape, shape)) return dy
  const lead = dy.ndim - shape.length
  const axes = dy.shape.flatMap((size, i) => (i < lead || (shape[i - lead] === 1 && size !== 1) ? [i] : []))
  return viewOf(reduced('sum', dy, axes, 1), shape)
}

/** The largest element along `axis`, and the index of the first one; NaN counts as the largest. The
 *  gradient goes to that element. Without axis: over all elements. torch.max. */
export function max(
  x: Value,
  { axis, keepDim = false }: { axis?: number; keepDim?: boolean } = {},
): { values: Tensor; indices: Tensor } {
  const given = float('max', 'x', x)
  const a = axis === undefined ? reshape(given, [given.size]) : given
  const d = checkAxis('max', axis ?? 0, a.ndim)
  const outer = sizeOf(a.shape.slice(0, d))
  const size = a.shape[d] as number
  const inner = sizeOf(a.shape.slice(d + 1))
  if (size === 0)
    throw new RangeError(`max: axis ${d} of x ${show(a.shape)} has size 0, expected at least 1 element to choose from`)
  const shape =
    keepDim && axis !== undefined ? a.shape.map((n, i) => (i === d ? 1 : n)) : a.shape.filter((_, i) => i !== d)
  const values = empty('max', shape)
  const positions = empty('max', shape, 'i32')
  emit(core.max(values, positions, a, outer, size, inner))
  record(
    'max',
    values,
    [a],
    [
      (dy) => {
        const dx = empty('max gradient', a.shape)
        emit(core.maxBackward(dx, dy, positions, outer, size, inner))
        return dx
      },
    ],
  )
  return { values, indices: positions }
}

/** The index (i32) of the first largest element along `axis`; without axis, among all in row-major order. */
export function argmax(x: Value, options: { axis?: number; keepDim?: boolean } = {}): Tensor {
  return max(x, options).indices
}
