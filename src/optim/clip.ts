import { check, type Kind, kind, number, option, settle } from '../checks.ts'
import { clampGradient, gradientPowers, normOfPowers, scaleToNorm } from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import type { Operand, Storage } from '../core/storage.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { leaves, stretchesOf } from './stretches.ts'

export interface ClipGradNormOptions {
  /** Which norm: 1, 2 or Infinity; default 2. */
  p?: 1 | 2 | number | undefined
  /** Throw, and scale nothing, where the norm is not finite; default false. */
  errorIfNonfinite?: boolean | undefined
}

const exponent: Kind<number> = /* @__PURE__ */ kind('number', '1, 2 or Infinity', (p) => [1, 2, Infinity].includes(p))

const gradients = (parameters: readonly Tensor[]) =>
  stretchesOf(parameters, (parameter) => [[parameter.gradStorage as Storage, 0]])

/** Scales the gradients so that the norm of all together is at most maxNorm, between backward() and step(), and
 *  returns the norm they had, [].  grad *= min(1, maxNorm / (norm + 1e-6)). Summed in f64; parameters without a
 *  gradient do not count.  torch.nn.utils.clip_grad_norm_. */
export function clipGradNorm(
  parameters: Iterable<Tensor> | Tensor,
  maxNorm: number,
  options: ClipGradNormOptions = {},
): Tensor {
  const caller = 'optim.clipGradNorm'
  const { p, errorIfNonfinite } = settle(caller, options, { p: option(exponent, 2), errorIfNonfinite: false })
  check(caller, 'maxNorm', maxNorm, number(0))
  const list = leaves(caller, parameters).filter(({ grad }) => grad)
  const norm = empty(caller, [])
  withScratch(8 * list.length, caller, (sums) => {
    const stretches = gradients(list)
    for (const { starts, sizes, first } of stretches)
      emit(gradientPowers({ ...sums, offset: 8 * first }, starts[0] as Operand, sizes, p))
    emit(
      normOfPowers(norm, sums, list.length, p, Number(errorIfNonfinite)),
      () => `${caller}: the norm of the gradients is not finite; look for NaN in the data, or lower the learning rate`,
    )
    for (const { starts, sizes } of stretches) emit(scaleToNorm(starts[0] as Operand, norm, sizes, maxNorm))
  })
  return norm
}

/** Limits each element of the gradients to [-value, value], between backward() and step().
 *  torch.nn.utils.clip_grad_value_. */
export function clipGradValue(parameters: Iterable<Tensor> | Tensor, value: number): void {
  const caller = 'optim.clipGradValue'
  check(caller, 'value', value, number(0))
  const list = leaves(caller, parameters).filter(({ grad }) => grad)
  for (const { starts, sizes } of gradients(list)) emit(clampGradient(starts[0] as Operand, sizes, value))
}
