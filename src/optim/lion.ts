import { countSteps, lion } from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import type { Operand } from '../core/storage.ts'
import { beta, betas } from './adam.ts'
import { hyper, type Params } from './definition.ts'
import { type Cells, Optimizer, type Run } from './optimizer.ts'

export interface LionOptions {
  /** Default 1e-4: about a tenth of what suits AdamW. */
  lr?: number | undefined
  /** Share of the momentum in the step, and decay of the momentum; default [0.9, 0.99]. */
  betas?: readonly [number, number] | undefined
  /** Apart from the gradient; default 0. */
  weightDecay?: number | undefined
  /** Climb instead of descend; default false. */
  maximize?: boolean | undefined
}

type Hyper = { lr: number; beta1: number; beta2: number; weightDecay: number }
type Flags = { maximize: boolean }

/** Steps by the sign of a momentum. Chen et al., 2023; PyTorch has none of its own. */
export class Lion extends Optimizer<Hyper, Flags> {
  constructor(params: Params<LionOptions>, options: LionOptions = {}) {
    const definition = {
      name: 'optim.Lion',
      hyper: { lr: hyper(1e-4), beta1: beta(0.9), beta2: beta(0.99), weightDecay: hyper(0) },
      flags: { maximize: false },
      pairs: betas,
      states: () => ['exp_avg'],
    }
    super(definition, params, options)
  }

  protected override count({ counters, sizes }: Run): void {
    emit(countSteps(counters, null, null, sizes[0] as number))
  }

  protected update({ param, grad, state, sizes }: Run, h: Cells<Hyper>, { maximize }: Flags): void {
    const [m] = state as [Operand]
    emit(lion(param, grad, m, sizes, h.lr, h.beta1, h.beta2, h.weightDecay, Number(maximize)))
  }
}
