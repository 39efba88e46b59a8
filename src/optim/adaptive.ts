// Optimizers with a rate for each element of a parameter, besides Adam.

import type { Operand } from '../core/command.ts'
import { adadelta, adagrad, adamax, countNadam, nadam, radam, rmsprop, rprop } from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { betas, largestBeta } from './adam.ts'
import { type Cells, Optimizer, type Params, type Run } from './optimizer.ts'

interface CommonOptions {
  /** Added to the denominator. */
  eps?: number
  /** Times the parameter, added to the gradient; default 0. */
  weightDecay?: number
  /** Climb instead of descend; default false. */
  maximize?: boolean
}

export interface MomentsOptions extends CommonOptions {
  lr?: number
  /** Decay of the mean of gradients, and of what divides it; default [0.9, 0.999]. */
  betas?: readonly [number, number]
}

export interface NAdamOptions extends MomentsOptions {
  /** How fast momentum grows; default 0.004. */
  momentumDecay?: number
}

type Maximize = { maximize: boolean }
const maximizeOff: Maximize = { maximize: false }
type Moments = { lr: number; beta1: number; beta2: number; eps: number; weightDecay: number }
type Nesterov = Moments & { momentumDecay: number }

/** Adam with Nesterov momentum. Defaults: lr 2e-3, eps 1e-8. Dozat, 2016. torch.optim.NAdam. */
export class NAdam extends Optimizer<Nesterov, Maximize> {
  constructor(params: Params<NAdamOptions>, options: NAdamOptions = {}) {
    const definition = {
      name: 'optim.NAdam',
      defaults: { lr: 2e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, momentumDecay: 4e-3 },
      flags: maximizeOff,
      ...betas,
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
export class RAdam extends Optimizer<Moments, Maximize> {
  constructor(params: Params<MomentsOptions>, options: MomentsOptions = {}) {
    const definition = {
      name: 'optim.RAdam',
      defaults: { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 },
      flags: maximizeOff,
      ...betas,
      states: () => ['exp_avg', 'exp_avg_sq'],
    }
    super(definition, params, options)
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Cells<Moments>, { maximize }: Maximize): void {
    const [m, v] = state as [Operand, Operand]
    const { lr, beta1, beta2, eps, weightDecay } = h
    emit(radam(param, grad, m, v, counters, sizes, lr, beta1, beta2, eps, weightDecay, Number(maximize)))
  }
}

/** Adam with the largest gradient instead of the mean of squares. Defaults: lr 2e-3, eps 1e-8. Kingma, Ba, 2015.
 *  torch.optim.Adamax. */
export class Adamax extends Optimizer<Moments, Maximize> {
  constructor(params: Params<MomentsOptions>, options: MomentsOptions = {}) {
    const definition = {
      name: 'optim.Adamax',
      defaults: { lr: 2e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 },
      flags: maximizeOff,
      ...betas,
      states: () => ['exp_avg', 'exp_inf'],
    }
    super(definition, params, options)
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Cells<Moments>, { maximize }: Maximize): void {
    const [m, most] = state as [Operand, Operand]
    const { lr, beta1, beta2, eps, weightDecay } = h
    emit(adamax(param, grad, m, most, counters, sizes, lr, beta1, beta2, eps, weightDecay, Number(maximize)))
  }
}

export interface AdagradOptions extends CommonOptions {
  /** Default 0.01. */
  lr?: number
  /** lr is divided by 1 + lrDecay (steps - 1); default 0. */
  lrDecay?: number
  /** What sums of squares start from; default 0. */
  initialAccumulatorValue?: number
}

type Sums = { lr: number; lrDecay: number; eps: number; weightDecay: number; initialAccumulatorValue: number }

/** Divides by the root of the sum of all squares. Default eps 1e-10. Duchi et al., 2011. torch.optim.Adagrad. */
export class Adagrad extends Optimizer<Sums, Maximize> {
  constructor(params: Params<AdagradOptions>, options: AdagradOptions = {}) {
    const definition = {
      name: 'optim.Adagrad',
      defaults: { lr: 1e-2, lrDecay: 0, eps: 1e-10, weightDecay: 0, initialAccumulatorValue: 0 },
      flags: maximizeOff,
      ranges: {},
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
  lr?: number
  /** Decay of the means of squares; default 0.9. */
  rho?: number
}

type Deltas = { lr: number; rho: number; eps: number; weightDecay: number }

/** Steps of the size of earlier steps. Default eps 1e-6. Zeiler, 2012. torch.optim.Adadelta. */
export class Adadelta extends Optimizer<Deltas, Maximize> {
  constructor(params: Params<AdadeltaOptions>, options: AdadeltaOptions = {}) {
    const definition = {
      name: 'optim.Adadelta',
      defaults: { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0 },
      flags: maximizeOff,
      ranges: { rho: [0, 1] },
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
  lr?: number
  /** Decay of the mean of squares; default 0.99. */
  alpha?: number
  /** Default 0. Whether it is 0 is fixed when the optimizer is made. */
  momentum?: number
  /** Divide by the standard deviation of the gradient; default false. */
  centered?: boolean
}

type Means = { lr: number; alpha: number; eps: number; weightDecay: number; momentum: number }
type Centered = Maximize & { centered: boolean }

/** Divides by the root of the mean of squares. Default eps 1e-8. Hinton, 2012. torch.optim.RMSprop. */
export class RMSprop extends Optimizer<Means, Centered> {
  constructor(params: Params<RMSpropOptions>, options: RMSpropOptions = {}) {
    const definition = {
      name: 'optim.RMSprop',
      defaults: { lr: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0 },
      flags: { centered: false, maximize: false },
      ranges: { alpha: [0, largestBeta] },
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

export interface RpropOptions {
  /** Size of the first step; default 0.01. */
  lr?: number
  /** Factors of the step where the gradient turns, and where it keeps its sign; default [0.5, 1.2]. */
  etas?: readonly [number, number]
  /** The smallest and the largest step; default [1e-6, 50]. */
  stepSizes?: readonly [number, number]
  /** Climb instead of descend; default false. */
  maximize?: boolean
}

type Steps = { lr: number; etaMinus: number; etaPlus: number; minStep: number; maxStep: number }

/** Steps by the signs of gradients alone; for whole data sets, not batches. Riedmiller, Braun, 1993.
 *  torch.optim.Rprop. */
export class Rprop extends Optimizer<Steps, Maximize> {
  constructor(params: Params<RpropOptions>, options: RpropOptions = {}) {
    const definition = {
      name: 'optim.Rprop',
      defaults: { lr: 1e-2, etaMinus: 0.5, etaPlus: 1.2, minStep: 1e-6, maxStep: 50 },
      flags: maximizeOff,
      pairs: { etas: ['etaMinus', 'etaPlus'], stepSizes: ['minStep', 'maxStep'] },
      ranges: {},
      check({ etaMinus, etaPlus, minStep, maxStep }: Steps) {
        if (!(etaMinus > 0 && etaMinus < 1 && etaPlus > 1))
          throw new RangeError(`optim.Rprop: etas are ${etaMinus}, ${etaPlus}, expected 0 < first < 1 < second`)
        if (minStep > maxStep)
          throw new RangeError(`optim.Rprop: stepSizes are ${minStep}, ${maxStep}, expected first <= second`)
      },
      states: () => ['prev', 'step_size'],
    } as const
    super(definition, params, options)
  }

  protected update({ param, grad, state, counters, sizes }: Run, h: Cells<Steps>, { maximize }: Maximize): void {
    const [prev, size] = state as [Operand, Operand]
    const { lr, etaMinus, etaPlus, minStep, maxStep } = h
    const sign = Number(maximize)
    emit(rprop(param, grad, prev, size, counters, sizes, lr, etaMinus, etaPlus, minStep, maxStep, sign))
  }
}
