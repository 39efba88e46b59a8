// Softmax over rows.

import { In, Out } from '../abi'
import { exp, log } from '../math'
import { at, loadLanes, maxLanes, storeLanes, sumLanes } from '../simd'

/** max of d elements, d >= 1. */
export function maxOf(x: usize, d: i32): f32 {
  let i = 0
  let best = v128.load32_splat(x)
  for (; i + 4 <= d; i += 4) best = f32x4.max(best, v128.load(at(x, i)))
  let m = maxLanes(best)
  for (; i < d; i++) m = max(m, load<f32>(at(x, i)))
  return m
}

/** out = exp(x - shift) on d elements; returns their sum. */
export function expShifted(out: usize, x: usize, shift: f32, d: i32): f32 {
  const s = f32x4.splat(shift)
  let total = f32x4.splat(0)
  let i = 0
  for (; i + 4 <= d; i += 4) {
    const e = exp(f32x4.sub(v128.load(at(x, i)), s))
    v128.store(at(out, i), e)
    total = f32x4.add(total, e)
  }
  if (i < d) {
    storeLanes(at(out, i), exp(f32x4.sub(v128.load(at(x, i)), s)), d - i)
    total = f32x4.add(total, loadLanes(at(out, i), d - i))
  }
  return sumLanes(total)
}

/** x *= factor on d elements. */
export function scale(x: usize, factor: f32, d: i32): void {
  const f = f32x4.splat(factor)
  let i = 0
  for (; i + 4 <= d; i += 4) v128.store(at(x, i), f32x4.mul(v128.load(at(x, i)), f))
  if (i < d) storeLanes(at(x, i), f32x4.mul(v128.load(at(x, i)), f), d - i)
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
    scale(out, 1 / total, d)
    x += <usize>d << 2
    out += <usize>d << 2
  }
}

/** dx[r,:] = y[r,:] (dy[r,:] - Σ_j dy[r,j] y[r,j]).  All [rows, d]. */
export function softmaxBackward(dx: Out, dy: In, y: In, rows: i32, d: i32): void {
  for (let r = 0; r < rows; r++) {
    let dot = f32x4.splat(0)
    let i = 0
    for (; i + 4 <= d; i += 4) dot = f32x4.add(dot, f32x4.mul(v128.load(at(dy, i)), v128.load(at(y, i))))
    if (i < d) dot = f32x4.add(dot, f32x4.mul(loadLanes(at(dy, i), d - i), loadLanes(at(y, i), d - i)))
    const s = f32x4.splat(sumLanes(dot))
    for (i = 0; i + 4 <= d; i += 4) {
      v128.store(at(dx, i), f32x4.mul(v128.load(at(y, i)), f32x4.sub(v128.load(at(dy, i)), s)))
    }
    if (i < d) storeLanes(at(dx, i), f32x4.mul(v128.load(at(y, i)), f32x4.sub(v128.load(at(dy, i)), s)), d - i)
    dx += <usize>d << 2
    dy += <usize>d << 2
    y += <usize>d << 2
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
    for (let i = 0; i < d; i += 4) {
      storeLanes(at(out, i), f32x4.sub(f32x4.sub(v128.load(at(x, i)), m), total), d - i)
    }
    x += <usize>d << 2
    out += <usize>d << 2
  }
}

/** dx[r,:] = dy[r,:] - exp(y[r,:]) Σ_j dy[r,j].  All [rows, d]. */
export function logSoftmaxBackward(dx: Out, dy: In, y: In, rows: i32, d: i32): void {
  for (let r = 0; r < rows; r++) {
    let sum = f32x4.splat(0)
    for (let i = 0; i < d; i += 4) sum = f32x4.add(sum, loadLanes(at(dy, i), d - i))
    const s = f32x4.splat(sumLanes(sum))
    for (let i = 0; i < d; i += 4) {
      storeLanes(at(dx, i), f32x4.sub(v128.load(at(dy, i)), f32x4.mul(exp(v128.load(at(y, i))), s)), d - i)
    }
    dx += <usize>d << 2
    dy += <usize>d << 2
    y += <usize>d << 2
  }
}
