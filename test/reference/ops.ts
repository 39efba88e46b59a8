// Every op of src/ops in f64, by its definition.

import { broadcast, build, coordinates, get, map, position, type Ref, ref, size, zip } from './array.ts'

export const add = zip((x, y) => x + y)
export const sub = zip((x, y) => x - y)
export const mul = zip((x, y) => x * y)
export const div = zip((x, y) => x / y)
export const neg = map((x) => -x)
export const exp = map(Math.exp)
export const log = map(Math.log)
export const sqrt = map(Math.sqrt)
export const rsqrt = map((x) => 1 / Math.sqrt(x))
export const round = map((x) => {
  const below = Math.floor(x)
  const rest = x - below
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1
})
/** The Taylor series near 0, Lentz's continued fraction of 1 - erf beyond. */
export const erfOf = (x: number): number => {
  const t = Math.abs(x)
  if (t < 3) {
    let term = t
    let total = t
    for (let n = 1; Math.abs(term) > 1e-20; n++) {
      term *= -(t * t) / n
      total += term / (2 * n + 1)
    }
    return (Math.sign(x) * 2 * total) / Math.sqrt(Math.PI)
  }
  let fraction = t
  for (let n = 60; n > 0; n--) fraction = t + n / 2 / fraction
  return Math.sign(x) * (1 - Math.exp(-t * t) / (fraction * Math.sqrt(Math.PI)))
}
export const erf = map(erfOf)
export const greater = zip((x, y) => Number(x > y))
export const clamp = (a: Ref, min: number, max: number): Ref => map((x) => Math.min(Math.max(x, min), max))(a)
export const where = (c: Ref, a: Ref, b: Ref): Ref =>
  build(broadcast(c.shape, broadcast(a.shape, b.shape)), (at) => (get(c, at) !== 0 ? get(a, at) : get(b, at)))
export const relu = map((x) => Math.max(x, 0))
export const leakyRelu = (slope: number) => map((x) => (x > 0 ? x : slope * x))
export const elu = (alpha: number, scale = 1) => map((x) => scale * (x > 0 ? x : alpha * Math.expm1(x)))
export const gelu = map((x) => (x / 2) * (1 + erfOf(x / Math.SQRT2)))
export const hardsigmoid = map((x) => Math.min(Math.max(x + 3, 0), 6) / 6)
export const hardswish = map((x) => (x * Math.min(Math.max(x + 3, 0), 6)) / 6)
export const softplus = (beta: number, threshold: number) =>
  map((x) => (beta * x > threshold ? x : Math.log1p(Math.exp(beta * x)) / beta))
export const prelu = (a: Ref, weight: Ref): Ref =>
  build(a.shape, (at, i) => {
    const x = a.data[i] as number
    return x > 0 ? x : x * (weight.data.length === 1 ? (weight.data[0] as number) : get(weight, [at[1] as number]))
  })
export const glu = (a: Ref, axis: number): Ref => {
  const half = (a.shape[axis] as number) / 2
  return build(
    a.shape.map((n, i) => (i === axis ? half : n)),
    (at) =>
      get(a, at) /
      (1 +
        Math.exp(
          -get(
            a,
            at.map((c, i) => (i === axis ? c + half : c)),
          ),
        )),
  )
}
export const logSoftmax = (a: Ref, axis: number): Ref => log(softmax(a, axis))

export const reshape = (a: Ref, shape: readonly number[]): Ref => ref(shape, a.data)
export const expand = (a: Ref, shape: readonly number[]): Ref => build(shape, (at) => get(a, at))
export const permute = (a: Ref, order: readonly number[]): Ref =>
  build(
    order.map((axis) => a.shape[axis] as number),
    (at) => {
      const source: number[] = []
      order.forEach((axis, i) => {
        source[axis] = at[i] as number
      })
      return get(a, source)
    },
  )
export const transpose = (a: Ref, i: number, j: number): Ref =>
  permute(
    a,
    a.shape.map((_, axis) => (axis === i ? j : axis === j ? i : axis)),
  )

/** Groups the elements of a by their coordinates without `axes`. */
function groups(a: Ref, axes: readonly number[], keepDim: boolean): { shape: number[]; values: number[][] } {
  const kept = a.shape.map((n, d) => (axes.includes(d) ? 1 : n))
  const values: number[][] = Array.from({ length: size(kept) }, () => [])
  a.data.forEach((value, i) => {
    const at = coordinates(a.shape, i).map((x, d) => (axes.includes(d) ? 0 : x))
    values[at.reduce((p, x, d) => p * (kept[d] as number) + x, 0)]?.push(value)
  })
  return { shape: keepDim ? kept : a.shape.filter((_, d) => !axes.includes(d)), values }
}
const all = (a: Ref): number[] => a.shape.map((_, d) => d)
const total = (list: readonly number[]): number => list.reduce((s, x) => s + x, 0)

