// Least squares by the normal equations, in f64: products of two f32 are exact there, and forming XᵀX, which
// squares the condition of X, costs what f64 has to spare.

import { In, OptionalOut, Out, Scratch } from '../abi'
import { at64 } from '../order'
import { at } from '../simd'

/** Samples that are added to the products at a time: one load and store of a sum for each four of its terms. */
const SAMPLES = 4

/** means[c] = the mean of column c of x.  x: [n, columns]; means: columns f64. */
function centre(means: usize, x: usize, n: i32, columns: i32): void {
  memory.fill(means, 0, <usize>columns << 3)
  for (let i = 0; i < n; i++)
    for (let c = 0; c < columns; c++) {
      const mean = at64(means, c)
      store<f64>(mean, load<f64>(mean) + <f64>load<f32>(at(x, i * columns + c)))
    }
  for (let c = 0; c < columns; c++) store<f64>(at64(means, c), load<f64>(at64(means, c)) / <f64>n)
}

/** row[c] = x[c] - means[c] in f64. */
function widen(row: usize, x: usize, means: usize, columns: i32): void {
  for (let c = 0; c < columns; c++) store<f64>(at64(row, c), <f64>load<f32>(at(x, c)) - load<f64>(at64(means, c)))
}

/** weight, bias = the W, b of least Σ ‖y - x W - b‖² + ridge ‖W‖²: (XᵀX + ridge I) W = XᵀY with columns centred, by
 *  Cholesky's factors.  weight: [d, k]; bias: [k], when absent b is 0 and nothing is centred; x: [n, d]; y: [n, k].
 *
 *  unexplained: [], the least share of a column's squares that the columns before it leave over (a pivot over its
 *  diagonal element); about 1 where columns are orthogonal, the smaller the less certain the answer. Where it is not
 *  above 0, weight and bias are 0.
 *  buffer: (d + 5)(d + k + 1) f64. */
export function leastSquares(
  weight: Out, bias: OptionalOut, unexplained: Out, buffer: Scratch, x: In, y: In, ridge: f32, n: i32, d: i32, k: i32,
): void {
  // [XᵀX | XᵀY], of which only the triangle above the diagonal and what lies right of it is used.
  const width = (d + k + 1) & ~1
  const means = at64(buffer, d * width)
  const rows = at64(means, width)
  memory.fill(buffer, 0, rows + ((<usize>SAMPLES * width) << 3) - buffer)
  if (bias) {
    centre(means, x, n, d)
    centre(at64(means, d), y, n, k)
  }
  for (let i = 0; i < n; i += SAMPLES) {
    for (let s = 0; s < SAMPLES; s++) {
      const row = at64(rows, s * width)
      if (i + s < n) {
        widen(row, at(x, (i + s) * d), means, d)
        widen(at64(row, d), at(y, (i + s) * k), at64(means, d), k)
      } else memory.fill(row, 0, <usize>width << 3)
    }
    for (let r = 0; r < d; r++) {
      const a = f64x2.splat(load<f64>(at64(rows, r)))
      const b = f64x2.splat(load<f64>(at64(rows, width + r)))
      const c = f64x2.splat(load<f64>(at64(rows, 2 * width + r)))
      const e = f64x2.splat(load<f64>(at64(rows, 3 * width + r)))
      for (let j = r & ~1; j < width; j += 2) {
        const from = at64(rows, j)
        const sum = at64(buffer, r * width + j)
        const first = f64x2.add(f64x2.mul(a, v128.load(from)), f64x2.mul(b, v128.load(at64(from, width))))
        const last = f64x2.add(
          f64x2.mul(c, v128.load(at64(from, 2 * width))), f64x2.mul(e, v128.load(at64(from, 3 * width))))
        v128.store(sum, f64x2.add(v128.load(sum), f64x2.add(first, last)))
      }
    }
  }

  // Row i of Cholesky's U, XᵀX = UᵀU, and of U⁻ᵀ XᵀY; then their part of the rows below.
  let least: f64 = 1
  for (let i = 0; i < d; i++) {
    const diagonal = at64(buffer, i * (width + 1))
    store<f64>(diagonal, load<f64>(diagonal) + <f64>ridge)
    // Kept where the samples were: pivots are measured against it.
    store<f64>(at64(rows, i), load<f64>(diagonal))
  }
  for (let i = 0; i < d && least > 0; i++) {
    const row = at64(buffer, i * width)
    const pivot = load<f64>(at64(row, i))
    const whole = load<f64>(at64(rows, i))
    // A column of zeros is explained by none. NaN passes on.
    least = whole == 0 ? 0 : min(least, pivot / whole)
    const scale = 1 / sqrt(pivot)
    for (let j = i; j < width; j++) store<f64>(at64(row, j), load<f64>(at64(row, j)) * scale)
    for (let r = i + 1; r < d; r++) {
      const factor = f64x2.splat(load<f64>(at64(row, r)))
      for (let j = r & ~1; j < width; j += 2) {
        const to = at64(buffer, r * width + j)
        v128.store(to, f64x2.sub(v128.load(to), f64x2.mul(factor, v128.load(at64(row, j)))))
      }
    }
  }
  store<f32>(unexplained, <f32>least)
  const solved = !(least <= 0)
  for (let i = d - 1; i >= 0; i--) {
    const row = at64(buffer, i * width)
    for (let c = d; c < d + k; c++) {
      let sum = load<f64>(at64(row, c))
      for (let j = i + 1; j < d; j++) sum -= load<f64>(at64(row, j)) * load<f64>(at64(buffer, j * width + c))
      const w = solved ? sum / load<f64>(at64(row, i)) : 0
      store<f64>(at64(row, c), w)
      store<f32>(at(weight, i * k + c - d), <f32>w)
    }
  }
  if (!bias) return
  for (let c = 0; c < k; c++) {
    let sum = load<f64>(at64(means, d + c))
    for (let i = 0; i < d; i++) sum -= load<f64>(at64(means, i)) * load<f64>(at64(buffer, i * width + d + c))
    store<f32>(at(bias, c), solved ? <f32>sum : 0)
  }
}
