// What makes one optimizer differ from another: options with defaults and bounds.

import { written } from '../core/options.ts'
import type { Tensor } from '../tensor/tensor.ts'

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

export interface Settled<H extends Hyperparameters, F extends Flags> {
  readonly hyper: H
  readonly flags: F
}

/** Options over defaults, checked. */
export function settle<H extends Hyperparameters, F extends Flags>(
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

export function checkHyperparameters<H extends Hyperparameters, F extends Flags>(
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
