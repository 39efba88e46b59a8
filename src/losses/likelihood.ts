// Losses that compare distributions, or are the negative logarithm of a density.

import { finite, option, settle, word } from '../checks.ts'
import { expand } from '../ops/broadcast.ts'
import { reshape } from '../ops/copy.ts'
import { add, div, exp, greater, log, maximum, mul, sub, where } from '../ops/elementwise.ts'
import { float, type Value } from '../ops/input.ts'
import { type LossOptions, pairOf, type Reduction, reduceBy, reductionOption, refuseOutside } from '../ops/loss.ts'
import { sum } from '../ops/reduce.ts'
import { misshaped, sameShape, show } from '../tensor/shape.ts'
import { noGrad } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'

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
