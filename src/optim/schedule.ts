// Learning rates over time. A schedule only sets the hyperparameter cells of its optimizer, so a compiled step
// follows without a new trace. Rates are computed in PyTorch's recursive forms and in its order of operations:
// schedules chain, and give its numbers to the rounding.

import { check, kindOf, number, option, settle, whole, written } from '../checks.ts'
import { checkUntraced } from '../core/engine.ts'
import { cos, pow } from '../math.ts'
import { inspect, printed } from '../printed.ts'
import { ParameterGroups } from './parameters.ts'

export interface Group {
  lr: number
  momentum?: number | undefined
  betas?: readonly [number, number] | undefined
}

/** Rates that the first schedule of an optimizer found there: those made later start from them, too. */
const initialRates = new WeakMap<ParameterGroups, readonly number[]>()

/** One value for every group, or a list of one for each. */
export type PerGroup<T = number> = T | readonly T[]

/** What `stateDict` of a schedule gives: plain JSON. */
export type ScheduleState = Record<string, unknown>

export function perGroup<T>(
  caller: string,
  name: string,
  optimizer: ParameterGroups,
  value: PerGroup<T>,
): readonly T[] {
  const count = optimizer.paramGroups.length
  if (!Array.isArray(value)) return new Array<T>(count).fill(value as T)
  if (value.length !== count)
    throw new RangeError(`${caller}: ${name} has ${value.length} values, expected ${count}, one for each group`)
  return [...value]
}

export function checkOptimizer(caller: string, optimizer: unknown): void {
  if (!(optimizer instanceof ParameterGroups))
    throw new TypeError(`${caller}: optimizer is ${kindOf(optimizer)}, expected an optimizer of lanewise`)
  checkUntraced(`${caller}: cannot be made`, 'make it outside of the compiled function')
}

/** A schedule in a line, with the rates that it has set. */
export function textOf(
  caller: string,
  schedule: { lastEpoch: number; optimizer: ParameterGroups; getLastLr(): number[] },
): string {
  const { lastEpoch, optimizer } = schedule
  const rates = optimizer.disposed ? ['disposed'] : schedule.getLastLr()
  return printed(caller.replace('optim.', ''), { lastEpoch, lr: rates.length === 1 ? rates[0] : rates })
}

/** How a schedule goes; `t` is the number of steps taken, `group` the index of a group. */
interface Rules {
  /** The rate from the present one, `lr`; `base` is the first. */
  rate(lr: number, t: number, base: number, group: number): number
  /** The same from the base rate alone, where a schedule starts anew: PyTorch's closed form. Default: rate. */
  closed?(base: number, t: number): number
  /** What the optimizer has as momentum: its momentum, or the first beta. */
  momentum?: (((t: number, group: number) => number) | null) | undefined
}

/** The base of schedules: `step()` after each step (or epoch) of the optimizer, as in PyTorch.
 *  torch.optim.lr_scheduler.LRScheduler. */
export abstract class Schedule {
  readonly optimizer: ParameterGroups
  /** Steps taken. */
  lastEpoch = -1
  protected readonly caller: string
  #rules: Rules = { rate: (lr) => lr, closed: (base) => base }
  #baseLrs: readonly number[]

  protected constructor(caller: string, optimizer: ParameterGroups) {
    checkOptimizer(caller, optimizer)
    this.caller = caller
    this.optimizer = optimizer
    const known = initialRates.get(optimizer) ?? []
    this.#baseLrs = this.getLastLr().map((lr, i) => known[i] ?? lr)
  }

  /** Takes the first step; from the rates `first`, where they are not the optimizer's. */
  protected start(rules: Rules, first = this.#baseLrs): void {
    this.#rules = rules
    this.#baseLrs = first
    initialRates.set(this.optimizer, first)
    this.step()
  }

  /** Moves on by one step: sets the rates of all groups. */
  step(): void {
    checkUntraced(`${this.caller}: step`, 'call it between compiled steps')
    this.lastEpoch++
    this.#set(this.#rules.rate)
  }

  /** Starts (again) from step 0. */
  restart(): void {
    this.lastEpoch = 0
    const { closed, rate } = this.#rules
    this.#set(closed ? (_, t, base) => closed(base, t) : rate)
  }

  /** As the constructor's first step; for schedules in a sequence. */
  begin(): void {
    this.lastEpoch = -1
    this.step()
  }

