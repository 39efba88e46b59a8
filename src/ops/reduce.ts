// Reductions over axes.

import { check, finite, number, option, settle, whole } from '../checks.ts'
import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { broadcastShapes, checkAxis, misshaped, show, sizeOf } from '../tensor/shape.ts'
import { noGrad, record } from '../tensor/tape.ts'
import { computed, empty, type Tensor, viewOf } from '../tensor/tensor.ts'
import { expand, sumOver } from './broadcast.ts'
import { reshape } from './copy.ts'
import { abs, add, div, equal, exp, less, log, mul, neg, notEqual, pow, sqrt, sub, where } from './elementwise.ts'
import { float, numbers, type Value } from './input.ts'
import { diag } from './part.ts'

export interface ReduceOptions {
  /** Axes to reduce, negative counted from the end; default all. */
  axis?: number | readonly number[] | undefined
  /** Keep reduced axes with size 1; default false. */
  keepDim?: boolean | undefined
}

/** The distinct reduced axes, ascending. */
function axesOf(op: string, rank: number, axis: ReduceOptions['axis']): number[] {
  const list =
    axis === undefined ? Array.from({ length: rank }, (_, i) => i) : Array.isArray(axis) ? axis : [axis as number]
  const axes = list.map((a) => checkAxis(op, a, rank))
  if (new Set(axes).size !== axes.length) throw new RangeError(`${op}: axis ${show(list)} names an axis twice`)
  return axes.sort((a, b) => a - b)
}

function sumScaled(op: string, x: Tensor, options: ReduceOptions, scale: (count: number) => number): Tensor {
  const { axis, keepDim } = settle(op, options, { axis: undefined, keepDim: false })
  const axes = axesOf(op, x.ndim, axis)
  const factor = scale(axes.reduce((count, a) => count * (x.shape[a] as number), 1))
  const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size))
  const shape = keepDim ? kept : x.shape.filter((_, i) => !axes.includes(i))
  const sums = axes.length > 0 ? sumOver(op, x, axes, factor) : null
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
  return computed(op, x.shape, (out) => core.mul(out, x, float(op, 'scale', factor), [1, x.size, 1, 0]))
}

/** Σ x over `axis`. */
export function sum(x: Value, options: ReduceOptions = {}): Tensor {
  return sumScaled('sum', float('sum', 'x', x), options, () => 1)
}

/** Mean of x over `axis`; NaN over no elements. */
export function mean(x: Value, options: ReduceOptions = {}): Tensor {
  return sumScaled('mean', float('mean', 'x', x), options, (count) => 1 / count)
}

/** The largest element along `axis`, and the index of the first one; NaN counts as the largest. The
 *  gradient goes to that element. Without axis: over all elements. torch.max. */
export function max(
  x: Value,
  options: { axis?: number | undefined; keepDim?: boolean | undefined } = {},
): { values: Tensor; indices: Tensor } {
  const { axis, keepDim } = settle('max', options, { axis: undefined, keepDim: false })
  const { a, d, outer, size, inner } = aroundAxis('max', x, axis)
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
    [(dy) => computed('max gradient', a.shape, (dx) => core.maxBackward(dx, dy, positions, outer, size, inner))],
  )
  return { values, indices: positions }
}

/** The index (i32) of the first largest element along `axis`; without axis, among all in row-major order. */
export function argmax(x: Value, options: { axis?: number | undefined; keepDim?: boolean | undefined } = {}): Tensor {
  return max(x, options).indices
}

/** The smallest element along `axis`, and the index of the first one; as max. torch.min. */
export function min(
  x: Value,
  options: { axis?: number | undefined; keepDim?: boolean | undefined } = {},
): { values: Tensor; indices: Tensor } {
  const { values, indices } = max(neg(float('min', 'x', x)), options)
  return { values: neg(values), indices }
}

/** The index (i32) of the first smallest element along `axis`; without axis, among all in row-major order. */
export function argmin(x: Value, options: { axis?: number | undefined; keepDim?: boolean | undefined } = {}): Tensor {
  return min(x, options).indices
}

