// Losses of one pair of elements. A backward takes dy as [n], or as one number with each 0 (the loss was
// reduced), times factor (1 / n for a mean).

import { In, OptionalIn, Out } from '../abi'
import { exp, log, log1p, sigmoid } from '../math'
import { at, mulAdd, mulSub, storeLanes } from '../simd'

enum Pair { squared, absolute, huber, entropy, logistic }

/** Whether a kind calls functions. They take one vector at a time: V8's 256-bit pass pairs nothing across calls, and that
 *  of Node 26.10 aborts where their results would be part of a pair. */
// @ts-ignore: decorator
@inline
function calls(kind: i32): bool {
  return kind == Pair.entropy || kind == Pair.logistic
}

/** The loss of x and its target t; parameter: the knee of huber, the weight of t of logistic. */
// @ts-ignore: decorator
@inline
function value(kind: i32, x: v128, t: v128, parameter: v128): v128 {
  const one = f32x4.splat(1)
  if (kind == Pair.entropy) {
    // PyTorch's bound, for probabilities of 0 and 1.
    const bound = f32x4.splat(-100)
    const on = f32x4.mul(t, f32x4.max(log(x), bound))
    const off = f32x4.mul(f32x4.sub(one, t), f32x4.max(log1p(f32x4.neg(x)), bound))
    return f32x4.neg(f32x4.add(on, off))
  }
  if (kind == Pair.logistic) {
    // ln(1 + e^x) = max(x, 0) + ln(1 + e^-|x|), and with -x for the other class: no term is below 0.
    const low = log1p(exp(f32x4.neg(f32x4.abs(x))))
    const zero = f32x4.splat(0)
    const off = f32x4.add(f32x4.max(x, zero), low)
    const on = f32x4.add(f32x4.max(f32x4.neg(x), zero), low)
    return mulAdd(f32x4.mul(f32x4.sub(one, t), off), f32x4.mul(parameter, t), on)
  }
  const e = f32x4.sub(x, t)
  if (kind == Pair.squared) return f32x4.mul(e, e)
  const a = f32x4.abs(e)
  if (kind == Pair.absolute) return a
  const q = f32x4.min(a, parameter)
  return f32x4.mul(q, mulSub(a, f32x4.splat(0.5), q))
}

/** g ∂loss/∂x. */
// @ts-ignore: decorator
@inline
function slope(kind: i32, x: v128, t: v128, parameter: v128, g: v128): v128 {
  const one = f32x4.splat(1)
  if (kind == Pair.entropy) {
    const both = f32x4.max(f32x4.mul(x, f32x4.sub(one, x)), f32x4.splat(1e-12))
    return f32x4.mul(g, f32x4.div(f32x4.sub(x, t), both))
  }
  if (kind == Pair.logistic) {
    const off = f32x4.mul(f32x4.sub(one, t), sigmoid(x))
    const on = f32x4.mul(f32x4.mul(parameter, t), sigmoid(f32x4.neg(x)))
    return f32x4.mul(g, f32x4.sub(off, on))
  }
  if (kind == Pair.absolute) return f32x4.sub(v128.and(g, f32x4.gt(x, t)), v128.and(g, f32x4.lt(x, t)))
  const e = f32x4.sub(x, t)
  if (kind == Pair.squared) return f32x4.mul(g, e)
  return f32x4.mul(g, f32x4.max(f32x4.min(e, parameter), f32x4.neg(parameter)))
}

/** The parameters of elements i ..: of an array, or the one number. */
// @ts-ignore: decorator
@inline
function parameterAt(kind: i32, array: usize, i: i32, number: v128): v128 {
  return kind == Pair.logistic && array ? v128.load(at(array, i)) : number
}

// @ts-ignore: decorator
@inline
function forward(kind: i32, loss: usize, x: usize, target: usize, array: usize, number: f32, scale: f32, n: i32): void {
  const p = f32x4.splat(number)
  const s = f32x4.splat(scale)
  let i = 0
  for (; !calls(kind) && i + 8 <= n; i += 8) {
    const l0 = value(kind, v128.load(at(x, i)), v128.load(at(target, i)), parameterAt(kind, array, i, p))
    const l1 = value(kind, v128.load(at(x, i), 16), v128.load(at(target, i), 16), parameterAt(kind, array, i + 4, p))
    v128.store(at(loss, i), kind == Pair.huber ? f32x4.mul(s, l0) : l0)
    v128.store(at(loss, i), kind == Pair.huber ? f32x4.mul(s, l1) : l1, 16)
  }
  for (; i < n; i += 4) {
    const l = value(kind, v128.load(at(x, i)), v128.load(at(target, i)), parameterAt(kind, array, i, p))
    storeLanes(at(loss, i), kind == Pair.huber ? f32x4.mul(s, l) : l, n - i)
  }
}

