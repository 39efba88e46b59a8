// Losses of one pair of elements. A backward takes dy as [n], or as one number with each 0 (the loss was
// reduced), times factor (1 / n for a mean).

import { In, Out } from '../abi'
import { at, storeLanes } from '../simd'

enum Pair { squared, absolute }

// @ts-ignore: decorator
@inline
function forward(kind: i32, loss: usize, x: usize, target: usize, n: i32): void {
  for (let i = 0; i < n; i += 4) {
    const e = f32x4.sub(v128.load(at(x, i)), v128.load(at(target, i)))
    storeLanes(at(loss, i), kind == Pair.squared ? f32x4.mul(e, e) : f32x4.abs(e), n - i)
  }
}

// @ts-ignore: decorator
@inline
function backward(kind: i32, dx: usize, x: usize, target: usize, dy: usize, each: i32, factor: f32, n: i32): void {
  const one = v128.load32_splat(dy)
  const f = f32x4.splat(kind == Pair.squared ? 2 * factor : factor)
  for (let i = 0; i < n; i += 4) {
    const g = f32x4.mul(each ? v128.load(at(dy, i)) : one, f)
    const a = v128.load(at(x, i))
    const b = v128.load(at(target, i))
    let slope: v128
    if (kind == Pair.squared) slope = f32x4.mul(g, f32x4.sub(a, b))
    else slope = f32x4.sub(v128.and(g, f32x4.gt(a, b)), v128.and(g, f32x4.lt(a, b)))
    storeLanes(at(dx, i), slope, n - i)
  }
}

/** loss = (x - target)².  All [n]. */
export function squaredError(loss: Out, x: In, target: In, n: i32): void {
  forward(Pair.squared, loss, x, target, n)
}

/** dx = 2 factor dy (x - target).  All [n]. */
export function squaredErrorBackward(dx: Out, x: In, target: In, dy: In, each: i32, factor: f32, n: i32): void {
  backward(Pair.squared, dx, x, target, dy, each, factor, n)
}

/** loss = |x - target|.  All [n]. */
export function absoluteError(loss: Out, x: In, target: In, n: i32): void {
  forward(Pair.absolute, loss, x, target, n)
}

/** dx = factor dy sign(x - target).  All [n]. */
export function absoluteErrorBackward(dx: Out, x: In, target: In, dy: In, each: i32, factor: f32, n: i32): void {
  backward(Pair.absolute, dx, x, target, dy, each, factor, n)
}

/** Refuses the first element that is NaN or infinite.  x: [n]. */
export function checkFinite(x: In, n: i32): i32 {
  for (let i = 0; i < n; i++) {
    const value = load<f32>(at(x, i))
    if (value - value != 0) return i + 1
  }
  return 0
}
