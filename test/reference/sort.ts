// src/ops/sort.ts in f64, by definition.

import { build, get, type Ref } from './array.ts'

/** Positions of the elements that differ from `at` on the axis alone, in order; NaN is the largest. */
function order(x: Ref, axis: number, descending: boolean, at: readonly number[]): number[] {
  const value = (i: number) =>
    get(
      x,
      at.map((c, d) => (d === axis ? i : c)),
    )
  const rank = (a: number, b: number): number =>
    Number.isNaN(a) || Number.isNaN(b) ? Number(Number.isNaN(a)) - Number(Number.isNaN(b)) : a - b
  return Array.from({ length: x.shape[axis] as number }, (_, i) => i).sort(
    (i, j) => (descending ? -1 : 1) * rank(value(i), value(j)) || i - j,
  )
}

/** Positions in order, of the first k elements on the axis. */
export function positions(x: Ref, axis: number, descending: boolean, k = x.shape[axis] as number): Ref {
  const orders = new Map<string, number[]>()
  return build(
    x.shape.map((n, d) => (d === axis ? k : n)),
    (at) => {
      const line = String(at.map((c, d) => (d === axis ? 0 : c)))
      const found = orders.get(line) ?? order(x, axis, descending, at)
      orders.set(line, found)
      return found[at[axis] as number] as number
    },
  )
}

export const sort = (x: Ref, axis: number, descending: boolean, k?: number): Ref => {
  const from = positions(x, axis, descending, k)
  return build(from.shape, (at) =>
    get(
      x,
      at.map((c, d) => (d === axis ? get(from, at) : c)),
    ),
  )
}
