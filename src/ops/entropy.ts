// Losses of scores against classes.

import { number, option, settle, whole } from '../checks.ts'
import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { misshaped, type Shape, sameShape, show, sizeOf } from '../tensor/shape.ts'
import { noGrad, record } from '../tensor/tape.ts'
import { computed, elements, empty, type Tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { reshape, transpose } from './copy.ts'
import { div, exp, log, mul, sub } from './elementwise.ts'
import { checked, float, indices, type Value } from './input.ts'
import { type LossOptions, reduceLosses, reductionOption } from './loss.ts'
import { max, sum } from './reduce.ts'

export interface NllOptions extends LossOptions {
  /** A factor for each class, [classes]; a mean is divided by the sum of the targets' factors. It has no
   *  gradient. Default 1. */
  weight?: Value | undefined
  /** Targets of this value count nothing and have gradient 0; default -100. */
  ignoreIndex?: number | undefined
}

export interface CrossEntropyOptions extends NllOptions {
  /** The share, from 0 to 1, of each target that is spread evenly over all classes; default 0. */
  labelSmoothing?: number | undefined
}

/** Scores of classes: [classes], [batch, classes] or [batch, classes, ...inner], and what follows from it. */
interface Scores {
  outer: number
  classes: number
  inner: number
  /** The shape of class indices. */
  labels: Shape
}

function scoresOf(op: string, name: string, { shape }: Tensor): Scores {
  if (shape.length === 0)
    throw new RangeError(
      `${op}: ${name} has no axis, expected shape [classes], [batch, classes] or [batch, classes, …]`,
    )
  const axis = Math.min(1, shape.length - 1)
  const labels = shape.filter((_, d) => d !== axis)
  return {
    outer: axis === 0 ? 1 : (shape[0] as number),
    classes: shape[axis] as number,
    inner: sizeOf(shape.slice(axis + 1)),
    labels,
  }
}

function labelsOf(op: string, name: string, x: Tensor, target: Value, { labels }: Scores): Tensor {
  const y = indices(op, 'target', target)
  if (!sameShape(y.shape, labels)) {
    throw misshaped(op, 'target', y, `${show(labels)}, one class index for each place of ${name} ${show(x.shape)}`)
  }
  return y
}

/** Which classes count, and how much. */
interface Counting {
  weight: Tensor | null
  ignoreIndex: number
}

/** The options that nll and crossEntropy share. */
const countingOptions = {
  reduction: reductionOption,
  weight: null,
  ignoreIndex: /* @__PURE__ */ option(/* @__PURE__ */ whole(-0x7fffffff, 0x7fffffff), -100),
}

function countingOf(op: string, given: { weight: Value | null; ignoreIndex: number }, classes: number): Counting {
  const { weight, ignoreIndex } = given
  const w = weight === null ? null : float(op, 'weight', weight)
  if (w && !sameShape(w.shape, [classes])) throw misshaped(op, 'weight', w, `[${classes}], a factor for each class`)
  return { weight: w, ignoreIndex }
}

/** Why the kernel refused the label at a position. */
const outOfRange =
  (op: string, name: string, x: Tensor, target: Tensor, classes: number) =>
  (position: number): string =>
    `${op}: target ${elements(target)[position]} at index ${position} is out of range, expected a class index from 0 to ${classes - 1} (${name} ${show(x.shape)})`

/** Losses averaged over the sum of their weights, or summed, or as they are, as one op on the tape. */
function reduceWeighted(
  op: string,
  losses: Tensor,
  target: Tensor,
  { weight, ignoreIndex }: Counting,
  { reduction = 'mean' }: LossOptions,
  input: Tensor,
  gradient: (dy: Tensor, total: Tensor | null, each: number) => Tensor,
): Tensor {
  const total =
    reduction === 'mean'
      ? computed(op, [], (sum) => core.countTargets(sum, target, weight, ignoreIndex, target.size))
      : null
  const summed = noGrad(() => (reduction === 'none' ? losses : sum(losses)))
  const out = total ? noGrad(() => div(summed, total)) : summed
  return record(op, out, [input], [(dy) => gradient(dy, total, Number(reduction === 'none'))])
}

/** -w_y ln softmax(logits)_y for each class index y, reduced; a mean is divided by Σ w_y.
 *
 *  logits: [batch, classes], [batch, classes, d1, …] or [classes]; target: class indices (i32) of the shape of
 *  the logits without their classes, or probabilities (f32) of the logits' own shape, with -Σ_c w_c t_c
 *  ln softmax(logits)_c as the loss (its mean is divided by the number of losses) and a gradient for target,
 *  too. Losses not reduced have the shape of the indices.
 *
 *  Throws when an index is neither ignoreIndex nor in 0 .. classes - 1. The mean of no losses is NaN.
 *  torch.nn.functional.cross_entropy. */
export function crossEntropy(logits: Value, target: Value, options: CrossEntropyOptions = {}): Tensor {
  const op = 'crossEntropy'
  const settled = settle(op, options, { ...countingOptions, labelSmoothing: option(number(0, 1), 0) })
  const { labelSmoothing: smoothing } = settled
  const x = float(op, 'logits', logits)
  const scores = scoresOf(op, 'logits', x)
  const { outer, classes, inner, labels: shape } = scores
  const counting = countingOf(op, settled, classes)
  const { weight, ignoreIndex } = counting
  const rows = outer * inner
  const given = typeof target === 'number' ? target : checked(op, 'target', target as Tensor | NDArray)
  const soft = typeof given === 'object' && given.dtype === 'f32'
  if (soft && !sameShape(given.shape, x.shape)) {
    throw new TypeError(
      `${op}: target is f32 ${show(given.shape)}, expected i32 indices ${show(shape)}, or probabilities of the shape of logits ${show(x.shape)}; convert indices with .to('i32')`,
    )
  }
  // The kernels want each place's classes side by side: [batch, …, classes].
  const byRow = (t: Tensor): Tensor => {
    if (inner === 1) return t.ndim === 2 ? t : reshape(t, [rows, classes])
    return reshape(transpose(reshape(t, [outer, classes, inner])), [rows, classes])
  }
  const byPlace = (losses: Tensor): Tensor => (settled.reduction === 'none' ? reshape(losses, shape) : losses)

  const a = byRow(x)
  const losses = empty(op, [rows])
  const probabilities = empty(op, a.shape)
  const gradient = (): Tensor => empty(`${op} gradient`, a.shape)
  if (!soft) {
    const y = labelsOf(op, 'logits', x, given, scores)
    emit(
      core.crossEntropy(losses, probabilities, a, y, weight, ignoreIndex, smoothing, rows, classes),
      outOfRange(op, 'logits', x, y, classes),
    )
    return byPlace(
      reduceWeighted(op, losses, y, counting, settled, a, (dy, divisor, each) => {
        const dx = gradient()
        emit(
          core.crossEntropyBackward(
            dx,
            probabilities,
            y,
            weight,
            dy,
            divisor,
            each,
            ignoreIndex,
            smoothing,
            rows,
            classes,
          ),
        )
        return dx
      }),
    )
  }
  const t = byRow(given)
  emit(core.softCrossEntropy(losses, probabilities, a, t, weight, smoothing, rows, classes))
  const { out, each, factor } = reduceLosses(losses, settled)
  record(
    op,
    out,
    [a, t],
    [
      (dy) => {
        const dx = gradient()
        emit(core.softCrossEntropyBackward(dx, probabilities, t, weight, dy, each, factor, smoothing, rows, classes))
        return dx
      },
      (dy) => {
        const shifted = sub(a, max(a, { axis: 1, keepDim: true }).values)
        const logs = sub(shifted, log(sum(exp(shifted), { axis: 1, keepDim: true })))
        const g = mul(dy, factor * (smoothing - 1))
        return mul(mul(logs, weight ?? 1), each ? reshape(g, [rows, 1]) : g)
      },
    ],
  )
  return byPlace(out)
}

/** -w_y logProbabilities_y for each class index y, reduced; a mean is divided by Σ w_y.
 *
 *  logProbabilities: [batch, classes], [batch, classes, d1, …] or [classes]; target: class indices (i32) of that
 *  shape without the classes, as are losses that are not reduced. Throws when an index is neither ignoreIndex
 *  nor in 0 .. classes - 1. The mean of no losses is NaN. torch.nn.functional.nll_loss. */
export function nll(logProbabilities: Value, target: Value, options: NllOptions = {}): Tensor {
  const op = 'nll'
  const settled = settle(op, options, countingOptions)
  const x = float(op, 'logProbabilities', logProbabilities)
  const scores = scoresOf(op, 'logProbabilities', x)
  const { outer, classes, inner, labels: shape } = scores
  const counting = countingOf(op, settled, classes)
  const { weight, ignoreIndex } = counting
  const y = labelsOf(op, 'logProbabilities', x, target, scores)
  const losses = empty(op, shape)
  emit(
    core.nll(losses, x, y, weight, ignoreIndex, outer, classes, inner),
    outOfRange(op, 'logProbabilities', x, y, classes),
  )
  return reduceWeighted(op, losses, y, counting, settled, x, (dy, divisor, each) =>
    computed(`${op} gradient`, x.shape, (dx) =>
      core.nllBackward(dx, y, weight, dy, divisor, each, ignoreIndex, outer, classes, inner),
    ),
  )
}
