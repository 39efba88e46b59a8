import type { Command, Operand } from '../core/command.ts'
import { countSteps, sgd } from '../core/commands.ts'
import { Optimizer, type Params, type Run } from './optimizer.ts'

export interface SGDOptions {
  lr: number
  /** Share of the velocity that is kept; default 0. Whether it is 0 is fixed when the optimizer is made. */
  momentum?: number
  /** Share of the gradient that momentum leaves out; default 0. */
  dampening?: number
  weightDecay?: number
  /** Look ahead along the velocity; default false. */
  nesterov?: boolean
}

type Hyper = { lr: number; momentum: number; dampening: number; weightDecay: number }

/** Stochastic gradient descent, with momentum. torch.optim.SGD. */
export class SGD extends Optimizer<Hyper> {
  readonly #nesterov: boolean

  constructor(params: Params<Hyper>, { nesterov = false, ...options }: SGDOptions = {} as SGDOptions) {
    const definition = {
      name: 'optim.SGD',
      // No rate fits all: leaving it out is an Error.
      defaults: { lr: Number.NaN, momentum: 0, dampening: 0, weightDecay: 0 },
      ranges: { dampening: [0, 1] },
      check(hyper: Hyper) {
        if (nesterov && !(hyper.momentum > 0 && hyper.dampening === 0))
          throw new RangeError('optim.SGD: nesterov needs a momentum above 0 and no dampening')
      },
      states: ({ momentum }: Hyper) => (momentum === 0 ? 0 : 1),
    } as const
    super(definition, params, options)
    this.#nesterov = nesterov
  }

  protected count({ counters, sizes }: Run, { momentum }: Record<keyof Hyper, Operand>): Command {
    // Only the count matters here; what follows from betas is Adam's.
    return countSteps(counters, momentum, momentum, sizes[0] as number)
  }

  protected update({ param, grad, state, counters, sizes }: Run, hyper: Record<keyof Hyper, Operand>): Command {
    const { lr, momentum, dampening, weightDecay } = hyper
    const velocity = state[0] ?? null
    return sgd(param, grad, velocity, counters, sizes, lr, momentum, dampening, weightDecay, Number(this.#nesterov))
  }
}
