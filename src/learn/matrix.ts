// Matrices of float64 in JavaScript's memory: factors for problems of some hundred columns.

import { kindOf } from '../checks.ts'
import { square } from '../math.ts'
import { show } from '../tensor/shape.ts'
import { recording } from '../tensor/tape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { isNDArray, type NDArray } from '../tensor/types.ts'

/** Row-major. */
export interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float64Array
}

export function matrix(rows: number, columns: number, fill?: (row: number, column: number) => number): Matrix {
  const data = new Float64Array(rows * columns)
  if (fill) for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[at++] = fill(i, j)
  return { rows, columns, data }
}

/** Samples [n, d] as float64. Throws unless there is at least one, and every element is finite; and where they require a
 *  gradient, as what is made of them has none: better to say so than to cut the tape unseen. */
export function samples(caller: string, name: string, value: Tensor | NDArray): Matrix {
  if (!(value instanceof Tensor) && !isNDArray(value))
    throw new TypeError(`${caller}: ${name} is ${kindOf(value)}, expected a Tensor or { data, shape }`)
  if (recording() && value instanceof Tensor && value.requiresGrad)
    throw new Error(`${caller}: ${name} requires a gradient, which this function does not give; detach() it`)
  const { shape } = value
  const data = value instanceof Tensor ? value.data() : value.data
  const [rows = 0, columns = 0] = shape
  if (shape.length !== 2 || rows === 0 || columns === 0 || data.length !== rows * columns)
    throw new RangeError(
      `${caller}: ${name} has shape ${show(shape)} and ${data.length} elements, expected [n, d], both at least 1`,
    )
  const bad = data.findIndex((element) => !Number.isFinite(element))
  if (bad >= 0)
    throw new RangeError(
      `${caller}: ${name} is ${data[bad]} at [${Math.floor(bad / columns)}, ${bad % columns}], expected finite numbers; leave the sample out, or fill the gap`,
    )
  return { rows, columns, data: Float64Array.from(data) }
}

export const row = ({ data, columns }: Matrix, i: number): Float64Array => data.subarray(i * columns, (i + 1) * columns)

export const transposed = ({ rows, columns, data }: Matrix): Matrix =>
  matrix(columns, rows, (i, j) => data[j * columns + i] as number)

export function means({ rows, columns, data }: Matrix): Float64Array {
  const sums = new Float64Array(columns)
  for (let at = 0; at < data.length; at++) sums[at % columns] = (sums[at % columns] as number) + (data[at] as number)
  return sums.map((sum) => sum / rows)
}

export const centred = (x: Matrix, mean: ArrayLike<number>): Matrix => ({
  ...x,
  data: x.data.map((element, at) => element - (mean[at % x.columns] as number)),
})

export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

/** a += factor b */
function addTo(a: Float64Array, b: Float64Array, factor: number, from = 0): void {
  for (let i = from; i < a.length; i++) a[i] = (a[i] as number) + factor * (b[i] as number)
}

const swap = (list: unknown[], i: number, j: number): void => {
  const held = list[i]
  list[i] = list[j]
  list[j] = held
}

/** Householder's reflections of columns: A P = Q R, with the columns of A and what is applied to B in place.
 *
 *  a: the columns of A, each of n ≥ their number; b: columns of n, which become Qᵀ B. With `pivot` the longest column
 *  that remains comes next. Returns the reflections as unit vectors, and `order`, with column order[i] of A in place i;
 *  R is the upper triangle of a. */
