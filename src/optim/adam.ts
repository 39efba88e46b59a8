import { adam, adamax, adamw, countNadam, nadam, radam } from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import type { Operand } from '../core/storage.ts'
import { hyper, type Params } from './definition.ts'
import { type Cells, Optimizer, type Run } from './optimizer.ts'

export interface AdamOptions {
  /** Default 1e-3. */
  lr?: number | undefined
  /** Decay of the mean of gradients and of the mean of their squares; default [0.9, 0.999]. */
  betas?: readonly [number, number] | undefined
  /** Added to the denominator; default 1e-8. */
  eps?: number | undefined
  /** Default 0 for Adam, 0.01 for AdamW. */
  weightDecay?: number | undefined
  /** Divide by the largest mean of squares so far; default false. */
  amsgrad?: boolean | undefined
  /** Climb instead of descend; default false. */
  maximize?: boolean | undefined
}

type Hyper = { lr: number; beta1: number; beta2: number; eps: number; weightDecay: number }
type Flags = { amsgrad: boolean; maximize: boolean }

/** The largest that a decay may be: below 1. */
export const largestBeta = 1 - Number.EPSILON / 2

/** A decay: from 0 to below 1. */
export const beta = (fallback: number) => hyper(fallback, 0, largestBeta)

/** Both betas of an optimizer by one name. */
export const betas = { betas: ['beta1', 'beta2'] } as const

abstract class AdamBase extends Optimizer<Hyper, Flags> {
  readonly #kernel: typeof adam

  constructor(name: string, kernel: typeof adam, weightDecay: number, params: Params<object>, options: AdamOptions) {
    const definition = {
      name,
      hyper: {
        lr: hyper(1e-3),
        beta1: beta(0.9),
        beta2: beta(0.999),
        eps: hyper(1e-8),
        weightDecay: hyper(weightDecay),
      },
      flags: { amsgrad: false, maximize: false },
      pairs: betas,
      states: (_: Hyper, { amsgrad }: Flags) => ['exp_avg', 'exp_avg_sq', ...(amsgrad ? ['max_exp_avg_sq'] : [])],
    }
    super(definition, params, options)
    this.#kernel = kernel
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Cells<Hyper>, { maximize }: Flags): void {
    const [m, v, most = null] = state as [Operand, Operand, Operand?]
    const { lr, beta1, beta2, eps, weightDecay } = h
    emit(this.#kernel(param, grad, m, v, most, counters, sizes, lr, beta1, beta2, eps, weightDecay, Number(maximize)))
  }
}

/** Adaptive moments; weight decay is added to the gradient. Kingma, Ba, 2015. torch.optim.Adam. */
export class Adam extends AdamBase {
  constructor(params: Params<AdamOptions>, options: AdamOptions = {}) {
    super('optim.Adam', adam, 0, params, options)
  }
}

/** Adam with weight decay apart from the gradient, 0.01 by default. Loshchilov, Hutter, 2019.
 *  torch.optim.AdamW. */
export class AdamW extends AdamBase {
  constructor(params: Params<AdamOptions>, options: AdamOptions = {}) {
    super('optim.AdamW', adamw, 0.01, params, options)
  }
}

export interface MomentsOptions {
  lr?: number | undefined
  /** Decay of the mean of gradients, and of what divides it; default [0.9, 0.999]. */
  betas?: readonly [number, number] | undefined
  /** Added to the denominator. */
  eps?: number | undefined
  /** Times the parameter, added to the gradient; default 0. */
  weightDecay?: number | undefined
  /** Climb instead of descend; default false. */
  maximize?: boolean | undefined
}

export interface NAdamOptions extends MomentsOptions {
  /** How fast momentum grows; default 0.004. */
  momentumDecay?: number | undefined
}

type Maximize = { maximize: boolean }
type Nesterov = Hyper & { momentumDecay: number }

/** Adam with Nesterov momentum. Defaults: lr 2e-3, eps 1e-8. Dozat, 2016. torch.optim.NAdam. */
export class NAdam extends Optimizer<Nesterov, Maximize> {
  constructor(params: Params<NAdamOptions>, options: NAdamOptions = {}) {
    const definition = {
      name: 'optim.NAdam',
      hyper: {
        lr: hyper(2e-3),
        beta1: beta(0.9),
        beta2: beta(0.999),
        eps: hyper(1e-8),
        weightDecay: hyper(0),
        momentumDecay: hyper(4e-3),
      },
      flags: { maximize: false },
      pairs: betas,
      states: () => ['exp_avg', 'exp_avg_sq'],
      counter: 'mu_product',
    }
    super(definition, params, options)
  }

  protected override count({ counters, sizes }: Run, { beta1, beta2, momentumDecay }: Cells<Nesterov>): void {
    emit(countNadam(counters, beta1, beta2, momentumDecay, sizes[0] as number))
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Cells<Nesterov>, { maximize }: Maximize): void {
    const [m, v] = state as [Operand, Operand]
    const { lr, beta1, beta2, eps, weightDecay, momentumDecay } = h
    const sign = Number(maximize)
    emit(nadam(param, grad, m, v, counters, sizes, lr, beta1, beta2, eps, weightDecay, momentumDecay, sign))
  }
}

/** Adam whose rate waits until the mean of squares is reliable. Defaults: lr 1e-3, eps 1e-8. Liu et al., 2020.
 *  torch.optim.RAdam. */
export class RAdam extends Optimizer<Hyper, Maximize> {
  constructor(params: Params<MomentsOptions>, options: MomentsOptions = {}) {
    const definition = {
      name: 'optim.RAdam',
      hyper: { lr: hyper(1e-3), beta1: beta(0.9), beta2: beta(0.999), eps: hyper(1e-8), weightDecay: hyper(0) },
      flags: { maximize: false },
      pairs: betas,
      states: () => ['exp_avg', 'exp_avg_sq'],
    }
    super(definition, params, options)
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Cells<Hyper>, { maximize }: Maximize): void {
    const [m, v] = state as [Operand, Operand]
    const { lr, beta1, beta2, eps, weightDecay } = h
    emit(radam(param, grad, m, v, counters, sizes, lr, beta1, beta2, eps, weightDecay, Number(maximize)))
  }
}

/** Adam with the largest gradient instead of the mean of squares. Defaults: lr 2e-3, eps 1e-8. Kingma, Ba, 2015.
 *  torch.optim.Adamax. */
export class Adamax extends Optimizer<Hyper, Maximize> {
  constructor(params: Params<MomentsOptions>, options: MomentsOptions = {}) {
    const definition = {
      name: 'optim.Adamax',
      hyper: { lr: hyper(2e-3), beta1: beta(0.9), beta2: beta(0.999), eps: hyper(1e-8), weightDecay: hyper(0) },
      flags: { maximize: false },
      pairs: betas,
      states: () => ['exp_avg', 'exp_inf'],
    }
    super(definition, params, options)
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Cells<Hyper>, { maximize }: Maximize): void {
    const [m, most] = state as [Operand, Operand]
    const { lr, beta1, beta2, eps, weightDecay } = h
    emit(adamax(param, grad, m, most, counters, sizes, lr, beta1, beta2, eps, weightDecay, Number(maximize)))
  }
}
