// Splits: which rows are trained on, and which are not.

import { option, settle, whole, written } from '../checks.ts'
import { show } from '../tensor/shape.ts'
import { permutation, seedOption } from './random.ts'

export interface SplitOptions {
  /** Default 0. */
  seed?: number | undefined
  /** For each row its class: each part gets its share of every one. */
  stratify?: ArrayLike<unknown> | undefined
  /** For each row what it belongs to: all of that goes to one part. */
  group?: ArrayLike<unknown> | undefined
  /** For each row its time: the first part gets the earliest, the last the latest, and nothing is shuffled. Rows of one time
   *  stay together. */
  time?: ArrayLike<number> | undefined
}

/** The rows of each part, in random order unless split by time. `parts`: fractions that sum to 1 or counts that sum to
 *  `length`. */
export function splitIndices(
  caller: string,
  length: number,
  parts: readonly number[],
  options: SplitOptions = {},
): Uint32Array[] {
  const { seed, stratify, group, time } = settle(caller, options, {
    seed: seedOption,
    stratify: null,
    group: null,
    time: null,
  })
  const given = Object.entries({ stratify, group, time }).filter(([, values]) => values)
  if (given.length > 1)
    throw new RangeError(`${caller}: got ${given.map(([name]) => name).join(' and ')}, expected one of them`)
  for (const [name, values] of given)
    if ((values as ArrayLike<unknown>).length !== length)
      throw new RangeError(
        `${caller}: ${name} has ${(values as ArrayLike<unknown>).length} values, expected ${length}, one for each row`,
      )
  const cuts = cutsOf(caller, length, parts)
  if (time) return byTime(caller, length, cuts, time)
  if (group) return byGroup(cuts, group, seed)
  if (stratify) return byClass(cuts, length, stratify, seed)
  const order = permutation(length, seed)
  return cuts.slice(1).map((end, i) => order.subarray(cuts[i], end))
}

/** Where the parts begin and end. Cut points are rounded, so that the parts always add up to the whole. */
function cutsOf(caller: string, length: number, parts: readonly number[]): number[] {
  if (!Array.isArray(parts))
    throw new TypeError(`${caller}: parts are ${written(parts)}, expected a list of fractions or counts`)
  const total = parts.reduce((a, b) => a + b, 0)
  const fractions = Math.abs(total - 1) < 1e-9
  if (parts.some((part) => !(part >= 0) || (!fractions && !Number.isInteger(part))) || !(fractions || total === length))
    throw new RangeError(
      `${caller}: parts ${show(parts)} sum to ${total}, expected fractions that sum to 1, or counts that sum to ${length}`,
    )
  let sum = 0
  return [
    0,
    ...parts.map((part) => {
      sum += part
      return fractions ? Math.round(sum * length) : sum
    }),
  ]
}

/** Rows in lists by a key, in the order in which the keys come. */
function gathered(values: ArrayLike<unknown>): number[][] {
  const lists = new Map<unknown, number[]>()
  for (let i = 0; i < values.length; i++) {
    const list = lists.get(values[i])
    if (list) list.push(i)
    else lists.set(values[i], [i])
  }
  return [...lists.values()]
}

/** Shares of all classes by largest remainders, over the classes one after the other: parts have their size to the row. */
function byClass(cuts: readonly number[], length: number, classes: ArrayLike<unknown>, seed: number): Uint32Array[] {
  const parts: number[][] = cuts.slice(1).map(() => [])
  const taken = parts.map(() => 0)
  let before = 0
  // A row is given to the part that lags most behind its share of what was given so far, so that classes end evenly.
  const lists = gathered(classes)
  for (const [c, list] of lists.entries()) {
    const order = permutation(list.length, (seed + Math.imul(c + 1, 0x9e3779b9)) >>> 0)
    before += list.length
    const targets = parts.map(
      (_, p) => ((cuts[p + 1] as number) - (cuts[p] as number)) * (before / Math.max(1, length)),
    )
    const counts = parts.map((_, p) => Math.max(0, Math.floor((targets[p] as number) - (taken[p] as number))))
    let left = list.length - counts.reduce((a, b) => a + b, 0)
    const byRest = parts.map((_, p) => p).sort((a, b) => rest(b) - rest(a) || a - b)
    function rest(p: number): number {
      return (targets[p] as number) - (taken[p] as number) - (counts[p] as number)
    }
    for (let k = 0; left > 0; k++, left--) (counts[byRest[k % parts.length] as number] as number)++
    for (let p = parts.length - 1; left < 0; p = (p + parts.length - 1) % parts.length)
      if ((counts[p] as number) > 0) {
        ;(counts[p] as number)--
        left++
      }
    let at = 0
    counts.forEach((count, p) => {
      for (let k = 0; k < count; k++) parts[p]?.push(list[order[at++] as number] as number)
      ;(taken[p] as number) += count
    })
  }
  // Classes are mixed again.
  return parts.map((part, p) => {
    const order = permutation(part.length, (seed ^ Math.imul(p + 1, 0x85ebca6b)) >>> 0)
    return Uint32Array.from(order, (i) => part[i] as number)
  })
}

