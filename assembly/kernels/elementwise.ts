// One function of one element, and of two with broadcasting.

import { In, Ints, Out } from '../abi'
import { atan2 as atan2Of, erf as erfOf, exp as expOf, expm1Of, log as logOf, log1p as log1pOf, log2 as log2Of, sinOrCos } from '../math'
import { at, mulAdd, storeLanes } from '../simd'
import { offsetOf, runsOf } from './copy'
import { expShifted } from './softmax'

enum Unary { neg, abs, sign, expm1, log, log1p, log2, sqrt, rsqrt, sin, cos, sinh, cosh, erf, floor, ceil, trunc, round }

// @ts-ignore: decorator
@inline
function apply1(op: i32, x: v128): v128 {
  if (op == Unary.neg) return f32x4.neg(x)
  if (op == Unary.abs) return f32x4.abs(x)
  if (op == Unary.expm1) return expm1At(x)
  if (op == Unary.log) return logOf(x)
  if (op == Unary.log1p) return log1pOf(x)
  if (op == Unary.log2) return log2Of(x)
  if (op == Unary.sin) return sinOrCos(x, 0)
  if (op == Unary.cos) return sinOrCos(x, 1)
  if (op == Unary.sinh) return hyperbolic(x, true)
  if (op == Unary.cosh) return hyperbolic(x, false)
  if (op == Unary.erf) return erfOf(x)
  if (op == Unary.floor) return f32x4.floor(x)
  if (op == Unary.ceil) return f32x4.ceil(x)
  if (op == Unary.trunc) return f32x4.trunc(x)
  if (op == Unary.round) return f32x4.nearest(x)
  if (op == Unary.sqrt) return f32x4.sqrt(x)
  if (op == Unary.rsqrt) return f32x4.div(f32x4.splat(1), f32x4.sqrt(x))
  const zero = f32x4.splat(0)
  const one = f32x4.splat(1)
  const sign = f32x4.sub(v128.and(one, f32x4.gt(x, zero)), v128.and(one, f32x4.lt(x, zero)))
  return v128.bitselect(sign, x, f32x4.eq(x, x))
}

/** e^x - 1. In ln 2 / 2 < x <= ln 2, where the polynomial ends and e^x - 1 cancels, t (t + 2) with t = e^(x/2) - 1.
 *  Max error 2.24 ULP (every 101st input); -0 for -0. */
function expm1At(x: v128): v128 {
  const t = expm1Of(f32x4.mul(x, f32x4.splat(0.5)), x)
  const middle = v128.and(f32x4.gt(x, f32x4.splat(0.34657359)), f32x4.le(x, f32x4.splat(0.69314718)))
  const y = v128.bitselect(f32x4.mul(t, f32x4.add(t, f32x4.splat(2))), expm1Of(x, expOf(x)), middle)
  return v128.bitselect(x, y, f32x4.eq(x, f32x4.splat(0)))
}

/** sinh x or cosh x: (t² ± 1/t²) / 2 with t = e^(|x|/2), which does not overflow before the result does; sinh below 1 by the
 *  polynomial of Cephes sinhf. */
function hyperbolic(x: v128, odd: bool): v128 {
  const half = f32x4.splat(0.5)
  const a = f32x4.abs(x)
  const t = expOf(f32x4.mul(a, half))
  const up = f32x4.mul(f32x4.mul(t, half), t)
  const down = f32x4.div(f32x4.div(half, t), t)
  if (!odd) return f32x4.add(up, down)
  const z = f32x4.mul(a, a)
  let p = mulAdd(f32x4.splat(8.33028376239e-3), f32x4.splat(2.03721912945e-4), z)
  p = mulAdd(f32x4.splat(1.66667160211e-1), p, z)
  p = mulAdd(a, f32x4.mul(p, z), a)
  const y = v128.bitselect(p, f32x4.sub(up, down), f32x4.lt(a, f32x4.splat(1)))
  return v128.or(y, v128.xor(x, a))
}

// @ts-ignore: decorator
@inline
function unary(op: i32, out: usize, x: usize, n: i32): void {
  let i = 0
  for (; i + 4 <= n; i += 4) v128.store(at(out, i), apply1(op, v128.load(at(x, i))))
  if (i < n) storeLanes(at(out, i), apply1(op, v128.load(at(x, i))), n - i)
}

