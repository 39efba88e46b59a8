// The f64 reference: n-dimensional arrays in plain TypeScript, written to be read, not to be fast.

export interface Ref {
  readonly shape: readonly number[]
  readonly data: Float64Array
}

export const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

export const ref = (shape: readonly number[], data: ArrayLike<number>): Ref => ({
  shape,
  data: Float64Array.from(data),
})

/** Row-major coordinates of element i. */
export function coordinates(shape: readonly number[], i: number): number[] {
  const at = new Array<number>(shape.length)
  for (let d = shape.length - 1, rest = i; d >= 0; d--) {
    const n = shape[d] as number
    at[d] = rest % n
    rest = Math.floor(rest / n)
  }
  return at
}

/** Position of coordinates; axes of size 1 are read at 0, missing leading axes ignored. */
export function position(shape: readonly number[], at: readonly number[]): number {
  const lead = at.length - shape.length
  return shape.reduce((p, n, d) => p * n + (n === 1 ? 0 : (at[d + lead] as number)), 0)
}

export function build(shape: readonly number[], value: (at: number[], i: number) => number): Ref {
  const data = new Float64Array(size(shape))
  for (let i = 0; i < data.length; i++) data[i] = value(coordinates(shape, i), i)
  return { shape, data }
}

export const get = (a: Ref, at: readonly number[]): number => a.data[position(a.shape, at)] as number

export function broadcast(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1
    const y = b[i - rank + b.length] ?? 1
    return x === 1 ? y : x
  })
}

/** A function of one element, of a whole array. */
export const map =
  (f: (x: number) => number) =>
  (a: Ref): Ref =>
    ref(a.shape, a.data.map(f))

/** A function of two elements, of arrays that broadcast. */
export const zip =
  (f: (x: number, y: number) => number) =>
  (a: Ref, b: Ref): Ref =>
    build(broadcast(a.shape, b.shape), (at) => f(get(a, at), get(b, at)))
