// Losses of predictions against targets of the same shape, and how losses are reduced.

import { finite, option, settle, word } from '../checks.ts'
import type { Command } from '../core/command.ts'
import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { misshaped, sameShape, show } from '../tensor/shape.ts'
import { noGrad, record } from '../tensor/tape.ts'
import { computed, elements, type Tensor } from '../tensor/tensor.ts'
import { expand } from './broadcast.ts'
import { full } from './create.ts'
import { mul, neg, sub } from './elementwise.ts'
import { float, numbers, type Value } from './input.ts'
import { mean, sum } from './reduce.ts'

/** How the losses of a batch become one: their mean, their sum, or not at all. */
export type Reduction = 'mean' | 'sum' | 'none'

export interface LossOptions {
  /** The mean of the batch's losses (default), their sum, or each by itself. */
  reduction?: Reduction | undefined
}

/** The option that all losses have. */
export const reductionOption = /* @__PURE__ */ option(/* @__PURE__ */ word('mean', 'sum', 'none'), 'mean')

/** Losses reduced, without gradient; and how a backward kernel reads the gradient of the result: one number
 *  for each loss (each 1) or one for all (each 0), to be multiplied by factor. */
export function reduceLosses(
  losses: Tensor,
  { reduction = 'mean' }: LossOptions,
): { out: Tensor; each: number; factor: number } {
  if (reduction === 'none') return { out: losses, each: 1, factor: 1 }
  return {
    out: noGrad(() => (reduction === 'mean' ? mean : sum)(losses)),
    each: 0,
    factor: reduction === 'mean' ? 1 / losses.size : 1,
  }
}

/** Losses that ops made, reduced by ops. */
export function reduceBy(losses: Tensor, { reduction = 'mean' }: LossOptions): Tensor {
  return reduction === 'none' ? losses : (reduction === 'mean' ? mean : sum)(losses)
}

/** Prediction and target, of one shape; a target may be of whole numbers. */
export function pairOf(op: string, input: Value, target: Value, names = ['input', 'target']): [Tensor, Tensor] {
  const [first = '', second = ''] = names
  const x = float(op, first, input)
  const y = (second === 'target' ? numbers : float)(op, second, target)
  if (!sameShape(x.shape, y.shape))
    throw new RangeError(
      `${op}: ${first} has shape ${show(x.shape)} and ${second} ${show(y.shape)}, expected the same shape`,
    )
  return [x, y]
}

/** Throws, when the command runs, unless all elements are from low to high. */
export function refuseOutside(op: string, name: string, x: Tensor, low: number, high: number): void {
  emit(
    core.checkRange(x, low, high, x.size),
    (i) =>
      `${op}: ${name} is ${elements(x)[i]} at index ${i}, expected ${high === Infinity ? `a number >= ${low}` : `a number from ${low} to ${high}`}`,
  )
}

/** Throws, when the command runs, unless all elements are 1 or -1. */
export function refuseUnsigned(op: string, name: string, x: Tensor): void {
  emit(core.checkSign(x, x.size), (i) => `${op}: ${name} is ${elements(x)[i]} at index ${i}, expected 1 or -1`)
}

interface Pair {
  op: string
  options: LossOptions
  forward: (loss: Tensor, x: Tensor, target: Tensor, n: number) => Command
  backward: (dx: Tensor, x: Tensor, target: Tensor, dy: Tensor, each: number, factor: number, n: number) => Command
  /** Losses linear in the target have the slope loss(x, 1) - loss(x, 0) there, others the negative one of x. */
  linear?: boolean | undefined
}

function pairLoss([x, y]: [Tensor, Tensor], { op, options, forward, backward, linear = false }: Pair): Tensor {
  const losses = computed(op, x.shape, (losses) => forward(losses, x, y, x.size))
  const { out, each, factor } = reduceLosses(losses, options)
  const gradient = (dy: Tensor): Tensor =>
    computed(`${op} gradient`, x.shape, (dx) => backward(dx, x, y, dy, each, factor, x.size))
  const lossOf = (target: number): Tensor =>
    computed(`${op} gradient`, x.shape, (loss) => forward(loss, x, full(x.shape, target), x.size))
  const targetGradient = (dy: Tensor): Tensor =>
    linear ? mul(mul(dy, factor), sub(lossOf(1), lossOf(0))) : neg(gradient(dy))
  return record(op, out, [x, y], [gradient, targetGradient])
}

/** (input - target)², reduced. torch.nn.functional.mse_loss. */
export function mse(input: Value, target: Value, options: LossOptions = {}): Tensor {
  return pairLoss(pairOf('mse', input, target), {
    op: 'mse',
    options: settle('mse', options, { reduction: reductionOption }),
    forward: core.squaredError,
    backward: core.squaredErrorBackward,
  })
}

/** |input - target|, reduced; the gradient where they are equal is 0. torch.nn.functional.l1_loss. */
export function mae(input: Value, target: Value, options: LossOptions = {}): Tensor {
  return pairLoss(pairOf('mae', input, target), {
    op: 'mae',
    options: settle('mae', options, { reduction: reductionOption }),
    forward: core.absoluteError,
    backward: core.absoluteErrorBackward,
  })
}

