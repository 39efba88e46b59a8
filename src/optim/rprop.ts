import { rprop } from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import type { Operand } from '../core/storage.ts'
import { hyper, type Params } from './definition.ts'
import { type Cells, Optimizer, type Run } from './optimizer.ts'

export interface RpropOptions {
  /** Size of the first step; default 0.01. */
  lr?: number | undefined
  /** Factors of the step where the gradient turns, and where it keeps its sign; default [0.5, 1.2]. */
  etas?: readonly [number, number] | undefined
  /** The smallest and the largest step; default [1e-6, 50]. */
  stepSizes?: readonly [number, number] | undefined
  /** Climb instead of descend; default false. */
  maximize?: boolean | undefined
}

type Maximize = { maximize: boolean }
type Steps = { lr: number; etaMinus: number; etaPlus: number; minStep: number; maxStep: number }

/** Steps by the signs of gradients alone; for whole data sets, not batches. Riedmiller, Braun, 1993.
 *  torch.optim.Rprop. */
export class Rprop extends Optimizer<Steps, Maximize> {
  constructor(params: Params<RpropOptions>, options: RpropOptions = {}) {
    const definition = {
      name: 'optim.Rprop',
      hyper: { lr: hyper(1e-2), etaMinus: hyper(0.5), etaPlus: hyper(1.2), minStep: hyper(1e-6), maxStep: hyper(50) },
      flags: { maximize: false },
      pairs: { etas: ['etaMinus', 'etaPlus'], stepSizes: ['minStep', 'maxStep'] },
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
