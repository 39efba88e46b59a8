// Rates that fall when training stops getting better.

import { checkChoice, checkNumber, checkWhole, kindOf } from '../tensor/checks.ts'
import { settle } from '../tensor/options.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { ParameterGroups } from './parameters.ts'
import { checkOptimizer, checkState, type Group, type PerGroup, perGroup, type ScheduleState } from './schedule.ts'

export interface ReduceLROnPlateauOptions {
  /** Whether less is better; default 'min'. */
  mode?: 'min' | 'max'
  /** Default 0.1; below 1. */
  factor?: number
  /** Steps without progress that are waited for; default 10. */
  patience?: number
  /** What counts as progress; default 1e-4. */
  threshold?: number
  /** Whether threshold is a share of the best value; default 'rel'. */
  thresholdMode?: 'rel' | 'abs'
  /** Steps after a reduction that do not count; default 0. */
  cooldown?: number
  /** Default 0. */
  minLr?: PerGroup
  /** Changes of the rate that are not worth it; default 1e-8. */
  eps?: number
}

const caller = 'optim.ReduceLROnPlateau'

type Settings = Required<ReduceLROnPlateauOptions>

const defaults: Settings = {
  mode: 'min',
  factor: 0.1,
  patience: 10,
  threshold: 1e-4,
  thresholdMode: 'rel',
  cooldown: 0,
  minLr: 0,
  eps: 1e-8,
}

/** lr times factor when a measure stops getting better: `step(validationLoss)`.
 *  torch.optim.lr_scheduler.ReduceLROnPlateau. */
export class ReduceLROnPlateau {
  readonly optimizer: ParameterGroups
  lastEpoch = 0
  readonly #options: Omit<Settings, 'minLr'>
  readonly #least: readonly number[]
  #best: number
  #bad = 0
  #cooling = 0

  constructor(optimizer: ParameterGroups, options: ReduceLROnPlateauOptions = {}) {
    checkOptimizer(caller, optimizer)
    const { minLr, ...settled } = settle(caller, options, defaults)
    checkChoice(caller, 'mode', settled.mode, ['min', 'max'])
    checkChoice(caller, 'thresholdMode', settled.thresholdMode, ['rel', 'abs'])
    checkNumber(caller, 'factor', settled.factor, 0, 1 - Number.EPSILON / 2)
    for (const name of ['patience', 'cooldown'] as const) checkWhole(caller, name, settled[name], 0)
    for (const name of ['threshold', 'eps'] as const) checkNumber(caller, name, settled[name], 0)
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
