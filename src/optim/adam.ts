import type { Command, Operand } from '../core/command.ts'
import { adam, adamw, countSteps } from '../core/commands.ts'
import { Optimizer, type Params, type Run } from './optimizer.ts'

export interface AdamOptions {
  /** Default 1e-3. */
  lr?: number
  /** Decay of the mean of gradients and of the mean of their squares; default [0.9, 0.999]. */
  betas?: readonly [number, number]
  /** Added to the denominator; default 1e-8. */
  eps?: number
  /** Default 0 for Adam, 0.01 for AdamW. */
  weightDecay?: number
}

type Hyper = { lr: number; beta1: number; beta2: number; eps: number; weightDecay: number }

const largestBeta = 1 - 2 ** -53

abstract class AdamBase extends Optimizer<Hyper> {
  constructor(name: string, weightDecay: number, params: Params<Hyper>, options: AdamOptions) {
    const definition = {
      name,
      defaults: { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay },
      ranges: { beta1: [0, largestBeta], beta2: [0, largestBeta] },
      states: () => 2,
    } as const
    super(definition, params, options)
  }

  protected count({ counters, sizes }: Run, { beta1, beta2 }: Record<keyof Hyper, Operand>): Command {
    return countSteps(counters, beta1, beta2, sizes[0] as number)
  }
}

/** Adaptive moments; weight decay is added to the gradient. Kingma, Ba, 2015. torch.optim.Adam. */
export class Adam extends AdamBase {
  constructor(params: Params<Hyper>, options: AdamOptions = {}) {
    super('optim.Adam', 0, params, options)
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Record<keyof Hyper, Operand>): Command {
    const [m, v] = state as [Operand, Operand]
    return adam(param, grad, m, v, counters, sizes, h.lr, h.beta1, h.beta2, h.eps, h.weightDecay)
  }
}

/** Adam with weight decay apart from the gradient, 0.01 by default. Loshchilov, Hutter, 2019.
 *  torch.optim.AdamW. */
export class AdamW extends AdamBase {
  constructor(params: Params<Hyper>, options: AdamOptions = {}) {
    super('optim.AdamW', 0.01, params, options)
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Record<keyof Hyper, Operand>): Command {
    const [m, v] = state as [Operand, Operand]
    return adamw(param, grad, m, v, counters, sizes, h.lr, h.beta1, h.beta2, h.eps, h.weightDecay)
  }
}
