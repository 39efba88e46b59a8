// How ops take their arguments: tensors, plain numbers, and arrays of JavaScript.

import * as core from '../core/commands.ts'
import { floatBits } from '../core/encode.ts'
import { show } from '../tensor/shape.ts'
import { computed, Tensor, tensor } from '../tensor/tensor.ts'
import { isNDArray, isTypedArray, type NDArray, type TypedArray } from '../tensor/types.ts'

/** What an op takes where it wants a tensor; a typed array counts as one with one axis, a number as one without. */
export type Value = Tensor | NDArray | TypedArray | number

/** The argument as a tensor of real numbers; raw u8 data is widened. */
export function float(op: string, name: string, value: Value): Tensor {
  if (typeof value === 'number') {
    return computed(op, [], (scalar) => core.fill(scalar, floatBits(value), 1))
  }
  const x = checked(op, name, value)
  if (x.dtype === 'f32') return x
  if (x.dtype === 'i32')
    throw new TypeError(`${op}: ${name} is i32 ${show(x.shape)}, expected f32; convert it with .to('f32')`)
  return computed(op, x.shape, (out) => core.u8ToF32(out, x, x.size))
}

/** The argument as a tensor of real numbers, where whole ones are meant as well: labels, counts, masks. */
export function numbers(op: string, name: string, value: Value): Tensor {
  const x = typeof value === 'number' ? value : checked(op, name, value)
  if (typeof x === 'number' || x.dtype !== 'i32') return float(op, name, x)
  return computed(op, x.shape, (out) => core.i32ToF32(out, x, x.size))
}

/** The argument as a tensor of i32 indices; u8 data is widened. */
export function indices(op: string, name: string, value: Value): Tensor {
  const x = checked(op, name, typeof value === 'number' ? tensor(value, { dtype: 'i32' }) : value)
  if (x.dtype === 'i32') return x
  if (x.dtype === 'f32')
    throw new TypeError(`${op}: ${name} is f32 ${show(x.shape)}, expected i32 indices; convert it with .to('i32')`)
  return computed(op, x.shape, (out) => core.u8ToI32(out, x, x.size), 'i32')
}

/** The argument as a tensor of its own dtype. */
export function checked(op: string, name: string, value: Tensor | NDArray | TypedArray): Tensor {
  if (!(value instanceof Tensor)) {
    if (isNDArray(value) || isTypedArray(value)) return tensor(value)
    throw new TypeError(
      `${op}: ${name} is ${value === null ? 'null' : typeof value}, expected a Tensor, a number or { data, shape }`,
    )
  }
  value.check(op)
  return value
}
