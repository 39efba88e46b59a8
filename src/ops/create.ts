// Tensors from nothing.

import { check, checkAll, finite, settle, unexpected, whole, word } from '../checks.ts'
import * as core from '../core/commands.ts'
import { floatBits } from '../core/encode.ts'
import { emit } from '../core/engine.ts'
import { mergeAxes, misshaped, type Shape, show, sizeOf } from '../tensor/shape.ts'
import { computed, type Tensor, tensor } from '../tensor/tensor.ts'
import { arrayOf, type NDArray } from '../tensor/types.ts'
import { expand } from './broadcast.ts'
import { reshape } from './copy.ts'
import { checked } from './input.ts'

type DType = 'f32' | 'i32'

function checkWords(op: string, dtype: DType): void {
  check(op, 'dtype', dtype, word('f32', 'i32'))
}

/** A tensor with every element `value`. */
export function full(shape: Shape, value: number, dtype: DType = 'f32'): Tensor {
  return computed(
    'full',
    shape,
    (out) => core.fill(out, dtype === 'f32' ? floatBits(value) : value | 0, out.size),
    dtype,
  )
}

export const zeros = (shape: Shape, dtype: DType = 'f32'): Tensor => full(shape, 0, dtype)

export const ones = (shape: Shape, dtype: DType = 'f32'): Tensor => full(shape, 1, dtype)

function like(op: string, x: Tensor | NDArray, value: number): Tensor {
  const { shape, dtype } = checked(op, 'x', x)
  if (dtype === 'u8')
    throw new TypeError(`${op}: x is u8 ${show(shape)}; u8 is for raw input data only, expected f32 or i32`)
  return full(shape, value, dtype)
}

/** Zeros of x's shape and dtype. torch.zeros_like. */
export const zerosLike = (x: Tensor | NDArray): Tensor => like('zerosLike', x, 0)

/** Ones of x's shape and dtype. torch.ones_like. */
export const onesLike = (x: Tensor | NDArray): Tensor => like('onesLike', x, 1)

/** The numbers from `start` on, `step` apart, up to but not including `end`: arange(5) is 0 … 4, arange(2, 5) is 2, 3, 4.
 *  Each is start + i step, rounded once. As `tensor` it gives f32 unless dtype says 'i32'. torch.arange. */
export function arange(end: number): Tensor
export function arange(start: number, end: number, step?: number, dtype?: DType): Tensor
export function arange(first: number, second?: number, step = 1, dtype: DType = 'f32'): Tensor {
  const [start, end] = second === undefined ? [0, first] : [first, second]
  checkAll('arange', { start, end, step }, dtype === 'i32' ? whole(-0x80000000, 0x7fffffff) : finite())
  checkWords('arange', dtype)
  if (step === 0 || (end - start) / step < 0)
    throw new RangeError(`arange: step is ${step}, expected one that leads from ${start} to ${end}`)
  const count = Math.ceil((end - start) / step)
  return tensor({ data: sequence('arange', dtype, count, (i) => start + i * step), shape: [count] })
}

/** `steps` numbers from `start` to `end`, both included, the same distance apart. torch.linspace. */
export function linspace(start: number, end: number, steps: number): Tensor {
  checkAll('linspace', { start, end }, finite())
  check('linspace', 'steps', steps, whole(0))
  // From the nearer end, so that both ends are exact.
  const step = steps > 1 ? (end - start) / (steps - 1) : 0
  const value = (i: number) => (2 * i < steps ? start + i * step : end - (steps - 1 - i) * step)
  return tensor({ data: sequence('linspace', 'f32', steps, value), shape: [steps] })
}

function sequence(op: string, dtype: DType, count: number, value: (i: number) => number) {
  if (count > 0x40000000) throw new RangeError(`${op}: gives ${count} elements, expected at most 2^30`)
  const data = new arrayOf[dtype](count)
  for (let i = 0; i < count; i++) data[i] = value(i)
  return data
}

/** Ones on the diagonal of a matrix of `rows` rows and as many columns, or `columns`; zeros elsewhere. torch.eye. */
export function eye(rows: number, columns = rows, dtype: DType = 'f32'): Tensor {
  checkAll('eye', { rows, columns }, whole(0))
  checkWords('eye', dtype)
  const out = full([rows, columns], 0, dtype)
  const count = Math.min(rows, columns)
  emit(core.stridedWrite(out, full([count], 1, dtype), mergeAxes([count], [[columns + 1]])))
  return out
}

/** Coordinates of all points of a grid: of tensors with sizes n₀, n₁, … as many of shape [n₀, n₁, …], the i-th of which holds
 *  the i-th tensor along axis i. indexing 'xy' exchanges the first two axes. torch.meshgrid. */
export function meshgrid(
  tensors: readonly (Tensor | NDArray)[],
  options: { indexing?: 'ij' | 'xy' | undefined } = {},
): Tensor[] {
  const { indexing } = settle('meshgrid', options, { indexing: { kind: word('ij', 'xy'), fallback: 'ij' } })
  if (!Array.isArray(tensors) || tensors.length === 0)
    throw unexpected('meshgrid', 'tensors', tensors, 'a list of at least one tensor')
  const given = tensors.map((x, i) => {
    const t = checked('meshgrid', `tensors[${i}]`, x)
    if (t.ndim > 1) throw misshaped('meshgrid', `tensors[${i}]`, t, 'at most one axis')
    return t
  })
  const axes = given.map((_, i) => (indexing === 'xy' && i < 2 && given.length > 1 ? 1 - i : i))
  const shape = axes.map((axis) => sizeOf((given[axis] as Tensor).shape))
  return given.map((x, i) =>
    expand(
      reshape(
        x,
        shape.map((_, d) => (d === axes[i] ? x.size : 1)),
      ),
      shape,
    ),
  )
}
