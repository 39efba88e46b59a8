// Reductions over the middle axis of [outer, size, inner]; the host brings other axes there.
// The order of additions is fixed by the sizes alone.

import { In, Out } from '../abi'
import { at, loadLanes, storeLanes, sumLanes } from '../simd'

/** Elements added in f32 lanes before their sum joins an f64 total: 2048 / 16 lanes keeps the f32
 *  part of the error at that of 128 additions. */
const CHUNK = 2048
/** The same for sums down columns. */
export const COLUMN_ROWS = 128

/** Σ x over n contiguous elements. */
export function sumOf(x: usize, n: i32): f64 {
  let total: f64 = 0
  for (let start = 0; start < n; start += CHUNK) {
    const end = min(n, start + CHUNK)
    let s0 = f32x4.splat(0)
    let s1 = s0
    let s2 = s0
    let s3 = s0
    let i = start
    for (; i + 16 <= end; i += 16) {
      const p = at(x, i)
      s0 = f32x4.add(s0, v128.load(p))
      s1 = f32x4.add(s1, v128.load(p, 16))
      s2 = f32x4.add(s2, v128.load(p, 32))
      s3 = f32x4.add(s3, v128.load(p, 48))
    }
    for (; i < end; i += 4) s0 = f32x4.add(s0, loadLanes(at(x, i), end - i))
    total += <f64>sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)))
  }
  return total
}

/** out[o, i] = scale Σ_s x[o, s, i].  out: [outer, inner]; x: [outer, size, inner]. */
export function sum(out: Out, x: In, scale: f32, outer: i32, size: i32, inner: i32): void {
  for (let o = 0; o < outer; o++) {
    if (inner == 1) {
      store<f32>(at(out, o), <f32>(sumOf(at(x, o * size), size) * <f64>scale))
      continue
    }
    for (let i = 0; i < inner; i += 8) sumColumns(at(out, o * inner + i), at(x, o * size * inner + i), scale, size, <usize>inner << 2, inner - i)
  }
}

/** Sums of up to eight columns of `size` rows: f32 within COLUMN_ROWS rows, f64 over these. */
function sumColumns(out: usize, p: usize, scale: f32, size: i32, step: usize, width: i32): void {
  let t0 = f64x2.splat(0)
  let t1 = t0
  let t2 = t0
  let t3 = t0
  for (let start = 0; start < size; start += COLUMN_ROWS) {
    let s0 = f32x4.splat(0)
    let s1 = s0
    for (let s = min(size - start, COLUMN_ROWS); s > 0; s--) {
      s0 = f32x4.add(s0, v128.load(p))
      s1 = f32x4.add(s1, v128.load(p, 16))
      p += step
    }
    t0 = f64x2.add(t0, f64x2.promote_low_f32x4(s0))
    t1 = f64x2.add(t1, f64x2.promote_low_f32x4(v128.shuffle<i64>(s0, s0, 1, 0)))
    t2 = f64x2.add(t2, f64x2.promote_low_f32x4(s1))
    t3 = f64x2.add(t3, f64x2.promote_low_f32x4(v128.shuffle<i64>(s1, s1, 1, 0)))
  }
  const factor = f64x2.splat(scale)
  storeLanes(out, join(f64x2.mul(t0, factor), f64x2.mul(t1, factor)), width)
  if (width > 4) storeLanes(out + 16, join(f64x2.mul(t2, factor), f64x2.mul(t3, factor)), width - 4)
}

/** Σ (x - m) over n rows, `step` bytes apart, of four columns; with `squares` Σ (x - m)², with `factor` (rows like those of
 *  x) Σ factor min(x - m, most): f32 within COLUMN_ROWS rows, f64 over these. */
export function fourColumns(x: usize, factor: usize, m: v128, most: f32, squares: bool, n: i32, step: usize): v128 {
  const bound = f32x4.splat(most)
  let low = f64x2.splat(0)
  let high = low
  for (let start = 0; start < n; start += COLUMN_ROWS) {
    let sum = f32x4.splat(0)
    for (let s = min(n - start, COLUMN_ROWS); s > 0; s--) {
      let v = f32x4.sub(v128.load(x), m)
      if (squares) v = f32x4.mul(v, v)
      else if (factor) {
        v = f32x4.mul(v128.load(factor), f32x4.pmin(v, bound))
        factor += step
      }
      sum = f32x4.add(sum, v)
      x += step
    }
    low = f64x2.add(low, f64x2.promote_low_f32x4(sum))
    high = f64x2.add(high, f64x2.promote_low_f32x4(v128.shuffle<i64>(sum, sum, 1, 0)))
  }
  return join(low, high)
}

