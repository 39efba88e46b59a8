// Softmax over rows. Sums of a row are those of its neighbouring pairs of vectors: eight partial sums.

import { In, Out } from '../abi'
import { exp, expPairs, log } from '../math'
import { at, loadLanes, maxLanes, mulAdd, mulSub, storeLanes, sumLanes } from '../simd'
import { sumOf } from './reduce'

/** max of d elements, d >= 1. */
export function maxOf(x: usize, d: i32): f32 {
  let m0 = v128.load32_splat(x)
  let m1 = m0
  let m2 = m0
  let m3 = m0
  let i = 0
  for (; i + 16 <= d; i += 16) {
    m0 = f32x4.max(m0, v128.load(at(x, i)))
    m1 = f32x4.max(m1, v128.load(at(x, i), 16))
    m2 = f32x4.max(m2, v128.load(at(x, i), 32))
    m3 = f32x4.max(m3, v128.load(at(x, i), 48))
  }
  for (; i + 4 <= d; i += 4) m0 = f32x4.max(m0, v128.load(at(x, i)))
  let m = maxLanes(f32x4.max(f32x4.max(m0, m1), f32x4.max(m2, m3)))
  for (; i < d; i++) m = max(m, load<f32>(at(x, i)))
  return m
}

/** out = exp(x - shift) on d elements; returns their sum. */
export function expShifted(out: usize, x: usize, shift: f32, d: i32): f32 {
  let i = d & ~7
  let sum = expPairs(out, x, shift, i)
  for (; i < d; i += 4) {
    storeLanes(at(out, i), exp(f32x4.sub(v128.load(at(x, i)), f32x4.splat(shift))), d - i)
    sum = f32x4.add(sum, loadLanes(at(out, i), d - i))
  }
  return sumLanes(sum)
}

/** out = factor x on d elements; out may be x. */
export function scale(out: usize, x: usize, factor: f32, d: i32): void {
  const f = f32x4.splat(factor)
  let i = 0
  for (; i + 8 <= d; i += 8) {
    const y0 = f32x4.mul(v128.load(at(x, i)), f)
    const y1 = f32x4.mul(v128.load(at(x, i), 16), f)
    v128.store(at(out, i), y0)
    v128.store(at(out, i), y1, 16)
  }
  for (; i < d; i += 4) storeLanes(at(out, i), f32x4.mul(v128.load(at(x, i)), f), d - i)
}

/** ln s for one number, by the vector logarithm: the same bits on every engine. */
// @ts-ignore: decorator
@inline
export function logOf(s: f32): f32 {
  return f32x4.extract_lane(log(f32x4.splat(s)), 0)
}

/** out[r,:] = exp(x[r,:] - max_r) / sum_r.  out, x: [rows, d].
 *  The max is subtracted only to keep exp finite. Rows of -Infinity give NaN, as in PyTorch. */
export function softmax(out: Out, x: In, rows: i32, d: i32): void {
  if (d == 0) return
  for (let r = 0; r < rows; r++) {
    const total = expShifted(out, x, maxOf(x, d), d)
    scale(out, out, 1 / total, d)
    x = at(x, d)
    out = at(out, d)
  }
}

/** One row of softmaxBackward; dx may be dy. */
export function softmaxRowBackward(dx: usize, dy: usize, y: usize, d: i32): void {
  let s0 = f32x4.splat(0)
  let s1 = s0
  let i = 0
  for (; i + 8 <= d; i += 8) {
    s0 = mulAdd(s0, v128.load(at(dy, i)), v128.load(at(y, i)))
    s1 = mulAdd(s1, v128.load(at(dy, i), 16), v128.load(at(y, i), 16))
  }
  for (; i < d; i += 4) s0 = mulAdd(s0, loadLanes(at(dy, i), d - i), loadLanes(at(y, i), d - i))
  const s = f32x4.splat(sumLanes(f32x4.add(s0, s1)))
  for (i = 0; i + 8 <= d; i += 8) {
    const d0 = f32x4.mul(v128.load(at(y, i)), f32x4.sub(v128.load(at(dy, i)), s))
    const d1 = f32x4.mul(v128.load(at(y, i), 16), f32x4.sub(v128.load(at(dy, i), 16), s))
    v128.store(at(dx, i), d0)
    v128.store(at(dx, i), d1, 16)
  }
  for (; i < d; i += 4) {
    storeLanes(at(dx, i), f32x4.mul(v128.load(at(y, i)), f32x4.sub(v128.load(at(dy, i)), s)), d - i)
  }
}

/** dx[r,:] = y[r,:] (dy[r,:] - Σ_j dy[r,j] y[r,j]).  All [rows, d]. */
export function softmaxBackward(dx: Out, dy: In, y: In, rows: i32, d: i32): void {
  for (let r = 0; r < rows; r++) {
    softmaxRowBackward(dx, dy, y, d)
    dx = at(dx, d)
    dy = at(dy, d)
    y = at(y, d)
  }
}

/** out[r,:] = x[r,:] - max_r - ln Σ_j exp(x[r,j] - max_r).  out, x: [rows, d]. */
export function logSoftmax(out: Out, x: In, rows: i32, d: i32): void {
  if (d == 0) return
  for (let r = 0; r < rows; r++) {
    const largest = maxOf(x, d)
    const m = f32x4.splat(largest)
    // The exponentials are only summed; what out holds of them is overwritten.
    const total = f32x4.splat(logOf(expShifted(out, x, largest, d)))
    let i = 0
    for (; i + 8 <= d; i += 8) {
      const y0 = f32x4.sub(f32x4.sub(v128.load(at(x, i)), m), total)
      const y1 = f32x4.sub(f32x4.sub(v128.load(at(x, i), 16), m), total)
      v128.store(at(out, i), y0)
      v128.store(at(out, i), y1, 16)
    }
    for (; i < d; i += 4) storeLanes(at(out, i), f32x4.sub(f32x4.sub(v128.load(at(x, i)), m), total), d - i)
    x = at(x, d)
    out = at(out, d)
  }
}

/** dx[r,:] = dy[r,:] - exp(y[r,:]) Σ_j dy[r,j].  All [rows, d]. */
export function logSoftmaxBackward(dx: Out, dy: In, y: In, rows: i32, d: i32): void {
  for (let r = 0; r < rows; r++) {
    expShifted(dx, y, 0, d)
    const s = f32x4.splat(<f32>sumOf(dy, d))
    let i = 0
    for (; i + 8 <= d; i += 8) {
      const d0 = mulSub(v128.load(at(dy, i)), v128.load(at(dx, i)), s)
      const d1 = mulSub(v128.load(at(dy, i), 16), v128.load(at(dx, i), 16), s)
      v128.store(at(dx, i), d0)
      v128.store(at(dx, i), d1, 16)
    }
    for (; i < d; i += 4) {
      storeLanes(at(dx, i), mulSub(v128.load(at(dy, i)), v128.load(at(dx, i)), s), d - i)
    }
    dx = at(dx, d)
    dy = at(dy, d)
    y = at(y, d)
  }
}
