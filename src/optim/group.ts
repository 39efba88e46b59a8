// A group of parameters: its options, in cells of memory that updates read, and its state, in flat blocks.

import { check } from '../checks.ts'
import { checkUntraced, currentEngine, newHeldStorage } from '../core/engine.ts'
import type { Storage } from '../core/storage.ts'
import { inspect, printed } from '../printed.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  checkHyperparameters,
  type Definition,
  type Flags,
  type Hyperparameters,
  pair,
  type Settled,
} from './definition.ts'
import { Flat } from './flat.ts'

/** The options of `params`: hyperparameters, readable and writable by name, and flags. */
export type ParamGroup<H extends Hyperparameters, F extends Flags = Record<never, boolean>> = H &
  Readonly<F> & { readonly params: readonly Tensor[]; betas?: readonly [number, number] | undefined }

export interface Group<H extends Hyperparameters, F extends Flags> {
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

export const F64 = 8
/** Cells that count the steps of a parameter and hold what follows from the count. */
export const COUNTERS = 3

/** A new group, which owns its cells and state. */
export function makeGroup<H extends Hyperparameters, F extends Flags>(
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
  const read = (i: number): number => {
    if (cells.disposed) throw new Error(`${name}: ${names[i]} read after dispose()`)
    return memory.f64[at + i] as number
  }
  const current = (): H => Object.fromEntries(names.map((key, i) => [key, read(i)])) as unknown as H
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
      () => read(i),
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
        check(name, key, value, pair)
        change(key, { [a]: value[0], [b]: value[1] } as unknown as Partial<H>)
      },
    )
  }
  const text = () =>
    cells.disposed ? 'disposed' : printed('', { parameters: params.length, ...current(), ...flags }).slice(1, -1)
  for (const key of ['toString', inspect]) Object.defineProperty(settings, key, { value: text })
  // A misspelt name must not be lost.
  Object.preventExtensions(settings)
  return { params, settings, flags, cells, names, state, stateNames }
}
