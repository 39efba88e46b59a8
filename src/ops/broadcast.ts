// Broadcasting and its adjoint: what one repeats along an axis, the other sums over it.

import * as core from '../core/commands.ts'
import { broadcastStrides, checkShape, misshaped, type Shape, sameShape, show, sizeOf } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { computed, type Tensor, viewOf } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { strided } from './copy.ts'
import { checked } from './input.ts'

/** x repeated along axes of size 1 and new leading axes. torch.Tensor.expand. */
export function expand(x: Tensor | NDArray, shape: Shape): Tensor {
  const a = checked('expand', 'x', x)
  checkShape('expand', shape)
  if (sameShape(a.shape, shape)) return record('expand', viewOf(a, shape), [a], [(dy) => dy])
  const lead = shape.length - a.ndim
  if (lead < 0 || a.shape.some((size, i) => size !== 1 && size !== shape[i + lead])) {
    throw misshaped('expand', 'x', a, `one that broadcasts to ${show(shape)}`)
  }
  return record(
    'expand',
    strided('expand', a, shape, broadcastStrides(a.shape, shape)),
    [a],
    [(dy) => sumTo(dy, a.shape)],
  )
}

/** The gradient of a value that was broadcast from `shape`: summed over the axes that were. */
export function sumTo(dy: Tensor, shape: Shape): Tensor {
  if (sameShape(dy.shape, shape)) return dy
  const lead = dy.ndim - shape.length
  const axes = dy.shape.flatMap((size, i) => (i < lead || (shape[i - lead] === 1 && size !== 1) ? [i] : []))
  return viewOf(sumOver('sum', dy, axes, 1), shape)
}

/** x without gradient, summed over the given axes times scale, which keep size 1. */
export function sumOver(op: string, x: Tensor, axes: readonly number[], scale: number): Tensor {
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
    const out = computed(op, [...shape], (out) => core.sum(out, result, factor, outer, size, inner))
    result = out
    factor = 1
    end = start
  }
  return result
}
