// Losses of scores against classes: cross-entropy by softmax and loss in one pass each way, and the negative
// log-likelihood. The gradient dy of a backward is one number for each loss, or one for all (each 0: they
// were reduced), divided by `total` when that is given (they were averaged by their weights).

import { In, OptionalIn, Out } from '../abi'
import { at, loadLanes, mulAdd, storeLanes, sumLanes } from '../simd'
import { sumOf } from './reduce'
import { expShifted, logOf, maxOf, scale } from './softmax'

// @ts-ignore: decorator
@inline
function gradientOf(dy: usize, each: i32, total: usize, r: i32): f32 {
  const g = load<f32>(at(dy, each ? r : 0))
  return total ? g / load<f32>(total) : g
}

// @ts-ignore: decorator
@inline
function weightOf(weight: usize, label: i32): f32 {
  return weight ? load<f32>(at(weight, label)) : <f32>1
}

/** Σ_c w_c (top - x_c) over d classes; w_c is 1 without weight. */
function spread(x: usize, weight: usize, top: f32, d: i32): f32 {
  const t = f32x4.splat(top)
  let s = f32x4.splat(0)
  for (let i = 0; i < d; i += 4) {
    const w = weight ? v128.load(at(weight, i)) : f32x4.splat(1)
    const e = f32x4.mul(w, f32x4.sub(t, v128.load(at(x, i))))
    s = f32x4.add(s, v128.and(e, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(d - i))))
  }
  return sumLanes(s)
}

/** With ln p[r,c] = x[r,c] - ln Σ_j exp(x[r,j]) and y = target_r:
 *  loss[r] = -(1 - smoothing) w_y ln p[r,y] - smoothing/d Σ_c w_c ln p[r,c], 0 where y is ignoreIndex.
 *  loss: [rows]; x, probabilities: [rows, d]; target: i32 [rows]; weight: [d], 1 when absent.
 *  Keeps probabilities = softmax(x) for the backward. Refuses other targets outside 0 .. d-1. */
export function crossEntropy(
  loss: Out, probabilities: Out, x: In, target: In, weight: OptionalIn,
  ignoreIndex: i32, smoothing: f32, rows: i32, d: i32,
): i32 {
  const share = smoothing / <f32>d
  const weights = weight && smoothing > 0 ? <f32>sumOf(weight, d) : <f32>d
  for (let r = 0; r < rows; r++) {
    const label = load<i32>(at(target, r))
    if (label == ignoreIndex) {
      store<f32>(at(loss, r), 0)
      memory.fill(probabilities, 0, <usize>d << 2)
    } else {
      if (<u32>label >= <u32>d) return r + 1
      const top = maxOf(x, d)
      const sum = expShifted(probabilities, x, top, d)
      const rest = logOf(sum)
      // The difference of logits first: where the target is the largest, the loss is the logarithm alone.
      let value = weightOf(weight, label) * (rest + (top - load<f32>(at(x, label))))
      if (smoothing > 0) value = (1 - smoothing) * value + share * (weights * rest + spread(x, weight, top, d))
      store<f32>(at(loss, r), value)
      scale(probabilities, probabilities, 1 / sum, d)
    }
    x += <usize>d << 2
    probabilities += <usize>d << 2
  }
  return 0
}

/** total = Σ w_y of the n targets y that are not ignoreIndex, by which a mean is divided; the loss has refused all others
 *  that are no class.  total: [1]; target: i32 [n]; weight: of the classes, 1 when absent. */
export function countTargets(total: Out, target: In, weight: OptionalIn, ignoreIndex: i32, n: i32): void {
  let counted: f64 = 0
  for (let k = 0; k < n; k++) {
    const label = load<i32>(at(target, k))
    if (label != ignoreIndex) counted += <f64>weightOf(weight, label)
  }
  store<f32>(total, <f32>counted)
}

/** With g = dy_r / total: dx[r,c] = g ((1 - smoothing) w_y (p[r,c] - [c = y]) + smoothing/d (p[r,c] Σ_j w_j - w_c)),
 *  0 in rows that are ignored.  Shapes as forward; dy: [rows], or one number with each 0. */
export function crossEntropyBackward(
  dx: Out, probabilities: In, target: In, weight: OptionalIn, dy: In, total: OptionalIn,
  each: i32, ignoreIndex: i32, smoothing: f32, rows: i32, d: i32,
): void {
  const weights = weight && smoothing > 0 ? <f32>sumOf(weight, d) : <f32>d
  for (let r = 0; r < rows; r++) {
    const label = load<i32>(at(target, r))
    if (label == ignoreIndex) memory.fill(dx, 0, <usize>d << 2)
    else {
      const g = gradientOf(dy, each, total, r)
      const sharp: f32 = (1 - smoothing) * weightOf(weight, label) * g
      const flat = smoothing > 0 ? smoothing / <f32>d * g : 0
      const v = f32x4.splat(sharp + flat * weights)
      const f = f32x4.splat(flat)
      if (smoothing > 0) {
        for (let i = 0; i < d; i += 4) {
          const less = weight ? f32x4.mul(f, v128.load(at(weight, i))) : f
          storeLanes(at(dx, i), f32x4.sub(f32x4.mul(v128.load(at(probabilities, i)), v), less), d - i)
        }
      } else scale(dx, probabilities, sharp, d)
      const hit = at(dx, label)
      store<f32>(hit, load<f32>(hit) - sharp)
    }
    dx += <usize>d << 2
    probabilities += <usize>d << 2
  }
}

