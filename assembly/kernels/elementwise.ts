// One function of one element, and of two with broadcasting.

import { In, Ints, Out } from '../abi'
import { erf as erfOf, exp as expOf, log as logOf, log1p as log1pOf, sinOrCos } from '../math'
import { at, storeLanes } from '../simd'

enum Unary { neg, abs, sign, exp, log, log1p, sqrt, rsqrt, sin, cos, erf, floor, round }

// @ts-ignore: decorator
@inline
function apply1(op: i32, x: v128): v128 {
  if (op == Unary.neg) return f32x4.neg(x)
  if (op == Unary.abs) return f32x4.abs(x)
  if (op == Unary.exp) return expOf(x)
  if (op == Unary.log) return logOf(x)
  if (op == Unary.log1p) return log1pOf(x)
  if (op == Unary.sin) return sinOrCos(x, 0)
  if (op == Unary.cos) return sinOrCos(x, 1)
  if (op == Unary.erf) return erfOf(x)
  if (op == Unary.floor) return f32x4.floor(x)
  if (op == Unary.round) return f32x4.nearest(x)
  if (op == Unary.sqrt) return f32x4.sqrt(x)
  if (op == Unary.rsqrt) return f32x4.div(f32x4.splat(1), f32x4.sqrt(x))
  const zero = f32x4.splat(0)
  const one = f32x4.splat(1)
  const sign = f32x4.sub(v128.and(one, f32x4.gt(x, zero)), v128.and(one, f32x4.lt(x, zero)))
  return v128.bitselect(sign, x, f32x4.eq(x, x))
}

// @ts-ignore: decorator
@inline
function unary(op: i32, out: usize, x: usize, n: i32): void {
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const p = at(x, i)
    const y0 = apply1(op, v128.load(p))
    const y1 = apply1(op, v128.load(p, 16))
    v128.store(at(out, i), y0)
    v128.store(at(out, i), y1, 16)
  }
  for (; i < n; i += 4) storeLanes(at(out, i), apply1(op, v128.load(at(x, i))), n - i)
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
  unary(Unary.exp, out, x, n)
}

/** out = ln x; -Infinity at 0, NaN below.  out, x: [n]. */
export function log(out: Out, x: In, n: i32): void {
  unary(Unary.log, out, x, n)
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

/** out = 2/√π ∫₀ˣ exp(-t²) dt.  out, x: [n]. */
export function erf(out: Out, x: In, n: i32): void {
  unary(Unary.erf, out, x, n)
}

/** out = the largest whole number <= x.  out, x: [n]. */
export function floor(out: Out, x: In, n: i32): void {
  unary(Unary.floor, out, x, n)
}

/** out = the nearest whole number, halves to even.  out, x: [n]. */
export function round(out: Out, x: In, n: i32): void {
  unary(Unary.round, out, x, n)
}

enum Binary { add, sub, mul, div, minimum, maximum, pow, equal, notEqual, less, lessEqual, greater, greaterEqual }

// @ts-ignore: decorator
@inline
function apply2(op: i32, a: v128, b: v128): v128 {
  if (op == Binary.add) return f32x4.add(a, b)
  if (op == Binary.sub) return f32x4.sub(a, b)
  if (op == Binary.mul) return f32x4.mul(a, b)
  if (op == Binary.div) return f32x4.div(a, b)
  if (op == Binary.minimum) return f32x4.min(a, b)
  if (op == Binary.maximum) return f32x4.max(a, b)
  if (op == Binary.pow) return powLanes(a, b)
  return v128.and(f32x4.splat(1), compare(op, a, b))
}

// @ts-ignore: decorator
@inline
function compare(op: i32, a: v128, b: v128): v128 {
  if (op == Binary.equal) return f32x4.eq(a, b)
  if (op == Binary.notEqual) return f32x4.ne(a, b)
  if (op == Binary.less) return f32x4.lt(a, b)
  if (op == Binary.lessEqual) return f32x4.le(a, b)
  if (op == Binary.greater) return f32x4.gt(a, b)
  return f32x4.ge(a, b)
}

/** a^b by AssemblyScript's own library (musl's powf, through f64), lane by lane. */
function powLanes(a: v128, b: v128): v128 {
  let y = f32x4.splat(NativeMathf.pow(f32x4.extract_lane(a, 0), f32x4.extract_lane(b, 0)))
  y = f32x4.replace_lane(y, 1, NativeMathf.pow(f32x4.extract_lane(a, 1), f32x4.extract_lane(b, 1)))
  y = f32x4.replace_lane(y, 2, NativeMathf.pow(f32x4.extract_lane(a, 2), f32x4.extract_lane(b, 2)))
  return f32x4.replace_lane(y, 3, NativeMathf.pow(f32x4.extract_lane(a, 3), f32x4.extract_lane(b, 3)))
}

/** One run of n elements; a and b advance with it, or stay (stepA, stepB false) on one element. */
// @ts-ignore: decorator
@inline
function run2(op: i32, stepA: bool, stepB: bool, out: usize, a: usize, b: usize, n: i32): void {
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

/** dims: rank, then for each axis its size, its stride in a and its stride in b, in elements; the last
 *  axis has strides 0 or 1. The host merges neighbouring axes first, so rank is rarely above 2. */
// @ts-ignore: decorator
@inline
function binary(op: i32, out: usize, a: usize, b: usize, dims: usize): void {
  const rank = load<i32>(dims)
  const inner = dims + 12 * (rank - 1)
  const n = load<i32>(inner, 4)
  const stepA = load<i32>(inner, 8) != 0
  const stepB = load<i32>(inner, 12) != 0
  let runs = 1
  for (let d = 0; d < rank - 1; d++) runs *= load<i32>(dims + 12 * d, 4)
  for (let r = 0; r < runs; r++) {
    let index = r
    let p = a
    let q = b
    for (let d = dims + 12 * (rank - 2); d >= dims; d -= 12) {
      const size = load<i32>(d, 4)
      const i = index % size
      index /= size
      p += <usize>(i * load<i32>(d, 8)) << 2
      q += <usize>(i * load<i32>(d, 12)) << 2
    }
    if (stepA && stepB) run2(op, true, true, out, p, q, n)
    else if (stepA) run2(op, true, false, out, p, q, n)
    else run2(op, false, stepB, out, p, q, n)
    out += <usize>n << 2
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
 *  in elements; NaN counts as true. */
export function where(out: Out, condition: In, a: In, b: In, dims: Ints): void {
  const rank = load<i32>(dims)
  const inner = dims + 16 * (rank - 1)
  const n = load<i32>(inner, 4)
  const stepC = <usize>load<i32>(inner, 8) << 2
  const stepA = <usize>load<i32>(inner, 12) << 2
  const stepB = <usize>load<i32>(inner, 16) << 2
  let runs = 1
  for (let d = 0; d < rank - 1; d++) runs *= load<i32>(dims + 16 * d, 4)
  for (let r = 0; r < runs; r++) {
    let index = r
    let c = condition
    let p = a
    let q = b
    for (let d = dims + 16 * (rank - 2); d >= dims; d -= 16) {
      const size = load<i32>(d, 4)
      const i = index % size
      index /= size
      c += <usize>(i * load<i32>(d, 8)) << 2
      p += <usize>(i * load<i32>(d, 12)) << 2
      q += <usize>(i * load<i32>(d, 16)) << 2
    }
    for (let i = 0; i < n; i++) {
      store<f32>(out, load<f32>(c) != 0 ? load<f32>(p) : load<f32>(q))
      out += 4
      c += stepC
      p += stepA
      q += stepB
    }
  }
}
