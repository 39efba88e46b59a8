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

/** Σ_{c ≠ y} max(0, margin - x_y + x_c)^p / classes, times the weight of y. */
export const multiMargin = (
  x: Ref,
  labels: readonly number[],
  { margin = 1, p = 1, weight }: { margin?: number; p?: number; weight?: readonly number[] },
  reduction: string,
): Ref => {
  const classes = x.shape[1] as number
  const losses = build([x.shape[0] as number], ([n]) => {
    const y = labels[n as number] as number
    let loss = 0
    for (let c = 0; c < classes; c++)
      if (c !== y) loss += Math.max(0, margin - get(x, [n as number, y]) + get(x, [n as number, c])) ** p
    return ((weight?.[y] ?? 1) * loss) / classes
  })
  return reduced(losses, reduction)
}

/** -w (1 - p)^gamma ln p of class indices, or of decisions of their own. */
export function focal(
  x: Ref,
  labels: readonly number[],
  { gamma = 2, alpha, ignoreIndex = -100 }: { gamma?: number; alpha?: readonly number[]; ignoreIndex?: number },
  reduction: string,
): Ref {
  const logs = logSoftmax(x)
  const losses = build([x.shape[0] as number, ...x.shape.slice(2)], (at, i) => {
    const y = labels[i] as number
    if (y === ignoreIndex) return 0
    const log = get(logs, placed(at, y))
    return -(alpha?.[y] ?? 1) * (1 - Math.exp(log)) ** gamma * log
  })
  const count = labels.filter((y) => y !== ignoreIndex).length
  return reduction === 'mean' ? ref([], [(sum(losses).data[0] as number) / count]) : reduced(losses, reduction)
}
export const binaryFocal = (alpha: number | null, gamma: number) =>
  pair((x, y) => {
    const p = 1 / (1 + Math.exp(-x))
    const entropy = -y * Math.log(p) - (1 - y) * Math.log1p(-p)
    return (alpha === null ? 1 : alpha * y + (1 - alpha) * (1 - y)) * (p * (1 - y) + (1 - p) * y) ** gamma * entropy
  })

const unit = (x: Ref): Ref =>
  build(x.shape, ([n, d]) => {
    const row = Array.from({ length: x.shape[1] as number }, (_, k) => get(x, [n as number, k]))
    return get(x, [n as number, d as number]) / Math.hypot(...row)
  })

export function infoNCE(query: Ref, key: Ref, others: Ref | null, temperature: number, reduction: string): Ref {
  const [q, k, o] = [unit(query), unit(key), others && unit(others)]
  const features = q.shape[1] as number
  const cos = (a: Ref, i: number, b: Ref, j: number): number => {
    let dot = 0
    for (let d = 0; d < features; d++) dot += get(a, [i, d]) * get(b, [j, d])
    return dot / temperature
  }
  const losses = build([q.shape[0] as number], ([i]) => {
    const own = cos(q, i as number, k, i as number)
    const [from, count] = o ? [o, o.shape[0] as number] : [k, k.shape[0] as number]
    let total = o ? Math.exp(own) : 0
    for (let j = 0; j < count; j++) total += Math.exp(cos(q, i as number, from, j))
    return Math.log(total) - own
  })
  return reduced(losses, reduction)
}

/** By definition: all paths of classes over the steps that spell the labels once repetitions, then blanks, are left out. */
export function ctc(
  logp: Ref,
  targets: readonly (readonly number[])[],
  lengths: readonly number[],
  blank: number,
  reduction: string,
): Ref {
  const classes = logp.shape[2] as number
  const losses = build([logp.shape[1] as number], ([n]) => {
    const spell = (path: readonly number[]) => path.filter((c, t) => c !== blank && c !== path[t - 1])
    const wanted = String(targets[n as number])
    let total = 0
    const steps = lengths[n as number] as number
    const walk = (path: readonly number[], log: number): void => {
      const t = path.length
      if (t === steps) {
        if (String(spell(path)) === wanted) total += Math.exp(log)
        return
      }
      for (let c = 0; c < classes; c++) walk([...path, c], log + get(logp, [t, n as number, c]))
    }
    walk([], 0)
    return -Math.log(total)
  })
  if (reduction !== 'mean') return reduced(losses, reduction)
  return mean(
    ref(
      losses.shape,
      losses.data.map((loss, n) => loss / Math.max(1, (targets[n] as readonly number[]).length)),
    ),
  )
}