export function sum(a: Ref, axes = all(a), keepDim = false): Ref {
  const { shape, values } = groups(a, axes, keepDim)
  return ref(shape, values.map(total))
}
export function mean(a: Ref, axes = all(a), keepDim = false): Ref {
  const { shape, values } = groups(a, axes, keepDim)
  return ref(
    shape,
    values.map((list) => total(list) / list.length),
  )
}
export function max(a: Ref, axis: number, keepDim = false): Ref {
  const { shape, values } = groups(a, [axis], keepDim)
  return ref(
    shape,
    values.map((list) => Math.max(...list)),
  )
}
export function argmax(a: Ref, axis: number): Ref {
  const { shape, values } = groups(a, [axis], false)
  return ref(
    shape,
    values.map((list) => list.indexOf(Math.max(...list))),
  )
}

export function matmul(a: Ref, b: Ref): Ref {
  const [m, k] = a.shape.slice(-2) as [number, number]
  const n = b.shape.at(-1) as number
  return build([...broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n], (at) => {
    const lead = at.slice(0, -2)
    const [i, j] = at.slice(-2) as [number, number]
    const row = position(a.shape, [...lead, i, 0])
    const column = position(b.shape, [...lead, 0, j])
    let dot = 0
    for (let p = 0; p < k; p++) dot += (a.data[row + p] as number) * (b.data[column + p * n] as number)
    return dot
  })
}
export const linear = (x: Ref, w: Ref, b: Ref): Ref => {
  const rows = reshape(x, [size(x.shape.slice(0, -1)), x.shape.at(-1) as number])
  return reshape(add(matmul(rows, transpose(w, 0, 1)), b), [...x.shape.slice(0, -1), w.shape[0] as number])
}

export function softmax(a: Ref, axis: number): Ref {
  const largest = expand(max(a, axis, true), a.shape)
  const e = exp(sub(a, largest))
  return div(e, sum(e, [axis], true))
}

const folded =
  (f: (list: readonly number[]) => number) =>
  (a: Ref, axes = all(a), keepDim = false): Ref => {
    const { shape, values } = groups(a, axes, keepDim)
    return ref(shape, values.map(f))
  }
export const prod = folded((list) => list.reduce((p, x) => p * x, 1))
export const variance = (correction: number) =>
  folded((list) => {
    const centre = total(list) / list.length
    return total(list.map((x) => (x - centre) ** 2)) / Math.max(0, list.length - correction)
  })
export const logSumExp = folded((list) => Math.log(total(list.map(Math.exp))))
export const norm = (p: number) =>
  folded((list) => {
    const sizes = list.map(Math.abs)
    if (p === Infinity) return Math.max(...sizes)
    return total(sizes.map((x) => x ** p)) ** (1 / p)
  })
export const cumsum = (a: Ref, axis: number): Ref =>
  build(a.shape, (at) => {
    let s = 0
    for (let t = 0; t <= (at[axis] as number); t++)
      s += get(
        a,
        at.map((x, d) => (d === axis ? t : x)),
      )
    return s
  })

export const cumprod = (a: Ref, axis: number): Ref =>
  build(a.shape, (at) => {
    let p = 1
    for (let t = 0; t <= (at[axis] as number); t++)
      p *= get(
        a,
        at.map((x, d) => (d === axis ? t : x)),
      )
    return p
  })

/** x read at source(at) for each coordinate of the result, or `outside` where that is null. */
export const rearranged = (
  a: Ref,
  shape: readonly number[],
  source: (at: number[]) => number[] | null,
  outside = 0,
): Ref =>
  build(shape, (at) => {
    const from = source(at)
    return from ? (a.data[from.reduce((p, x, d) => p * (a.shape[d] as number) + x, 0)] as number) : outside
  })
export const cat = (a: Ref, b: Ref, axis: number): Ref => {
  const cut = a.shape[axis] as number
  return build(
    a.shape.map((n, d) => (d === axis ? n + (b.shape[d] as number) : n)),
    (at) =>
      (at[axis] as number) < cut
        ? get(a, at)
        : get(
            b,
            at.map((x, d) => (d === axis ? x - cut : x)),
          ),
  )
}
