// Gradients divided by the root of a sum or mean of their squares.

import { adadelta, adagrad, rmsprop } from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import type { Operand } from '../core/storage.ts'
import { largestBeta } from './adam.ts'
import { hyper, type Params } from './definition.ts'
import { type Cells, Optimizer, type Run } from './optimizer.ts'

interface CommonOptions {
  /** Added to the denominator. */
  eps?: number | undefined
  /** Times the parameter, added to the gradient; default 0. */
  weightDecay?: number | undefined
  /** Climb instead of descend; default false. */
  maximize?: boolean | undefined
}

type Maximize = { maximize: boolean }

export interface AdagradOptions extends CommonOptions {
  /** Default 0.01. */
  lr?: number | undefined
  /** lr is divided by 1 + lrDecay (steps - 1); default 0. */
  lrDecay?: number | undefined
  /** What sums of squares start from; default 0. */
  initialAccumulatorValue?: number | undefined
}

type Sums = { lr: number; lrDecay: number; eps: number; weightDecay: number; initialAccumulatorValue: number }

/** Divides by the root of the sum of all squares. Default eps 1e-10. Duchi et al., 2011. torch.optim.Adagrad. */
export class Adagrad extends Optimizer<Sums, Maximize> {
  constructor(params: Params<AdagradOptions>, options: AdagradOptions = {}) {
    const definition = {
      name: 'optim.Adagrad',
      hyper: {
        lr: hyper(1e-2),
        lrDecay: hyper(0),
        eps: hyper(1e-10),
        weightDecay: hyper(0),
        initialAccumulatorValue: hyper(0),
      },
      flags: { maximize: false },
      states: () => ['sum'],
    }
    super(definition, params, options)
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Cells<Sums>, { maximize }: Maximize): void {
    const [sum] = state as [Operand]
    const { lr, lrDecay, eps, weightDecay, initialAccumulatorValue } = h
    const sign = Number(maximize)
    emit(adagrad(param, grad, sum, counters, sizes, lr, lrDecay, eps, weightDecay, initialAccumulatorValue, sign))
  }
}

export interface AdadeltaOptions extends CommonOptions {
  /** Default 1. */
  lr?: number | undefined
  /** Decay of the means of squares; default 0.9. */
  rho?: number | undefined
}

type Deltas = { lr: number; rho: number; eps: number; weightDecay: number }

/** Steps of the size of earlier steps. Default eps 1e-6. Zeiler, 2012. torch.optim.Adadelta. */
export class Adadelta extends Optimizer<Deltas, Maximize> {
  constructor(params: Params<AdadeltaOptions>, options: AdadeltaOptions = {}) {
    const definition = {
      name: 'optim.Adadelta',
      hyper: { lr: hyper(1), rho: hyper(0.9, 0, 1), eps: hyper(1e-6), weightDecay: hyper(0) },
      flags: { maximize: false },
      states: () => ['square_avg', 'acc_delta'],
    } as const
    super(definition, params, options)
  }

  protected update({ param, grad, state, sizes }: Run, h: Cells<Deltas>, { maximize }: Maximize): void {
    const [v, a] = state as [Operand, Operand]
    emit(adadelta(param, grad, v, a, sizes, h.lr, h.rho, h.eps, h.weightDecay, Number(maximize)))
  }
}

export interface RMSpropOptions extends CommonOptions {
  /** Default 0.01. */
  lr?: number | undefined
  /** Decay of the mean of squares; default 0.99. */
  alpha?: number | undefined
  /** Default 0. Whether it is 0 is fixed when the optimizer is made. */
  momentum?: number | undefined
  /** Divide by the standard deviation of the gradient; default false. */
  centered?: boolean | undefined
}

type Means = { lr: number; alpha: number; eps: number; weightDecay: number; momentum: number }
type Centered = Maximize & { centered: boolean }

/** Divides by the root of the mean of squares. Default eps 1e-8. Hinton, 2012. torch.optim.RMSprop. */
export class RMSprop extends Optimizer<Means, Centered> {
  constructor(params: Params<RMSpropOptions>, options: RMSpropOptions = {}) {
    const definition = {
      name: 'optim.RMSprop',
      hyper: {
        lr: hyper(1e-2),
        alpha: hyper(0.99, 0, largestBeta),
        eps: hyper(1e-8),
        weightDecay: hyper(0),
        momentum: hyper(0),
      },
      flags: { centered: false, maximize: false },
      states: ({ momentum }: Means, { centered }: Centered) => [
        'square_avg',
        ...(momentum > 0 ? ['momentum_buffer'] : []),
        ...(centered ? ['grad_avg'] : []),
      ],
    } as const
    super(definition, params, options)
  }

  protected update({ param, grad, state, sizes }: Run, h: Cells<Means>, { centered, maximize }: Centered): void {
    const mean = (centered && state.at(-1)) || null
    const velocity = state.length > (centered ? 2 : 1) ? (state[1] as Operand) : null
    const [v] = state as [Operand]
    const sign = Number(maximize)
    emit(rmsprop(param, grad, v, velocity, mean, sizes, h.lr, h.alpha, h.eps, h.weightDecay, h.momentum, sign))
  }
}
