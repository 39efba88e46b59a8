// Elements at positions that a tensor of indices names.

import { check, option, settle, whole } from '../checks.ts'
import * as core from '../core/commands.ts'
import { checkUntraced, emit } from '../core/engine.ts'
import { broadcastShapes, checkAxis, misshaped, sameShape, show, sizeOf } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { elements, empty, type Tensor, tensor } from '../tensor/tensor.ts'
import { bytesOf, type NDArray } from '../tensor/types.ts'
import { expand } from './broadcast.ts'
import { permute, reshape } from './copy.ts'
import { full } from './create.ts'
import { add } from './elementwise.ts'
import { checked, float, indices, numbers, type Value } from './input.ts'
import { pad, slice } from './part.ts'

/** Says which index a kernel refused. `of`: what it points into, in words. */
const outOfRange =
  (op: string, index: Tensor, size: number, of: string) =>
  (position: number): string =>
    `${op}: index ${elements(index)[position]} at position ${position} is out of range, expected 0 to ${size - 1} (${of})`

/** weight[index]: one row for each index.  index: i32 [...]; weight: [count, dim]; out: [..., dim].
 *  The row `paddingIdx` gets no gradient; default none. Throws when an index is outside 0 .. count - 1.
 *  torch.nn.functional.embedding. */
export function embedding(index: Value, weight: Value, paddingIdx: number | null = null): Tensor {
  const positions = indices('embedding', 'index', index)
  const w = float('embedding', 'weight', weight)
  if (w.ndim !== 2) throw misshaped('embedding', 'weight', w, '[count, dim]')
  const [count, dim] = w.shape as [number, number]
  const skip = paddingIdx === null ? -1 : checkPadding('embedding', paddingIdx, count)
  const refused = outOfRange('embedding', positions, count, `weight ${show(w.shape)}`)
  const out = empty('embedding', [...positions.shape, dim])
  emit(core.gatherRows(out, w, positions, 1, count, positions.size, dim), refused)
  return record(
    'embedding',
    out,
    [w],
    [
      (dy) => {
        const dw = empty('embedding gradient', w.shape)
        emit(core.gatherRowsBackward(dw, dy, positions, skip, 1, count, positions.size, dim), refused)
        return dw
      },
    ],
  )
}

/** The row that `paddingIdx` names, counted from the front; negative counts from the end. */
export function checkPadding(caller: string, paddingIdx: number, count: number): number {
  check(caller, 'paddingIdx', paddingIdx, whole(-count, count - 1))
  return paddingIdx < 0 ? paddingIdx + count : paddingIdx
}

/** The sizes around an axis: [outer, size, inner]. */
const around = (shape: readonly number[], axis: number): [number, number, number] => [
  sizeOf(shape.slice(0, axis)),
  shape[axis] as number,
  sizeOf(shape.slice(axis + 1)),
]

/** x as a tensor whose elements have 4 bytes, f32 or i32. */
function words(op: string, value: Tensor | NDArray): Tensor {
  const x = checked(op, 'x', value)
  if (bytesOf[x.dtype] !== 4)
    throw new TypeError(`${op}: x is ${x.dtype} ${show(x.shape)}, expected f32 or i32; convert it with .to('f32')`)
  return x
}

/** out[…, j, …] = x[…, index[j], …] on `axis`.  index: i32 [count]; out: x's shape with count at `axis`. Throws
 *  when an index is out of range. torch.index_select. */
export function indexSelect(x: Tensor | NDArray, axis: number, index: Value): Tensor {
  const a = words('indexSelect', x)
  const d = checkAxis('indexSelect', axis, a.ndim)
  const positions = indices('indexSelect', 'index', index)
  if (positions.ndim !== 1) throw misshaped('indexSelect', 'index', positions, 'one axis')
  const [outer, size, inner] = around(a.shape, d)
  const count = positions.size
  const refused = outOfRange('indexSelect', positions, size, `axis ${d} of x ${show(a.shape)}`)
  const out = empty(
    'indexSelect',
    a.shape.map((n, i) => (i === d ? count : n)),
    a.dtype,
  )
  emit(core.gatherRows(out, a, positions, outer, size, count, inner), refused)
  return record(
    'indexSelect',
    out,
    [a],
    [
      (dy) => {
        const dx = empty('indexSelect gradient', a.shape)
        emit(core.gatherRowsBackward(dx, dy, positions, -1, outer, size, count, inner), refused)
        return dx
      },
    ],
  )
}