/** Four lanes of w_c ((1 - smoothing) t_c + share), the classes' parts of a loss; 0 from `count` on. */
// @ts-ignore: decorator
@inline
function parts(target: usize, weight: usize, keep: v128, share: v128, i: i32, count: i32): v128 {
  const t = mulAdd(share, v128.load(at(target, i)), keep)
  const q = weight ? f32x4.mul(t, v128.load(at(weight, i))) : t
  return v128.and(q, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count)))
}

/** loss[r] = -Σ_c w_c t'[r,c] ln p[r,c], t' = (1 - smoothing) target + smoothing/d.
 *  loss: [rows]; x, target, probabilities: [rows, d]; weight: [d], 1 when absent.  Keeps softmax(x). */
export function softCrossEntropy(
  loss: Out, probabilities: Out, x: In, target: In, weight: OptionalIn, smoothing: f32, rows: i32, d: i32,
): void {
  const keep = f32x4.splat(1 - smoothing)
  const share = f32x4.splat(smoothing / <f32>d)
  for (let r = 0; r < rows; r++) {
    let s = f32x4.splat(0)
    if (d > 0) {
      const top = maxOf(x, d)
      const sum = expShifted(probabilities, x, top, d)
      const rest = f32x4.splat(logOf(sum))
      const t = f32x4.splat(top)
      for (let i = 0; i < d; i += 4) {
        const e = f32x4.add(rest, f32x4.sub(t, loadLanes(at(x, i), d - i)))
        s = mulAdd(s, parts(target, weight, keep, share, i, d - i), e)
      }
      scale(probabilities, probabilities, 1 / sum, d)
    }
    store<f32>(at(loss, r), sumLanes(s))
    x += <usize>d << 2
    target += <usize>d << 2
    probabilities += <usize>d << 2
  }
}

/** With q = w t': dx[r,c] = factor dy_r (p[r,c] Σ_j q[r,j] - q[r,c]).  Shapes as forward; dy: [rows], or one number
 *  with each 0. */
export function softCrossEntropyBackward(
  dx: Out, probabilities: In, target: In, weight: OptionalIn, dy: In,
  each: i32, factor: f32, smoothing: f32, rows: i32, d: i32,
): void {
  const keep = f32x4.splat(1 - smoothing)
  const share = f32x4.splat(smoothing / <f32>d)
  for (let r = 0; r < rows; r++) {
    let s = f32x4.splat(0)
    for (let i = 0; i < d; i += 4) s = f32x4.add(s, parts(target, weight, keep, share, i, d - i))
    const all = f32x4.splat(sumLanes(s))
    const g = f32x4.splat(factor * load<f32>(at(dy, each ? r : 0)))
    for (let i = 0; i < d; i += 4) {
      const q = parts(target, weight, keep, share, i, d - i)
      storeLanes(at(dx, i), f32x4.mul(g, f32x4.sub(f32x4.mul(v128.load(at(probabilities, i)), all), q)), d - i)
    }
    dx += <usize>d << 2
    target += <usize>d << 2
    probabilities += <usize>d << 2
  }
}

/** loss[o,i] = -w_y x[o,y,i], y = target[o,i], 0 where y is ignoreIndex.
 *  x: [outer, classes, inner]; loss, target (i32): [outer, inner]; weight: [classes], 1 when absent.
 *  Refuses other targets outside 0 .. classes-1. */
export function nll(
  loss: Out, x: In, target: In, weight: OptionalIn, ignoreIndex: i32, outer: i32, classes: i32, inner: i32,
): i32 {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const k = o * inner + i
      const label = load<i32>(at(target, k))
      if (label == ignoreIndex) {
        store<f32>(at(loss, k), 0)
        continue
      }
      if (<u32>label >= <u32>classes) return k + 1
      store<f32>(at(loss, k), -weightOf(weight, label) * load<f32>(at(x, (o * classes + label) * inner + i)))
    }
  }
  return 0
}

/** dx[o,y,i] = -w_y dy[o,i] / total, 0 elsewhere.  Shapes as forward; dy: [outer, inner], or one number with each 0. */
export function nllBackward(
  dx: Out, target: In, weight: OptionalIn, dy: In, total: OptionalIn,
  each: i32, ignoreIndex: i32, outer: i32, classes: i32, inner: i32,
): void {
  memory.fill(dx, 0, <usize>(outer * classes * inner) << 2)
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const label = load<i32>(at(target, o * inner + i))
      if (label == ignoreIndex) continue
      store<f32>(at(dx, (o * classes + label) * inner + i), -weightOf(weight, label) * gradientOf(dy, each, total, o * inner + i))
    }
  }
}
