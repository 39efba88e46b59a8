import { finite, required } from '../checks.ts'
import { sgd } from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { hyper, type Params } from './definition.ts'
import { type Cells, Optimizer, type Run } from './optimizer.ts'

export interface SGDOptions {
  lr: number
  /** Share of the velocity that is kept; default 0. Whether it is 0 is fixed when the optimizer is made. */
  momentum?: number | undefined
  /** Share of the gradient that momentum leaves out; default 0. */
  dampening?: number | undefined
  weightDecay?: number | undefined
  /** Look ahead along the velocity; default false. */
  nesterov?: boolean | undefined
  /** Climb instead of descend; default false. */
  maximize?: boolean | undefined
}

type Hyper = { lr: number; momentum: number; dampening: number; weightDecay: number }
type Flags = { nesterov: boolean; maximize: boolean }

/** Stochastic gradient descent, with momentum. torch.optim.SGD. */
export class SGD extends Optimizer<Hyper, Flags> {
  constructor(params: Params<SGDOptions>, options: SGDOptions = {} as SGDOptions) {
    const definition = {
      name: 'optim.SGD',
      // No rate fits all: leaving it out is an Error.
      hyper: { lr: required(finite(0)), momentum: hyper(0), dampening: hyper(0, 0, 1), weightDecay: hyper(0) },
      flags: { nesterov: false, maximize: false },
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
