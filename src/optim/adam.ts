import type { Operand } from '../core/command.ts'
import { adam, adamw } from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { type Cells, Optimizer, type Params, type Run } from './optimizer.ts'

export interface AdamOptions {
  /** Default 1e-3. */
  lr?: number
  /** Decay of the mean of gradients and of the mean of their squares; default [0.9, 0.999]. */
  betas?: readonly [number, number]
  /** Added to the denominator; default 1e-8. */
  eps?: number
  /** Default 0 for Adam, 0.01 for AdamW. */
  weightDecay?: number
  /** Divide by the largest mean of squares so far; default false. */
  amsgrad?: boolean
  /** Climb instead of descend; default false. */
  maximize?: boolean
}

type Hyper = { lr: number; beta1: number; beta2: number; eps: number; weightDecay: number }
type Flags = { amsgrad: boolean; maximize: boolean }

/** The largest that a decay may be: below 1. */
export const largestBeta = 1 - Number.EPSILON / 2

/** What optimizers with two betas have in common. */
export const betas = {
  pairs: { betas: ['beta1', 'beta2'] },
  ranges: { beta1: [0, largestBeta], beta2: [0, largestBeta] },
} as const

abstract class AdamBase extends Optimizer<Hyper, Flags> {
  readonly #kernel: typeof adam

  constructor(name: string, kernel: typeof adam, weightDecay: number, params: Params<object>, options: AdamOptions) {
    const definition = {
      name,
      defaults: { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay },
      flags: { amsgrad: false, maximize: false },
      ...betas,
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