/** scale · (e²/2 where e <= knee, else knee (e - knee/2)), e = |input - target|. */
function kneeLoss(op: string, pair: [Tensor, Tensor], options: LossOptions, knee: number, scale: number): Tensor {
  return pairLoss(pair, {
    op,
    options,
    forward: (loss, x, y, n) => core.huberError(loss, x, y, knee, scale, n),
    backward: (dx, x, y, dy, each, factor, n) => core.huberErrorBackward(dx, x, y, dy, knee, each, scale * factor, n),
  })
}

/** e² / 2beta where e = |input - target| < beta, else e - beta/2; reduced. beta: >= 0, default 1; 0 gives mae.
 *  torch.nn.functional.smooth_l1_loss. */
export function smoothL1(
  input: Value,
  target: Value,
  options: LossOptions & { beta?: number | undefined } = {},
): Tensor {
  const { beta, reduction } = settle('smoothL1', options, { reduction: reductionOption, beta: option(finite(0), 1) })
  const pair = pairOf('smoothL1', input, target)
  return beta === 0 ? mae(...pair, { reduction }) : kneeLoss('smoothL1', pair, { reduction }, beta, 1 / beta)
}

/** e² / 2 where e = |input - target| <= delta, else delta (e - delta/2); reduced. delta: > 0, default 1.
 *  torch.nn.functional.huber_loss. */
export function huber(input: Value, target: Value, options: LossOptions & { delta?: number | undefined } = {}): Tensor {
  const { delta, reduction } = settle('huber', options, {
    reduction: reductionOption,
    delta: option(finite(Number.MIN_VALUE), 1),
  })
  return kneeLoss('huber', pairOf('huber', input, target), { reduction }, delta, 1)
}

export interface BceOptions extends LossOptions {
  /** A factor for each loss, broadcast to the shape of the input; it has no gradient. Default 1. A mean is
   *  divided by the number of losses all the same. */
  weight?: Value | undefined
}

/** An option that broadcasts to the shape of x; null when it is absent. */
function broadcastable(op: string, name: string, value: Value | null, x: Tensor): Tensor | null {
  if (value === null) return null
  const w = float(op, name, value).detach()
  let fits = w.ndim <= x.ndim
  if (fits) fits = w.shape.every((size, i) => size === 1 || size === x.shape[x.ndim - w.ndim + i])
  if (!fits) throw misshaped(op, name, w, `one that broadcasts to input ${show(x.shape)}`)
  return w
}

/** The pair's loss, its elements times weight before they are reduced. */
function weightedLoss(pair: [Tensor, Tensor], weight: Tensor | null, loss: Pair): Tensor {
  if (!weight) return pairLoss(pair, loss)
  return reduceBy(mul(pairLoss(pair, { ...loss, options: { reduction: 'none' } }), weight), loss.options)
}

/** -(target ln input + (1 - target) ln(1 - input)), times weight, reduced; logarithms count as -100 at least.
 *  input: probabilities, any shape; target: from 0 to 1, the same shape. Throws when an input is not from 0 to
 *  1. Of logits, bceWithLogits is exact. torch.nn.functional.binary_cross_entropy. */
export function bce(input: Value, target: Value, options: BceOptions = {}): Tensor {
  const settled = settle('bce', options, { reduction: reductionOption, weight: null })
  const pair = pairOf('bce', input, target)
  const weight = broadcastable('bce', 'weight', settled.weight, pair[0])
  refuseOutside('bce', 'input', pair[0], 0, 1)
  return weightedLoss(pair, weight, {
    op: 'bce',
    options: settled,
    forward: core.binaryEntropy,
    backward: core.binaryEntropyBackward,
    linear: true,
  })
}

/** -(posWeight target ln σ(input) + (1 - target) ln(1 - σ(input))), times weight, reduced; finite for all inputs.
 *  input: logits, any shape; target: from 0 to 1, the same shape; posWeight: the factor of positive targets,
 *  broadcast to the shape of the input, default 1. torch.nn.functional.binary_cross_entropy_with_logits. */
export function bceWithLogits(
  input: Value,
  target: Value,
  options: BceOptions & { posWeight?: Value | undefined } = {},
): Tensor {
  const op = 'bceWithLogits'
  const settled = settle(op, options, { reduction: reductionOption, weight: null, posWeight: null })
  const pair = pairOf(op, input, target)
  const [{ shape }] = pair
  const weight = broadcastable(op, 'weight', settled.weight, pair[0])
  const factor = broadcastable(op, 'posWeight', settled.posWeight, pair[0])
  const positive = factor && expand(factor, shape)
  return weightedLoss(pair, weight, {
    op,
    options: settled,
    forward: (loss, x, y, n) => core.logisticEntropy(loss, x, y, positive, n),
    backward: (dx, x, y, dy, each, scale, n) => core.logisticEntropyBackward(dx, x, y, positive, dy, each, scale, n),
    linear: true,
  })
}