/** Two pairs of f64 as f32. */
// @ts-ignore: decorator
@inline
export function join(low: v128, high: v128): v128 {
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2)
}

/** values[o, i] = max_s x[o, s, i], indices[o, i] (i32) = the first s that reaches it; NaN counts as the
 *  largest, as in PyTorch.  size is at least 1. */
export function max(values: Out, indices: Out, x: In, outer: i32, size: i32, inner: i32): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let p = at(x, o * size * inner + i)
      let best = load<f32>(p)
      let where = 0
      for (let s = 1; s < size; s++) {
        p += <usize>inner << 2
        const value = load<f32>(p)
        if (best == best && !(value <= best)) {
          best = value
          where = s
        }
      }
      store<f32>(at(values, o * inner + i), best)
      store<i32>(at(indices, o * inner + i), where)
    }
  }
}

/** dx[o, s, i] = dy[o, i] where s is indices[o, i], else 0. */
export function maxBackward(dx: Out, dy: In, indices: In, outer: i32, size: i32, inner: i32): void {
  memory.fill(dx, 0, <usize>(outer * size * inner) << 2)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const s = load<i32>(at(indices, o * inner + i))
      store<f32>(at(dx, (o * size + s) * inner + i), load<f32>(at(dy, o * inner + i)))
    }
  }
}

/** out[o, i] = Π_s x[o, s, i], in order.  out: [outer, inner]; x: [outer, size, inner]. */
export function prod(out: Out, x: In, outer: i32, size: i32, inner: i32): void {
  const step = <usize>inner << 2
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let p = at(x, o * size * inner + i)
      let product: f32 = 1
      for (let s = 0; s < size; s++) {
        product *= load<f32>(p)
        p += step
      }
      store<f32>(at(out, o * inner + i), product)
    }
  }
}

/** dx[o, s, i] = dy[o, i] Π_{t ≠ s} x[o, t, i]: the product of all before, times that of all after; right also
 *  where x is 0. */
export function prodBackward(dx: Out, dy: In, x: In, outer: i32, size: i32, inner: i32): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let before = load<f32>(at(dy, o * inner + i))
      for (let s = 0; s < size; s++) {
        const k = (o * size + s) * inner + i
        store<f32>(at(dx, k), before)
        before *= load<f32>(at(x, k))
      }
      let after: f32 = 1
      for (let s = size - 1; s >= 0; s--) {
        const k = (o * size + s) * inner + i
        store<f32>(at(dx, k), load<f32>(at(dx, k)) * after)
        after *= load<f32>(at(x, k))
      }
    }
  }
}

/** out[o, s, i] = Σ_{t ≤ s} x[o, t, i], or with reverse Σ_{t ≥ s}; sums kept in f64. */
export function cumsum(out: Out, x: In, reverse: i32, outer: i32, size: i32, inner: i32): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let total: f64 = 0
      for (let t = 0; t < size; t++) {
        const k = (o * size + (reverse ? size - 1 - t : t)) * inner + i
        total += <f64>load<f32>(at(x, k))
        store<f32>(at(out, k), <f32>total)
      }
    }
  }
}

/** out[o, s, i] = Π_{t ≤ s} x[o, t, i], in order. */
export function cumprod(out: Out, x: In, outer: i32, size: i32, inner: i32): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let product: f32 = 1
      for (let s = 0; s < size; s++) {
        const k = (o * size + s) * inner + i
        product *= load<f32>(at(x, k))
        store<f32>(at(out, k), product)
      }
    }
  }
}

/** dx[o, s, i] = out[o, s - 1, i] r_s, where r_s = dy[o, s, i] + x[o, s + 1, i] r_{s+1}: no division, so right where x is 0. */
export function cumprodBackward(dx: Out, dy: In, x: In, out: In, outer: i32, size: i32, inner: i32): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let rest: f32 = 0
      for (let s = size - 1; s >= 0; s--) {
        const k = (o * size + s) * inner + i
        rest += load<f32>(at(dy, k))
        store<f32>(at(dx, k), s > 0 ? load<f32>(at(out, k - inner)) * rest : rest)
        rest *= load<f32>(at(x, k))
      }
    }
  }
}
