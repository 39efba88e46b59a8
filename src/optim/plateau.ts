// Rates that fall when training stops getting better.

import { anything, type Full, kindOf, number, option, settle, whole, word } from '../checks.ts'
import { inspect } from '../printed.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { ParameterGroups } from './parameters.ts'
import {
  checkOptimizer,
  checkState,
  type Group,
  type PerGroup,
  perGroup,
  type ScheduleState,
  textOf,
} from './schedule.ts'

export interface ReduceLROnPlateauOptions {
  /** Whether less is better; default 'min'. */
  mode?: 'min' | 'max' | undefined
  /** Default 0.1; below 1. */
  factor?: number | undefined
  /** Steps without progress that are waited for; default 10. */
  patience?: number | undefined
  /** What counts as progress; default 1e-4. */
  threshold?: number | undefined
  /** Whether threshold is a share of the best value; default 'rel'. */
  thresholdMode?: 'rel' | 'abs' | undefined
  /** Steps after a reduction that do not count; default 0. */
  cooldown?: number | undefined
  /** Default 0. */
  minLr?: PerGroup | undefined
  /** Changes of the rate that are not worth it; default 1e-8. */
  eps?: number | undefined
}

const caller = 'optim.ReduceLROnPlateau'

/** lr times factor when a measure stops getting better: `step(validationLoss)`.
 *  torch.optim.lr_scheduler.ReduceLROnPlateau. */
export class ReduceLROnPlateau {
  readonly optimizer: ParameterGroups
  lastEpoch = 0
  readonly #options: Omit<Full<ReduceLROnPlateauOptions>, 'minLr'>
  readonly #least: readonly number[]
  #best: number
  #bad = 0
  #cooling = 0

  constructor(optimizer: ParameterGroups, options: ReduceLROnPlateauOptions = {}) {
    checkOptimizer(caller, optimizer)
    const { minLr, ...settled } = settle(caller, options, {
      mode: option(word('min', 'max'), 'min'),
      factor: option(number(0, 1 - Number.EPSILON / 2), 0.1),
      patience: option(whole(0), 10),
      threshold: option(number(0), 1e-4),
      thresholdMode: option(word('rel', 'abs'), 'rel'),
      cooldown: option(whole(0), 0),
      minLr: option(anything, 0),
      eps: option(number(0), 1e-8),
    })
    this.optimizer = optimizer
    this.#options = settled
    this.#least = perGroup(caller, 'minLr', optimizer, minLr)
    this.#best = this.#worst
  }

  /** `measure`: a number, or a tensor of one element. */
  step(measure: number | Tensor): void {
    const value = measure instanceof Tensor ? measure.item() : measure
    if (typeof value !== 'number')
      throw new TypeError(`${caller}: step got ${kindOf(value)}, expected the measure as a number`)
    const { factor, patience, cooldown, eps } = this.#options
    this.lastEpoch++
    if (this.#better(value)) {
      this.#best = value
      this.#bad = 0
    } else this.#bad++
    if (this.#cooling > 0) {
      this.#cooling--
      this.#bad = 0
    }
    if (this.#bad <= patience) return
    ;(this.optimizer.paramGroups as readonly Group[]).forEach((group, i) => {
      const next = Math.max(group.lr * factor, this.#least[i] ?? 0)
      if (group.lr - next > eps) group.lr = next
    })
    this.#cooling = cooldown
    this.#bad = 0
  }

  get #worst(): number {
    return this.#options.mode === 'min' ? Infinity : -Infinity
  }

  #better(value: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options
    const margin = mode === 'min' ? -threshold : threshold
    const bound = thresholdMode === 'rel' ? this.#best * (1 + margin) : this.#best + margin
    return mode === 'min' ? value < bound : value > bound
  }

  /** The rates of the groups. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map(({ lr }) => lr)
  }

  toString(): string {
    return textOf(caller, this)
  }

  /** @internal */
  [inspect](): string {
    return this.toString()
  }

  /** Where the schedule stands; JSON keeps it. best is null before the first step. */
  stateDict(): ScheduleState {
    const best = Number.isFinite(this.#best) ? this.#best : null
    return { lastEpoch: this.lastEpoch, best, numBadEpochs: this.#bad, cooldownCounter: this.#cooling }
  }

  /** Takes what `stateDict` gave. Throws, with every missing, unexpected and unfit key named, and changes nothing. */
  loadStateDict(state: ScheduleState): void {
    checkState(caller, { ...this.stateDict(), best: null }, state)
    this.lastEpoch = state.lastEpoch as number
    this.#best = (state.best as number | null) ?? this.#worst
    this.#bad = state.numBadEpochs as number
    this.#cooling = state.cooldownCounter as number
  }
}
