// Normalisation with learned scales and shifts.

import { type Full, finite, nullable, number, option, settle, unexpected } from '../checks.ts'
import * as core from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { FLOAT_EPSILON } from '../math.ts'
import { misshaped, type Shape, sameShape, show, sizeOf } from '../tensor/shape.ts'
import { record, together } from '../tensor/tape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { float, type Value } from './input.ts'

/** Elements of an f64: means are kept in these. */
const DOUBLE = 2

export interface NormOptions {
  /** Factors after the normalisation; default none. */
  weight?: Tensor | null | undefined
  /** Terms added last; default none. */
  bias?: Tensor | null | undefined
  /** Added to the variance; default 1e-5. */
  eps?: number | undefined
}

export type RmsNormOptions = Omit<NormOptions, 'bias'>

const affineOptions = { weight: null, bias: null }
/** The option `eps`, with its default. */
export const epsOption = (eps: number) => option(finite(0), eps)

/** A weight or bias of exactly this shape, or null. */
function affine(op: string, name: string, value: Tensor | null, shape: Shape): Tensor | null {
  if (value === null) return null
  const given = float(op, name, value)
  if (!sameShape(given.shape, shape)) throw misshaped(op, name, given, show(shape))
  return given
}

/** A gradient of `like`'s shape when wanted. */
const gradientFor = (op: string, like: Tensor | null, wanted: boolean | undefined): Tensor | null =>
  like && wanted ? empty(`${op} gradient`, like.shape) : null

/** Shape of the sums of rows of which gradients of weight and bias are made. */
const sumsOf = (rows: number, width: number): number[] => [
  Math.ceil(rows / core.SUMMED_ROWS),
  2,
  4 * Math.ceil(width / 4),
]

function normalizeRows(
  op: 'layerNorm' | 'rmsNorm',
  x: Value,
  normalizedShape: Shape,
  options: Full<NormOptions>,
): Tensor {
  const a = float(op, 'x', x)
  if (!Array.isArray(normalizedShape) || normalizedShape.length === 0)
    throw unexpected(op, 'normalizedShape', normalizedShape, 'an array of at least one size')
  const { eps } = options
  const lead = a.ndim - normalizedShape.length
  if (lead < 0 || !sameShape(a.shape.slice(lead), normalizedShape))
    throw misshaped(op, 'x', a, `last dimensions ${show(normalizedShape)} (normalizedShape)`)
  const weight = affine(op, 'weight', options.weight, normalizedShape)
  const bias = affine(op, 'bias', options.bias, normalizedShape)
  const width = sizeOf(normalizedShape)
  const rows = sizeOf(a.shape.slice(0, lead))
  const out = empty(op, a.shape)
  const mean = op === 'layerNorm' ? empty(op, [rows, DOUBLE]) : null
  const rstd = empty(op, [rows])
  emit(core.layerNorm(out, mean, rstd, a, weight, bias, eps, rows, width))
  const { inputs, rules } = together([a, weight, bias], (dy, [, scales, shifts]) => {
    const dx = empty(`${op} gradient`, a.shape)
    const dweight = gradientFor(op, weight, scales)
    const dbias = gradientFor(op, bias, shifts)
    const sums = empty(`${op} gradient`, sumsOf(rows, width))
    emit(core.layerNormBackward(dx, sums, dy, a, mean, rstd, weight, rows, width))
    if (dweight || dbias) emit(core.layerNormSums(sums, dweight, dbias, rows, width))
    return [dx, dweight, dbias]
  })
  return record(op, out, inputs, rules)
}

/** (x - mean) / √(variance + eps) · weight + bias, mean and biased variance over the last axes.
 *  x, result: [..., ...normalizedShape]; weight, bias: normalizedShape. torch.nn.functional.layer_norm. */
export function layerNorm(x: Value, normalizedShape: Shape, options: NormOptions = {}): Tensor {
  return normalizeRows(
    'layerNorm',
    x,
    normalizedShape,
    settle('layerNorm', options, { ...affineOptions, eps: epsOption(1e-5) }),
  )
}

/** x / √(mean(x²) + eps) · weight, the mean over the last axes; eps is 2^-23 by default.
 *  x, result: [..., ...normalizedShape]; weight: normalizedShape. torch.nn.functional.rms_norm. */
export function rmsNorm(x: Value, normalizedShape: Shape, options: RmsNormOptions = {}): Tensor {
  const settled = settle('rmsNorm', options, { weight: null, eps: epsOption(FLOAT_EPSILON) })
  return normalizeRows('rmsNorm', x, normalizedShape, { ...settled, bias: null })
}

/** x as [n, channels, inner]. */
function channelsOf(op: string, x: Tensor): { n: number; channels: number; inner: number } {
  if (x.ndim < 2) throw misshaped(op, 'x', x, '[batch, channels] or [batch, channels, ...]')
  const [n, channels] = x.shape as [number, number]
  return { n, channels, inner: sizeOf(x.shape.slice(2)) }
}

/** (x - mean) / √(variance + eps) · weight + bias, mean and biased variance over each of `groups` groups of
 *  neighbouring channels.  x, result: [batch, channels, ...]; weight, bias: [channels].
 *  torch.nn.functional.group_norm. */
