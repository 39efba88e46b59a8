// Learning rates over time. A schedule only sets the hyperparameter cells of its optimizer, so a compiled step
// follows without a new trace. Rates are computed in PyTorch's recursive forms and in its order of operations:
// schedules chain, and give its numbers to the rounding.

import { currentTrace } from '../core/engine.ts'
import { checkOptions } from '../tensor/options.ts'
import { Tensor } from '../tensor/tensor.ts'
import { ParameterGroups } from './optimizer.ts'

interface Group {
  lr: number
  momentum?: number
  betas?: readonly [number, number]
}

/** Rates that the first schedule of an optimizer found there: those made later start from them, too. */
const initialRates = new WeakMap<ParameterGroups, number[]>()

/** One value for every group, or a list of one for each. */
export type PerGroup<T = number> = T | readonly T[]

/** What `stateDict` of a schedule gives: plain JSON. */
export type ScheduleState = Record<string, unknown>

function whole(caller: string, name: string, value: unknown, least: number): void {
  if (!Number.isInteger(value) || (value as number) < least)
    throw new RangeError(`${caller}: ${name} is ${String(value)}, expected a whole number >= ${least}`)
}

function within(caller: string, name: string, value: unknown, low: number, high: number): void {
  if (typeof value !== 'number' || !(value >= low && value <= high))
    throw new RangeError(`${caller}: ${name} is ${String(value)}, expected a number from ${low} to ${high}`)
}

function choice(caller: string, name: string, value: unknown, expected: readonly string[]): void {
  if (!expected.includes(value as string))
    throw new RangeError(`${caller}: ${name} is ${String(value)}, expected ${expected.map((x) => `'${x}'`).join(', ')}`)
}

function perGroup<T>(caller: string, name: string, optimizer: ParameterGroups, value: PerGroup<T>): readonly T[] {
  const count = optimizer.paramGroups.length
  if (!Array.isArray(value)) return new Array<T>(count).fill(value as T)
  if (value.length !== count)
    throw new RangeError(`${caller}: ${name} has ${value.length} values, expected ${count}, one for each group`)
  return [...value]
}

function checkOptimizer(caller: string, optimizer: unknown): void {
  if (!(optimizer instanceof ParameterGroups))
    throw new TypeError(`${caller}: optimizer is ${typeof optimizer}, expected an optimizer of lanewise`)
  if (currentTrace())
    throw new Error(`${caller}: cannot be made while compile() traces; make it outside of the compiled function`)
}

/** The base of schedules: `step()` after each step (or epoch) of the optimizer, as in PyTorch.
 *  torch.optim.lr_scheduler.LRScheduler. */
export abstract class Schedule {
  readonly optimizer: ParameterGroups
  /** Steps taken. */
  lastEpoch = -1
  protected readonly caller: string
  protected baseLrs: number[]

  protected constructor(
    caller: string,
    optimizer: ParameterGroups,
    options: object = {},
    names: readonly string[] = [],
    switches: readonly string[] = [],
  ) {
    checkOptimizer(caller, optimizer)
    checkOptions(caller, options, names, switches)
    this.caller = caller
    this.optimizer = optimizer
    const known = initialRates.get(optimizer) ?? []
    this.baseLrs = this.groups.map(({ lr }, i) => known[i] ?? lr)
    initialRates.set(optimizer, [...this.baseLrs])
  }

  protected get groups(): readonly Group[] {
    return this.optimizer.paramGroups as readonly Group[]
  }

  /** The rate of a group from the present one, at `lastEpoch`. */
  protected abstract rate(lr: number, base: number, group: number): number

  /** The same from the base rate alone, where a schedule starts anew; PyTorch's closed form. */
  protected closed(base: number, group: number): number {
    return this.rate((this.groups[group] as Group).lr, base, group)
  }

  /** Moves on by one step: sets the rates of all groups. */
  step(): void {
    if (currentTrace()) throw new Error(`${this.caller}: step while compile() traces; call it between compiled steps`)
    this.lastEpoch++
    this.set((lr, base, i) => this.rate(lr, base, i))
  }

  /** Starts (again) from step 0. */
  restart(): void {
    this.lastEpoch = 0
    this.set((_, base, i) => this.closed(base, i))
  }

  /** As the constructor's first step; for schedules in a sequence. */
  begin(): void {
    this.lastEpoch = -1
    this.step()
  }

  protected set(rate: (lr: number, base: number, group: number) => number): void {
    // All before any is set: what is refused changes nothing.
    const rates = this.groups.map(({ lr }, i) => rate(lr, this.baseLrs[i] ?? lr, i))
    this.groups.forEach((group, i) => {
      group.lr = rates[i] as number
    })
  }

