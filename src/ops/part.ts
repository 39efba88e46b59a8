// Parts of tensors: taken, put together, moved, and surrounded.

import { check, settle, unexpected, whole } from '../checks.ts'
import * as core from '../core/commands.ts'
import { floatBits } from '../core/encode.ts'
import { emit } from '../core/engine.ts'
import { checkAxis, checkShape, mergeAxes, misshaped, type Shape, show, sizeOf, stridesOf } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { computed, empty, type Tensor } from '../tensor/tensor.ts'
import { bytesOf, type NDArray } from '../tensor/types.ts'
import { expand } from './broadcast.ts'
import { reshape } from './copy.ts'
import { checked, float } from './input.ts'

/** A part of an axis: `start` (default 0) up to but not including `end` (default the size), each `step`th (default 1);
 *  negative positions count from the end. */
export interface Range {
  start?: number | undefined
  end?: number | undefined
  step?: number | undefined
}

/** What a copy of a part of a tensor reads: operands and strides in elements. */
interface Part {
  shape: number[]
  strides: number[]
  /** Elements before the first. */
  offset: number
}

/** Writes x, contiguous, to the part of `out`. */
function writePart(out: Tensor, x: Tensor, { shape, strides, offset }: Part): void {
  emit(core.stridedWrite({ storage: out.storage, offset: out.offset + 4 * offset }, x, mergeAxes(shape, [strides])))
}

/** A copy of a part of x; its gradient goes back to that part, 0 elsewhere. */
function takePart(op: string, x: Tensor, part: Part): Tensor {
  if (bytesOf[x.dtype] !== 4)
    throw new TypeError(`${op}: x is ${x.dtype} ${show(x.shape)}, expected f32 or i32; convert it with .to('f32')`)
  const out = empty(op, part.shape, x.dtype)
  emit(
    core.stridedCopy(
      out,
      { storage: x.storage, offset: x.offset + 4 * part.offset },
      mergeAxes(part.shape, [part.strides]),
    ),
  )
  return record(
    op,
    out,
    [x],
    [
      (dy) => {
        const dx = computed(`${op} gradient`, x.shape, (dx) => core.fill(dx, 0, dx.size))
        writePart(dx, dy, part)
        return dx
      },
    ],
  )
}

/** The given range of each axis; axes without one are taken whole. torch's x[a:b:c, …]. */
export function slice(x: Tensor | NDArray, ...ranges: (Range | null)[]): Tensor {
  const a = checked('slice', 'x', x)
  if (ranges.length > a.ndim)
    throw new RangeError(`slice: got ${ranges.length} ranges, expected at most ${a.ndim} for x ${show(a.shape)}`)
  const part: Part = { shape: [...a.shape], strides: stridesOf(a.shape), offset: 0 }
  ranges.forEach((range, axis) => {
    const size = a.shape[axis] as number
    const { start, end, step } = settle('slice', range ?? {}, { start: 0, end: size, step: 1 })
    if (![start, end].every(Number.isInteger) || !Number.isInteger(step) || step < 1) {
      throw new RangeError(
        `slice: range of axis ${axis} is ${start}:${end}:${step}, expected whole numbers with a step >= 1; flip() reverses an axis`,
      )
    }
    // As in Python: positions beyond the ends are the ends.
    const from = Math.min(size, Math.max(0, start < 0 ? start + size : start))
    const to = Math.min(size, Math.max(from, end < 0 ? end + size : end))
    part.offset += from * (part.strides[axis] as number)
    part.shape[axis] = Math.ceil((to - from) / step)
    part.strides[axis] = (part.strides[axis] as number) * step
  })
  return takePart('slice', a, part)
}

/** The elements at `index` of `axis`, which is dropped; negative counts from the end. torch.select. */
export function select(x: Tensor | NDArray, axis: number, index: number): Tensor {
  const a = checked('select', 'x', x)
  const d = checkAxis('select', axis, a.ndim)
  const size = a.shape[d] as number
  if (!Number.isInteger(index) || index < -size || index >= size)
    throw unexpected(
      'select',
      'index',
      index,
      `a whole number from ${-size} to ${size - 1} (axis ${d} of x ${show(a.shape)})`,
    )
  const start = index < 0 ? index + size : index
  const part = slice(a, ...a.shape.map((_, i) => (i === d ? { start, end: start + 1 } : null)))
  return reshape(
    part,
    a.shape.filter((_, i) => i !== d),
  )
}

/** Without axes of size 1, or without the given one when its size is 1. torch.squeeze. */
export function squeeze(x: Tensor | NDArray, axis?: number): Tensor {
  const a = checked('squeeze', 'x', x)
  const d = axis === undefined ? undefined : checkAxis('squeeze', axis, a.ndim)
  return reshape(
    a,
    a.shape.filter((size, i) => size !== 1 || (d !== undefined && i !== d)),
  )
}

/** With a new axis of size 1 at `axis`. torch.unsqueeze. */
export function unsqueeze(x: Tensor | NDArray, axis: number): Tensor {
  const a = checked('unsqueeze', 'x', x)
  const d = checkAxis('unsqueeze', axis, a.ndim + 1)
  return reshape(a, [...a.shape.slice(0, d), 1, ...a.shape.slice(d)])
}

