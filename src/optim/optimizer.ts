import type { Operand } from '../core/command.ts'
import { countSteps } from '../core/commands.ts'
import { checkUntraced, currentEngine, emit, newHeldStorage } from '../core/engine.ts'
import { written } from '../core/options.ts'
import { releaseWith, type Storage, untie } from '../core/storage.ts'
import { guardState, touchState } from '../tensor/guards.ts'
import { show } from '../tensor/shape.ts'
import { faultsOf } from '../tensor/state.ts'
import { backward } from '../tensor/tape.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { Flat, flattenParameters, paddedBytes } from './flat.ts'
import { stretchesOf } from './stretches.ts'

/** Numbers that an update reads at each step: they may be set at any time, and a compiled step follows. */
export interface Hyperparameters {
  lr: number
}

/** Switches of an optimizer: fixed when it is made. */
export type Flags = Record<string, boolean>

/** Parameters, or groups of them with options of their own; those left out are the optimizer's. */
export type Params<O extends object> = Iterable<Tensor> | Iterable<{ params: Iterable<Tensor> } & Partial<O>>

/** What makes one optimizer differ from another, besides its update. */
export interface Definition<H extends Hyperparameters, F extends Flags = Flags> {
  readonly name: string
  readonly defaults: H
  readonly flags?: F
  /** Options that stand for two hyperparameters: { betas: ['beta1', 'beta2'] }. */
  readonly pairs?: Readonly<Record<string, readonly [keyof H & string, keyof H & string]>>
  /** Bounds of hyperparameters; default 0 to Infinity. */
  readonly ranges: { readonly [K in keyof H]?: readonly [number, number] }
  /** Whether all parameters share their options; default false. */
  readonly oneGroup?: boolean
  /** What options must fulfil together. */
  readonly check?: (hyper: H, flags: F) => void
  /** The state blocks of a group, by the names that PyTorch's state dicts give them. */
  readonly states: (hyper: H, flags: F) => readonly string[]
  /** Name of the second counter, where it is state and not a power of beta1. */
  readonly counter?: string
}

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

/** The options of `params`: hyperparameters, readable and writable by name, and flags. */
export type ParamGroup<H extends Hyperparameters, F extends Flags = Record<never, boolean>> = H &
  Readonly<F> & { readonly params: readonly Tensor[]; betas?: readonly [number, number] }

/** Where an update finds its hyperparameters. */
export type Cells<H extends Hyperparameters> = Record<keyof H, Operand>

interface Group<H extends Hyperparameters, F extends Flags> {
  readonly params: readonly Tensor[]
  readonly settings: ParamGroup<H, F>
  readonly flags: F
  /** f64 cells: hyperparameters in the order of their names, then the counters of each parameter. */
  readonly cells: Storage
  readonly names: readonly (keyof H & string)[]
  /** Flat blocks in the layout of params, and their names. */
  readonly state: readonly Flat[]
  readonly stateNames: readonly string[]
}

/** What `stateDict` gives: arrays by parameter (counted through all groups) and PyTorch's name, `0.exp_avg`, and
 *  the options of each group, with the numbers of its parameters. writeSafetensors takes the arrays, JSON the groups. */
export interface OptimizerState {
  state: Record<string, NDArray>
  paramGroups: Record<string, unknown>[]
}

const F64 = 8
/** Cells that count the steps of a parameter and hold what follows from the count. */
const COUNTERS = 3

/** Parameters in groups with options, and state dicts: what all optimizers are, and all that a schedule asks for. */
// biome-ignore lint/suspicious/noExplicitAny: what reads lr and paramGroups takes any optimizer
export abstract class ParameterGroups<H extends Hyperparameters = any, F extends Flags = any> {
  /** Options by group: `paramGroups[0].lr = 0.01`. */
  readonly paramGroups: readonly ParamGroup<H, F>[] = []
  protected readonly definition: Definition<H, F>
  readonly #defaults: Settled<H, F>
  protected readonly groups: Group<H, F>[] = []

