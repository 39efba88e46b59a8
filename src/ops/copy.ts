// The same values under another shape, order or dtype.

import { written } from '../checks.ts'
import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { checkAxis, checkShape, mergeAxes, type Shape, show, sizeOf, stridesOf } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { computed, empty, type Tensor, viewOf } from '../tensor/tensor.ts'
import { bytesOf, checkDType, type DType, type NDArray } from '../tensor/types.ts'
import { checked, float } from './input.ts'

/** The same elements under another shape, without copying; one size may be -1: what remains. */
export function reshape(x: Tensor | NDArray, shape: Shape): Tensor {
  const a = checked('reshape', 'x', x)
  if (!Array.isArray(shape)) throw new TypeError(`reshape: shape is ${written(shape)}, expected an array of sizes`)
  const open = shape.indexOf(-1)
  const known = sizeOf(shape.filter((_, i) => i !== open))
  const target = shape.map((size, i) => (i === open ? a.size / known : size))
  if (open >= 0 && !(known > 0 && Number.isInteger(a.size / known))) {
    throw new RangeError(`reshape: x ${show(a.shape)} has ${a.size} elements, which ${show(shape)} does not divide`)
  }
  checkShape('reshape', target)
  if (sizeOf(target) !== a.size) {
    throw new RangeError(
      `reshape: x ${show(a.shape)} has ${a.size} elements, expected ${sizeOf(target)} for shape ${show(shape)}`,
    )
  }
  return record('reshape', viewOf(a, target), [a], [(dy) => reshape(dy, a.shape)])
}

/** All axes from `start` (default 1: all but the batch) to `end` merged into one. torch.flatten. */
export function flatten(x: Tensor | NDArray, start = 1, end = -1): Tensor {
  const a = checked('flatten', 'x', x)
  const first = checkAxis('flatten', start, a.ndim)
  const last = checkAxis('flatten', end, a.ndim)
  if (last < first) throw new RangeError(`flatten: start is ${start} and end is ${end}, expected start before end`)
  return reshape(a, [...a.shape.slice(0, first), sizeOf(a.shape.slice(first, last + 1)), ...a.shape.slice(last + 1)])
}

/** A new tensor with the same elements. */
export function clone(x: Tensor | NDArray): Tensor {
  const a = checked('clone', 'x', x)
  const out = empty('clone', a.shape, a.dtype)
  if (a.dtype === 'u8') emit(core.copyBytes(out, a, a.size))
  else emit(core.copy(out, a, a.size))
  return record('clone', out, [a], [(dy) => dy])
}

/** A copy that reads x with the given strides, of 4-byte elements. */
export function strided(op: string, x: Tensor, shape: Shape, strides: readonly number[]): Tensor {
  if (bytesOf[x.dtype] !== 4)
    throw new TypeError(`${op}: x is ${x.dtype} ${show(x.shape)}, expected f32 or i32; convert it with .to('f32')`)
  return computed(op, shape, (out) => core.stridedCopy(out, x, mergeAxes(shape, [strides])), x.dtype)
}

/** The axes in another order: out.shape[i] = x.shape[order[i]]. torch.permute. */
export function permute(x: Tensor | NDArray, order: readonly number[]): Tensor {
  const a = checked('permute', 'x', x)
  if (!Array.isArray(order)) throw new TypeError(`permute: order is ${written(order)}, expected an array of axes`)
  const axes = order.map((axis: number) => checkAxis('permute', axis, a.ndim))
  if (axes.length !== a.ndim || new Set(axes).size !== a.ndim) {
    throw new RangeError(`permute: order is ${show(order)}, expected each of the ${a.ndim} axes once`)
  }
  const shape = axes.map((axis) => a.shape[axis] as number)
  const strides = stridesOf(a.shape)
  const inverse = axes.map((_, i) => axes.indexOf(i))
  const out = strided(
    'permute',
    a,
    shape,
    axes.map((axis) => strides[axis] as number),
  )
  return record('permute', out, [a], [(dy) => permute(dy, inverse)])
}

/** Two axes swapped; by default the last two. torch.transpose. */
export function transpose(x: Tensor | NDArray, first = -2, second = -1): Tensor {
  const a = checked('transpose', 'x', x)
  const i = checkAxis('transpose', first, a.ndim)
  const j = checkAxis('transpose', second, a.ndim)
  if (Math.min(i, j) !== a.ndim - 2 || i === j || a.dtype === 'u8') {
    const order = a.shape.map((_, axis) => (axis === i ? j : axis === j ? i : axis))
    return permute(a, order)
  }
  const [rows, columns] = a.shape.slice(-2) as [number, number]
  const lead = a.shape.slice(0, -2)
  const out = computed(
    'transpose',
    [...lead, columns, rows],
    (out) => core.transpose(out, a, sizeOf(lead), rows, columns),
    a.dtype,
  )
  return record('transpose', out, [a], [(dy) => transpose(dy)])
}

/** x as another dtype. f32 to i32 rounds towards zero; a gradient flows only from f32 to f32. */
export function to(x: Tensor | NDArray, dtype: DType): Tensor {
  const a = checked('to', 'x', x)
  checkDType('to', dtype)
  if (a.dtype === dtype) return a
  if (a.dtype === 'u8' && dtype === 'f32') return float('to', 'x', a)
  if (dtype === 'u8')
    throw new TypeError(`to: x is ${a.dtype} ${show(a.shape)}; u8 is for raw input data only, expected 'f32' or 'i32'`)
  const out = empty('to', a.shape, dtype)
  if (a.dtype === 'u8') emit(core.u8ToI32(out, a, a.size))
  else if (a.dtype === 'i32') emit(core.i32ToF32(out, a, a.size))
  else emit(core.f32ToI32(out, a, a.size))
  return out
}
