// Losses as users call them: with options, and PyTorch's defaults.

import type { Value } from '../ops/input.ts'
import * as loss from '../ops/loss.ts'
import * as softmax from '../ops/softmax.ts'
import type { Tensor } from '../tensor/tensor.ts'

export interface LossOptions {
  /** The mean of the batch's losses (default), their sum, or each by itself. */
  reduction?: loss.Reduction
}

/** -log softmax(logits)[target].  logits: [batch, classes]; target: class indices [batch].
 *  Throws when a target is out of range. torch.nn.functional.cross_entropy. */
export const crossEntropy = (logits: Value, target: Value, { reduction }: LossOptions = {}): Tensor =>
  softmax.crossEntropy(logits, target, reduction)

/** (input - target)², both of one shape. torch.nn.functional.mse_loss. */
export const mse = (input: Value, target: Value, { reduction }: LossOptions = {}): Tensor =>
  loss.mse(input, target, reduction)

/** |input - target|, both of one shape. torch.nn.functional.l1_loss. */
export const mae = (input: Value, target: Value, { reduction }: LossOptions = {}): Tensor =>
  loss.mae(input, target, reduction)