  #set(rate: Rules['rate']): void {
    const t = this.lastEpoch
    const { momentum } = this.#rules
    const groups = this.optimizer.paramGroups as readonly Group[]
    // All before any is set: what is refused changes nothing.
    const rates = groups.map(({ lr }, i) => rate(lr, t, this.#baseLrs[i] ?? lr, i))
    groups.forEach((group, i) => {
      group.lr = rates[i] as number
      if (!momentum) return
      if (group.momentum !== undefined) group.momentum = momentum(t, i)
      else group.betas = [momentum(t, i), (group.betas as readonly [number, number])[1]]
    })
  }

  /** The rates of the groups. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map(({ lr }) => lr)
  }

  toString(): string {
    return textOf(this.caller, this)
  }

  /** @internal */
  [inspect](): string {
    return this.toString()
  }

  /** Where the schedule stands; JSON keeps it. Options and functions are not in it: make the schedule with the
   *  same ones. Load the optimizer's state dict, too: it holds the rates. */
  stateDict(): ScheduleState {
    return { lastEpoch: this.lastEpoch, baseLrs: [...this.#baseLrs] }
  }

  /** Takes what `stateDict` gave. Throws, with every missing, unexpected and unfit key named, and changes nothing. */
  loadStateDict(state: ScheduleState): void {
    checkState(this.caller, this.stateDict(), state)
    this.restore(state)
  }

  protected restore(state: ScheduleState): void {
    const { lastEpoch, baseLrs } = state as { lastEpoch: number; baseLrs: number[] }
    this.lastEpoch = lastEpoch
    this.#baseLrs = [...baseLrs]
    initialRates.set(this.optimizer, this.#baseLrs)
  }
}

/** Throws where `given` differs in form from `own`: numbers, and lists of the same length. */
export function checkState(caller: string, own: ScheduleState, given: unknown): void {
  const faults = faultsOf(own, given, '')
  if (faults.length > 0) throw new Error(`${caller}: loadStateDict: ${faults.join('; ')}`)
}

function faultsOf(own: unknown, given: unknown, name: string): string[] {
  if (typeof own === 'number') return Number.isFinite(given) ? [] : [`${name} is ${written(given)}, expected a number`]
  // null stands for an infinite number, which JSON has not.
  if (own === null) return given === null ? [] : faultsOf(0, given, name)
  if (Array.isArray(own)) {
    const count = Array.isArray(given) ? given.length : 'no'
    if (count !== own.length) return [`${name} has ${count} values, expected ${own.length}`]
    return own.flatMap((item, i) => faultsOf(item, (given as unknown[])[i], `${name}[${i}]`))
  }
  if (typeof given !== 'object' || given === null)
    return [`${name || 'state'} is ${written(given)}, expected an object`]
  const prefix = name && `${name}.`
  return [
    ...Object.entries(own as ScheduleState).flatMap(([key, value]) =>
      Object.hasOwn(given, key)
        ? faultsOf(value, (given as ScheduleState)[key], prefix + key)
        : [`missing ${prefix}${key}`],
    ),
    ...Object.keys(given).flatMap((key) => (Object.hasOwn(own as object, key) ? [] : [`unexpected ${prefix}${key}`])),
  ]
}

/** lr times gamma every `stepSize` steps. torch.optim.lr_scheduler.StepLR. */
export class StepLR extends Schedule {
  /** gamma: default 0.1. */
  constructor(optimizer: ParameterGroups, stepSize: number, options: { gamma?: number | undefined } = {}) {
    super('optim.StepLR', optimizer)
    const { gamma } = settle(this.caller, options, { gamma: option(number(0), 0.1) })
    check(this.caller, 'stepSize', stepSize, whole(1))
    this.start({
      rate: (lr, t) => (t === 0 || t % stepSize !== 0 ? lr : lr * gamma),
      closed: (base, t) => base * pow(gamma, Math.floor(t / stepSize)),
    })
  }
}

/** lr times gamma at each of the milestones. torch.optim.lr_scheduler.MultiStepLR. */
export class MultiStepLR extends Schedule {
  /** gamma: default 0.1. */
  constructor(optimizer: ParameterGroups, milestones: readonly number[], options: { gamma?: number | undefined } = {}) {
    super('optim.MultiStepLR', optimizer)
    const { gamma } = settle(this.caller, options, { gamma: option(number(0), 0.1) })
    if (!Array.isArray(milestones))
      throw new TypeError(`${this.caller}: milestones are ${kindOf(milestones)}, expected a list of steps`)
    for (const milestone of milestones) check(this.caller, 'a milestone', milestone, whole(0))
    const places: number[] = [...milestones]
    this.start({
      rate(lr, t) {
        const times = places.filter((place) => place === t).length
        return times === 0 ? lr : lr * pow(gamma, times)
      },
      closed: (base, t) => base * pow(gamma, places.filter((place) => place <= t).length),
    })
  }
}

/** lr times gamma at every step. torch.optim.lr_scheduler.ExponentialLR. */
export class ExponentialLR extends Schedule {
  constructor(optimizer: ParameterGroups, gamma: number) {
    super('optim.ExponentialLR', optimizer)
    check(this.caller, 'gamma', gamma, number(0))
    this.start({
      rate: (lr, t) => (t === 0 ? lr : lr * gamma),
      closed: (base, t) => base * pow(gamma, t),
    })
  }
}

/** lr times `factor` for the first `totalIters` steps. torch.optim.lr_scheduler.ConstantLR. */
export class ConstantLR extends Schedule {
  /** factor: default 1/3, above 0; totalIters: default 5. */
  constructor(
    optimizer: ParameterGroups,
    options: { factor?: number | undefined; totalIters?: number | undefined } = {},
  ) {
    super('optim.ConstantLR', optimizer)
    const { factor, totalIters } = settle(this.caller, options, {
      factor: option(number(Number.MIN_VALUE, 1), 1 / 3),
      totalIters: option(whole(0), 5),
    })
    this.start({
      rate: (lr, t) => (t === 0 ? lr * factor : t === totalIters ? lr * (1 / factor) : lr),
      closed: (base, t) => base * (factor + Number(t >= totalIters) * (1 - factor)),
    })
  }
}

export interface LinearLROptions {
  /** Default 1/3; above 0. */
  startFactor?: number | undefined
  /** Default 1. */
  endFactor?: number | undefined
  /** Steps from the first factor to the last; default 5. */
  totalIters?: number | undefined
}

/** lr times a factor that goes straight from startFactor to endFactor in `totalIters` steps: warm-up.
 *  torch.optim.lr_scheduler.LinearLR. */
export class LinearLR extends Schedule {
  constructor(optimizer: ParameterGroups, options: LinearLROptions = {}) {
    super('optim.LinearLR', optimizer)
    const {
      startFactor: first,
      endFactor: last,
      totalIters: total,
    } = settle(this.caller, options, {
      startFactor: option(number(Number.MIN_VALUE, 1), 1 / 3),
      endFactor: option(number(0, 1), 1),
      totalIters: option(whole(1), 5),
    })
    const rise = last - first
    this.start({
      rate(lr, t) {
        if (t === 0) return lr * first
        return t > total ? lr : lr * (1 + rise / (total * first + (t - 1) * rise))
      },
      closed: (base, t) => base * (first + (rise * Math.min(total, t)) / total),
    })
  }
}

/** Half a cosine from the first rate to etaMin in `tMax` steps, and back. torch.optim.lr_scheduler.CosineAnnealingLR. */
export class CosineAnnealingLR extends Schedule {
  /** etaMin: default 0. */
  constructor(optimizer: ParameterGroups, tMax: number, options: { etaMin?: number | undefined } = {}) {
    super('optim.CosineAnnealingLR', optimizer)
    const { etaMin } = settle(this.caller, options, { etaMin: option(number(0), 0) })
    check(this.caller, 'tMax', tMax, whole(1))
    const height = (t: number): number => 1 + cos((Math.PI * t) / tMax)
    this.start({
      rate(lr, t, base) {
        if (t === 0) return lr
        if ((t - 1 - tMax) % (2 * tMax) === 0) return lr + ((base - etaMin) * (1 - cos(Math.PI / tMax))) / 2
        return (height(t) / height(t - 1)) * (lr - etaMin) + etaMin
      },
      closed: (base, t) => etaMin + ((base - etaMin) * height(t)) / 2,
    })
  }
}

/** Half a cosine to etaMin in t0 steps, then from the start again, each time in tMult times as many steps.
 *  torch.optim.lr_scheduler.CosineAnnealingWarmRestarts. */
export class CosineAnnealingWarmRestarts extends Schedule {
  /** tMult: default 1; etaMin: default 0. */
  constructor(
    optimizer: ParameterGroups,
    t0: number,
    options: { tMult?: number | undefined; etaMin?: number | undefined } = {},
  ) {
    super('optim.CosineAnnealingWarmRestarts', optimizer)
    const { tMult, etaMin } = settle(this.caller, options, {
      tMult: option(whole(1), 1),
      etaMin: option(number(0), 0),
    })
    check(this.caller, 't0', t0, whole(1))
    this.start({
      rate(_, t, base) {
        let at = tMult === 1 ? t % t0 : t
        let cycle = t0
        for (; at >= cycle; cycle *= tMult) at -= cycle
        return etaMin + ((base - etaMin) * (1 + cos((Math.PI * at) / cycle))) / 2
      },
    })
  }
}

/** lr falls to 0 in `totalIters` steps by (1 - step / totalIters)^power. torch.optim.lr_scheduler.PolynomialLR. */
export class PolynomialLR extends Schedule {
  /** totalIters: default 5; power: default 1. */
  constructor(
    optimizer: ParameterGroups,
    options: { totalIters?: number | undefined; power?: number | undefined } = {},
  ) {
    super('optim.PolynomialLR', optimizer)
    const { totalIters, power } = settle(this.caller, options, {
      totalIters: option(whole(1), 5),
      power: option(number(0), 1),
    })
    const left = (t: number): number => 1 - Math.min(totalIters, t) / totalIters
    this.start({
      rate: (lr, t) => (t === 0 || t > totalIters ? lr : lr * pow(left(t) / left(t - 1), power)),
      closed: (base, t) => base * pow(left(t), power),
    })
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
  constructor(optimizer: ParameterGroups, lrLambda: PerGroup<Factor>) {
    super('optim.LambdaLR', optimizer)
    const list = factors(this.caller, optimizer, lrLambda)
    this.start({ rate: (_, t, base, i) => base * (list[i] as Factor)(t) })
  }
}

/** lr times lrLambda(step) at every step after the first. torch.optim.lr_scheduler.MultiplicativeLR. */
export class MultiplicativeLR extends Schedule {
  constructor(optimizer: ParameterGroups, lrLambda: PerGroup<Factor>) {
    super('optim.MultiplicativeLR', optimizer)
    const list = factors(this.caller, optimizer, lrLambda)
    this.start({ rate: (lr, t, _, i) => (t > 0 ? lr * (list[i] as Factor)(t) : lr) })
  }
}

/** Schedules made of others. */
abstract class Composed extends Schedule {
  protected readonly schedules: readonly Schedule[]

  constructor(caller: string, optimizer: ParameterGroups, schedules: readonly Schedule[]) {
    super(caller, optimizer)
    for (const [i, schedule] of schedules.entries()) {
      if (!(schedule instanceof Schedule)) throw new TypeError(`${caller}: schedule ${i} is no schedule of lanewise`)
      if (schedule.optimizer !== optimizer)
        throw new RangeError(`${caller}: schedule ${i} belongs to another optimizer, expected the same one for all`)
    }
    this.schedules = [...schedules]
    this.lastEpoch = 0
  }

  override stateDict(): ScheduleState {
    return { ...super.stateDict(), schedules: this.schedules.map((schedule) => schedule.stateDict()) }
  }

  protected override restore({ schedules, ...own }: ScheduleState): void {
    super.restore(own)
    for (const [i, schedule] of this.schedules.entries())
      schedule.loadStateDict((schedules as ScheduleState[])[i] as ScheduleState)
  }
}

function checkList(caller: string, schedules: unknown): void {
  if (!Array.isArray(schedules) || schedules.length === 0)
    throw new TypeError(`${caller}: schedules are ${String(schedules)}, expected a list of schedules`)
}

/** One schedule after the other, each from its milestone on: warm-up, say, is
 *  `new SequentialLR(o, [new LinearLR(o, { totalIters: 100 }), new CosineAnnealingLR(o, 900)], [100])`.
 *  torch.optim.lr_scheduler.SequentialLR. */
export class SequentialLR extends Composed {
  readonly #milestones: readonly number[]

  constructor(optimizer: ParameterGroups, schedules: readonly Schedule[], milestones: readonly number[]) {
    checkList('optim.SequentialLR', schedules)
    super('optim.SequentialLR', optimizer, schedules)
    if (!Array.isArray(milestones) || milestones.length !== schedules.length - 1)
      throw new RangeError(
        `${this.caller}: got ${schedules.length} schedules and ${milestones?.length ?? 'no'} milestones, expected one milestone less than schedules`,
      )
    milestones.forEach((milestone, i) => {
      check(this.caller, 'a milestone', milestone, whole((milestones[i - 1] ?? 0) + 1))
    })
    this.#milestones = [...milestones]
    super.restart()
    // Their first steps are undone; those in a sequence begin when their turn comes.
    for (const schedule of schedules) schedule.lastEpoch--
    ;(schedules[0] as Schedule).begin()
  }

  override step(): void {
    const next = this.lastEpoch + 1
    const turn = this.#milestones.filter((milestone) => milestone <= next).length
    const schedule = this.schedules[turn] as Schedule
    if (this.#milestones[turn - 1] === next) schedule.restart()
    else schedule.step()
    this.lastEpoch = next
  }

  override restart(): void {
    this.lastEpoch = 0
    ;(this.schedules[0] as Schedule).restart()
  }
}

/** Several schedules at each step: their factors multiply. torch.optim.lr_scheduler.ChainedScheduler. */
export class ChainedScheduler extends Composed {
  constructor(schedules: readonly Schedule[]) {
    checkList('optim.ChainedScheduler', schedules)
    super('optim.ChainedScheduler', (schedules[0] as Schedule).optimizer, schedules)
  }

  override step(): void {
    for (const schedule of this.schedules) schedule.step()
    this.lastEpoch++
  }

  override restart(): void {
    for (const schedule of this.schedules) schedule.restart()
    this.lastEpoch = 0
  }
}