  /** The rates of the groups. */
  getLastLr(): number[] {
    return this.groups.map(({ lr }) => lr)
  }

  /** Where the schedule stands; JSON keeps it. Options and functions are not in it: make the schedule with the
   *  same ones. Load the optimizer's state dict, too: it holds the rates. */
  stateDict(): ScheduleState {
    return { lastEpoch: this.lastEpoch, baseLrs: [...this.baseLrs] }
  }

  /** Takes what `stateDict` gave. Throws, with every missing, unexpected and unfit key named, and changes nothing. */
  loadStateDict(state: ScheduleState): void {
    const own = this.stateDict()
    const faults = faultsOf(own, state)
    if (faults.length > 0) throw new Error(`${this.caller}: loadStateDict: ${faults.join('; ')}`)
    this.restore(state)
  }

  protected restore(state: ScheduleState): void {
    const { lastEpoch, baseLrs } = state as { lastEpoch: number; baseLrs: number[] }
    this.lastEpoch = lastEpoch
    this.baseLrs = [...baseLrs]
    initialRates.set(this.optimizer, [...baseLrs])
  }
}

/** How `given` differs in form from `own`: numbers (null stands for an infinite one), and lists of the same length. */
function faultsOf(own: ScheduleState, given: unknown, prefix = ''): string[] {
  if (typeof given !== 'object' || given === null)
    return [`${prefix || 'state'} is ${String(given)}, expected an object`]
  const state = given as ScheduleState
  return [
    ...Object.entries(own).flatMap(([key, value]) => {
      const name = prefix + key
      if (!Object.hasOwn(state, key)) return [`missing ${name}`]
      const other = state[key]
      if (Array.isArray(value)) {
        if (!Array.isArray(other) || other.length !== value.length)
          return [`${name} has ${Array.isArray(other) ? other.length : 'no'} values, expected ${value.length}`]
        return value.flatMap((item, i) =>
          typeof item === 'object'
            ? faultsOf(item as ScheduleState, other[i], `${name}[${i}].`)
            : numberFault(`${name}[${i}]`, other[i]),
        )
      }
      return value === null && other === null ? [] : numberFault(name, other, key === 'best')
    }),
    ...Object.keys(state).flatMap((key) => (Object.hasOwn(own, key) ? [] : [`unexpected ${prefix}${key}`])),
  ]
}

const numberFault = (name: string, value: unknown, optional = false): string[] =>
  Number.isFinite(value) || (optional && value === null) ? [] : [`${name} is ${String(value)}, expected a number`]

/** lr times gamma every `stepSize` steps. torch.optim.lr_scheduler.StepLR. */
export class StepLR extends Schedule {
  readonly #size: number
  readonly #gamma: number

  /** gamma: default 0.1. */
  constructor(optimizer: ParameterGroups, stepSize: number, options: { gamma?: number } = {}) {
    super('optim.StepLR', optimizer, options, ['gamma'])
    const { gamma = 0.1 } = options
    whole(this.caller, 'stepSize', stepSize, 1)
    within(this.caller, 'gamma', gamma, 0, Infinity)
    this.#size = stepSize
    this.#gamma = gamma
    this.step()
  }

  protected rate(lr: number): number {
    return this.lastEpoch === 0 || this.lastEpoch % this.#size !== 0 ? lr : lr * this.#gamma
  }

  protected override closed(base: number): number {
    return base * this.#gamma ** Math.floor(this.lastEpoch / this.#size)
  }
}

/** lr times gamma at each of the milestones. torch.optim.lr_scheduler.MultiStepLR. */
export class MultiStepLR extends Schedule {
  readonly #milestones: readonly number[]
  readonly #gamma: number

  /** gamma: default 0.1. */
  constructor(optimizer: ParameterGroups, milestones: readonly number[], options: { gamma?: number } = {}) {
    super('optim.MultiStepLR', optimizer, options, ['gamma'])
    const { gamma = 0.1 } = options
    if (!Array.isArray(milestones))
      throw new TypeError(`${this.caller}: milestones are ${typeof milestones}, expected a list of steps`)
    for (const milestone of milestones) whole(this.caller, 'a milestone', milestone, 0)
    within(this.caller, 'gamma', gamma, 0, Infinity)
    this.#milestones = [...milestones]
    this.#gamma = gamma
    this.step()
  }

  protected rate(lr: number): number {
    const times = this.#milestones.filter((milestone) => milestone === this.lastEpoch).length
    return times === 0 ? lr : lr * this.#gamma ** times
  }