export function groupNorm(x: Value, groups: number, options: NormOptions = {}): Tensor {
  const { eps, ...learned } = settle('groupNorm', options, { ...affineOptions, eps: epsOption(1e-5) })
  const a = float('groupNorm', 'x', x)
  const { n, channels, inner } = channelsOf('groupNorm', a)
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0)
    throw unexpected('groupNorm', 'groups', groups, `a divisor of the ${channels} channels of x`)
  const weight = affine('groupNorm', 'weight', learned.weight, [channels])
  const bias = affine('groupNorm', 'bias', learned.bias, [channels])
  const out = empty('groupNorm', a.shape)
  const mean = empty('groupNorm', [n, groups, DOUBLE])
  const rstd = empty('groupNorm', [n, groups])
  emit(core.groupNorm(out, mean, rstd, a, weight, bias, eps, n, groups, channels, inner))
  const { inputs, rules } = together([a, weight, bias], (dy, [, scales, shifts]) => {
    const dx = empty('groupNorm gradient', a.shape)
    const dweight = gradientFor('groupNorm', weight, scales)
    const dbias = gradientFor('groupNorm', bias, shifts)
    const bytes = inner === 1 ? 4 * sizeOf(sumsOf(n, channels)) : 16 * n * channels
    withScratch(bytes, 'groupNorm gradient', (sums) => {
      emit(core.groupNormBackward(dx, sums, dy, a, mean, rstd, weight, n, groups, channels, inner))
      const add = inner === 1 ? core.layerNormSums : core.groupNormSums
      if (dweight || dbias) emit(add(sums, dweight, dbias, n, channels))
    })
    return [dx, dweight, dbias]
  })
  return record('groupNorm', out, inputs, rules)
}

export interface BatchNormOptions extends NormOptions {
  /** Mean of each channel: used outside of training, moved in training. */
  runningMean?: Tensor | null | undefined
  /** Variance (unbiased) of each channel; likewise. */
  runningVar?: Tensor | null | undefined
  /** i32 count of the batches seen in training; wanted where momentum is null. */
  batchesTracked?: Tensor | null | undefined
  /** Whether to normalise by the statistics of the batch, and to move the running ones; default false. */
  training?: boolean | undefined
  /** Share of a new batch in the running statistics; default 0.1; null: 1 / count, the average over all batches. */
  momentum?: number | null | undefined
}

export const momentumOption = /* @__PURE__ */ option(/* @__PURE__ */ nullable(/* @__PURE__ */ number(0, 1)), 0.1)

/** (x - mean) / √(variance + eps) · weight + bias for each channel: in training with mean and biased variance of
 *  the batch, else with the running ones.  x, result: [batch, channels, ...]; all others: [channels]. Throws for
 *  fewer than two values a channel in training. torch.nn.functional.batch_norm. */
export function batchNorm(x: Value, options: BatchNormOptions = {}): Tensor {
  const op = 'batchNorm'
  const { eps, training, momentum, batchesTracked, ...given } = settle(op, options, {
    ...affineOptions,
    eps: epsOption(1e-5),
    ...{ runningMean: null, runningVar: null, batchesTracked: null },
    momentum: momentumOption,
    training: false,
  })
  const a = float(op, 'x', x)
  const { n, channels, inner } = channelsOf(op, a)
  const weight = affine(op, 'weight', given.weight, [channels])
  const bias = affine(op, 'bias', given.bias, [channels])
  const runningMean = affine(op, 'runningMean', given.runningMean, [channels])
  const runningVar = affine(op, 'runningVar', given.runningVar, [channels])
  if (batchesTracked && (batchesTracked.dtype !== 'i32' || batchesTracked.size !== 1))
    throw new TypeError(
      `${op}: batchesTracked is ${batchesTracked.dtype} ${show(batchesTracked.shape)}, expected one i32 element`,
    )
  batchesTracked?.check(op)
  const out = empty(op, a.shape)
  const mean = empty(op, [channels, DOUBLE])
  const rstd = empty(op, [channels])
  const stride = channels * inner
  if (training) {
    if (n * inner === 1)
      throw misshaped(op, 'x', a, 'more than 1 value per channel when training; use a larger batch, or eval()')
    if (momentum === null && (runningMean || runningVar) && !batchesTracked)
      throw new RangeError(
        `${op}: momentum is null without batchesTracked, expected a count of batches to average over`,
      )
    if (batchesTracked && n * inner > 0) emit(core.countBatch(batchesTracked))
    const count = momentum === null ? batchesTracked : null
    emit(
      core.batchNorm(
        out,
        mean,
        rstd,
        runningMean,
        runningVar,
        a,
        weight,
        bias,
        count,
        momentum ?? 0,
        eps,
        n,
        channels,
        inner,
        stride,
      ),
    )
  } else {
    if (!runningMean || !runningVar)
      throw new RangeError(`${op}: no runningMean and runningVar are given, expected both outside of training`)
    emit(
      core.batchNormFixed(out, mean, rstd, runningMean, runningVar, a, weight, bias, eps, n, channels, inner, stride),
    )
  }
  const fixed = training ? 0 : 1
  const { inputs, rules } = together([a, weight, bias], (dy, [, scales, shifts]) => {
    const dx = empty(`${op} gradient`, a.shape)
    const dweight = gradientFor(op, weight, scales)
    const dbias = gradientFor(op, bias, shifts)
    withScratch(16, `${op} gradient`, (sums) =>
      emit(
        core.batchNormBackward(dx, dweight, dbias, sums, dy, a, mean, rstd, weight, fixed, n, channels, inner, stride),
      ),
    )
    return [dx, dweight, dbias]
  })
  return record(op, out, inputs, rules)
}
