// Rates that go up and down between bounds, with the momentum going the other way.

import { anything, callback, check, number, option, settle, whole, word } from '../checks.ts'
import { cos, pow } from '../math.ts'
import type { ParameterGroups } from './parameters.ts'
import { type Group, type PerGroup, perGroup, Schedule } from './schedule.ts'

/** Bounds of the momentum of each group; null where it does not cycle. `names`: what an optimizer may have as such. */
function momenta(
  caller: string,
  optimizer: ParameterGroups,
  cycle: boolean,
  low: PerGroup,
  high: PerGroup,
  names: readonly ('momentum' | 'betas')[],
): readonly { low: number; high: number }[] | null {
  const lows = perGroup(caller, 'baseMomentum', optimizer, low)
  const highs = perGroup(caller, 'maxMomentum', optimizer, high)
  if (!cycle) return null
  const group = optimizer.paramGroups[0] as Group
  if (names.every((name) => group[name] === undefined))
    throw new RangeError(
      `${caller}: cycleMomentum needs an optimizer with ${names.join(' or ')}; give { cycleMomentum: false }`,
    )
  return lows.map((low, i) => ({ low, high: highs[i] as number }))
}

/** A rate for each group. */
function rates(caller: string, name: string, optimizer: ParameterGroups, given: PerGroup): readonly number[] {
  const list = perGroup(caller, name, optimizer, given)
  for (const rate of list) check(caller, name, rate, number(0, Number.MAX_VALUE))
  return list
}

export interface OneCycleLROptions {
  /** Steps of the cycle; or give epochs and stepsPerEpoch. */
  totalSteps?: number | undefined
  epochs?: number | undefined
  stepsPerEpoch?: number | undefined
  /** Share of the steps in which the rate rises; default 0.3. */
  pctStart?: number | undefined
  /** Default 'cos'. */
  annealStrategy?: 'cos' | 'linear' | undefined
  /** Whether momentum (or the first beta) goes the other way; default true. */
  cycleMomentum?: boolean | undefined
  /** Default 0.85. */
  baseMomentum?: PerGroup | undefined
  /** Default 0.95. */
  maxMomentum?: PerGroup | undefined
  /** The first rate is maxLr / divFactor; default 25. */
  divFactor?: number | undefined
  /** The last rate is the first / finalDivFactor; default 1e4. */
  finalDivFactor?: number | undefined
  /** Fall to the first rate as it rose, then to the last; default false: straight to the last. */
  threePhase?: boolean | undefined
}

type Stage = 'first' | 'max' | 'last'

/** Up to maxLr and down again, momentum the other way. Smith, Topin, 2018. torch.optim.lr_scheduler.OneCycleLR. */
export class OneCycleLR extends Schedule {
  readonly #total: number

  constructor(optimizer: ParameterGroups, maxLr: PerGroup, options: OneCycleLROptions = {}) {
    super('optim.OneCycleLR', optimizer)
    const { caller } = this
    const factor = number(Number.MIN_VALUE)
    const settled = settle(caller, options, {
      totalSteps: option(anything),
      epochs: option(anything),
      stepsPerEpoch: option(anything),
      pctStart: option(number(0, 1), 0.3),
      annealStrategy: option(word('cos', 'linear'), 'cos'),
      cycleMomentum: true,
      baseMomentum: option(anything, 0.85),
      maxMomentum: option(anything, 0.95),
      divFactor: option(factor, 25),
      finalDivFactor: option(factor, 1e4),
      threePhase: false,
    })
    const { pctStart, annealStrategy, cycleMomentum, threePhase, divFactor, finalDivFactor } = settled
    const { baseMomentum, maxMomentum, totalSteps, epochs, stepsPerEpoch } = settled
    const total = totalSteps ?? (epochs as number) * (stepsPerEpoch as number)
    if (totalSteps === undefined && Number.isNaN(total))
      throw new TypeError(`${caller}: expected totalSteps, or epochs and stepsPerEpoch`)
    check(caller, 'totalSteps', total, whole(1))
    const stages = rates(caller, 'maxLr', optimizer, maxLr).map((max) => {
      const first = max / divFactor
      return { first, max, last: first / finalDivFactor }
    })
    const bounds = momenta(caller, optimizer, cycleMomentum, baseMomentum, maxMomentum, ['momentum', 'betas'])
    this.#total = total
    const rise = pctStart * total - 1
    const phases: { end: number; from: Stage; to: Stage }[] = [
      { end: rise, from: 'first', to: 'max' },
      ...(threePhase
        ? ([
            { end: 2 * pctStart * total - 2, from: 'max', to: 'first' },
            { end: total - 1, from: 'first', to: 'last' },
          ] as const)
        : ([{ end: total - 1, from: 'max', to: 'last' }] as const)),
    ]
    const anneal = (t: number, at: (stage: Stage) => number): number => {
      const found = phases.findIndex(({ end }) => t <= end)
      const phase = found < 0 ? phases.length - 1 : found
      const { end, from, to } = phases[phase] as (typeof phases)[number]
      const start = phases[phase - 1]?.end ?? 0
      const share = (t - start) / (end - start)
      if (annealStrategy === 'linear') return (at(to) - at(from)) * share + at(from)
      return at(to) + ((at(from) - at(to)) / 2) * (cos(Math.PI * share) + 1)
    }
    this.start(
      {
        rate: (_, t, __, i) => anneal(t, (stage) => (stages[i] as Record<Stage, number>)[stage]),
        momentum:
          bounds &&
          ((t, i) => {
            const { low, high } = bounds[i] as { low: number; high: number }
            return anneal(t, (stage) => (stage === 'max' ? low : high))
          }),
      },
      stages.map(({ first }) => first),
    )
  }

