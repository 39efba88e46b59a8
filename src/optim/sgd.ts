import { sgd } from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import type { Params } from './definition.ts'
import { type Cells, Optimizer, type Run } from './optimizer.ts'

export interface SGDOptions {
  lr: number
  /** Share of the velocity that is kept; default 0. Whether it is 0 is fixed when the optimizer is made. */
  momentum?: number
  /** Share of the gradient that momentum leaves out; default 0. */
  dampening?: number
  weightDecay?: number
  /** Look ahead along the velocity; default false. */
  nesterov?: boolean
  /** Climb instead of descend; default false. */
  maximize?: boolean
}

type Hyper = { lr: number; momentum: number; dampening: number; weightDecay: number }
type Flags = { nesterov: boolean; maximize: boolean }

/** Stochastic gradient descent, with momentum. torch.optim.SGD. */
export class SGD extends Optimizer<Hyper, Flags> {
  constructor(params: Params<SGDOptions>, options: SGDOptions = {} as SGDOptions) {
    const definition = {
      name: 'optim.SGD',
      // No rate fits all: leaving it out is an Error.
      defaults: { lr: Number.NaN, momentum: 0, dampening: 0, weightDecay: 0 },
      flags: { nesterov: false, maximize: false },
      ranges: { dampening: [0, 1] },
      check(hyper: Hyper, { nesterov }: Flags) {
        if (nesterov && !(hyper.momentum > 0 && hyper.dampening === 0))
          throw new RangeError('optim.SGD: nesterov needs a momentum above 0 and no dampening')
      },
      states: ({ momentum }: Hyper) => (momentum === 0 ? [] : ['momentum_buffer']),
    } as const
    super(definition, params, options)
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Cells<Hyper>, flags: Flags): void {
    const { lr, momentum, dampening, weightDecay } = h
    const [nesterov, maximize] = [Number(flags.nesterov), Number(flags.maximize)]
    const velocity = state[0] ?? null
    emit(sgd(param, grad, velocity, counters, sizes, lr, momentum, dampening, weightDecay, nesterov, maximize))
  }
}
