// Tensors from nothing.

import * as core from '../core/commands.ts'
import { floatBits } from '../core/encode.ts'
import type { Shape } from '../tensor/shape.ts'
import { computed, type Tensor } from '../tensor/tensor.ts'

/** A tensor with every element `value`. */
export function full(shape: Shape, value: number, dtype: 'f32' | 'i32' = 'f32'): Tensor {
  return computed(
    'full',
    shape,
    (out) => core.fill(out, dtype === 'f32' ? floatBits(value) : value | 0, out.size),
    dtype,
  )
}

export const zeros = (shape: Shape, dtype: 'f32' | 'i32' = 'f32'): Tensor => full(shape, 0, dtype)

export const ones = (shape: Shape, dtype: 'f32' | 'i32' = 'f32'): Tensor => full(shape, 1, dtype)
