// What makes one optimizer differ from another: options with defaults and bounds.

import { check, finite, type Kind, kind, type Option, option, settle } from '../checks.ts'
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
  /** Their kinds and defaults. */
  readonly hyper: { readonly [K in keyof H]: Option<number, unknown> }
  readonly flags?: F | undefined
  /** Options that stand for two hyperparameters: { betas: ['beta1', 'beta2'] }. */
  readonly pairs?: Readonly<Record<string, readonly [keyof H & string, keyof H & string]>> | undefined
  /** Whether all parameters share their options; default false. */
  readonly oneGroup?: boolean | undefined
  /** What options must fulfil together. */
  readonly check?: ((hyper: H, flags: F) => void) | undefined
  /** The state blocks of a group, by the names that PyTorch's state dicts give them. */
  readonly states: (hyper: H, flags: F) => readonly string[]
  /** Name of the second counter, where it is state and not a power of beta1. */
  readonly counter?: string | undefined
}

export interface Settled<H extends Hyperparameters, F extends Flags> {
  readonly hyper: H
  readonly flags: F
}

/** A hyperparameter: a finite number in a range, by default from 0 on, that may be left out. */
export const hyper = (fallback: number, low = 0, high = Infinity): Option<number, number> =>
  option(finite(low, high), fallback)

/** Two numbers. */
export const pair: Kind<readonly [number, number]> = /* @__PURE__ */ kind(
  'object',
  'two numbers',
  (x) => Array.isArray(x) && x.length === 2,
)

/** The options of a group, checked; what is left out is as in `base`, the optimizer's, where there is one. */
export function settleGroup<H extends Hyperparameters, F extends Flags>(
  definition: Definition<H, F>,
  base: Settled<H, F> | null,
  options: object,
): Settled<H, F> {
  const { name, pairs = {} } = definition
  const hypers = Object.entries<Option<number, unknown>>(definition.hyper)
  const known = Object.fromEntries([
    ...hypers.map(([key, own]) => [key, base ? option(own.kind, base.hyper[key as keyof H]) : own] as const),
    ...Object.entries(base?.flags ?? definition.flags ?? {}),
    ...Object.keys(pairs).map((key) => [key, option(pair)] as const),
  ])
  const settled = settle(name, options, known as object) as Record<string, unknown>
  for (const [key, [a, b]] of Object.entries(pairs))
    if (settled[key] !== undefined) [settled[a], settled[b]] = settled[key] as [number, number]
  const pick = (like: object = {}) => Object.fromEntries(Object.keys(like).map((key) => [key, settled[key]]))
  const result = { hyper: pick(definition.hyper) as unknown as H, flags: pick(definition.flags) as F }
  checkHyperparameters(definition, result.hyper, result.flags)
  return result
}

/** Throws unless these can be the hyperparameters of a group. */
export function checkHyperparameters<H extends Hyperparameters, F extends Flags>(
  { name, hyper, check: checkTogether }: Definition<H, F>,
  values: H,
  flags: F,
): void {
  for (const [key, { kind }] of Object.entries<Option<number, unknown>>(hyper))
    check(name, key, values[key as keyof H], kind)
  checkTogether?.(values, flags)
}
