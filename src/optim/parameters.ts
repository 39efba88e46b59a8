// Parameters in groups, and state dicts: what all optimizers are.

import { written } from '../checks.ts'
import { checkUntraced, currentEngine } from '../core/engine.ts'
import { releaseWith, untie } from '../core/storage.ts'
import { inspect } from '../printed.ts'
import { touchState } from '../tensor/guards.ts'
import { show } from '../tensor/shape.ts'
import { faultsOf } from '../tensor/state.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import {
  checkHyperparameters,
  type Definition,
  type Flags,
  type Hyperparameters,
  type Params,
  type Settled,
  settleGroup,
} from './definition.ts'
import { flattenParameters } from './flat.ts'
import { COUNTERS, F64, type Group, makeGroup, type ParamGroup } from './group.ts'

/** What `stateDict` gives: arrays by parameter (counted through all groups) and PyTorch's name, `0.exp_avg`, and
 *  the options of each group, with the numbers of its parameters. writeSafetensors takes the arrays, JSON the groups. */
export interface OptimizerState {
  state: Record<string, NDArray>
  paramGroups: Record<string, unknown>[]
}

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
    this.#defaults = settleGroup(definition, null, options)
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
      settled: settleGroup(definition, this.#defaults, own),
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

  /** @internal */
  get disposed(): boolean {
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

  /** The options of all groups, one a line where there are several. */
  toString(): string {
    const name = this.definition.name.replace('optim.', '')
    const groups = this.paramGroups.map(String)
    return groups.length === 1
      ? `${name}(${groups[0]})`
      : `${name}(\n${groups.map((group, i) => `  (${i}): ${group}\n`).join('')})`
  }

  /** @internal */
  [inspect](): string {
    return this.toString()
  }
}
