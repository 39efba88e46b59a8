// What the updates of optimizers have in common. Each is one pass over a flat run of parameters: sizes holds their
// number, then the elements of each. Hyperparameters are f64 read through an address, so that a schedule never touches a
// program. Sizes are multiples of 16, padding included. Each parameter counts its own updates, as in PyTorch
// (one may be frozen for a while): three f64 a parameter, steps, β1^steps, β2^steps. Expressions are in the order
// of PyTorch's single-tensor code; with maximize the sign of the gradient is turned first.
//
// Moments of parameters that see no gradient shrink for ever. Left alone they end below the normal
// range and make each step several times slower (mlp-small, Adam, 2000 steps on data learnt by heart: 3.7 ms a
// step against 0.9 ms), so a first moment below 1e-30 becomes 0, and a mean of squares below 1e-37: in Adam where the
// first moment is 0, elsewhere where eps keeps the quotient finite.

import { at, mulAdd } from './simd'

/** value in all lanes. V8 of Node 20 moves what only a loop uses into it, with all that leads there, roots and quotients
 *  too: adam of 101 776 parameters took 117 instead of 69 µs. It does not move what comes from a loop of one round. */
// @ts-ignore: decorator
@inline
export function spread(value: f64): v128 {
  let v = f32x4.splat(0)
  for (let i = 0; i < 1; i++) v = f32x4.splat(<f32>value)
  return v
}

/** The same by a call, which that loop keeps from being inlined: less code. Not for loops over pairs of vectors: V8's
 *  256-bit pass pairs no results of calls, and that of Node 26.10 aborts where they would be part of a pair. */
export function splat(value: f64): v128 {
  return spread(value)
}

/** Bytes of the counters of one parameter. */
export const COUNTERS: usize = 24

/** What turns the sign of a gradient by xor, or leaves it. */
// @ts-ignore: decorator
@inline
export function signOf(maximize: i32): v128 {
  return i32x4.splat(maximize ? i32.MIN_VALUE : 0)
}

/** base^n for whole n, by squaring: at most n 2^-53 off, relatively. */
export function power(base: f64, n: f64): f64 {
  let result: f64 = 1
  while (n >= 1) {
    const half = Math.floor(0.5 * n)
    if (n != 2 * half) result *= base
    base *= base
    n = half
  }
  return result
}

/** keep x + take y */
// @ts-ignore: decorator
@inline
export function mix(x: v128, keep: v128, y: v128, take: v128): v128 {
  return mulAdd(f32x4.mul(x, keep), y, take)
}

/** sign(x) · y, 0 where x is 0, NaN where x is NaN. */
// @ts-ignore: decorator
@inline
export function signTimes(x: v128, y: v128): v128 {
  const zero = f32x4.splat(0)
  const signed = v128.or(v128.and(f32x4.gt(x, zero), y), v128.and(f32x4.lt(x, zero), f32x4.neg(y)))
  return v128.bitselect(x, signed, f32x4.ne(x, x))
}

/** Below this a mean of squares becomes 0. */
// @ts-ignore: decorator
@inline
export function leastSquare(eps: usize): v128 {
  return splat(load<f64>(eps) > 0 ? 1e-37 : 0)
}

/** x with lanes below `least` (in size) set to 0. */
// @ts-ignore: decorator
@inline
export function flush(x: v128, least: v128): v128 {
  return v128.andnot(x, f32x4.lt(f32x4.abs(x), least))
}

/** ± grad + decay · param */
// @ts-ignore: decorator
@inline
export function slope(grad: usize, sign: v128, param: v128, decay: v128): v128 {
  return mulAdd(v128.xor(v128.load(grad), sign), param, decay)
}

/** Elements that n take in a block: stretches start on multiples of 16 of them. */
// @ts-ignore: decorator
@inline
export function padded(n: i32): i32 {
  return (n + 15) & ~15
}