  protected constructor(definition: Definition<H, F>, params: Params<object>, options: object) {
    const { name } = definition
    this.definition = definition
    checkUntraced(`${name}: cannot be made`, 'make it outside of the compiled function')
    if (typeof (params as Iterable<unknown> | null)?.[Symbol.iterator] !== 'function') {
      throw new TypeError(
        `${name}: params is ${params === null ? 'null' : typeof params}, expected a list of tensors, as model.parameters() gives`,
      )
    }
    const given: (Tensor | { params: Iterable<Tensor> })[] = [...params]
    const isGroup = (x: unknown): x is { params: Iterable<Tensor> } =>
      !(x instanceof Tensor) && typeof (x as { params: unknown } | null)?.params === 'object'
    this.#defaults = settle(definition, { hyper: definition.defaults, flags: definition.flags ?? ({} as F) }, options)
    if (given.length === 0) throw new RangeError(`${name}: got no parameters`)
    this.#add(given.every(isGroup) ? given : [{ params: given as Tensor[] }])
  }

  /** Adds parameters, with options of their own: `{ params, lr: 0.01 }`. Compiled steps follow.
   *  torch.optim.Optimizer.add_param_group. */
  addParamGroup(group: { params: Iterable<Tensor> } & Record<string, unknown>): void {
    const { name } = this.definition
    checkUntraced(`${name}: addParamGroup`)
    if (this.disposed) throw new Error(`${name}: addParamGroup after dispose()`)
    if (typeof (group as typeof group | null)?.params?.[Symbol.iterator] !== 'function')
      throw new TypeError(`${name}: the group has no list of params, expected { params, lr … }`)
    this.#add([group])
    touchState()
  }

  #add(groups: readonly ({ params: Iterable<Tensor> } & Record<string, unknown>)[]): void {
    const definition = this.definition
    const { name } = definition
    if (definition.oneGroup && this.groups.length + groups.length > 1)
      throw new RangeError(`${name}: got another group of parameters, expected one group; give all parameters together`)
    const parsed = groups.map(({ params, ...own }) => ({
      params: [...params],
      settled: settle(definition, this.#defaults, own),
    }))
    const added = parsed.flatMap(({ params }) => params)
    if (added.length === 0) throw new RangeError(`${name}: got no parameters`)
    for (const [i, param] of added.entries()) {
      if (!(param instanceof Tensor))
        throw new TypeError(`${name}: parameter ${i} is ${typeof param}, expected a Tensor`)
      param.check(name)
      if (param.node || param.dtype !== 'f32')
        throw new TypeError(
          `${name}: parameter ${i} ${show(param.shape)} is ${param.node ? 'computed by another op' : param.dtype}, expected an f32 leaf`,
        )
      this.checkParameter(param, i)
    }
    const all = [...this.groups.flatMap(({ params }) => params), ...added]
    if (new Set(all).size !== all.length) throw new RangeError(`${name}: a parameter is given twice`)
    flattenParameters(added)
    for (const { params, settled } of parsed) {
      const group = makeGroup(definition, params, settled)
      this.groups.push(group)
      ;(this.paramGroups as ParamGroup<H, F>[]).push(group.settings)
      for (const storage of [group.cells, ...group.state.map(({ whole }) => whole)]) releaseWith(this, storage)
    }
  }

  /** Throws where the optimizer cannot update a parameter. */
  protected checkParameter(_param: Tensor, _index: number): void {}

  protected get disposed(): boolean {
    return this.groups.some(({ cells }) => cells.disposed)
  }

  /** The learning rate of the first group; setting it sets all groups. */
  get lr(): number {
    return (this.paramGroups[0] as Hyperparameters).lr
  }

  set lr(value: number) {
    for (const group of this.paramGroups) (group as Hyperparameters).lr = value
  }

  /** Forgets all gradients: the next backward writes them anew. */
  zeroGrad(): void {
    for (const { params } of this.groups) for (const param of params) param.grad = null
  }