/** Throws unless index has as many axes as x, and is nowhere larger than it but on the axis `d`. */
function checkIndexShape(op: string, name: string, x: Tensor, index: Tensor, d: number): void {
  if (index.ndim !== x.ndim || index.shape.some((size, i) => i !== d && size > (x.shape[i] as number)))
    throw misshaped(
      op,
      'index',
      index,
      `${x.ndim} axes${d < 0 ? '' : `, all but axis ${d}`} at most those of ${name} ${show(x.shape)}`,
    )
}

/** The first elements of x on each axis: as many as `shape` says, on `keep` all. */
const cut = (x: Tensor, shape: readonly number[], keep: number): Tensor =>
  shape.every((size, i) => i === keep || size === x.shape[i])
    ? x
    : slice(x, ...shape.map((size, i) => (i === keep ? null : { end: size })))

/** out[i, j, …] = x[i, index[i, j, …], …] for axis 1, and so for any.  index: i32, as many axes as x, on the others
 *  at most as large; out: index's shape. Throws when an index is out of range. torch.gather. */
export function gather(x: Tensor | NDArray, axis: number, index: Value): Tensor {
  const given = words('gather', x)
  const d = checkAxis('gather', axis, given.ndim)
  const positions = indices('gather', 'index', index)
  checkIndexShape('gather', 'x', given, positions, d)
  const a = cut(given, positions.shape, d)
  const [outer, size, inner] = around(a.shape, d)
  const count = positions.shape[d] as number
  const refused = outOfRange('gather', positions, size, `axis ${d} of x ${show(given.shape)}`)
  const out = empty('gather', positions.shape, a.dtype)
  emit(core.gather(out, a, positions, outer, size, count, inner), refused)
  return record(
    'gather',
    out,
    [a],
    [
      (dy) => {
        const dx = empty('gather gradient', a.shape)
        emit(core.scatterAdd(dx, null, dy, positions, outer, size, count, inner), refused)
        return dx
      },
    ],
  )
}

/** x with out[i, index[i, j, …], …] += source[i, j, …] for axis 1, and so for any: additions in the order of the
 *  source, the same at each run.  index: i32, as many axes as x, on the others at most as large; source: at least
 *  as large as index. Throws when an index is out of range. torch.scatter_add. */
export function scatterAdd(x: Value, axis: number, index: Value, source: Value): Tensor {
  const a = float('scatterAdd', 'x', x)
  const d = checkAxis('scatterAdd', axis, a.ndim)
  const positions = indices('scatterAdd', 'index', index)
  const given = float('scatterAdd', 'source', source)
  checkIndexShape('scatterAdd', 'x', a, positions, d)
  checkIndexShape('scatterAdd', 'source', given, positions, -1)
  const values = cut(given, positions.shape, -1)
  const shape = positions.shape.map((size, i) => (i === d ? (a.shape[d] as number) : size))
  const [outer, size, inner] = around(shape, d)
  const count = positions.shape[d] as number
  const refused = outOfRange('scatterAdd', positions, size, `axis ${d} of x ${show(a.shape)}`)
  const whole = sameShape(shape, a.shape)
  const out = empty('scatterAdd', shape)
  emit(core.scatterAdd(out, whole ? a : null, values, positions, outer, size, count, inner), refused)
  const fromSource = (dy: Tensor): Tensor => {
    const dsource = empty('scatterAdd gradient', positions.shape)
    emit(core.gather(dsource, dy, positions, outer, size, count, inner), refused)
    return dsource
  }
  if (whole) return record('scatterAdd', out, [a, values], [(dy) => dy, fromSource])
  // An index that covers a part of x: the sums are added there.
  const sums = record('scatterAdd', out, [values], [fromSource])
  return add(
    a,
    pad(
      sums,
      a.shape.map((n, i) => [0, n - (shape[i] as number)] as const),
    ),
  )
}

/** 1 at the class that each index names, else 0, as f32.  index: i32 [...]; out: [..., classes]. Throws when an
 *  index is outside 0 .. classes - 1. torch.nn.functional.one_hot. */
