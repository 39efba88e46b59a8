// One function of one element, and of two with broadcasting.

import { In, Ints, Out } from '../abi'
import { exp as expOf, log as logOf } from '../math'
import { at, storeLanes } from '../simd'

enum Unary { neg, abs, sign, exp, log, sqrt, rsqrt }

// @ts-ignore: decorator
@inline
function apply1(op: i32, x: v128): v128 {
  if (op == Unary.neg) return f32x4.neg(x)
  if (op == Unary.abs) return f32x4.abs(x)
  if (op == Unary.exp) return expOf(x)
  if (op == Unary.log) return logOf(x)
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

enum Binary { add, sub, mul, div }

// @ts-ignore: decorator
@inline
function apply2(op: i32, a: v128, b: v128): v128 {
  if (op == Binary.add) return f32x4.add(a, b)
  if (op == Binary.sub) return f32x4.sub(a, b)
  if (op == Binary.mul) return f32x4.mul(a, b)
  return f32x4.div(a, b)
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
