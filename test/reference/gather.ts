// src/ops/gather.ts in f64, by definition. Indices are numbers here.

import { build, get, type Ref } from './array.ts'

export interface Index {
  readonly shape: readonly number[]
  readonly data: ArrayLike<number>
}

/** The coordinates with that of `axis` replaced. */
const moved = (at: readonly number[], axis: number, to: number): number[] => at.map((c, d) => (d === axis ? to : c))

/** out[i…, :] = weight[index[i…], :]. */
export const embedding = (weight: Ref, index: Index): Ref =>
  build([...index.shape, weight.shape[1] as number], (at, i) =>
    get(weight, [index.data[Math.floor(i / (weight.shape[1] as number))] as number, at.at(-1) as number]),
  )

/** out[…, j, …] = x[…, index[j], …]. */
export const indexSelect = (x: Ref, axis: number, index: Index): Ref =>
  build(
    x.shape.map((size, d) => (d === axis ? index.data.length : size)),
    (at) => get(x, moved(at, axis, index.data[at[axis] as number] as number)),
  )