/** Tensors one after the other along `axis`; other axes agree. torch.cat. */
export function cat(tensors: readonly (Tensor | NDArray)[], axis = 0): Tensor {
  if (!Array.isArray(tensors) || tensors.length === 0)
    throw new TypeError('cat: tensors are no list with at least one tensor')
  const parts = tensors.map((x, i) => checked('cat', `tensors[${i}]`, x))
  const first = parts[0] as Tensor
  const d = checkAxis('cat', axis, first.ndim)
  parts.forEach((x, i) => {
    if (x.dtype !== first.dtype || bytesOf[x.dtype] !== 4)
      throw new TypeError(
        `cat: tensors[${i}] is ${x.dtype}, expected ${bytesOf[first.dtype] === 4 ? `${first.dtype} as the first` : 'f32 or i32'}`,
      )
    if (x.ndim !== first.ndim || x.shape.some((size, k) => k !== d && size !== first.shape[k])) {
      throw misshaped('cat', `tensors[${i}]`, x, `${show(first.shape)} but for axis ${d}`)
    }
  })
  const sizes = parts.map((x) => x.shape[d] as number)
  const shape = first.shape.map((size, i) => (i === d ? sizes.reduce((a, b) => a + b, 0) : size))
  const out = empty('cat', shape, first.dtype)
  const strides = stridesOf(shape)
  let start = 0
  const rules = parts.map((x, i) => {
    const from = start
    start += sizes[i] as number
    writePart(out, x, { shape: [...x.shape], strides, offset: from * (strides[d] as number) })
    return (dy: Tensor) =>
      slice(dy, ...shape.map((_, k) => (k === d ? { start: from, end: from + (sizes[i] as number) } : null)))
  })
  return record('cat', out, parts, rules)
}

/** Tensors of one shape along a new axis. torch.stack. */
export function stack(tensors: readonly (Tensor | NDArray)[], axis = 0): Tensor {
  if (!Array.isArray(tensors)) throw new TypeError('stack: tensors are no list')
  return cat(
    tensors.map((x, i) => unsqueeze(checked('stack', `tensors[${i}]`, x), axis)),
    axis,
  )
}

/** Parts of `size` along an axis (the last may be smaller), or of the listed sizes. torch.split. */
export function split(x: Tensor | NDArray, size: number | readonly number[], axis = 0): Tensor[] {
  const a = checked('split', 'x', x)
  const d = checkAxis('split', axis, a.ndim)
  const length = a.shape[d] as number
  if (typeof size === 'number') check('split', 'size', size, whole(1))
  const sizes =
    typeof size === 'number'
      ? Array.from({ length: Math.max(1, Math.ceil(length / size)) }, (_, i) => Math.min(size, length - i * size))
      : size
  if (sizes.reduce((sum, n) => sum + n, 0) !== length || sizes.some((n) => !Number.isInteger(n) || n < 0)) {
    throw new RangeError(
      `split: sizes ${show(sizes)} sum to ${sizes.reduce((sum, n) => sum + n, 0)}, expected ${length}, axis ${d} of x ${show(a.shape)}`,
    )
  }
  let start = 0
  return sizes.map((n) => {
    const from = start
    start += n
    return slice(a, ...a.shape.map((_, i) => (i === d ? { start: from, end: start } : null)))
  })
}

/** `chunks` parts along an axis, of equal sizes but for the last, or fewer where that does not go. torch.chunk. */
export function chunk(x: Tensor | NDArray, chunks: number, axis = 0): Tensor[] {
  const a = checked('chunk', 'x', x)
  const d = checkAxis('chunk', axis, a.ndim)
  check('chunk', 'chunks', chunks, whole(1))
  return split(a, Math.max(1, Math.ceil((a.shape[d] as number) / chunks)), d)
}

/** x, counts[i] times along axis i, one after the other; there may be more counts than axes, for new leading ones.
 *  torch.Tensor.repeat. */
export function repeat(x: Tensor | NDArray, counts: Shape): Tensor {
  const a = checked('repeat', 'x', x)
  checkShape('repeat: counts', counts)
  if (counts.length < a.ndim)
    throw new RangeError(`repeat: counts are ${show(counts)}, expected one for each axis of x ${show(a.shape)}`)
  const sizes = [...new Array<number>(counts.length - a.ndim).fill(1), ...a.shape]
  // Each axis behind one of its own, which is repeated.
  const apart = reshape(
    a,
    sizes.flatMap((size) => [1, size]),
  )
  return reshape(
    expand(
      apart,
      sizes.flatMap((size, i) => [counts[i] as number, size]),
    ),
    sizes.map((size, i) => size * (counts[i] as number)),
  )
}

/** repeat, where axes without a count, the first ones, are taken once. torch.tile. */
export function tile(x: Tensor | NDArray, counts: Shape): Tensor {
  const a = checked('tile', 'x', x)
  checkShape('tile: counts', counts)
  return repeat(a, [...new Array<number>(Math.max(0, a.ndim - counts.length)).fill(1), ...counts])
}

