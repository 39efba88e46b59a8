import type { Command, Operand } from '../core/command.ts'
import { currentEngine, currentTrace, emit, newHeldStorage } from '../core/engine.ts'
import { releaseWith, type Storage, untie } from '../core/storage.ts'
import { show } from '../tensor/shape.ts'
import { backward } from '../tensor/tape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { Flat, flattenParameters, paddedBytes } from './flat.ts'

/** Numbers that an update reads at each step: they may be set at any time, and a compiled step follows. */
export interface Hyperparameters {
  lr: number
}

/** Parameters with hyperparameters of their own, missing ones taken from the optimizer's options. */
export type ParamGroupOptions<H extends Hyperparameters> = { params: Iterable<Tensor> } & Options<H>

export type Params<H extends Hyperparameters> = Iterable<Tensor> | Iterable<ParamGroupOptions<H>>

/** Hyperparameters as users give them. */
export type Options<H extends Hyperparameters> = Partial<H> & { betas?: readonly [number, number] }

/** What makes one optimizer differ from another, besides its update. */
export interface Definition<H extends Hyperparameters> {
  readonly name: string
  readonly defaults: H
  /** Bounds of hyperparameters; default 0 to Infinity. */
  readonly ranges: { readonly [K in keyof H]?: readonly [number, number] }
  /** What hyperparameters must fulfil together. */
  readonly check?: (hyper: H) => void
  /** Number of state blocks for a group. */
  readonly states: (hyper: H) => number
}

/** A stretch of parameters whose values, gradients and state all lie one after the other. */
export interface Run {
  readonly param: Operand
  readonly grad: Operand
  readonly state: readonly Operand[]
  /** Three f64 for each parameter: its steps, and what an optimizer derives from them. */
  readonly counters: Operand
  /** Number of parameters, then the elements of each, padding included. */
  readonly sizes: readonly number[]
}

/** The hyperparameters, readable and writable by name, of `params`. */
export type ParamGroup<H extends Hyperparameters> = H & { readonly params: readonly Tensor[] }

interface Group<H extends Hyperparameters> {
  readonly params: readonly Tensor[]
  readonly settings: ParamGroup<H>
  /** f64 cells: hyperparameters in the order of their names, then the counters of each parameter. */
  readonly cells: Storage
  readonly names: readonly string[]
  /** Flat blocks in the layout of params. */
  readonly state: readonly Flat[]
}

const F64 = 8
/** Cells that count the steps of a parameter and hold what follows from the count. */
const COUNTERS = 3

/** The base of optimizers: parameter groups, flat state, and steps. Subclasses say how a run of
 *  parameters is updated. torch.optim.Optimizer. */
export abstract class Optimizer<H extends Hyperparameters = Hyperparameters> {
  /** Hyperparameters by group: `paramGroups[0].lr = 0.01`. */
  readonly paramGroups: readonly ParamGroup<H>[]
  readonly #name: string
  readonly #groups: Group<H>[]