  protected override closed(base: number): number {
    return base * this.#gamma ** this.#milestones.filter((milestone) => milestone <= this.lastEpoch).length
  }
}

/** lr times gamma at every step. torch.optim.lr_scheduler.ExponentialLR. */
export class ExponentialLR extends Schedule {
  readonly #gamma: number

  constructor(optimizer: ParameterGroups, gamma: number) {
    super('optim.ExponentialLR', optimizer)
    within(this.caller, 'gamma', gamma, 0, Infinity)
    this.#gamma = gamma
    this.step()
  }

  protected rate(lr: number): number {
    return this.lastEpoch === 0 ? lr : lr * this.#gamma
  }

  protected override closed(base: number): number {
    return base * this.#gamma ** this.lastEpoch
  }
}

/** lr times `factor` for the first `totalIters` steps. torch.optim.lr_scheduler.ConstantLR. */
export class ConstantLR extends Schedule {
  readonly #factor: number
  readonly #total: number

  /** factor: default 1/3, above 0; totalIters: default 5. */
  constructor(optimizer: ParameterGroups, options: { factor?: number; totalIters?: number } = {}) {
    super('optim.ConstantLR', optimizer, options, ['factor', 'totalIters'])
    const { factor = 1 / 3, totalIters = 5 } = options
    within(this.caller, 'factor', factor, Number.MIN_VALUE, 1)
    whole(this.caller, 'totalIters', totalIters, 0)
    this.#factor = factor
    this.#total = totalIters
    this.step()
  }

  protected rate(lr: number): number {
    if (this.lastEpoch === 0) return lr * this.#factor
    return this.lastEpoch === this.#total ? lr * (1 / this.#factor) : lr
  }

  protected override closed(base: number): number {
    return base * (this.#factor + Number(this.lastEpoch >= this.#total) * (1 - this.#factor))
  }
}

export interface LinearLROptions {
  /** Default 1/3; above 0. */
  startFactor?: number
  /** Default 1. */
  endFactor?: number
  /** Steps from the first factor to the last; default 5. */
  totalIters?: number
}

/** lr times a factor that goes straight from startFactor to endFactor in `totalIters` steps: warm-up.
 *  torch.optim.lr_scheduler.LinearLR. */
export class LinearLR extends Schedule {
  readonly #start: number
  readonly #end: number
  readonly #total: number

  constructor(optimizer: ParameterGroups, options: LinearLROptions = {}) {
    super('optim.LinearLR', optimizer, options, ['startFactor', 'endFactor', 'totalIters'])
    const { startFactor = 1 / 3, endFactor = 1, totalIters = 5 } = options
    within(this.caller, 'startFactor', startFactor, Number.MIN_VALUE, 1)
    within(this.caller, 'endFactor', endFactor, 0, 1)
    whole(this.caller, 'totalIters', totalIters, 1)
    this.#start = startFactor
    this.#end = endFactor
    this.#total = totalIters
    this.step()
  }