function reflect(a: Float64Array[], b: Float64Array[], pivot: boolean): { order: number[]; vectors: Float64Array[] } {
  const order = a.map((_, i) => i)
  const rest = (column: Float64Array, from: number): number => {
    const part = column.subarray(from)
    return dot(part, part)
  }
  const vectors = a.map((_, i) => {
    if (pivot) {
      let longest = i
      for (let j = i + 1; j < a.length; j++)
        if (rest(a[j] as Float64Array, i) > rest(a[longest] as Float64Array, i)) longest = j
      swap(a, i, longest)
      swap(order, i, longest)
    }
    const column = a[i] as Float64Array
    const v = column.map((element, at) => (at < i ? 0 : element))
    const length = Math.sqrt(dot(v, v))
    if (length === 0) return v
    v[i] = (v[i] as number) + ((v[i] as number) < 0 ? -length : length)
    const scale = 1 / Math.sqrt(dot(v, v))
    for (let at = i; at < v.length; at++) v[at] = (v[at] as number) * scale
    for (const other of [...a.slice(i), ...b]) addTo(other, v, -2 * dot(v, other), i)
    return v
  })
  return { order, vectors }
}

const columnsOf = ({ rows, columns, data }: Matrix): Float64Array[] =>
  Array.from({ length: columns }, (_, j) =>
    Float64Array.from({ length: rows }, (_, i) => data[i * columns + j] as number),
  )

/** The W of least ‖A W - B‖, and of those the one of least ‖W‖, with the rank of A: QR with column pivoting, and where
 *  columns depend on each other another QR of what remains (a complete orthogonal factorisation). Columns count by
 *  direction alone: one depends on the others when they leave over less than `rcond` of the largest.
 *  A: [n, d]; B: [n, k]; W: [d, k]. Golub, Van Loan, Matrix Computations, 5.4 and 5.5. */
export function leastNorm(a: Matrix, b: Matrix, rcond: number): { solution: Matrix; rank: number } {
  const d = a.columns
  // At least as many rows as columns: rows of zeros change nothing.
  const n = Math.max(a.rows, d)
  const padded = (column: Float64Array): Float64Array => {
    const long = new Float64Array(n)
    long.set(column)
    return long
  }
  const columns = columnsOf(a).map(padded)
  const lengths = columns.map((column) => Math.sqrt(dot(column, column)) || 1)
  for (const [j, column] of columns.entries())
    for (let i = 0; i < n; i++) column[i] = (column[i] as number) / (lengths[j] as number)
  const right = columnsOf(b).map(padded)
  const { order } = reflect(columns, right, true)
  const largest = Math.abs(columns[0]?.[0] ?? 0)
  const rank = columns.filter((column, i) => Math.abs(column[i] as number) > rcond * largest).length
  // R of the columns as they came: [rank, d].
  const r = (i: number, j: number): number =>
    j < i ? 0 : (columns[j]?.[i] as number) * (lengths[order[j] as number] as number)
  const solution = matrix(d, b.columns)
  if (rank === d) {
    for (const [c, q] of right.entries()) {
      const w = new Float64Array(d)
      for (let i = d - 1; i >= 0; i--) {
        let sum = q[i] as number
        for (let j = i + 1; j < d; j++) sum -= r(i, j) * (w[j] as number)
        w[i] = sum / r(i, i)
      }
      for (let i = 0; i < d; i++) solution.data[(order[i] as number) * b.columns + c] = w[i] as number
    }
    return { solution, rank }
  }
  // Rᵀ = Z U, so R w = q is Uᵀ (Zᵀ w) = q; the shortest w lies in the columns of Z.
  const rows = Array.from({ length: rank }, (_, i) => Float64Array.from({ length: d }, (_, j) => r(i, j)))
  const { vectors } = reflect(rows, [], false)
  for (const [c, q] of right.entries()) {
    const w = new Float64Array(d)
    for (let i = 0; i < rank; i++) {
      let sum = q[i] as number
      for (let j = 0; j < i; j++) sum -= (rows[i]?.[j] as number) * (w[j] as number)
      w[i] = sum / (rows[i]?.[i] as number)
    }
    for (let i = rank - 1; i >= 0; i--) addTo(w, vectors[i] as Float64Array, -2 * dot(vectors[i] as Float64Array, w))
    for (let i = 0; i < d; i++) solution.data[(order[i] as number) * b.columns + c] = w[i] as number
  }
  return { solution, rank }
}