/** x as [outer, size, inner] around one axis; without axis, all elements are that axis. */
function aroundAxis(op: string, x: Value, axis: number | undefined) {
  const given = float(op, 'x', x)
  const a = axis === undefined ? reshape(given, [given.size]) : given
  const d = checkAxis(op, axis ?? 0, a.ndim)
  return { a, d, outer: sizeOf(a.shape.slice(0, d)), size: a.shape[d] as number, inner: sizeOf(a.shape.slice(d + 1)) }
}

/** Π x along `axis`; without axis, of all elements. The gradient is right also where elements are 0. torch.prod. */
export function prod(x: Value, options: { axis?: number | undefined; keepDim?: boolean | undefined } = {}): Tensor {
  const { axis, keepDim } = settle('prod', options, { axis: undefined, keepDim: false })
  const { a, d, outer, size, inner } = aroundAxis('prod', x, axis)
  const kept = keepDim && axis !== undefined
  const out = computed(
    'prod',
    a.shape.flatMap((n, i) => (i !== d ? [n] : kept ? [1] : [])),
    (out) => core.prod(out, a, outer, size, inner),
  )
  return record(
    'prod',
    out,
    [a],
    [(dy) => computed('prod gradient', a.shape, (dx) => core.prodBackward(dx, dy, a, outer, size, inner))],
  )
}

/** out[s] = Σ_{t ≤ s} x[t] along `axis`, of x's shape. torch.cumsum. */
export function cumsum(x: Value, axis: number): Tensor {
  check('cumsum', 'axis', axis, whole())
  const { a, outer, size, inner } = aroundAxis('cumsum', x, axis)
  const run = (input: Tensor, reverse: number): Tensor =>
    computed('cumsum', a.shape, (out) => core.cumsum(out, input, reverse, outer, size, inner))
  return record('cumsum', run(a, 0), [a], [(dy) => run(dy, 1)])
}

/** out[s] = Π_{t ≤ s} x[t] along `axis`, of x's shape. The gradient is right also where elements are 0. torch.cumprod. */
export function cumprod(x: Value, axis: number): Tensor {
  check('cumprod', 'axis', axis, whole())
  const { a, outer, size, inner } = aroundAxis('cumprod', x, axis)
  const out = computed('cumprod', a.shape, (out) => core.cumprod(out, a, outer, size, inner))
  const gradient = (dy: Tensor): Tensor =>
    computed('cumprod gradient', a.shape, (dx) => core.cumprodBackward(dx, dy, a, out, outer, size, inner))
  return record('cumprod', out, [a], [gradient])
}

/** 1 where an element of x over `axis` is not 0, else 0; NaN is not 0. torch.any. */
export function any(x: Value, options: ReduceOptions = {}): Tensor {
  return notEqual(sum(notEqual(numbers('any', 'x', x), 0), options), 0)
}

/** 1 where no element of x over `axis` is 0, else 0. torch.all. */
export function all(x: Value, options: ReduceOptions = {}): Tensor {
  return equal(sum(equal(numbers('all', 'x', x), 0), options), 0)
}

/** The sum of the diagonal of a matrix. torch.trace. */
export function trace(x: Value): Tensor {
  const a = float('trace', 'x', x)
  if (a.ndim !== 2) throw misshaped('trace', 'x', a, 'a matrix')
  return sum(diag(a))
}

export interface VarianceOptions extends ReduceOptions {
  /** The divisor is the count less this; default 1 (unbiased), 0 for the variance of the sample itself. */
  correction?: number | undefined
}

/** Σ (x - mean)² / (count - correction) over `axis`. torch.var. */
export function variance(x: Value, settings: VarianceOptions = {}): Tensor {
  const { correction, ...options } = settle('variance', settings, {
    axis: undefined,
    correction: option(finite(), 1),
    keepDim: false,
  })
  const a = float('variance', 'x', x)
  const axes = axesOf('variance', a.ndim, options.axis)
  const count = axes.reduce((n, d) => n * (a.shape[d] as number), 1)
  // A mean is rounded to f32, half a step of its size off: the mean of what is left after it is not.
  const near = sub(
    a,
    noGrad(() => mean(a, { axis: axes, keepDim: true })),
  )
  const centred = sub(near, mean(near, { axis: axes, keepDim: true }))
  return div(sum(mul(centred, centred), options), Math.max(0, count - correction))
}