  protected rate(lr: number): number {
    const rise = this.#end - this.#start
    if (this.lastEpoch === 0) return lr * this.#start
    if (this.lastEpoch > this.#total) return lr
    return lr * (1 + rise / (this.#total * this.#start + (this.lastEpoch - 1) * rise))
  }

  protected override closed(base: number): number {
    return base * (this.#start + ((this.#end - this.#start) * Math.min(this.#total, this.lastEpoch)) / this.#total)
  }
}

/** Half a cosine from the first rate to etaMin in `tMax` steps, and back. torch.optim.lr_scheduler.CosineAnnealingLR. */
export class CosineAnnealingLR extends Schedule {
  readonly #t: number
  readonly #min: number

  /** etaMin: default 0. */
  constructor(optimizer: ParameterGroups, tMax: number, options: { etaMin?: number } = {}) {
    super('optim.CosineAnnealingLR', optimizer, options, ['etaMin'])
    const { etaMin = 0 } = options
    whole(this.caller, 'tMax', tMax, 1)
    within(this.caller, 'etaMin', etaMin, 0, Infinity)
    this.#t = tMax
    this.#min = etaMin
    this.step()
  }

  protected rate(lr: number, base: number): number {
    const t = this.#t
    const min = this.#min
    const now = this.lastEpoch
    if (now === 0) return lr
    if ((now - 1 - t) % (2 * t) === 0) return lr + ((base - min) * (1 - Math.cos(Math.PI / t))) / 2
    const ratio = (1 + Math.cos((Math.PI * now) / t)) / (1 + Math.cos((Math.PI * (now - 1)) / t))
    return ratio * (lr - min) + min
  }

  protected override closed(base: number): number {
    return this.#min + ((base - this.#min) * (1 + Math.cos((Math.PI * this.lastEpoch) / this.#t))) / 2
  }
}

/** Half a cosine to etaMin in t0 steps, then from the start again, each time in tMult times as many steps.
 *  torch.optim.lr_scheduler.CosineAnnealingWarmRestarts. */
export class CosineAnnealingWarmRestarts extends Schedule {
  readonly #t0: number
  readonly #mult: number
  readonly #min: number
  #cycle: number
  #at = -1

  /** tMult: default 1; etaMin: default 0. */
  constructor(optimizer: ParameterGroups, t0: number, options: { tMult?: number; etaMin?: number } = {}) {
    super('optim.CosineAnnealingWarmRestarts', optimizer, options, ['tMult', 'etaMin'])
    const { tMult = 1, etaMin = 0 } = options
    whole(this.caller, 't0', t0, 1)
    whole(this.caller, 'tMult', tMult, 1)
    within(this.caller, 'etaMin', etaMin, 0, Infinity)
    this.#t0 = t0
    this.#mult = tMult
    this.#min = etaMin
    this.#cycle = t0
    this.step()
  }

  override step(): void {
    if (this.lastEpoch >= 0) {
      this.#at++
      if (this.#at >= this.#cycle) {
        this.#at -= this.#cycle
        this.#cycle *= this.#mult
      }
    } else this.#rewind()
    super.step()
  }

  override restart(): void {
    this.#rewind()
    super.restart()
  }

  #rewind(): void {
    this.#at = 0
    this.#cycle = this.#t0
  }

  protected rate(_: number, base: number): number {
    return this.#min + ((base - this.#min) * (1 + Math.cos((Math.PI * this.#at) / this.#cycle))) / 2
  }

  override stateDict(): ScheduleState {
    return { ...super.stateDict(), tCur: this.#at, tI: this.#cycle }
  }

  protected override restore(state: ScheduleState): void {
    super.restore(state)
    this.#at = state.tCur as number
    this.#cycle = state.tI as number
  }
}

/** lr falls to 0 in `totalIters` steps by (1 - step / totalIters)^power. torch.optim.lr_scheduler.PolynomialLR. */
export class PolynomialLR extends Schedule {
  readonly #total: number
  readonly #power: number

  /** totalIters: default 5; power: default 1. */
  constructor(optimizer: ParameterGroups, options: { totalIters?: number; power?: number } = {}) {
    super('optim.PolynomialLR', optimizer, options, ['totalIters', 'power'])
    const { totalIters = 5, power = 1 } = options
    whole(this.caller, 'totalIters', totalIters, 1)
    within(this.caller, 'power', power, 0, Infinity)
    this.#total = totalIters
    this.#power = power
    this.step()
  }

  protected rate(lr: number): number {
    const now = this.lastEpoch
    if (now === 0 || now > this.#total) return lr
    return lr * ((1 - now / this.#total) / (1 - (now - 1) / this.#total)) ** this.#power
  }

  protected override closed(base: number): number {
    return base * (1 - Math.min(this.#total, this.lastEpoch) / this.#total) ** this.#power
  }
}

type Factor = (epoch: number) => number

function factors(caller: string, optimizer: ParameterGroups, given: PerGroup<Factor>): readonly Factor[] {
  const list = perGroup(caller, 'lrLambda', optimizer, given)
  for (const fn of list)
    if (typeof fn !== 'function')
      throw new TypeError(`${caller}: lrLambda is ${typeof fn}, expected a function of the step, or one for each group`)
  return list
}

/** The first rate times lrLambda(step). torch.optim.lr_scheduler.LambdaLR. */
export class LambdaLR extends Schedule {
  readonly #factors: readonly Factor[]

  constructor(optimizer: ParameterGroups, lrLambda: PerGroup<Factor>) {
    super('optim.LambdaLR', optimizer)
    this.#factors = factors(this.caller, optimizer, lrLambda)
    this.step()
  }

  protected rate(_: number, base: number, group: number): number {
    return base * (this.#factors[group] as Factor)(this.lastEpoch)
  }
}

/** lr times lrLambda(step) at every step after the first. torch.optim.lr_scheduler.MultiplicativeLR. */
export class MultiplicativeLR extends Schedule {
  readonly #factors: readonly Factor[]

  constructor(optimizer: ParameterGroups, lrLambda: PerGroup<Factor>) {
    super('optim.MultiplicativeLR', optimizer)
    this.#factors = factors(this.caller, optimizer, lrLambda)
    this.step()
  }

  protected rate(lr: number, _: number, group: number): number {
    return this.lastEpoch > 0 ? lr * (this.#factors[group] as Factor)(this.lastEpoch) : lr
  }
}

/** Sets what the optimizer of a group has as momentum: its momentum, or the first beta. */
function setMomentum(group: Group, value: number): void {
  if (group.momentum !== undefined) group.momentum = value
  else group.betas = [value, (group.betas as readonly [number, number])[1]]
}

function checkMomentum(caller: string, optimizer: ParameterGroups, names: readonly (keyof Group)[]): void {
  const [group] = optimizer.paramGroups as readonly Group[]
  if (!names.some((name) => group?.[name] !== undefined))
    throw new RangeError(
      `${caller}: cycleMomentum needs an optimizer with ${names.join(' or ')}; give { cycleMomentum: false }`,
    )
}

export interface OneCycleLROptions {
  /** Steps of the cycle; or give epochs and stepsPerEpoch. */
  totalSteps?: number
  epochs?: number
  stepsPerEpoch?: number
  /** Share of the steps in which the rate rises; default 0.3. */
  pctStart?: number
  /** Default 'cos'. */
  annealStrategy?: 'cos' | 'linear'
  /** Whether momentum (or the first beta) goes the other way; default true. */
  cycleMomentum?: boolean
  /** Default 0.85. */
  baseMomentum?: PerGroup
  /** Default 0.95. */
  maxMomentum?: PerGroup
  /** The first rate is maxLr / divFactor; default 25. */
  divFactor?: number
  /** The last rate is the first / finalDivFactor; default 1e4. */
  finalDivFactor?: number
  /** Fall to the first rate as it rose, then to the last; default false: straight to the last. */
  threePhase?: boolean
}

/** Up to maxLr and down again, momentum the other way. Smith, Topin, 2018. torch.optim.lr_scheduler.OneCycleLR. */
export class OneCycleLR extends Schedule {
  readonly #total: number
  readonly #linear: boolean
  readonly #momenta: readonly { base: number; max: number }[] | null
  readonly #rates: readonly { first: number; max: number; last: number }[]
  readonly #phases: readonly { end: number; from: Stage; to: Stage }[]

  constructor(optimizer: ParameterGroups, maxLr: PerGroup, options: OneCycleLROptions = {}) {
    super(
      'optim.OneCycleLR',
      optimizer,
      options,
      [
        'totalSteps',
        'epochs',
        'stepsPerEpoch',
        'pctStart',
        'annealStrategy',
        'baseMomentum',
        'maxMomentum',
        'divFactor',
        'finalDivFactor',
      ],
      ['cycleMomentum', 'threePhase'],
    )
    const { pctStart = 0.3, annealStrategy = 'cos', cycleMomentum = true, threePhase = false } = options
    const { divFactor = 25, finalDivFactor = 1e4, baseMomentum = 0.85, maxMomentum = 0.95 } = options
    const { totalSteps: total = (options.epochs as number) * (options.stepsPerEpoch as number) } = options
    if (options.totalSteps === undefined && Number.isNaN(total))
      throw new TypeError(`${this.caller}: expected totalSteps, or epochs and stepsPerEpoch`)
    whole(this.caller, 'totalSteps', total, 1)
    within(this.caller, 'pctStart', pctStart, 0, 1)
    choice(this.caller, 'annealStrategy', annealStrategy, ['cos', 'linear'])
    for (const [name, value] of Object.entries({ divFactor, finalDivFactor }))
      within(this.caller, name, value, Number.MIN_VALUE, Infinity)
    const rates = perGroup(this.caller, 'maxLr', optimizer, maxLr)
    for (const rate of rates) within(this.caller, 'maxLr', rate, 0, Number.MAX_VALUE)
    const bases = perGroup(this.caller, 'baseMomentum', optimizer, baseMomentum)
    const tops = perGroup(this.caller, 'maxMomentum', optimizer, maxMomentum)
    if (cycleMomentum) checkMomentum(this.caller, optimizer, ['momentum', 'betas'])
    this.#total = total
    this.#linear = annealStrategy === 'linear'
    this.#momenta = cycleMomentum ? bases.map((base, i) => ({ base, max: tops[i] as number })) : null
    this.#rates = rates.map((max) => ({ first: max / divFactor, max, last: max / divFactor / finalDivFactor }))
    const rise = { end: pctStart * total - 1, from: 'first', to: 'max' } as const
    this.#phases = threePhase
      ? [
          rise,
          { end: 2 * pctStart * total - 2, from: 'max', to: 'first' },
          { end: total - 1, from: 'first', to: 'last' },
        ]
      : [rise, { end: total - 1, from: 'max', to: 'last' }]
    this.baseLrs = this.#rates.map(({ first }) => first)
    initialRates.set(optimizer, [...this.baseLrs])
    this.step()
  }

  override step(): void {
    if (this.lastEpoch + 1 > this.#total)
      throw new RangeError(
        `${this.caller}: step ${this.lastEpoch + 2} of a schedule of ${this.#total} steps; make it with more`,
      )
    super.step()
    this.#setMomenta()
  }

  override restart(): void {
    super.restart()
    this.#setMomenta()
  }

  #setMomenta(): void {
    this.#momenta?.forEach(({ base, max }, i) => {
      setMomentum(
        this.groups[i] as Group,
        this.#anneal((stage) => (stage === 'max' ? base : max)),
      )
    })
  }

  #anneal(at: (stage: Stage) => number): number {
    const now = this.lastEpoch
    let phase = this.#phases.findIndex(({ end }) => now <= end)
    if (phase < 0) phase = this.#phases.length - 1
    const { end, from, to } = this.#phases[phase] as { end: number; from: Stage; to: Stage }
    const start = this.#phases[phase - 1]?.end ?? 0
    const share = (now - start) / (end - start)
    if (this.#linear) return (at(to) - at(from)) * share + at(from)
    return at(to) + ((at(from) - at(to)) / 2) * (Math.cos(Math.PI * share) + 1)
  }

  protected rate(_: number, __: number, group: number): number {
    return this.#anneal((stage) => (this.#rates[group] as Record<Stage, number>)[stage])
  }
}

type Stage = 'first' | 'max' | 'last'

export interface CyclicLROptions {
  /** Steps of the rising half; default 2000. */
  stepSizeUp?: number
  /** Steps of the falling half; default as stepSizeUp. */
  stepSizeDown?: number
  /** Heights: always the same, halved each cycle, or gamma^step; default 'triangular'. */
  mode?: 'triangular' | 'triangular2' | 'exp_range'
  /** Default 1. */
  gamma?: number
  /** A height of your own, in place of mode. */
  scaleFn?: (x: number) => number
  /** What scaleFn is given: the number of the cycle, from 1, or of the step; default 'cycle'. */
  scaleMode?: 'cycle' | 'iterations'
  /** Whether momentum goes the other way; default true. */
  cycleMomentum?: boolean
  /** Default 0.8. */
  baseMomentum?: PerGroup
  /** Default 0.9. */
  maxMomentum?: PerGroup
}

/** Up and down between baseLr and maxLr, again and again. Smith, 2017. torch.optim.lr_scheduler.CyclicLR. */
export class CyclicLR extends Schedule {
  readonly #tops: readonly number[]
  readonly #size: number
  readonly #ratio: number
  readonly #scale: (cycle: number) => number
  readonly #momenta: readonly { base: number; max: number }[] | null

  constructor(optimizer: ParameterGroups, baseLr: PerGroup, maxLr: PerGroup, options: CyclicLROptions = {}) {
    super(
      'optim.CyclicLR',
      optimizer,
      options,
      ['stepSizeUp', 'stepSizeDown', 'mode', 'gamma', 'scaleFn', 'scaleMode', 'baseMomentum', 'maxMomentum'],
      ['cycleMomentum'],
    )
    const { stepSizeUp = 2000, stepSizeDown = stepSizeUp, mode = 'triangular', gamma = 1, scaleFn } = options
    const { scaleMode = 'cycle', cycleMomentum = true, baseMomentum = 0.8, maxMomentum = 0.9 } = options
    whole(this.caller, 'stepSizeUp', stepSizeUp, 1)
    whole(this.caller, 'stepSizeDown', stepSizeDown, 1)
    choice(this.caller, 'mode', mode, ['triangular', 'triangular2', 'exp_range'])
    choice(this.caller, 'scaleMode', scaleMode, ['cycle', 'iterations'])
    const lows = perGroup(this.caller, 'baseLr', optimizer, baseLr)
    const tops = perGroup(this.caller, 'maxLr', optimizer, maxLr)
    for (const rate of [...lows, ...tops]) within(this.caller, 'a rate', rate, 0, Number.MAX_VALUE)
    const bases = perGroup(this.caller, 'baseMomentum', optimizer, baseMomentum)
    const most = perGroup(this.caller, 'maxMomentum', optimizer, maxMomentum)
    if (cycleMomentum) checkMomentum(this.caller, optimizer, ['momentum'])
    this.#tops = tops
    this.#size = stepSizeUp + stepSizeDown
    this.#ratio = stepSizeUp / this.#size
    this.#momenta = cycleMomentum ? bases.map((base, i) => ({ base, max: most[i] as number })) : null
    const byStep = scaleFn ? scaleMode === 'iterations' : mode === 'exp_range'
    const scale =
      scaleFn ??
      { triangular: () => 1, triangular2: (x: number) => 1 / 2 ** (x - 1), exp_range: (x: number) => gamma ** x }[mode]
    this.#scale = (cycle) => scale(byStep ? this.lastEpoch : cycle)
    this.baseLrs = [...lows]
    this.step()
  }

  override step(): void {
    super.step()
    this.#setMomenta()
  }

  override restart(): void {
    super.restart()
    this.#setMomenta()
  }

  #setMomenta(): void {
    const { height, cycle } = this.#place()
    this.#momenta?.forEach(({ base, max }, i) => {
      setMomentum(this.groups[i] as Group, max - (max - base) * height * this.#scale(cycle))
    })
  }

  #place(): { height: number; cycle: number } {
    const cycle = Math.floor(1 + this.lastEpoch / this.#size)
    const x = 1 + this.lastEpoch / this.#size - cycle
    return { height: x <= this.#ratio ? x / this.#ratio : (x - 1) / (this.#ratio - 1), cycle }
  }

  protected rate(_: number, base: number, group: number): number {
    const { height, cycle } = this.#place()
    return base + ((this.#tops[group] as number) - base) * height * this.#scale(cycle)
  }
}

function checkSchedules(caller: string, optimizer: ParameterGroups, schedules: readonly Schedule[]): void {
  if (!Array.isArray(schedules) || schedules.length === 0)
    throw new TypeError(`${caller}: schedules are ${String(schedules)}, expected a list of schedules`)
  for (const [i, schedule] of schedules.entries()) {
    if (!(schedule instanceof Schedule)) throw new TypeError(`${caller}: schedule ${i} is no schedule of lanewise`)
    if (schedule.optimizer !== optimizer)
      throw new RangeError(`${caller}: schedule ${i} belongs to another optimizer, expected the same one for all`)
  }
}

/** One schedule after the other, each from its milestone on: warm-up, say, is
 *  `new SequentialLR(o, [new LinearLR(o, { totalIters: 100 }), new CosineAnnealingLR(o, 900)], [100])`.
 *  torch.optim.lr_scheduler.SequentialLR. */
export class SequentialLR extends Schedule {
  readonly #schedules: readonly Schedule[]
  readonly #milestones: readonly number[]

  constructor(optimizer: ParameterGroups, schedules: readonly Schedule[], milestones: readonly number[]) {
    super('optim.SequentialLR', optimizer)
    checkSchedules(this.caller, optimizer, schedules)
    if (!Array.isArray(milestones) || milestones.length !== schedules.length - 1)
      throw new RangeError(
        `${this.caller}: got ${schedules.length} schedules and ${milestones?.length ?? 'no'} milestones, expected one milestone less than schedules`,
      )
    milestones.forEach((milestone, i) => {
      whole(this.caller, 'a milestone', milestone, (milestones[i - 1] ?? 0) + 1)
    })
    this.#schedules = [...schedules]
    this.#milestones = [...milestones]
    this.lastEpoch = 0
    this.groups.forEach((group, i) => {
      group.lr = this.baseLrs[i] as number
    })
    // Their first steps are undone; those in a sequence begin when their turn comes.
    for (const schedule of schedules) schedule.lastEpoch--
    ;(schedules[0] as Schedule).begin()
  }

  override step(): void {
    const next = this.lastEpoch + 1
    const turn = this.#milestones.filter((milestone) => milestone <= next).length
    const schedule = this.#schedules[turn] as Schedule
    if (turn > 0 && this.#milestones[turn - 1] === next) schedule.restart()
    else schedule.step()
    this.lastEpoch = next
  }

  override restart(): void {
    this.lastEpoch = 0
    ;(this.#schedules[0] as Schedule).restart()
  }

  protected rate(lr: number): number {
    return lr
  }

  override stateDict(): ScheduleState {
    return { ...super.stateDict(), schedules: this.#schedules.map((schedule) => schedule.stateDict()) }
  }

  protected override restore({ schedules, ...own }: ScheduleState): void {
    super.restore(own)
    for (const [i, schedule] of this.#schedules.entries())
      schedule.loadStateDict((schedules as ScheduleState[])[i] as ScheduleState)
  }
}

/** Several schedules at each step: their factors multiply. torch.optim.lr_scheduler.ChainedScheduler. */
export class ChainedScheduler extends Schedule {
  readonly #schedules: readonly Schedule[]

  constructor(schedules: readonly Schedule[]) {
    const first = Array.isArray(schedules) ? (schedules as readonly Schedule[])[0] : undefined
    if (!(first instanceof Schedule))
      throw new TypeError(`optim.ChainedScheduler: schedules are ${String(schedules)}, expected a list of schedules`)
    super('optim.ChainedScheduler', first.optimizer)
    checkSchedules(this.caller, first.optimizer, schedules)
    this.#schedules = [...schedules]
    this.lastEpoch = 0
  }

  override step(): void {
    for (const schedule of this.#schedules) schedule.step()
    this.lastEpoch++
  }

  override restart(): void {
    for (const schedule of this.#schedules) schedule.restart()
    this.lastEpoch = 0
  }

  protected rate(lr: number): number {
    return lr
  }

  override stateDict(): ScheduleState {
    return { ...super.stateDict(), schedules: this.#schedules.map((schedule) => schedule.stateDict()) }
  }

  protected override restore({ schedules, ...own }: ScheduleState): void {
    super.restore(own)
    for (const [i, schedule] of this.#schedules.entries())
      schedule.loadStateDict((schedules as ScheduleState[])[i] as ScheduleState)
  }
}

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

/** lr times factor when a measure stops getting better: `step(validationLoss)`.
 *  torch.optim.lr_scheduler.ReduceLROnPlateau. */
export class ReduceLROnPlateau {
  readonly optimizer: ParameterGroups
  lastEpoch = 0
  readonly #options: Required<Omit<ReduceLROnPlateauOptions, 'minLr'>>
  readonly #least: readonly number[]
  #best: number
  #bad = 0
  #cooling = 0

  constructor(optimizer: ParameterGroups, options: ReduceLROnPlateauOptions = {}) {
    const caller = 'optim.ReduceLROnPlateau'
    checkOptimizer(caller, optimizer)
    const defaults = {
      mode: 'min',
      factor: 0.1,
      patience: 10,
      threshold: 1e-4,
      thresholdMode: 'rel',
      cooldown: 0,
      eps: 1e-8,
    } as const
    checkOptions(caller, options, [...Object.keys(defaults), 'minLr'])
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
    const { minLr = 0, ...rest } = { ...defaults, ...given } as ReduceLROnPlateauOptions
    const settled = rest as Required<Omit<ReduceLROnPlateauOptions, 'minLr'>>
    choice(caller, 'mode', settled.mode, ['min', 'max'])
    choice(caller, 'thresholdMode', settled.thresholdMode, ['rel', 'abs'])
    within(caller, 'factor', settled.factor, 0, 1 - 2 ** -53)
    for (const name of ['patience', 'cooldown'] as const) whole(caller, name, settled[name], 0)
    for (const name of ['threshold', 'eps'] as const) within(caller, name, settled[name], 0, Infinity)
    this.optimizer = optimizer
    this.#options = settled
    this.#least = perGroup(caller, 'minLr', optimizer, minLr)
    this.#best = settled.mode === 'min' ? Infinity : -Infinity
  }

  /** `measure`: a number, or a tensor of one element. */
  step(measure: number | Tensor): void {
    const value = measure instanceof Tensor ? measure.item() : measure
    if (typeof value !== 'number')
      throw new TypeError(`optim.ReduceLROnPlateau: step got ${typeof value}, expected the measure as a number`)
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

  #better(value: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options
    const best = this.#best
    if (mode === 'min') return value < (thresholdMode === 'rel' ? best * (1 - threshold) : best - threshold)
    return value > (thresholdMode === 'rel' ? best * (threshold + 1) : best + threshold)
  }

  /** The rates of the groups. */
  getLastLr(): number[] {
    return (this.optimizer.paramGroups as readonly Group[]).map(({ lr }) => lr)
  }

  /** Where the schedule stands; JSON keeps it. best is null before the first step. */
  stateDict(): ScheduleState {
    const best = Number.isFinite(this.#best) ? this.#best : null
    return { lastEpoch: this.lastEpoch, best, numBadEpochs: this.#bad, cooldownCounter: this.#cooling }
  }

  /** Takes what `stateDict` gave. Throws, with every missing, unexpected and unfit key named, and changes nothing. */
  loadStateDict(state: ScheduleState): void {
    const faults = faultsOf({ ...this.stateDict(), best: 0 }, state)
    if (faults.length > 0) throw new Error(`optim.ReduceLROnPlateau: loadStateDict: ${faults.join('; ')}`)
    this.lastEpoch = state.lastEpoch as number
    this.#best = (state.best as number | null) ?? (this.#options.mode === 'min' ? Infinity : -Infinity)
    this.#bad = state.numBadEpochs as number
    this.#cooling = state.cooldownCounter as number
  }
}