/** out = -x.  out, x: [n]. */
export function neg(out: Out, x: In, n: i32): void {
  unary(Unary.neg, out, x, n)
}

/** out = |x|.  out, x: [n]. */
export function abs(out: Out, x: In, n: i32): void {
  unary(Unary.abs, out, x, n)
}

/** out = -1, 0 or 1; NaN for NaN.  out, x: [n]. */
export function sign(out: Out, x: In, n: i32): void {
  unary(Unary.sign, out, x, n)
}

/** out = e^x.  out, x: [n]. */
export function exp(out: Out, x: In, n: i32): void {
  expShifted(out, x, 0, n)
}

/** out = e^x - 1, exact to a few units also near 0.  out, x: [n]. */
export function expm1(out: Out, x: In, n: i32): void {
  unary(Unary.expm1, out, x, n)
}

/** out = ln x; -Infinity at 0, NaN below.  out, x: [n]. */
export function log(out: Out, x: In, n: i32): void {
  unary(Unary.log, out, x, n)
}

/** out = the logarithm of x to base 2, exact where that is whole.  out, x: [n]. */
export function log2(out: Out, x: In, n: i32): void {
  unary(Unary.log2, out, x, n)
}

/** out = √x, exact to half a unit.  out, x: [n]. */
export function sqrt(out: Out, x: In, n: i32): void {
  unary(Unary.sqrt, out, x, n)
}

/** out = 1 / √x; Infinity at 0.  out, x: [n]. */
export function rsqrt(out: Out, x: In, n: i32): void {
  unary(Unary.rsqrt, out, x, n)
}

/** out = ln(1 + x), exact to a few units also near 0.  out, x: [n]. */
export function log1p(out: Out, x: In, n: i32): void {
  unary(Unary.log1p, out, x, n)
}

/** out = sin x.  out, x: [n]. */
export function sin(out: Out, x: In, n: i32): void {
  unary(Unary.sin, out, x, n)
}

/** out = cos x.  out, x: [n]. */
export function cos(out: Out, x: In, n: i32): void {
  unary(Unary.cos, out, x, n)
}

/** out = (e^x - e^-x) / 2.  out, x: [n]. */
export function sinh(out: Out, x: In, n: i32): void {
  unary(Unary.sinh, out, x, n)
}

/** out = (e^x + e^-x) / 2.  out, x: [n]. */
export function cosh(out: Out, x: In, n: i32): void {
  unary(Unary.cosh, out, x, n)
}

/** out = 2/√π ∫₀ˣ exp(-t²) dt.  out, x: [n]. */
export function erf(out: Out, x: In, n: i32): void {
  unary(Unary.erf, out, x, n)
}

/** out = the largest whole number <= x.  out, x: [n]. */
export function floor(out: Out, x: In, n: i32): void {
  unary(Unary.floor, out, x, n)
}

/** out = the smallest whole number >= x.  out, x: [n]. */
export function ceil(out: Out, x: In, n: i32): void {
  unary(Unary.ceil, out, x, n)
}

/** out = x without what is after its point.  out, x: [n]. */
export function trunc(out: Out, x: In, n: i32): void {
  unary(Unary.trunc, out, x, n)
}

/** out = the nearest whole number, halves to even.  out, x: [n]. */
export function round(out: Out, x: In, n: i32): void {
  unary(Unary.round, out, x, n)
}

enum Binary { add, sub, mul, div, minimum, maximum, pow, atan2, equal, notEqual, less, lessEqual, greater, greaterEqual }

/** The operators before pow. */
// @ts-ignore: decorator
@inline
function apply2(op: i32, a: v128, b: v128): v128 {
  if (op == Binary.add) return f32x4.add(a, b)
  if (op == Binary.sub) return f32x4.sub(a, b)
  if (op == Binary.mul) return f32x4.mul(a, b)
  if (op == Binary.div) return f32x4.div(a, b)
  if (op == Binary.minimum) return f32x4.min(a, b)
  return f32x4.max(a, b)
}

/** All lanes set, or none. */
// @ts-ignore: decorator
@inline
function mask(on: bool): v128 {
  return i32x4.splat(on ? -1 : 0)
}