/** √variance over `axis`. torch.std. */
export const std = (x: Value, options: VarianceOptions = {}): Tensor => sqrt(variance(x, options))

/** Σ a b / (max(‖a‖, eps) max(‖b‖, eps)) over one axis (default 1); eps: default 1e-8.  a, b: shapes that broadcast;
 *  the result lacks the axis. torch.nn.functional.cosine_similarity. */
export function cosineSimilarity(
  a: Value,
  b: Value,
  options: { axis?: number | undefined; eps?: number | undefined } = {},
): Tensor {
  const { axis, eps } = settle('cosineSimilarity', options, {
    axis: 1,
    eps: option(finite(0), 1e-8),
  })
  const given = [float('cosineSimilarity', 'a', a), float('cosineSimilarity', 'b', b)] as const
  const shape = broadcastShapes('cosineSimilarity', given[0].shape, given[1].shape)
  const d = checkAxis('cosineSimilarity', axis, shape.length)
  const [x, y] = given.map((t) => expand(t, shape)) as [Tensor, Tensor]
  const length = (t: Tensor): Tensor => {
    const n = norm(t, { axis: d })
    return where(less(n, eps), eps, n)
  }
  return div(sum(mul(x, y), { axis: d }), mul(length(x), length(y)))
}

/** ln Σ exp(x) over `axis`, without overflow. torch.logsumexp. */
export function logSumExp(x: Value, options: ReduceOptions = {}): Tensor {
  const { axis: given, keepDim } = settle('logSumExp', options, { axis: undefined, keepDim: false })
  const a = float('logSumExp', 'x', x)
  const axes = axesOf('logSumExp', a.ndim, given)
  // Any shift gives the same value and gradient; the largest keeps exp finite. An infinite one shifts nothing.
  const shift = noGrad(() => {
    let largest: Tensor = a
    for (const axis of axes) largest = max(largest, { axis, keepDim: true }).values
    return where(less(abs(largest), Infinity), largest, 0)
  })
  const kept = add(log(sum(exp(sub(a, shift)), { axis: axes, keepDim: true })), shift)
  return keepDim
    ? kept
    : reshape(
        kept,
        a.shape.filter((_, i) => !axes.includes(i)),
      )
}

/** (Σ |x|^p)^(1/p) over `axis`; p = 2 by default, Infinity for the largest |x|, 0 for the count of x ≠ 0.
 *  The gradient at 0 is 0. torch.linalg.vector_norm. */
export function norm(x: Value, settings: ReduceOptions & { p?: number | undefined } = {}): Tensor {
  const { p, ...options } = settle('norm', settings, {
    axis: undefined,
    p: option(number(0), 2),
    keepDim: false,
  })
  const a = float('norm', 'x', x)
  if (p === 0) return sum(notEqual(a, 0), options)
  if (p === 1) return sum(abs(a), options)
  const axes = axesOf('norm', a.ndim, options.axis)
  if (p === Infinity) {
    let largest = abs(a)
    for (const axis of axes) largest = max(largest, { axis, keepDim: true }).values
    return options.keepDim
      ? largest
      : reshape(
          largest,
          a.shape.filter((_, i) => !axes.includes(i)),
        )
  }
  const total = sum(p === 2 ? mul(a, a) : pow(abs(a), p), options)
  // √ has no slope at 0, where the norm's is taken as 0: the root is of 1 there, and the 0 chosen after it.
  const zero = noGrad(() => equal(total, 0))
  return where(zero, 0, pow(where(zero, 1, total), 1 / p))
}

export interface NormalizeOptions {
  /** The axis whose norms become 1; default 1. */
  axis?: number | undefined
  /** Which norm; default 2. */
  p?: number | undefined
  /** The least that is divided by; default 1e-12. */
  eps?: number | undefined
}

/** x / max(‖x‖_p, eps) along an axis. torch.nn.functional.normalize. */
export function normalize(x: Value, options: NormalizeOptions = {}): Tensor {
  const { axis, p, eps } = settle('normalize', options, {
    axis: 1,
    p: option(number(0), 2),
    eps: option(finite(0), 1e-12),
  })
  const a = float('normalize', 'x', x)
  const length = norm(a, { axis: checkAxis('normalize', axis, a.ndim), p, keepDim: true })
  return div(a, where(less(length, eps), eps, length))
}