/** Of a vector the matrix that has it on a diagonal and zeros elsewhere, of a matrix the vector of its diagonal. `diagonal`: 0 the
 *  main one, positive above it. torch.diag. */
export function diag(x: Tensor | NDArray, diagonal = 0): Tensor {
  const a = checked('diag', 'x', x)
  check('diag', 'diagonal', diagonal, whole())
  const [above, below] = [Math.max(0, diagonal), Math.max(0, -diagonal)]
  if (a.ndim === 2) {
    const [rows, columns] = a.shape as [number, number]
    const count = Math.max(0, Math.min(rows - below, columns - above))
    return takePart('diag', a, { shape: [count], strides: [columns + 1], offset: below * columns + above })
  }
  if (a.ndim !== 1 || bytesOf[a.dtype] !== 4)
    throw new RangeError(`diag: x is ${a.dtype} ${show(a.shape)}, expected f32 or i32 with one axis or two`)
  const n = a.size + above + below
  const out = computed('diag', [n, n], (out) => core.fill(out, 0, out.size), a.dtype)
  writePart(out, a, { shape: [a.size], strides: [n + 1], offset: below * n + above })
  return record('diag', out, [a], [(dy) => diag(dy, diagonal)])
}

/** The axes reversed. torch.flip. */
export function flip(x: Tensor | NDArray, axes: number | readonly number[]): Tensor {
  if (typeof axes !== 'number' && !Array.isArray(axes))
    throw new TypeError(`flip: axes are ${String(axes)}, expected an axis or a list of them`)
  const a = checked('flip', 'x', x)
  const part: Part = { shape: [...a.shape], strides: stridesOf(a.shape), offset: 0 }
  if (a.size > 0) {
    for (const axis of typeof axes === 'number' ? [axes] : axes) {
      const d = checkAxis('flip', axis, a.ndim)
      part.offset += ((a.shape[d] as number) - 1) * (part.strides[d] as number)
      part.strides[d] = -(part.strides[d] as number)
    }
  }
  return takePart('flip', a, part)
}

/** Elements moved by `shift` along an axis, around its end. torch.roll. */
export function roll(x: Tensor | NDArray, shift: number, axis: number): Tensor {
  const a = checked('roll', 'x', x)
  const d = checkAxis('roll', axis, a.ndim)
  check('roll', 'shift', shift, whole())
  const size = a.shape[d] as number
  const cut = size === 0 ? 0 : ((-shift % size) + size) % size
  const range = (start: number, end: number) => slice(a, ...a.shape.map((_, i) => (i === d ? { start, end } : null)))
  return cat([range(cut, size), range(0, cut)], d)
}

/** x with `value` around it. `widths`: [before, after] of each axis. torch.nn.functional.pad. */
export function pad(x: Tensor | NDArray, widths: readonly (readonly [number, number])[], value = 0): Tensor {
  const a = float('pad', 'x', checked('pad', 'x', x))
  if (widths.length !== a.ndim || widths.flat().some((w) => !Number.isInteger(w) || w < 0)) {
    throw new RangeError(
      `pad: widths are ${JSON.stringify(widths)}, expected [before, after] >= 0 for each of the ${a.ndim} axes of x ${show(a.shape)}`,
    )
  }
  const shape = a.shape.map((size, i) => size + (widths[i]?.[0] as number) + (widths[i]?.[1] as number))
  const strides = stridesOf(shape)
  const out = computed('pad', shape, (out) => core.fill(out, floatBits(value), out.size))
  writePart(out, a, {
    shape: [...a.shape],
    strides,
    offset: widths.reduce((sum, [before], i) => sum + before * (strides[i] as number), 0),
  })
  const ranges = a.shape.map((size, i) => ({ start: widths[i]?.[0] as number, end: (widths[i]?.[0] as number) + size }))
  return record('pad', out, [a], [(dy) => slice(dy, ...ranges)])
}

function triangular(op: string, x: Tensor | NDArray, upper: boolean, diagonal: number): Tensor {
  const a = checked(op, 'x', x)
  if (a.ndim < 2 || bytesOf[a.dtype] !== 4)
    throw new RangeError(`${op}: x is ${a.dtype} ${show(a.shape)}, expected f32 or i32 with at least two axes`)
  check(op, 'diagonal', diagonal, whole())
  const [rows, columns] = a.shape.slice(-2) as [number, number]
  const out = computed(
    op,
    a.shape,
    (out) => core.triangle(out, a, Number(upper), diagonal, sizeOf(a.shape.slice(0, -2)), rows, columns),
    a.dtype,
  )
  return record(op, out, [a], [(dy) => triangular(op, dy, upper, diagonal)])
}

/** The lower triangle of the last two axes: 0 above `diagonal` (0 the main one, positive above it). torch.tril. */
export const tril = (x: Tensor | NDArray, diagonal = 0): Tensor => triangular('tril', x, false, diagonal)

/** The upper triangle of the last two axes: 0 below `diagonal`. torch.triu. */
export const triu = (x: Tensor | NDArray, diagonal = 0): Tensor => triangular('triu', x, true, diagonal)