export function oneHot(index: Value, classes: number): Tensor {
  check('oneHot', 'classes', classes, whole(0))
  return hot('oneHot', indices('oneHot', 'index', index), classes)
}

/** oneHot for another op, which Errors name. */
export function hot(op: string, index: Tensor, classes: number): Tensor {
  const out = empty(op, [...index.shape, classes])
  emit(core.oneHot(out, index, index.size, classes), outOfRange(op, index, classes, `${classes} classes`))
  return out
}

/** The elements of x where `mask` is not 0, in row-major order, as one axis.  mask: f32, i32 or u8 that broadcasts to x. How many
 *  there are depends on the values, so compile cannot trace it: multiply by the mask there. torch.masked_select. */
export function maskedSelect(x: Tensor | NDArray, mask: Value): Tensor {
  const a = words('maskedSelect', x)
  const m = numbers('maskedSelect', 'mask', mask)
  if (!sameShape(broadcastShapes('maskedSelect', a.shape, m.shape), a.shape))
    throw misshaped('maskedSelect', 'mask', m, `one that broadcasts to x ${show(a.shape)}`)
  checkUntraced(
    'maskedSelect: its size depends on values, which are not known',
    'call it outside, or use where() or maskedFill(), which keep the shape',
  )
  const chosen = expand(m.detach(), a.shape).data()
  const places = Int32Array.from(chosen.keys()).filter((i) => chosen[i] !== 0)
  return indexSelect(reshape(a, [a.size]), 0, places)
}

export interface BincountOptions {
  /** What each number counts, of x's shape; default 1. */
  weights?: Value | undefined
  /** The least size of the result; default 0. */
  minLength?: number | undefined
}

/** How often each of 0, 1, 2, … is in x (i32), or with weights the sums of these (f32).  x: i32 or u8 [n], none below 0; out:
 *  [max(x) + 1, or minLength if that is more]. Its size depends on values: compile cannot trace it, scatterAdd into zeros does the same there. torch.bincount. */
export function bincount(x: Value, options: BincountOptions = {}): Tensor {
  const { weights, minLength } = settle('bincount', options, { weights: undefined, minLength: option(whole(0), 0) })
  const a = indices('bincount', 'x', x)
  if (a.ndim !== 1) throw misshaped('bincount', 'x', a, 'one axis')
  const given = weights === undefined ? null : numbers('bincount', 'weights', weights)
  if (given && !sameShape(given.shape, a.shape)) throw misshaped('bincount', 'weights', given, show(a.shape))
  checkUntraced(
    'bincount: its size depends on values, which are not known',
    'call it outside, or use scatterAdd(zeros([size]), 0, x, ones)',
  )
  const values = a.data() as Int32Array
  const least = values.findIndex((value) => value < 0)
  if (least >= 0)
    throw new RangeError(`bincount: x is ${values[least]} at index ${least}, expected a whole number >= 0`)
  const size = values.reduce((most, value) => Math.max(most, value + 1), minLength)
  if (given) return scatterAdd(full([size], 0), 0, a, given)
  const counts = new Int32Array(size)
  for (const value of values) counts[value] = (counts[value] as number) + 1
  return tensor(counts)
}

/** All stretches of `size` elements along an axis, `step` apart, as a new last axis.  out: x's shape with
 *  ⌊(n - size) / step⌋ + 1 at the axis, then size. Gradients of elements in several are summed. torch.Tensor.unfold. */
export function unfold(x: Tensor | NDArray, axis: number, size: number, step: number): Tensor {
  const a = words('unfold', x)
  const d = checkAxis('unfold', axis, a.ndim)
  const n = a.shape[d] as number
  check('unfold', 'size', size, whole(0, n))
  check('unfold', 'step', step, whole(1))
  const count = Math.floor((n - size) / step) + 1
  const places = Int32Array.from({ length: count * size }, (_, i) => Math.floor(i / size) * step + (i % size))
  const shape = [...a.shape.slice(0, d), count, size, ...a.shape.slice(d + 1)]
  const stretches = reshape(indexSelect(a, d, places), shape)
  const order = shape.map((_, i) => i).filter((i) => i !== d + 1)
  return d + 1 === shape.length - 1 ? stretches : permute(stretches, [...order, d + 1])
}
