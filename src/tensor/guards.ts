// What a traced program depends on besides its inputs: modes of modules, which parameters want gradients
// and have them, where parameters lie. A trace records what it looked at; the program serves only while
// all of it still holds. Rare changes bump one counter, so that a step checks a single number.

import { currentTrace, type Trace } from '../core/engine.ts'

let version = 0

/** Counts changes of anything that guardState watches. */
export const stateVersion = (): number => version

/** Tells that some guarded state changed. */
export function touchState(): void {
  version++
}

const watched = new WeakMap<Trace, Set<object>>()

/** Records that the trace read `value()` of `owner`; once for each owner. */
export function guardState(owner: object, value: () => unknown): void {
  const trace = currentTrace()
  if (!trace) return
  const owners = watched.get(trace) ?? new Set()
  watched.set(trace, owners)
  if (owners.has(owner)) return
  owners.add(owner)
  const expected = value()
  trace.guards.push(() => value() === expected)
}

/** What has a gradient: a Tensor, which is made of this and more. */
interface Leaf {
  grad: Leaf | null
}

/** What a trace did with the gradients of leaves. */
export interface GradRecord<T extends Leaf> {
  /** The gradient before the trace. */
  readonly before: T | null
  /** Whether the trace looked at the gradient before it set one: then null or not matters. */
  readonly read: boolean
}

const records = new WeakMap<Trace, Map<Leaf, GradRecord<Leaf>>>()

export function observeGrad(leaf: Leaf, before: Leaf | null, assigned: boolean): void {
  const trace = currentTrace()
  if (!trace) return
  const leaves = gradRecords(trace)
  if (!leaves.has(leaf)) leaves.set(leaf, { before, read: !assigned })
}

/** The leaves whose gradients the trace read or set. */
export function gradRecords<T extends Leaf = Leaf>(trace: Trace): Map<T, GradRecord<T>> {
  const leaves = records.get(trace) ?? new Map()
  records.set(trace, leaves)
  return leaves as Map<T, GradRecord<T>>
}
