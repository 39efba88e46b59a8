// Sorting, and what is found by order: the largest elements, the middle, places in a sorted row.

import { check, option, probability, settle, unexpected, word, written } from '../checks.ts'
import * as core from '../core/commands.ts'
import { checkUntraced, emit, withScratch } from '../core/engine.ts'
import { checkAxis, misshaped, sameShape, show, sizeOf } from '../tensor/shape.ts'
import { noGrad, record } from '../tensor/tape.ts'
import { computed, empty, type Tensor, tensor } from '../tensor/tensor.ts'
import { arrayOf, type NDArray } from '../tensor/types.ts'
import { reshape, to } from './copy.ts'
import { add, equal, isNaN, mul, sub, where } from './elementwise.ts'
import { gather } from './gather.ts'
import { checked, float, type Value } from './input.ts'
import { cat, slice, squeeze, stack } from './part.ts'

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

/** The middle element along an axis, of an even number the lower, and its index (i32); NaN where there is one. Without axis, of all
 *  elements. torch.median. */
export function median(
  x: Value,
  options: { axis?: number | undefined; keepDim?: boolean | undefined } = {},
): { values: Tensor; indices: Tensor } {
  const { axis, keepDim } = settle('median', options, { axis: undefined, keepDim: false })
  const given = float('median', 'x', x)
  const a = axis === undefined ? reshape(given, [given.size]) : given
  const d = checkAxis('median', axis ?? 0, a.ndim)
  const size = a.shape[d] as number
  if (size === 0)
    throw new RangeError(`median: axis ${d} of x ${show(given.shape)} has size 0, expected at least 1 element`)
  const sorted = sort(a, { axis: d })
  const at = (t: Tensor, i: number) => slice(t, ...a.shape.map((_, k) => (k === d ? { start: i, end: i + 1 } : null)))
  const middle = (size - 1) >> 1
  const least = at(sorted.values, size - 1)
  // NaN is sorted last: where there is one, it is chosen.
  const none = to(isNaN(least.detach()), 'i32')
  const choose = (t: Tensor, last: Tensor): Tensor => {
    const found = gather(cat([at(t, middle), last], d), d, none)
    return axis === undefined || !keepDim ? squeeze(found, d) : found
  }
  return { values: choose(sorted.values, least), indices: choose(sorted.indices, at(sorted.indices, size - 1)) }
}

export interface QuantileOptions {
  /** The axis along which; default none: of all elements. */
  axis?: number | undefined
  /** Keep the reduced axis with size 1; default false. */
  keepDim?: boolean | undefined
  /** Between two elements: 'linear' (default), 'lower', 'higher', 'midpoint', or the 'nearest', halves to the even place. */
  interpolation?: 'linear' | 'lower' | 'higher' | 'midpoint' | 'nearest' | undefined
}

/** The element below which the share `q` of x lies along an axis: in order, the one at place q (n - 1), between two by
 *  `interpolation`; NaN where there is one.  q: from 0 to 1; several give a new first axis. torch.quantile. */
export function quantile(x: Value, q: number | readonly number[], options: QuantileOptions = {}): Tensor {
  const { axis, keepDim, interpolation } = settle('quantile', options, {
    axis: undefined,
    keepDim: false,
    interpolation: option(word('linear', 'lower', 'higher', 'midpoint', 'nearest'), 'linear'),
  })
  const shares: readonly number[] = typeof q === 'number' ? [q] : q
  if (!Array.isArray(shares)) throw unexpected('quantile', 'q', q, 'a number or a list of them')
  for (const share of shares) check('quantile', 'q', share, probability)
  const given = float('quantile', 'x', x)
  const a = axis === undefined ? reshape(given, [given.size]) : given
  const d = checkAxis('quantile', axis ?? 0, a.ndim)
  const size = a.shape[d] as number
  if (size === 0)
    throw new RangeError(`quantile: axis ${d} of x ${show(given.shape)} has size 0, expected at least 1 element`)
  const { values } = sort(a, { axis: d })
  const at = (t: Tensor, i: number) => slice(t, ...a.shape.map((_, k) => (k === d ? { start: i, end: i + 1 } : null)))
  const last = noGrad(() => at(values, size - 1))
  const none = isNaN(last)
  const found = shares.map((share) => {
    const place = share * (size - 1)
    const low = Math.floor(place)
    const part = place - low
    const even = part === 0.5 ? low % 2 : Math.round(part)
    const weight = { linear: part, lower: 0, higher: Math.ceil(part), midpoint: part === 0 ? 0 : 0.5, nearest: even }
    const w = weight[interpolation]
    const lower = at(values, low)
    const chosen = w === 0 ? lower : w === 1 ? at(values, low + 1) : between(lower, at(values, low + 1), w)
    const value = where(none, last, chosen)
    return keepDim && axis !== undefined ? value : squeeze(value, d)
  })
  return typeof q === 'number' ? (found[0] as Tensor) : stack(found)
}