  override step(): void {
    if (this.lastEpoch + 1 > this.#total)
      throw new RangeError(
        `${this.caller}: step ${this.lastEpoch + 2} of a schedule of ${this.#total} steps; make it with more`,
      )
    super.step()
  }
}

export interface CyclicLROptions {
  /** Steps of the rising half; default 2000. */
  stepSizeUp?: number | undefined
  /** Steps of the falling half; default as stepSizeUp. */
  stepSizeDown?: number | undefined
  /** Heights: always the same, halved each cycle, or gamma^step; default 'triangular'. */
  mode?: 'triangular' | 'triangular2' | 'exp_range' | undefined
  /** Default 1. */
  gamma?: number | undefined
  /** A height of your own, in place of mode. */
  scaleFn?: ((x: number) => number) | undefined
  /** What scaleFn is given: the number of the cycle, from 1, or of the step; default 'cycle'. */
  scaleMode?: 'cycle' | 'iterations' | undefined
  /** Whether momentum goes the other way; default true. */
  cycleMomentum?: boolean | undefined
  /** Default 0.8. */
  baseMomentum?: PerGroup | undefined
  /** Default 0.9. */
  maxMomentum?: PerGroup | undefined
}

/** Up and down between baseLr and maxLr, again and again. Smith, 2017. torch.optim.lr_scheduler.CyclicLR. */
export class CyclicLR extends Schedule {
  constructor(optimizer: ParameterGroups, baseLr: PerGroup, maxLr: PerGroup, options: CyclicLROptions = {}) {
    super('optim.CyclicLR', optimizer)
    const { caller } = this
    const settled = settle(caller, options, {
      stepSizeUp: option(whole(1), 2000),
      stepSizeDown: option(whole(1)),
      mode: option(word('triangular', 'triangular2', 'exp_range'), 'triangular'),
      gamma: 1,
      scaleFn: option(callback),
      scaleMode: option(word('cycle', 'iterations'), 'cycle'),
      cycleMomentum: true,
      baseMomentum: option(anything, 0.8),
      maxMomentum: option(anything, 0.9),
    })
    const { stepSizeUp, mode, gamma, scaleFn, scaleMode, cycleMomentum, baseMomentum, maxMomentum } = settled
    const { stepSizeDown = stepSizeUp } = settled
    const lows = rates(caller, 'baseLr', optimizer, baseLr)
    const tops = rates(caller, 'maxLr', optimizer, maxLr)
    const bounds = momenta(caller, optimizer, cycleMomentum, baseMomentum, maxMomentum, ['momentum'])
    const size = stepSizeUp + stepSizeDown
    const ratio = stepSizeUp / size
    const byStep = scaleFn ? scaleMode === 'iterations' : mode === 'exp_range'
    const scale =
      scaleFn ??
      { triangular: () => 1, triangular2: (x: number) => pow(2, 1 - x), exp_range: (x: number) => pow(gamma, x) }[mode]
    const range = (t: number, low: number, high: number): number => {
      const cycle = Math.floor(1 + t / size)
      const x = 1 + t / size - cycle
      const height = x <= ratio ? x / ratio : (x - 1) / (ratio - 1)
      return (high - low) * height * scale(byStep ? t : cycle)
    }
    this.start(
      {
        rate: (_, t, base, i) => base + range(t, base, tops[i] as number),
        momentum:
          bounds &&
          ((t, i) => {
            const { low, high } = bounds[i] as { low: number; high: number }
            return high - range(t, low, high)
          }),
      },
      lows,
    )
  }
}
