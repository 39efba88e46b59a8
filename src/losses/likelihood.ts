// Losses that compare distributions, or are the negative logarithm of a density.

import { finite, option, settle, unexpected, whole, word } from '../checks.ts'
import { sigmoid } from '../ops/activation.ts'
import { expand } from '../ops/broadcast.ts'
import { reshape } from '../ops/copy.ts'
import { full } from '../ops/create.ts'
import { add, div, equal, exp, expm1, greater, log, maximum, mul, neg, pow, sub, where } from '../ops/elementwise.ts'
import { crossEntropy, nll } from '../ops/entropy.ts'
import { checked, float, numbers, type Value } from '../ops/input.ts'
import {
  bceWithLogits,
  type LossOptions,
  pairOf,
  type Reduction,
  reduceBy,
  reductionOption,
  refuseOutside,
} from '../ops/loss.ts'
import { sum } from '../ops/reduce.ts'
import { misshaped, sameShape, show } from '../tensor/shape.ts'
import { noGrad } from '../tensor/tape.ts'
import { Tensor } from '../tensor/tensor.ts'

/** ln(2 π) / 2. */
const HALF_LOG_2PI = 0.9189385332046727

export interface KlDivOptions {
  /** As for other losses, or 'batchMean': the sum over the size of the first axis, which is the divergence
   *  itself. Default 'mean', over all elements, as in PyTorch. */
  reduction?: Reduction | 'batchMean' | undefined
  /** Whether target holds logarithms of probabilities; default false. */
  logTarget?: boolean | undefined
}

/** target (ln target - input), 0 where target is 0; with logTarget e^target (target - input); reduced.
 *  input: logarithms of probabilities, any shape; target: probabilities, the same shape.
 *  torch.nn.functional.kl_div. */
export function klDiv(input: Value, target: Value, options: KlDivOptions = {}): Tensor {
  const { reduction, logTarget } = settle('klDiv', options, {
    reduction: option(word('mean', 'sum', 'none', 'batchMean'), 'mean'),
    logTarget: false,
  })
  const [x, y] = pairOf('klDiv', input, target)
  const divergence = (): Tensor => {
    if (logTarget) return mul(exp(y), sub(y, x))
    // ln 1 where target is not above 0: its slope there stays finite.
    return mul(y, sub(log(where(greater(y, 0), y, 1)), x))
  }
  if (reduction !== 'batchMean') return reduceBy(divergence(), { reduction })
  if (x.ndim === 0) throw new RangeError("klDiv: input has no axis, expected a batch axis for reduction 'batchMean'")
  return div(sum(divergence()), x.shape[0] as number)
}

export interface PoissonNllOptions extends LossOptions {
  /** Whether input is the logarithm of the expected count; default true. */
  logInput?: boolean | undefined
  /** Whether to add Stirling's approximation of ln target! where target > 1; default false. */
  full?: boolean | undefined
  /** Added to input before its logarithm, without logInput; default 1e-8. */
  eps?: number | undefined
}

/** e^input - target input, or without logInput input - target ln(input + eps); reduced. With full,
 *  + target ln target - target + ln(2π target)/2 where target > 1.  input, target: any shape, the same.
 *  torch.nn.functional.poisson_nll_loss. */
export function poissonNll(input: Value, target: Value, options: PoissonNllOptions = {}): Tensor {
  const { logInput, full, eps, ...settled } = settle('poissonNll', options, {
    reduction: reductionOption,
    eps: option(finite(0), 1e-8),
    logInput: true,
    full: false,
  })
  const [x, y] = pairOf('poissonNll', input, target)
  const loss = logInput ? sub(exp(x), mul(y, x)) : sub(x, mul(y, log(add(x, eps))))
  if (!full) return reduceBy(loss, settled)
  const large = noGrad(() => greater(y, 1))
  const t = where(large, y, 1)
  const stirling = add(sub(mul(t, log(t)), t), mul(log(mul(t, 2 * Math.PI)), 0.5))
  return reduceBy(add(loss, where(large, stirling, 0)), settled)
}

export interface GaussianNllOptions extends LossOptions {
  /** Whether to add the constant ln(2π)/2; default false. */
  full?: boolean | undefined
  /** The smallest variance: smaller ones count as it, but get their gradient all the same. Default 1e-6. */
  eps?: number | undefined
}

/** (ln v + (input - target)² / v) / 2, v = max(variance, eps); reduced.
 *  input, target: any shape, the same; variance: the same shape, or without the last axis, or with 1 there.
 *  Throws when a variance is below 0 or NaN. torch.nn.functional.gaussian_nll_loss. */