// @ts-ignore: decorator
@inline
function backward(
  kind: i32, dx: usize, x: usize, target: usize, array: usize, number: f32, dy: usize, each: i32, factor: f32, n: i32,
): void {
  const p = f32x4.splat(number)
  const one = v128.load32_splat(dy)
  const f = f32x4.splat(kind == Pair.squared ? 2 * factor : factor)
  let i = 0
  for (; !calls(kind) && i + 8 <= n; i += 8) {
    const g0 = f32x4.mul(each ? v128.load(at(dy, i)) : one, f)
    const g1 = f32x4.mul(each ? v128.load(at(dy, i), 16) : one, f)
    v128.store(at(dx, i), slope(kind, v128.load(at(x, i)), v128.load(at(target, i)), parameterAt(kind, array, i, p), g0))
    v128.store(at(dx, i), slope(kind, v128.load(at(x, i), 16), v128.load(at(target, i), 16), parameterAt(kind, array, i + 4, p), g1), 16)
  }
  for (; i < n; i += 4) {
    const g = f32x4.mul(each ? v128.load(at(dy, i)) : one, f)
    storeLanes(at(dx, i), slope(kind, v128.load(at(x, i)), v128.load(at(target, i)), parameterAt(kind, array, i, p), g), n - i)
  }
}

/** loss = (x - target)².  All [n]. */
export function squaredError(loss: Out, x: In, target: In, n: i32): void {
  forward(Pair.squared, loss, x, target, 0, 0, 1, n)
}

/** dx = 2 factor dy (x - target).  All [n]. */
export function squaredErrorBackward(dx: Out, x: In, target: In, dy: In, each: i32, factor: f32, n: i32): void {
  backward(Pair.squared, dx, x, target, 0, 0, dy, each, factor, n)
}

/** loss = |x - target|.  All [n]. */
export function absoluteError(loss: Out, x: In, target: In, n: i32): void {
  forward(Pair.absolute, loss, x, target, 0, 0, 1, n)
}

/** dx = factor dy sign(x - target).  All [n]. */
export function absoluteErrorBackward(dx: Out, x: In, target: In, dy: In, each: i32, factor: f32, n: i32): void {
  backward(Pair.absolute, dx, x, target, 0, 0, dy, each, factor, n)
}

/** With e = |x - target|: loss = scale e²/2 where e <= knee, else scale knee (e - knee/2).  All [n]. */
export function huberError(loss: Out, x: In, target: In, knee: f32, scale: f32, n: i32): void {
  forward(Pair.huber, loss, x, target, 0, knee, scale, n)
}

/** dx = factor dy (x - target, held between -knee and knee); factor includes scale.  All [n]. */
export function huberErrorBackward(dx: Out, x: In, target: In, dy: In, knee: f32, each: i32, factor: f32, n: i32): void {
  backward(Pair.huber, dx, x, target, 0, knee, dy, each, factor, n)
}

/** loss = -(target ln x + (1 - target) ln(1 - x)), logarithms not below -100.  All [n]. */
export function binaryEntropy(loss: Out, x: In, target: In, n: i32): void {
  forward(Pair.entropy, loss, x, target, 0, 0, 1, n)
}

/** dx = factor dy (x - target) / max(x (1 - x), 1e-12).  All [n]. */
export function binaryEntropyBackward(dx: Out, x: In, target: In, dy: In, each: i32, factor: f32, n: i32): void {
  backward(Pair.entropy, dx, x, target, 0, 0, dy, each, factor, n)
}

/** loss = (1 - target) ln(1 + e^x) + w target ln(1 + e^-x).  All [n]; w = positiveWeight, 1 when absent. */
export function logisticEntropy(loss: Out, x: In, target: In, positiveWeight: OptionalIn, n: i32): void {
  forward(Pair.logistic, loss, x, target, positiveWeight, 1, 1, n)
}

/** dx = factor dy ((1 - target) σ(x) - w target σ(-x)).  All [n]. */
export function logisticEntropyBackward(dx: Out, x: In, target: In, positiveWeight: OptionalIn, dy: In, each: i32, factor: f32, n: i32): void {
  backward(Pair.logistic, dx, x, target, positiveWeight, 1, dy, each, factor, n)
}

/** Refuses the first element that is NaN or infinite.  x: [n]. */
export function checkFinite(x: In, n: i32): i32 {
  for (let i = 0; i < n; i++) {
    const value = load<f32>(at(x, i))
    if (value - value != 0) return i + 1
  }
  return 0
}

/** Refuses the first element that is not from low to high.  x: [n]. */
export function checkRange(x: In, low: f32, high: f32, n: i32): i32 {
  for (let i = 0; i < n; i++) {
    const value = load<f32>(at(x, i))
    if (!(value >= low && value <= high)) return i + 1
  }
  return 0
}

/** Refuses the first element that is neither 1 nor -1.  x: [n]. */
export function checkSign(x: In, n: i32): i32 {
  for (let i = 0; i < n; i++) if (abs(load<f32>(at(x, i))) != 1) return i + 1
  return 0
}
