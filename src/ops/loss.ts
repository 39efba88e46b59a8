// Losses of predictions against targets of the same shape, and how losses are reduced.

import type { Command } from '../core/command.ts'
import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { checkOptions } from '../tensor/options.ts'
import { sameShape, show } from '../tensor/shape.ts'
import { noGrad, record } from '../tensor/tape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { neg } from './elementwise.ts'
import { float, type Value } from './input.ts'
import { mean, sum } from './reduce.ts'

/** How the losses of a batch become one: their mean, their sum, or not at all. */
export type Reduction = 'mean' | 'sum' | 'none'

export interface LossOptions {
  /** The mean of the batch's losses (default), their sum, or each by itself. */
  reduction?: Reduction
}

/** Reduces `losses` and records the loss as one op: gradient(dy, each, factor) is ∂/∂input, where dy is one
 *  number (each 0) or one for each loss (each 1), still to be multiplied by factor. */
export function reduceLoss(
  op: string,
  losses: Tensor,
  options: LossOptions,
  input: Tensor,
  gradient: (dy: Tensor, each: number, factor: number) => Tensor,
  target?: Tensor,
): Tensor {
  checkOptions(op, options, ['reduction'])
  const { reduction = 'mean' } = options
  if (reduction !== 'mean' && reduction !== 'sum' && reduction !== 'none') {
    throw new TypeError(`${op}: reduction is ${String(reduction)}, expected 'mean', 'sum' or 'none'`)
  }
  const out = reduction === 'none' ? losses : noGrad(() => (reduction === 'mean' ? mean : sum)(losses))
  const each = reduction === 'none' ? 1 : 0
  const factor = reduction === 'mean' ? 1 / losses.size : 1
  const rule = (dy: Tensor) => gradient(dy, each, factor)
  return target ? record(op, out, [input, target], [rule, (dy) => neg(rule(dy))]) : record(op, out, [input], [rule])
}

type Forward = (loss: Tensor, x: Tensor, target: Tensor, n: number) => Command
type Backward = (dx: Tensor, x: Tensor, target: Tensor, dy: Tensor, each: number, factor: number, n: number) => Command

function pairLoss(
  op: string,
  forward: Forward,
  backward: Backward,
  input: Value,
  target: Value,
  options: LossOptions,
): Tensor {
  const x = float(op, 'input', input)
  const y = float(op, 'target', target)
  if (!sameShape(x.shape, y.shape))
    throw new RangeError(`${op}: input has shape ${show(x.shape)} and target ${show(y.shape)}, expected the same shape`)
  const losses = empty(op, x.shape)
  emit(forward(losses, x, y, x.size))
  return reduceLoss(
    op,
    losses,
    options,
    x,
    (dy, each, factor) => {
      const dx = empty(`${op} gradient`, x.shape)
      emit(backward(dx, x, y, dy, each, factor, x.size))
      return dx
    },
    y,
  )
}

/** (input - target)², reduced. torch.nn.functional.mse_loss. */
export const mse = (input: Value, target: Value, options: LossOptions = {}): Tensor =>
  pairLoss('mse', core.squaredError, core.squaredErrorBackward, input, target, options)

/** |input - target|, reduced; the gradient where they are equal is 0. torch.nn.functional.l1_loss. */
export const mae = (input: Value, target: Value, options: LossOptions = {}): Tensor =>
  pairLoss('mae', core.absoluteError, core.absoluteErrorBackward, input, target, options)