export function gaussianNll(input: Value, target: Value, variance: Value, options: GaussianNllOptions = {}): Tensor {
  const { full, eps, ...settled } = settle('gaussianNll', options, {
    reduction: reductionOption,
    eps: option(finite(Number.MIN_VALUE), 1e-6),
    full: false,
  })
  const [x, y] = pairOf('gaussianNll', input, target)
  const given = float('gaussianNll', 'variance', variance)
  const lead = x.shape.slice(0, -1)
  const kept = sameShape(given.shape, lead) && x.ndim > 0 ? reshape(given, [...lead, 1]) : given
  if (!sameShape(kept.shape, x.shape) && !(x.ndim > 0 && sameShape(kept.shape, [...lead, 1]))) {
    throw misshaped(
      'gaussianNll',
      'variance',
      given,
      `${show(x.shape)}, ${show(lead)} or ${show([...lead, 1])} for input ${show(x.shape)}`,
    )
  }
  refuseOutside('gaussianNll', 'variance', kept, 0, Infinity)
  // What eps adds has no gradient: that of a variance below eps is as if it were eps.
  const v = add(
    kept,
    noGrad(() => sub(maximum(kept, eps), kept)),
  )
  const e = sub(x, y)
  const losses = mul(add(expand(log(v), x.shape), div(mul(e, e), v)), 0.5)
  return reduceBy(full ? add(losses, HALF_LOG_2PI) : losses, settled)
}

export interface FocalOptions extends LossOptions {
  /** How much right and sure answers count less: the power of what is missing of their probability; default 2. */
  gamma?: number | undefined
  /** Without a class axis: the share of positives, by default 0.25, of negatives 1 - alpha; null: none. With one: a factor for
   *  each class, [classes]; default none. It has no gradient. */
  alpha?: number | Value | null | undefined
  /** Class indices of this value count nothing; default -100. */
  ignoreIndex?: number | undefined
}

/** -alpha (1 - p)^gamma ln p, reduced, p the probability of what is right (Lin and others, 2017).
 *
 *  Of a target of the logits' own shape each element is a decision of its own: from 0 to 1, p = σ(logit) of 1; as
 *  torchvision.ops.sigmoid_focal_loss. Else target holds class indices of the logits' shape without its classes, [batch, classes]
 *  and [batch], and p is softmax(logits) of them; a mean is that over all which are not ignored. Throws when an index is
 *  neither ignoreIndex nor in 0 .. classes - 1. */
export function focal(logits: Value, target: Value, options: FocalOptions = {}): Tensor {
  const op = 'focal'
  const { gamma, alpha, ignoreIndex, ...settled } = settle(op, options, {
    reduction: reductionOption,
    gamma: option(finite(0), 2),
    alpha: undefined,
    ignoreIndex: option(whole(-0x7fffffff, 0x7fffffff), -100),
  })
  const x = float(op, 'logits', logits)
  const given = typeof target === 'number' ? target : checked(op, 'target', target)
  if (given instanceof Tensor && sameShape(given.shape, x.shape)) {
    if (alpha !== null && alpha !== undefined && !(typeof alpha === 'number' && alpha >= 0 && alpha <= 1))
      throw unexpected(op, 'alpha', alpha, 'a number from 0 to 1 for a target of the shape of logits')
    if (options.ignoreIndex !== undefined)
      throw unexpected(op, 'ignoreIndex', ignoreIndex, 'none for a target of the shape of logits')
    const y = numbers(op, 'target', given)
    const not = sub(1, y)
    const losses = mul(focus(add(mul(sigmoid(x), not), mul(sigmoid(neg(x)), y)), gamma), bceWithLogits(x, y, none))
    const share = alpha === undefined ? 0.25 : alpha
    return reduceBy(share === null ? losses : mul(losses, add(mul(y, share), mul(not, 1 - share))), settled)
  }
  if (typeof alpha === 'number')
    throw unexpected(op, 'alpha', alpha, 'a factor for each class, [classes], for a target of class indices')
  const counted = { ignoreIndex, ...none }
  const entropy = crossEntropy(x, given, counted)
  const missing = neg(expm1(neg(entropy)))
  const losses = mul(focus(missing, gamma), entropy)
  // By nll of -1: the factor of each target, 0 where it is ignored.
  const factors = (weight?: Value) =>
    noGrad(() => nll(full(x.shape, -1), given, { ...counted, ...(weight && { weight }) }))
  const weighted = alpha === undefined || alpha === null ? losses : mul(losses, factors(alpha))
  return settled.reduction === 'mean' ? div(sum(weighted), sum(factors())) : reduceBy(weighted, settled)
}

const none = { reduction: 'none' } as const

/** missing^gamma; where nothing is missing it is taken as 1, since the loss beside it is 0 and has no slope there. */
const focus = (missing: Tensor, gamma: number): Tensor =>
  pow(
    where(
      noGrad(() => equal(missing, 0)),
      1,
      missing,
    ),
    gamma,
  )