  /** Frees the optimizer's state. Parameters and gradients stay with their tensors. */
  dispose(): void {
    untie(this)
    for (const { cells, state } of this.groups) {
      cells.release()
      for (const flat of state) flat.whole.release()
    }
  }

  /** Copies of the state and of the options. Steps are counted for each parameter, as i32.
   *  `writeSafetensors(state, { paramGroups: JSON.stringify(paramGroups) })` keeps every bit of it.
   *  torch.optim.Optimizer.state_dict. */
  stateDict(): OptimizerState {
    if (this.disposed) throw new Error(`${this.definition.name}: stateDict after dispose()`)
    checkUntraced(`${this.definition.name}: stateDict`)
    let first = 0
    const paramGroups = this.groups.map(({ params, settings }) => {
      const { params: _, ...options } = settings
      first += params.length
      return { ...options, params: params.map((_, i) => first - params.length + i) }
    })
    return { state: this.stateArrays(), paramGroups }
  }

  /** Takes what `stateDict` gave, of an optimizer with the same groups and flags: training goes on with the same
   *  bits, compiled steps too. Throws, with every missing, unexpected and misshaped key named and nothing changed,
   *  where something does not fit. torch.optim.Optimizer.load_state_dict. */
  loadStateDict(saved: { state: Record<string, NDArray>; paramGroups: readonly Record<string, unknown>[] }): void {
    const definition = this.definition
    const { name } = definition
    if (this.disposed) throw new Error(`${name}: loadStateDict after dispose()`)
    checkUntraced(`${name}: loadStateDict`)
    const { state, paramGroups } = (saved ?? {}) as Partial<typeof saved>
    if (typeof state !== 'object' || state === null || !Array.isArray(paramGroups))
      throw new TypeError(`${name}: loadStateDict got no { state, paramGroups }, expected what stateDict gives`)
    const faults: string[] = []
    if (paramGroups.length !== this.groups.length)
      faults.push(`paramGroups has length ${paramGroups.length}, expected ${this.groups.length}`)
    const hypers = this.groups.map(({ settings, names, flags, params, stateNames }, g): H | null => {
      const given = paramGroups[g]
      if (given === undefined) return null
      if (typeof given !== 'object' || given === null) {
        faults.push(`paramGroups[${g}] is ${written(given)}, expected an object`)
        return null
      }
      const { params: numbers, ...options } = given
      const known = [...names, ...Object.keys(flags)]
      for (const key of known) if (!(key in options)) faults.push(`missing paramGroups[${g}].${key}`)
      for (const key of Object.keys(options))
        if (!known.includes(key)) faults.push(`unexpected paramGroups[${g}].${key}`)
      if (!Array.isArray(numbers) || numbers.length !== params.length)
        faults.push(
          `paramGroups[${g}].params has ${Array.isArray(numbers) ? numbers.length : 'no'} parameters, expected ${params.length}`,
        )
      for (const [key, value] of Object.entries(flags))
        if (key in options && options[key] !== value)
          faults.push(
            `paramGroups[${g}].${key} is ${written(options[key])}, expected ${value}, as the optimizer was made`,
          )
      const hyper = Object.fromEntries(
        names.map((key) => [key, key in options ? options[key] : settings[key]]),
      ) as unknown as H
      try {
        checkHyperparameters(definition, hyper, flags)
        const wanted = definition.states(hyper, flags)
        if (String(wanted) !== String(stateNames))
          faults.push(`paramGroups[${g}] needs the state [${wanted}], but the optimizer was made with [${stateNames}]`)
      } catch (error) {
        faults.push((error as Error).message)
      }
      return hyper
    })
    faults.push(...this.stateFaults(state))
    if (faults.length > 0) throw new Error(`${name}: loadStateDict: ${faults.join('; ')}`)
    const { f64 } = currentEngine(name).memory
    for (const [g, { cells, names }] of this.groups.entries())
      for (const [i, key] of names.entries()) f64[cells.address / F64 + i] = (hypers[g] as H)[key] as number
    this.takeState(state)
  }

