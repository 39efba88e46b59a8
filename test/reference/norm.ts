// Normalisation in f64, by its definition.

import { build, coordinates, get, type Ref, ref, size } from './array.ts'

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** Each element normalised among those that `group` gives the same name: [x̂, group's mean and variance]. */
function normalized(x: Ref, eps: number, group: (at: number[]) => string, centred = true): Ref {
  const members = new Map<string, number[]>()
  const names = Array.from(x.data, (value, i) => {
    const name = group(coordinates(x.shape, i))
    members.set(name, [...(members.get(name) ?? []), value])
    return name
  })
  const statistics = new Map(
    [...members].map(([name, values]) => {
      const m = centred ? mean(values) : 0
      return [name, { m, rstd: 1 / Math.sqrt(mean(values.map((v) => (v - m) ** 2)) + eps) }]
    }),
  )
  return ref(
    x.shape,
    x.data.map((value, i) => {
      const { m, rstd } = statistics.get(names[i] as string) as { m: number; rstd: number }
      return (value - m) * rstd
    }),
  )
}

/** x̂ weight + bias; `at` picks the coordinates of weight and bias. */
const affine = (x: Ref, weight: Ref | undefined, bias: Ref | undefined, pick: (at: number[]) => number[]): Ref =>
  build(
    x.shape,
    (at, i) => (x.data[i] as number) * (weight ? get(weight, pick(at)) : 1) + (bias ? get(bias, pick(at)) : 0),
  )

export const layerNorm = (x: Ref, axes: number, eps: number, weight?: Ref, bias?: Ref): Ref => {
  const lead = x.shape.length - axes
  const h = normalized(x, eps, (at) => at.slice(0, lead).join())
  return affine(h, weight, bias, (at) => at.slice(lead))
}

export const rmsNorm = (x: Ref, axes: number, eps: number, weight?: Ref): Ref => {
  const lead = x.shape.length - axes
  const h = normalized(x, eps, (at) => at.slice(0, lead).join(), false)
  return affine(h, weight, undefined, (at) => at.slice(lead))
}

export const groupNorm = (x: Ref, groups: number, eps: number, weight?: Ref, bias?: Ref): Ref => {
  const each = (x.shape[1] as number) / groups
  const h = normalized(x, eps, ([n, c]) => `${n},${Math.floor((c as number) / each)}`)
  return affine(h, weight, bias, (at) => [at[1] as number])
}

export const batchNorm = (x: Ref, eps: number, weight?: Ref, bias?: Ref): Ref =>
  affine(
    normalized(x, eps, (at) => String(at[1])),
    weight,
    bias,
    (at) => [at[1] as number],
  )

export const fixedBatchNorm = (x: Ref, m: Ref, v: Ref, eps: number, weight?: Ref, bias?: Ref): Ref =>
  affine(
    build(x.shape, (at) => {
      const c = [at[1] as number]
      return (get(x, at) - get(m, c)) / Math.sqrt(get(v, c) + eps)
    }),
    weight,
    bias,
    (at) => [at[1] as number],
  )

/** Mean and unbiased variance of each channel. */
export function channelStatistics(x: Ref): { mean: number[]; variance: number[] } {
  const channels = Array.from({ length: x.shape[1] as number }, () => [] as number[])
  for (let i = 0; i < size(x.shape); i++)
    (channels[coordinates(x.shape, i)[1] as number] as number[]).push(x.data[i] as number)
  return {
    mean: channels.map(mean),
    variance: channels.map((v) => v.reduce((s, value) => s + (value - mean(v)) ** 2, 0) / (v.length - 1)),
  }
}