/** a + w (b - a), from the nearer; where they are equal, infinite too, it is that. */
function between(a: Tensor, b: Tensor, w: number): Tensor {
  const gap = where(equal(a, b), 0, sub(b, a))
  return w < 0.5 ? add(a, mul(gap, w)) : sub(b, mul(gap, 1 - w))
}

/** How many elements of `sorted` are below each value (i32), or with right not above it: where it would be put in to keep the
 *  order.  sorted: ascending along the last axis, [n], or [..., n] with the leading axes of values; values: [..., m]; out: as
 *  values. NaN counts as the largest. That it is sorted is not checked. torch.searchsorted. */
export function searchSorted(sorted: Value, values: Value, options: { right?: boolean | undefined } = {}): Tensor {
  const { right } = settle('searchSorted', options, { right: false })
  const s = float('searchSorted', 'sorted', sorted)
  const v = float('searchSorted', 'values', values)
  const lead = v.shape.slice(0, -1)
  if (s.ndim === 0) throw misshaped('searchSorted', 'sorted', s, 'at least one axis')
  if (s.ndim > 1 && (v.ndim === 0 || !sameShape(s.shape.slice(0, -1), lead)))
    throw misshaped('searchSorted', 'sorted', s, `one axis, or leading axes ${show(lead)} as values ${show(v.shape)}`)
  const n = s.shape.at(-1) as number
  // One row for all is searched value by value, which threads share out.
  const [rows, m] = s.ndim > 1 ? [sizeOf(lead), v.shape.at(-1) as number] : [v.size, 1]
  return computed(
    'searchSorted',
    v.shape,
    (out) => core.searchSorted(out, s, v, Number(right), Number(s.ndim > 1), rows, n, m),
    'i32',
  )
}

/** Of two values which comes first; NaN last. */
function ascending(x: number, y: number): number {
  if (Number.isNaN(y)) return Number.isNaN(x) ? 0 : -1
  return x < y ? -1 : Number(x !== y)
}

/** The distinct values of x in ascending order, for each element of x which of them it is (`inverse`, i32, x's shape), and how often
 *  each occurs (`counts`, i32). Each NaN is one of its own. What has a size that depends on values cannot be traced by compile;
 *  values are cut off from the tape. torch.unique. */
export function unique(x: Tensor | NDArray): { values: Tensor; inverse: Tensor; counts: Tensor } {
  const a = checked('unique', 'x', x)
  checkUntraced('unique: its size depends on values, which are not known', 'call it outside of the compiled function')
  const data = a.data()
  const order = Uint32Array.from(data.keys()).sort((i, j) => ascending(data[i] as number, data[j] as number))
  const inverse = new Int32Array(data.length)
  const firsts: number[] = []
  const counts: number[] = []
  for (const i of order) {
    if (firsts.length === 0 || data[firsts.at(-1) as number] !== data[i]) {
      firsts.push(i)
      counts.push(0)
    }
    counts[counts.length - 1] = (counts.at(-1) as number) + 1
    inverse[i] = firsts.length - 1
  }
  return {
    values: tensor(new arrayOf[a.dtype](firsts.map((i) => data[i] as number))),
    inverse: tensor({ data: inverse, shape: a.shape }),
    counts: tensor(Int32Array.from(counts)),
  }
}