  /** Copies of the state, by the names of the state dict. */
  protected stateArrays(): Record<string, NDArray> {
    return Object.fromEntries(
      this.#entries().map(({ name, shape, counter, view }) => {
        const values = view()
        return [name, { shape, data: counter === 'step' ? Int32Array.from(values) : Float32Array.from(values) }]
      }),
    )
  }

  /** What keeps arrays from being this optimizer's state. */
  protected stateFaults(state: Record<string, NDArray>): string[] {
    const entries = this.#entries()
    const dtype = (counter: string | null) => (counter === 'step' ? 'i32' : 'f32')
    const steps = entries.flatMap(({ name, counter }) => {
      const count = counter === 'step' && Object.hasOwn(state, name) ? state[name]?.data?.[0] : 0
      return (count as number) < 0 ? [`${name} is ${count}, expected a number of steps >= 0`] : []
    })
    return [
      ...faultsOf(
        state,
        entries.map(({ name, shape, counter }) => ({ name, shape, dtype: dtype(counter) })),
      ),
      ...steps,
    ]
  }

  /** Takes arrays in which stateFaults found nothing. */
  protected takeState(state: Record<string, NDArray>): void {
    for (const { name, view } of this.#entries()) view().set((state[name] as NDArray).data)
  }

  /** What a state dict holds, and where: arrays of parameters, then counters. */
  #entries(): {
    name: string
    shape: readonly number[]
    counter: string | null
    view(): Float32Array | Float64Array
  }[] {
    const { memory } = currentEngine(this.definition.name)
    let number = -1
    return this.groups.flatMap(({ params, state, stateNames, cells, names }) =>
      params.flatMap((param, i) => {
        number++
        const counters = [...['step', this.definition.counter].entries()].flatMap(([k, counter]) => {
          const at = cells.address / F64 + names.length + COUNTERS * i + k
          return counter
            ? [{ name: `${number}.${counter}`, shape: [], counter, view: () => memory.f64.subarray(at, at + 1) }]
            : []
        })
        const blocks = state.map((flat, k) => {
          const at = (flat.whole.address + flat.offset(i)) / 4
          const view = () => memory.f32.subarray(at, at + param.size)
          return { name: `${number}.${stateNames[k]}`, shape: param.shape, counter: null, view }
        })
        return [...counters, ...blocks]
      }),
    )
  }

  toString(): string {
    return `${this.definition.name}(${this.paramGroups.map(({ params, ...options }) => `${params.length} parameters, ${JSON.stringify(options)}`).join('; ')})`
  }
}

/** The base of optimizers that step on gradients alone. Subclasses say how a run of parameters is updated.
 *  torch.optim.Optimizer. */
// biome-ignore lint/suspicious/noExplicitAny: as above
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

interface Settled<H extends Hyperparameters, F extends Flags> {
  readonly hyper: H
  readonly flags: F
}

