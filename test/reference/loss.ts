// The losses of src/ops/loss.ts and entropy.ts in f64, by their definitions.

import { build, get, type Ref, ref } from './array.ts'
import { mean, sum } from './ops.ts'

const reduced = (losses: Ref, reduction: string): Ref =>
  reduction === 'none' ? losses : reduction === 'sum' ? sum(losses) : mean(losses)

const pair =
  (f: (x: number, y: number, i: number) => number) =>
  (x: Ref, y: Ref, reduction: string): Ref =>
    reduced(
      ref(
        x.shape,
        x.data.map((a, i) => f(a, y.data[i] as number, i)),
      ),
      reduction,
    )

export const mse = pair((x, y) => (x - y) ** 2)
export const mae = pair((x, y) => Math.abs(x - y))
export const huber = (delta: number) =>
  pair((x, y) => {
    const e = Math.abs(x - y)
    return e <= delta ? e ** 2 / 2 : delta * (e - delta / 2)
  })
export const smoothL1 = (beta: number) =>
  pair((x, y) => {
    const e = Math.abs(x - y)
    return e < beta ? e ** 2 / (2 * beta) : e - beta / 2
  })
export const bce = pair((x, y) => -y * Math.max(Math.log(x), -100) - (1 - y) * Math.max(Math.log1p(-x), -100))
export const bceWithLogits = (positive: (i: number) => number) =>
  pair((x, y, i) => positive(i) * y * Math.log1p(Math.exp(-x)) + (1 - y) * Math.log1p(Math.exp(x)))

export interface Classes {
  weight?: readonly number[] | undefined
  ignoreIndex?: number
  labelSmoothing?: number
}

/** Coordinates of class c at a place without classes. */
const placed = (at: readonly number[], c: number): number[] => [at[0] as number, c, ...at.slice(1)]

const logSoftmax = (x: Ref): Ref => {
  const logs = build([x.shape[0] as number, ...x.shape.slice(2)], (place) => {
    const row = Array.from({ length: x.shape[1] as number }, (_, c) => get(x, placed(place, c)))
    const top = Math.max(...row)
    return top + Math.log(row.reduce((s, v) => s + Math.exp(v - top), 0))
  })
  return build(x.shape, (at) => get(x, at) - get(logs, [at[0] as number, ...at.slice(2)]))
}

export function nll(
  logs: Ref,
  labels: readonly number[],
  { weight, ignoreIndex = -100, labelSmoothing = 0 }: Classes,
  reduction: string,
): Ref {
  const classes = logs.shape[1] as number
  const w = (c: number): number => weight?.[c] ?? 1
  let total = 0
  const losses = build([logs.shape[0] as number, ...logs.shape.slice(2)], (at, i) => {
    const label = labels[i] as number
    if (label === ignoreIndex) return 0
    total += w(label)
    let spread = 0
    for (let c = 0; c < classes; c++) spread -= w(c) * get(logs, placed(at, c))
    return -(1 - labelSmoothing) * w(label) * get(logs, placed(at, label)) + (labelSmoothing / classes) * spread
  })
  return reduction === 'mean' ? ref([], [(sum(losses).data[0] as number) / total]) : reduced(losses, reduction)
}

export const crossEntropy = (x: Ref, labels: readonly number[], classes: Classes, reduction: string): Ref =>
  nll(logSoftmax(x), labels, classes, reduction)

export function softCrossEntropy(x: Ref, target: Ref, { weight, labelSmoothing = 0 }: Classes, reduction: string): Ref {
  const logs = logSoftmax(x)
  const classes = x.shape[1] as number
  return reduced(
    build([x.shape[0] as number, ...x.shape.slice(2)], (at) => {
      let loss = 0
      for (let c = 0; c < classes; c++) {
        const t = get(target, placed(at, c)) * (1 - labelSmoothing) + labelSmoothing / classes
        loss -= (weight?.[c] ?? 1) * t * get(logs, placed(at, c))
      }
      return loss
    }),
    reduction,
  )
}