/** One run of n elements; a and b advance with it, or stay (stepA, stepB false) on one element. */
// @ts-ignore: decorator
@inline
function pairs(op: i32, stepA: bool, stepB: bool, out: usize, a: usize, b: usize, n: i32): void {
  const fixedA = v128.load32_splat(a)
  const fixedB = v128.load32_splat(b)
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const y0 = apply2(op, stepA ? v128.load(at(a, i)) : fixedA, stepB ? v128.load(at(b, i)) : fixedB)
    const y1 = apply2(op, stepA ? v128.load(at(a, i), 16) : fixedA, stepB ? v128.load(at(b, i), 16) : fixedB)
    v128.store(at(out, i), y0)
    v128.store(at(out, i), y1, 16)
  }
  for (; i < n; i += 4) {
    storeLanes(at(out, i), apply2(op, stepA ? v128.load(at(a, i)) : fixedA, stepB ? v128.load(at(b, i)) : fixedB), n - i)
  }
}

// @ts-ignore: decorator
@inline
function arithmetic(op: i32, out: usize, a: usize, b: usize, stepA: bool, stepB: bool, n: i32): void {
  if (stepA && stepB) pairs(op, true, true, out, a, b, n)
  else if (stepA) pairs(op, true, false, out, a, b, n)
  // The others commute.
  else if (op != Binary.sub && op != Binary.div) pairs(op, true, false, out, b, a, n)
  else pairs(op, false, true, out, a, b, n)
}

/** A comparison is true where a < b, a = b or a > b, as it says; notEqual where it is not equal: NaN is not. */
function comparison(op: i32, out: usize, a: usize, b: usize, stepA: bool, stepB: bool, n: i32): void {
  const below = mask(op == Binary.less || op == Binary.lessEqual)
  const same = mask(op == Binary.equal || op == Binary.notEqual || op == Binary.lessEqual || op == Binary.greaterEqual)
  const above = mask(op == Binary.greater || op == Binary.greaterEqual)
  const turned = mask(op == Binary.notEqual)
  const one = f32x4.splat(1)
  let v = v128.load32_splat(a)
  let w = v128.load32_splat(b)
  for (let i = 0; i < n; i += 4) {
    if (stepA) v = v128.load(at(a, i))
    if (stepB) w = v128.load(at(b, i))
    const ordered = v128.or(v128.and(f32x4.lt(v, w), below), v128.and(f32x4.gt(v, w), above))
    const holds = v128.xor(v128.or(ordered, v128.and(f32x4.eq(v, w), same)), turned)
    const y = v128.and(holds, one)
    if (n - i >= 4) v128.store(at(out, i), y)
    else storeLanes(at(out, i), y, n - i)
  }
}

/** a^b by AssemblyScript's own library, through f64 (NOTICE). */
function powers(out: usize, a: usize, b: usize, stepA: bool, stepB: bool, n: i32): void {
  for (let i = 0; i < n; i++) {
    store<f32>(at(out, i), NativeMathf.pow(load<f32>(at(a, stepA ? i : 0)), load<f32>(at(b, stepB ? i : 0))))
  }
}

/** The angles of the points (b, a). */
function angles(out: usize, a: usize, b: usize, stepA: bool, stepB: bool, n: i32): void {
  for (let i = 0; i < n; i += 4) {
    const y = stepA ? v128.load(at(a, i)) : v128.load32_splat(a)
    storeLanes(at(out, i), atan2Of(y, stepB ? v128.load(at(b, i)) : v128.load32_splat(b)), n - i)
  }
}

/** dims: rank, then for each axis its size, its stride in a and its stride in b, in elements; the last
 *  axis has strides 0 or 1. The host merges neighbouring axes first, so rank is rarely above 2. */