/** The lower triangular L with A = L Lᵀ, or null where A is not positive definite. */
export function cholesky({ rows: n, data }: Matrix): Matrix | null {
  const l = matrix(n, n)
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = data[i * n + j] as number
      for (let k = 0; k < j; k++) sum -= (l.data[i * n + k] as number) * (l.data[j * n + k] as number)
      if (i !== j) l.data[i * n + j] = sum / (l.data[j * n + j] as number)
      else if (!(sum > 0)) return null
      else l.data[i * n + i] = Math.sqrt(sum)
    }
  return l
}

/** x = L⁻¹ x for a lower triangular L. */
export function solveLower({ rows: n, data }: Matrix, x: Float64Array): void {
  for (let i = 0, at = 0; i < n; at += n - i, i++) {
    let sum = x[i] as number
    for (let j = 0; j < i; j++, at++) sum -= (data[at] as number) * (x[j] as number)
    x[i] = sum / (data[at] as number)
  }
}

/** The singular values of A, largest first, and the right singular vectors as rows: A = U diag(values) vectors.
 *
 *  QR first, where A has more rows than columns; then one-sided Jacobi: pairs of columns are turned until all are
 *  orthogonal. A: [n, d]; values: min(n, d); vectors: [min(n, d), d]. Demmel, Veselić, 1992. */
export function singular(a: Matrix): { values: Float64Array; vectors: Matrix } {
  const d = a.columns
  let long: Float64Array[]
  if (a.rows > d) {
    const columns = columnsOf(a)
    reflect(columns, [], false)
    // The columns of Rᵀ.
    long = Array.from({ length: d }, (_, i) =>
      Float64Array.from(columns, (column, j) => (j < i ? 0 : (column[i] as number))),
    )
  } else long = Array.from({ length: a.rows }, (_, i) => row(a, i).slice())
  // Products of d terms are no more exact than this share of their sizes; columns below that share of all are 0.
  const exact = d * Number.EPSILON
  const floor = exact * exact * long.reduce((sum, column) => sum + dot(column, column), 0)
  for (let turned = true, sweep = 0; turned; sweep++) {
    if (sweep === 60) throw new Error('singular: no convergence in 60 sweeps')
    turned = false
    for (let p = 0; p < long.length; p++)
      for (let q = p + 1; q < long.length; q++) {
        const x = long[p] as Float64Array
        const y = long[q] as Float64Array
        const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)]
        if (Math.min(xx, yy) <= floor || Math.abs(xy) <= exact * Math.sqrt(xx * yy)) continue
        turned = true
        const zeta = (yy - xx) / (2 * xy)
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta))
        const cosine = 1 / Math.sqrt(1 + t * t)
        const sine = cosine * t
        for (let i = 0; i < d; i++) {
          const held = x[i] as number
          x[i] = cosine * held - sine * (y[i] as number)
          y[i] = sine * held + cosine * (y[i] as number)
        }
      }
  }
  const found = long.map((column) => ({ column, value: Math.sqrt(dot(column, column)) }))
  found.sort((x, y) => y.value - x.value)
  const vectors = matrix(long.length, d)
  found.forEach(({ column, value }, i) => {
    const target = row(vectors, i)
    if (value * value > floor) target.set(column.map((element) => element / value))
    else complete(vectors, i)
  })
  return { values: Float64Array.from(found, ({ value }) => value), vectors }
}

/** Fills row i with a unit vector that is orthogonal to the rows above: of the axes the one that they leave most of. */
function complete(vectors: Matrix, i: number): void {
  const above = Array.from({ length: i }, (_, j) => row(vectors, j))
  const left = Array.from({ length: vectors.columns }, (_, axis) =>
    above.reduce((sum, v) => sum - square(v[axis] as number), 1),
  )
  const target = row(vectors, i)
  target[left.indexOf(Math.max(...left))] = 1
  // Twice: once leaves a rounding of each projection.
  for (const v of [...above, ...above]) addTo(target, v, -dot(target, v))
  const length = Math.sqrt(dot(target, target))
  for (let j = 0; j < target.length; j++) target[j] = (target[j] as number) / length
}