/** Options over defaults, checked. */
function settle<H extends Hyperparameters, F extends Flags>(
  definition: Definition<H, F>,
  { hyper, flags }: Settled<H, F>,
  options: object,
): Settled<H, F> {
  const { name, pairs = {} } = definition
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${name}: options are ${String(options)}, expected an object`)
  const settled: Record<string, unknown> = { ...hyper, ...flags }
  for (const [key, value] of Object.entries(options)) {
    const pair = Object.hasOwn(pairs, key) ? pairs[key] : undefined
    if (!pair && !Object.hasOwn(settled, key))
      throw new TypeError(
        `${name}: unknown option ${key}, expected ${[...Object.keys(settled), ...Object.keys(pairs)].join(', ')}`,
      )
    if (value === undefined) continue
    if (pair) {
      if (!Array.isArray(value) || value.length !== 2)
        throw new TypeError(`${name}: ${key} are ${String(value)}, expected two numbers`)
      settled[pair[0]] = value[0]
      settled[pair[1]] = value[1]
    } else if (key in flags && typeof value !== 'boolean')
      throw new TypeError(`${name}: ${key} is ${written(value)}, expected true or false`)
    else settled[key] = value
  }
  const pick = (like: object) => Object.fromEntries(Object.keys(like).map((key) => [key, settled[key]]))
  const result = { hyper: pick(hyper) as unknown as H, flags: pick(flags) as F }
  checkHyperparameters(definition, result.hyper, result.flags)
  return result
}

function checkHyperparameters<H extends Hyperparameters, F extends Flags>(
  { name, defaults, ranges, check }: Definition<H, F>,
  hyper: H,
  flags: F,
): void {
  for (const [key, value] of Object.entries(hyper)) {
    const [low, high] = ranges[key as keyof H] ?? [0, Infinity]
    // NaN is the default of what has none, as SGD's rate.
    if (Number.isNaN(value) && Number.isNaN(defaults[key as keyof H]))
      throw new TypeError(`${name}: ${key} is missing or NaN, expected a number, as { ${key}: 0.01 }`)
    if (typeof value !== 'number' || !Number.isFinite(value)) {
      throw new TypeError(`${name}: ${key} is ${written(value)}, expected a finite number`)
    }
    if (value < low || value > high)
      throw new RangeError(`${name}: ${key} is ${value}, expected a number from ${low} to ${high}`)
  }
  check?.(hyper, flags)
}

function makeGroup<H extends Hyperparameters, F extends Flags>(
  definition: Definition<H, F>,
  params: Tensor[],
  { hyper, flags }: Settled<H, F>,
): Group<H, F> {
  const { name, pairs = {} } = definition
  const names = Object.keys(hyper) as (keyof H & string)[]
  const stateNames = definition.states(hyper, flags)
  const cells = newHeldStorage(F64 * (names.length + COUNTERS * params.length), name)
  const { memory } = currentEngine(name)
  const at = cells.address / F64
  const state: Flat[] = []
  try {
    for (const _ of stateNames) state.push(new Flat(params, name))
  } catch (error) {
    for (const storage of [cells, ...state.map(({ whole }) => whole)]) storage.release()
    throw error
  }
  memory.f64.set([...Object.values(hyper), ...params.flatMap(() => [0, 1, 1])], at)
  const settings = { params } as unknown as ParamGroup<H, F>
  const current = (): H => Object.fromEntries(names.map((key, i) => [key, memory.f64[at + i]])) as unknown as H
  const change = (key: string, values: Partial<H>): void => {
    if (cells.disposed) throw new Error(`${name}: ${key} set after dispose()`)
    checkUntraced(`${name}: ${key} cannot be set`, 'set it between calls, the compiled function follows')
    const next = { ...current(), ...values }
    checkHyperparameters(definition, next, flags)
    if (definition.states(next, flags).length !== state.length)
      throw new RangeError(
        `${name}: ${key} cannot change to ${Object.values(values)} after the optimizer was made; make a new one`,
      )
    memory.f64.set(Object.values(next), at)
  }
  const define = (key: string, enumerable: boolean, get: () => unknown, set: (value: never) => void): void => {
    Object.defineProperty(settings, key, { enumerable, get, set })
  }
  names.forEach((key, i) => {
    define(
      key,
      true,
      () => memory.f64[at + i],
      (value: number) => change(key, { [key]: value } as unknown as Partial<H>),
    )
  })
  for (const [key, value] of Object.entries(flags)) {
    define(
      key,
      true,
      () => value,
      () => {
        throw new Error(`${name}: ${key} is fixed when the optimizer is made; make a new one`)
      },
    )
  }
  for (const [key, [a, b]] of Object.entries(pairs)) {
    define(
      key,
      false,
      () => [settings[a], settings[b]],
      (value: unknown) => {
        if (!Array.isArray(value) || value.length !== 2)
          throw new TypeError(`${name}: ${key} are ${String(value)}, expected two numbers`)
        change(key, { [a]: value[0], [b]: value[1] } as unknown as Partial<H>)
      },
    )
  }
  // A misspelt name must not be lost.
  Object.preventExtensions(settings)
  return { params, settings, flags, cells, names, state, stateNames }
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