  protected constructor(definition: Definition<H>, params: Params<H>, options: Options<H>) {
    const { name } = definition
    this.#name = name
    if (currentTrace())
      throw new Error(`${name}: cannot be made while compile() traces; make it outside of the compiled function`)
    if (typeof (params as Iterable<unknown> | null)?.[Symbol.iterator] !== 'function') {
      throw new TypeError(
        `${name}: params is ${params === null ? 'null' : typeof params}, expected a list of tensors, as model.parameters() gives`,
      )
    }
    const given: (Tensor | ParamGroupOptions<H>)[] = [...params]
    const isGroup = (x: Tensor | ParamGroupOptions<H>): x is ParamGroupOptions<H> =>
      !(x instanceof Tensor) && typeof x?.params === 'object'
    const defaults = settle(definition, definition.defaults, options)
    const parsed = given.every(isGroup)
      ? given.map(({ params: list, ...own }) => ({
          params: [...list],
          hyper: settle(definition, defaults, own as unknown as Options<H>),
        }))
      : [{ params: given as Tensor[], hyper: defaults }]
    const all = parsed.flatMap(({ params: list }) => list)
    if (all.length === 0) throw new RangeError(`${name}: got no parameters`)
    for (const [i, param] of all.entries()) {
      if (!(param instanceof Tensor))
        throw new TypeError(`${name}: parameter ${i} is ${typeof param}, expected a Tensor`)
      param.check(name)
      if (param.node || param.dtype !== 'f32')
        throw new TypeError(
          `${name}: parameter ${i} ${show(param.shape)} is ${param.node ? 'computed by another op' : param.dtype}, expected an f32 leaf`,
        )
    }
    if (new Set(all).size !== all.length) throw new RangeError(`${name}: a parameter is given twice`)
    flattenParameters(all)
    this.#groups = parsed.map(({ params: list, hyper }) => makeGroup(definition, list, hyper))
    this.paramGroups = this.#groups.map((group) => group.settings)
    for (const { cells, state } of this.#groups)
      for (const storage of [cells, ...state.map(({ whole }) => whole)]) releaseWith(this, storage)
  }

  /** The learning rate of the first group; setting it sets all groups. */
  get lr(): number {
    return (this.paramGroups[0] as H).lr
  }

  set lr(value: number) {
    for (const group of this.paramGroups) (group as Hyperparameters).lr = value
  }

  /** Forgets all gradients: the next backward writes them anew. */
  zeroGrad(): void {
    for (const { params } of this.#groups) for (const param of params) param.grad = null
  }

  /** Updates every parameter that has a gradient. */
  step(): void {
    if (this.#groups.some(({ cells }) => cells.disposed)) throw new Error(`${this.#name}: step after dispose()`)
    for (const group of this.#groups) {
      const runs = runsOf(group)
      if (runs.length === 0) continue
      const hyper = Object.fromEntries(
        group.names.map((key, i) => [key, { storage: group.cells, offset: F64 * i }]),
      ) as Record<keyof H, Operand>
      for (const run of runs) {
        emit(this.count(run, hyper))
        emit(this.update(run, hyper))
      }
    }
  }

  /** One whole step for a loss: zeroGrad, backward, step. */
  minimize(loss: Tensor): void {
    this.zeroGrad()
    backward(loss)
    this.step()
  }

  /** Frees the optimizer's state. Parameters and gradients stay with their tensors. */
  dispose(): void {
    untie(this)
    for (const { cells, state } of this.#groups) {
      cells.release()
      for (const flat of state) flat.whole.release()
    }
  }

  /** The command that counts a step of each parameter. */
  protected abstract count(run: Run, hyper: Record<keyof H, Operand>): Command

  protected abstract update(run: Run, hyper: Record<keyof H, Operand>): Command

  toString(): string {
    return `${this.#name}(${this.paramGroups.map(({ params, ...hyper }) => `${params.length} parameters, ${JSON.stringify(hyper)}`).join('; ')})`
  }
}

/** Options over defaults, checked; `betas` stands for beta1 and beta2. */
function settle<H extends Hyperparameters>(definition: Definition<H>, defaults: H, options: Options<H>): H {
  const { name } = definition
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${name}: options are ${String(options)}, expected an object`)
  const { betas, ...rest } = options as Options<H> & { betas?: unknown }
  const given: Record<string, unknown> = { ...rest }
  if (betas !== undefined) {
    if (!('beta1' in defaults))
      throw new TypeError(`${name}: unknown option betas, expected ${Object.keys(defaults).join(', ')}`)
    if (!Array.isArray(betas) || betas.length !== 2)
      throw new TypeError(`${name}: betas are ${String(betas)}, expected two numbers`)
    Object.assign(given, { beta1: betas[0], beta2: betas[1] })
  }
  const settled = { ...defaults } as Record<string, unknown>
  for (const [key, value] of Object.entries(given)) {
    if (!(key in defaults))
      throw new TypeError(`${name}: unknown option ${key}, expected ${Object.keys(defaults).join(', ')}`)
    if (value !== undefined) settled[key] = value
  }
  checkHyperparameters(definition, settled as unknown as H)
  return settled as unknown as H
}

function checkHyperparameters<H extends Hyperparameters>({ name, ranges, check }: Definition<H>, hyper: H): void {
  for (const [key, value] of Object.entries(hyper)) {
    const [low, high] = ranges[key as keyof H] ?? [0, Infinity]
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new TypeError(
        `${name}: ${key} is ${typeof value === 'string' ? `'${value}'` : String(value)}, expected a finite number`,
      )
    }
    if (value < low || value > high)
      throw new RangeError(`${name}: ${key} is ${value}, expected a number from ${low} to ${high}`)
  }
  check?.(hyper)
}

function makeGroup<H extends Hyperparameters>(definition: Definition<H>, params: Tensor[], hyper: H): Group<H> {
  const { name } = definition
  const names = Object.keys(hyper)
  const cells = newHeldStorage(F64 * (names.length + COUNTERS * params.length), name)
  const { memory } = currentEngine(name)
  const at = cells.address / F64
  const state: Flat[] = []
  try {
    for (let i = 0; i < definition.states(hyper); i++) state.push(new Flat(params, name))
  } catch (error) {
    for (const storage of [cells, ...state.map(({ whole }) => whole)]) storage.release()
    throw error
  }
  memory.f64.set([...Object.values(hyper), ...params.flatMap(() => [0, 1, 1])], at)
  const settings = { params } as unknown as ParamGroup<H>
  names.forEach((key, i) => {
    Object.defineProperty(settings, key, {
      enumerable: true,
      get: () => memory.f64[at + i],
      set(value: number) {
        const { params: _, ...others } = settings
        if (cells.disposed) throw new Error(`${name}: ${key} set after dispose()`)
        if (currentTrace())
          throw new Error(
            `${name}: ${key} cannot be set while compile() traces; set it between calls, the compiled function follows`,
          )
        const next = { ...others, [key]: value } as unknown as H
        checkHyperparameters(definition, next)
        if (definition.states(next) !== state.length)
          throw new RangeError(`${name}: ${key} cannot change to ${value} after the optimizer was made; make a new one`)
        memory.f64[at + i] = value
      },
    })
  })
  return { params, settings, cells, names, state }
}

/** The longest stretches of parameters with gradients that lie without gaps in all blocks. */
function runsOf({ params, state, cells, names }: Group<Hyperparameters>): Run[] {
  const runs: (Run & { sizes: number[]; next: number; ends: number[] })[] = []
  params.forEach((param, i) => {
    if (!param.grad) return
    const grad = param.gradStorage as Storage
    const bytes = paddedBytes(param)
    const starts = [param.storage.address, grad.address, ...state.map((flat) => flat.offset(i))]
    const ends = starts.map((start) => start + bytes)
    const run = runs.at(-1)
    if (run?.next === i && run.ends.every((end, k) => end === starts[k])) {
      run.sizes.push(bytes / 4)
      run.sizes[0] = run.sizes.length - 1
      Object.assign(run, { next: i + 1, ends })
      return
    }
    runs.push({
      param: { storage: param.storage, offset: 0 },
      grad: { storage: grad, offset: 0 },
      state: state.map((flat) => ({ storage: flat.whole, offset: flat.offset(i) })),
      counters: { storage: cells, offset: F64 * (names.length + COUNTERS * i) },
      sizes: [1, bytes / 4],
      next: i + 1,
      ends,
    })
  })
  return runs
}