function binary(op: i32, out: usize, a: usize, b: usize, dims: usize): void {
  const inner = dims + 12 * (load<i32>(dims) - 1)
  const n = load<i32>(inner, 4)
  const stepA = load<i32>(inner, 8) != 0
  const stepB = load<i32>(inner, 12) != 0
  const runs = runsOf(dims, 2)
  for (let r = 0; r < runs; r++) {
    const p = a + offsetOf(dims, 2, 0, r)
    const q = b + offsetOf(dims, 2, 1, r)
    switch (op) {
      case Binary.add: { arithmetic(Binary.add, out, p, q, stepA, stepB, n); break }
      case Binary.sub: { arithmetic(Binary.sub, out, p, q, stepA, stepB, n); break }
      case Binary.mul: { arithmetic(Binary.mul, out, p, q, stepA, stepB, n); break }
      case Binary.div: { arithmetic(Binary.div, out, p, q, stepA, stepB, n); break }
      case Binary.minimum: { arithmetic(Binary.minimum, out, p, q, stepA, stepB, n); break }
      case Binary.maximum: { arithmetic(Binary.maximum, out, p, q, stepA, stepB, n); break }
      case Binary.pow: { powers(out, p, q, stepA, stepB, n); break }
      case Binary.atan2: { angles(out, p, q, stepA, stepB, n); break }
      default: comparison(op, out, p, q, stepA, stepB, n)
    }
    out = at(out, n)
  }
}

/** out = a + b, broadcast by dims (see binary). */
export function add(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.add, out, a, b, dims)
}

/** out = a - b, broadcast by dims (see binary). */
export function sub(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.sub, out, a, b, dims)
}

/** out = a b, broadcast by dims (see binary). */
export function mul(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.mul, out, a, b, dims)
}

/** out = a / b, broadcast by dims (see binary). */
export function div(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.div, out, a, b, dims)
}

/** out = the smaller of a and b; NaN if either is, broadcast by dims (see binary). */
export function minimum(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.minimum, out, a, b, dims)
}

/** out = the larger of a and b; NaN if either is, broadcast by dims (see binary). */
export function maximum(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.maximum, out, a, b, dims)
}

/** out = a^b, broadcast by dims (see binary). */
export function pow(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.pow, out, a, b, dims)
}

/** out = the angle of the point (b, a), from -π to π, broadcast by dims (see binary). */
export function atan2(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.atan2, out, a, b, dims)
}

/** out = a = b, as 1 or 0, broadcast by dims (see binary). */
export function equal(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.equal, out, a, b, dims)
}

/** out = a ≠ b, as 1 or 0, broadcast by dims (see binary). */
export function notEqual(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.notEqual, out, a, b, dims)
}

/** out = a < b, as 1 or 0, broadcast by dims (see binary). */
export function less(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.less, out, a, b, dims)
}

/** out = a ≤ b, as 1 or 0, broadcast by dims (see binary). */
export function lessEqual(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.lessEqual, out, a, b, dims)
}

/** out = a > b, as 1 or 0, broadcast by dims (see binary). */
export function greater(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.greater, out, a, b, dims)
}

/** out = a ≥ b, as 1 or 0, broadcast by dims (see binary). */
export function greaterEqual(out: Out, a: In, b: In, dims: Ints): void {
  binary(Binary.greaterEqual, out, a, b, dims)
}

/** out = condition ≠ 0 ? a : b.  dims: rank, then for each axis its size and its strides in condition, a and b,
 *  in elements, as in binary; NaN counts as true. */
export function where(out: Out, condition: In, a: In, b: In, dims: Ints): void {
  const inner = dims + 16 * (load<i32>(dims) - 1)
  const n = load<i32>(inner, 4)
  const stepC = load<i32>(inner, 8) != 0
  const stepA = load<i32>(inner, 12) != 0
  const stepB = load<i32>(inner, 16) != 0
  const runs = runsOf(dims, 3)
  for (let r = 0; r < runs; r++) {
    const c = condition + offsetOf(dims, 3, 0, r)
    const p = a + offsetOf(dims, 3, 1, r)
    const q = b + offsetOf(dims, 3, 2, r)
    let u = v128.load32_splat(c)
    let v = v128.load32_splat(p)
    let w = v128.load32_splat(q)
    for (let i = 0; i < n; i += 4) {
      if (stepC) u = v128.load(at(c, i))
      if (stepA) v = v128.load(at(p, i))
      if (stepB) w = v128.load(at(q, i))
      const y = v128.bitselect(v, w, f32x4.ne(u, f32x4.splat(0)))
      if (n - i >= 4) v128.store(at(out, i), y)
      else storeLanes(at(out, i), y, n - i)
    }
    out = at(out, n)
  }
}
