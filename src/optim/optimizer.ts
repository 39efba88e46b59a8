// Steps on gradients: stretches of parameters, and the commands that update them.

import { countSteps } from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import type { Operand, Storage } from '../core/storage.ts'
import { guardState } from '../tensor/guards.ts'
import { backward } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Flags, Hyperparameters } from './definition.ts'
import { paddedBytes } from './flat.ts'
import { COUNTERS, F64, type Group } from './group.ts'
import { ParameterGroups } from './parameters.ts'
import { stretchesOf } from './stretches.ts'

/** A stretch of parameters whose values, gradients and state all lie one after the other. */
export interface Run {
  readonly params: readonly Tensor[]
  readonly param: Operand
  readonly grad: Operand
  readonly state: readonly Operand[]
  /** Three f64 for each parameter: its steps, and what an optimizer derives from them. */
  readonly counters: Operand
  /** Number of parameters, then the elements of each, padding included. */
  readonly sizes: readonly number[]
}

/** Where an update finds its hyperparameters. */
export type Cells<H extends Hyperparameters> = Record<keyof H, Operand>

/** The base of optimizers that step on gradients alone. Subclasses say how a run of parameters is updated.
 *  torch.optim.Optimizer. */
// biome-ignore lint/suspicious/noExplicitAny: what takes any optimizer
export abstract class Optimizer<H extends Hyperparameters = any, F extends Flags = any> extends ParameterGroups<H, F> {
  /** Updates every parameter that has a gradient. */
  step(): void {
    if (this.disposed) throw new Error(`${this.definition.name}: step after dispose()`)
    guardState(this, () => this.groups.length)
    for (const group of this.groups) {
      const runs = runsOf(group as unknown as Group<Hyperparameters, Flags>)
      if (runs.length === 0) continue
      const hyper = Object.fromEntries(
        group.names.map((key, i) => [key, { storage: group.cells, offset: F64 * i }]),
      ) as Cells<H>
      for (const run of runs) {
        this.count(run, hyper)
        this.update(run, hyper, group.flags)
      }
    }
  }

  /** One whole step for a loss: zeroGrad, backward, step. */
  minimize(loss: Tensor): void {
    this.zeroGrad()
    backward(loss)
    this.step()
  }

  /** Counts a step of each parameter. */
  protected count({ counters, sizes }: Run, hyper: Cells<H>): void {
    const { beta1 = null, beta2 = null } = hyper as Partial<Record<string, Operand>>
    emit(countSteps(counters, beta1, beta2, sizes[0] as number))
  }

  /** Emits the commands that update a run of parameters. */
  protected abstract update(run: Run, hyper: Cells<H>, flags: F): void
}

/** The stretches of parameters with gradients that lie without gaps in all blocks. */
function runsOf({ params, state, cells, names }: Group<Hyperparameters, Flags>): Run[] {
  const stretches = stretchesOf(
    params,
    (param, i) =>
      param.grad && [
        [param.storage, param.offset],
        [param.gradStorage as Storage, 0],
        ...state.map((flat) => [flat.whole, flat.offset(i)] as const),
      ],
  )
  return stretches.map(({ first, starts, sizes: [count] }) => {
    const [param, grad, ...places] = starts as [Operand, Operand, ...Operand[]]
    const part = params.slice(first, first + (count as number))
    return {
      params: part,
      param,
      grad,
      state: places,
      counters: { storage: cells, offset: F64 * (names.length + COUNTERS * first) },
      sizes: [part.length, ...part.map((tensor) => paddedBytes(tensor) / 4)],
    }
  })
}