/** Groups at random, each to the part that lags most behind its size. */
function byGroup(cuts: readonly number[], groups: ArrayLike<unknown>, seed: number): Uint32Array[] {
  const lists = gathered(groups)
  const parts: number[][] = cuts.slice(1).map(() => [])
  const sizes = parts.map((_, p) => (cuts[p + 1] as number) - (cuts[p] as number))
  const order = permutation(lists.length, seed)
  // Large groups first, while there is room: the sizes come out closer.
  const sorted = [...order].sort((a, b) => (lists[b] as number[]).length - (lists[a] as number[]).length)
  for (const g of sorted) {
    let best = 0
    parts.forEach((part, p) => {
      const lag = (sizes[p] as number) - part.length
      if (lag > (sizes[best] as number) - (parts[best] as number[]).length) best = p
    })
    parts[best]?.push(...(lists[g] as number[]))
  }
  return parts.map((part, p) => {
    const mixed = permutation(part.length, (seed ^ Math.imul(p + 1, 0x85ebca6b)) >>> 0)
    return Uint32Array.from(mixed, (i) => part[i] as number)
  })
}

function byTime(caller: string, length: number, cuts: readonly number[], time: ArrayLike<number>): Uint32Array[] {
  const order = Uint32Array.from({ length }, (_, i) => i).sort(
    (a, b) => (time[a] as number) - (time[b] as number) || a - b,
  )
  const bad = order.findIndex((i) => !Number.isFinite(time[i]))
  if (bad >= 0)
    throw new RangeError(
      `${caller}: time holds ${time[order[bad] as number]} at ${order[bad]}, expected finite numbers`,
    )
  // Cuts move to where a new time begins.
  const ends = cuts.map((cut) => {
    let end = cut
    while (end > 0 && end < length && time[order[end] as number] === time[order[end - 1] as number]) end++
    return end
  })
  return ends.slice(1).map((end, i) => order.subarray(ends[i], Math.max(end, ends[i] as number)))
}

/** The rows to train and to validate on, for each of `k` folds: every row is validated on once. Stratified where `stratify`
 *  is given, by whole groups where `group` is; by `time` each fold is validated on what comes after it is trained on. */
export function kFold(
  length: number,
  k: number,
  options: SplitOptions = {},
): { train: Uint32Array; validation: Uint32Array }[] {
  settle('kFold', { length, k }, { length: option(whole(2)), k: option(whole(2, length)) })
  if (options.time) {
    const parts = splitIndices('kFold', length, Array(k + 1).fill(1 / (k + 1)), options)
    return parts.slice(1).map((validation, i) => ({ train: joined(parts.slice(0, i + 1)), validation }))
  }
  const parts = splitIndices('kFold', length, Array(k).fill(1 / k), options)
  return parts.map((validation, i) => ({ train: joined(parts.filter((_, j) => j !== i)), validation }))
}

function joined(parts: readonly Uint32Array[]): Uint32Array {
  const all = new Uint32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** What leaks from training into validation, in sentences; empty where nothing does. `group`: what a row belongs to must be on
 *  one side alone; `time`: validation must come after training. */
export function leaks(
  train: { group?: ArrayLike<unknown>; time?: ArrayLike<number> },
  validation: { group?: ArrayLike<unknown>; time?: ArrayLike<number> },
): string[] {
  const found: string[] = []
  if (train.group && validation.group) {
    const seen = new Set(Array.from(train.group))
    const both = [...new Set(Array.from(validation.group))].filter((group) => seen.has(group))
    if (both.length > 0)
      found.push(
        `${both.length} ${both.length === 1 ? 'group is' : 'groups are'} in both training and validation, ${written(both[0])} for one: split by group`,
      )
  }
  if (train.time && validation.time) {
    let last = -Infinity
    for (let i = 0; i < train.time.length; i++) last = Math.max(last, train.time[i] as number)
    let early = 0
    for (let i = 0; i < validation.time.length; i++) if ((validation.time[i] as number) <= last) early++
    if (early > 0)
      found.push(
        `${early} of ${validation.time.length} rows of validation are not later than all of training: split by time`,
      )
  }
  return found
}
