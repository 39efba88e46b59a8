// Elementary functions on four f32 lanes, of our own so that every engine gives the same bits.
// Errors are the largest found over every f32 input (npm run ulp), in units in the last place
// of the result; results below the normal range are off by at most one of its steps.
//
// Constants lie in memory and are loaded into all lanes where they are used: V8 makes a splat of a constant
// from three instructions at each use, a load is one (gelu, Node 24: 1.68 → 1.24 ms for 768×512).

import { at, mulAdd, mulSub } from './simd'

/** Constant i of a table in all lanes. */
// @ts-ignore: decorator
@inline
export function constant(table: usize, i: usize): v128 {
  return v128.load32_splat(table + 4 * i)
}

/** c + p z, c constant i of the table. */
// @ts-ignore: decorator
@inline
export function horner(p: v128, z: v128, table: usize, i: usize): v128 {
  return mulAdd(constant(table, i), p, z)
}

/** The bounds of exp, beyond which it is Infinity or 0; 1 / ln 2; what rounds to whole numbers when added; ln 2 in two parts, the
 *  first with 9 trailing zero bits, so that n times it is exact; Cephes expf, (e^r - 1 - r) / r²; 1. */
const EXP = memory.data<f32>([
  89, -104, 1.44269504, 12582912, 0.693359375, -2.12194440e-4, 1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2,
  1.6666665459e-1, 5.0000001201e-1, 1,
])
export const ONE: usize = EXP + 48

/** e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2; the other parameters are the constants of EXP. */
// @ts-ignore: decorator
@inline
function expBy(
  v: v128, most: v128, least: v128, inverse: v128, rounder: v128, high: v128, low: v128,
  c5: v128, c4: v128, c3: v128, c2: v128, c1: v128, c0: v128, one: v128,
): v128 {
  // pmin and pmax keep NaN.
  const x = f32x4.pmax(f32x4.pmin(v, most), least)
  // 1.5 2^23 + n: the last bits are those of n. (nearest and trunc_sat are many instructions, and not paired by V8.)
  const m = mulAdd(rounder, x, inverse)
  const n = f32x4.sub(m, rounder)
  const r = mulSub(mulSub(x, n, high), n, low)
  let p = mulAdd(c4, c5, r)
  p = mulAdd(c3, p, r)
  p = mulAdd(c2, p, r)
  p = mulAdd(c1, p, r)
  p = mulAdd(c0, p, r)
  p = f32x4.add(mulAdd(r, p, f32x4.mul(r, r)), one)
  // 2^n in two factors, since n reaches 128 and -150: their exponents are half n, rounded down, and the rest.
  const half = i32x4.shl(i32x4.shr_s(i32x4.shl(m, 9), 10), 23)
  const rest = i32x4.sub(i32x4.shl(m, 23), half)
  return f32x4.mul(f32x4.mul(p, i32x4.add(one, half)), i32x4.add(one, rest))
}

/** e^x.  Max error 0.99 ULP. */
export function exp(x: v128): v128 {
  return expBy(
    x, constant(EXP, 0), constant(EXP, 1), constant(EXP, 2), constant(EXP, 3), constant(EXP, 4), constant(EXP, 5), constant(EXP, 6),
    constant(EXP, 7), constant(EXP, 8), constant(EXP, 9), constant(EXP, 10), constant(EXP, 11), constant(EXP, 12),
  )
}

/** out = e^(x - shift) on n elements, a multiple of 8; returns the sums of every fourth. Two vectors side by side keep
 *  the processor busier than a call for each (1.1 → 0.9 ns an element), and V8's 256-bit pass makes them one (0.7).
 *  out may be x. */
export function expPairs(out: usize, x: usize, shift: f32, n: i32): v128 {
  const s = f32x4.splat(shift)
  const most = constant(EXP, 0)
  const least = constant(EXP, 1)
  const inverse = constant(EXP, 2)
  const rounder = constant(EXP, 3)
  const high = constant(EXP, 4)
  const low = constant(EXP, 5)
  const c5 = constant(EXP, 6)
  const c4 = constant(EXP, 7)
  const c3 = constant(EXP, 8)
  const c2 = constant(EXP, 9)
  const c1 = constant(EXP, 10)
  const c0 = constant(EXP, 11)
  const one = constant(EXP, 12)
  let s0 = f32x4.splat(0)
  let s1 = s0
  const end = at(x, n)
  for (; x < end; x += 32, out += 32) {
    const x0 = f32x4.sub(v128.load(x), s)
    const x1 = f32x4.sub(v128.load(x, 16), s)
    const y0 = expBy(x0, most, least, inverse, rounder, high, low, c5, c4, c3, c2, c1, c0, one)
    const y1 = expBy(x1, most, least, inverse, rounder, high, low, c5, c4, c3, c2, c1, c0, one)
    v128.store(out, y0)
    v128.store(out, y1, 16)
    s0 = f32x4.add(s0, y0)
    s1 = f32x4.add(s1, y1)
  }
  return f32x4.add(s0, s1)
}

/** e^x - 1, given e = e^x: exp's polynomial without its 1 where |x| <= ln 2 / 2, else the difference.
 *  Max error 1.36 ULP below 0 (every 4001st input). */
export function expm1Of(x: v128, e: v128): v128 {
  let p = horner(constant(EXP, 6), x, EXP, 7)
  p = horner(p, x, EXP, 8)
  p = horner(p, x, EXP, 9)
  p = horner(p, x, EXP, 10)
  p = horner(p, x, EXP, 11)
  p = mulAdd(x, p, f32x4.mul(x, x))
  const small = f32x4.le(f32x4.abs(x), f32x4.splat(0.34657359))
  return v128.bitselect(p, f32x4.sub(e, constant(ONE, 0)), small)
}

/** The least normal number; what scales smaller ones; their change of exponent; bias of the exponent; √(1/2); 1/2; ln 2 in two
 *  parts; 1; Cephes logf. */
const LOG = memory.data<f32>([
  1.17549435e-38, 8388608, 23, 126, 0.707106781, 0.5, -2.12194440e-4, 0.693359375, 1,
  7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1,
  -2.4999993993e-1, 3.3333331174e-1,
])

/** Natural logarithm: x = 2^e m, √(1/2) <= m < √2, ln x = e ln 2 + ln m.  Max error 0.83 ULP.
 *  log(0) = -Infinity, log(x < 0) = NaN. */
export function log(x: v128): v128 {
  const subnormal = f32x4.lt(x, constant(LOG, 0))
  const scaled = v128.bitselect(f32x4.mul(x, constant(LOG, 1)), x, subnormal)
  let e = f32x4.sub(f32x4.convert_i32x4_s(i32x4.shr_u(scaled, 23)), v128.and(subnormal, constant(LOG, 2)))
  // Mantissa in [0.5, 1), moved to [√(1/2), √2).
  const half = constant(LOG, 5)
  const one = constant(LOG, 8)
  const m = v128.or(i32x4.shr_u(i32x4.shl(scaled, 9), 9), half)
  const low = f32x4.lt(m, constant(LOG, 4))
  e = f32x4.sub(f32x4.sub(e, constant(LOG, 3)), v128.and(low, one))
  const r = f32x4.sub(f32x4.add(m, v128.and(low, m)), one)
  const z = f32x4.mul(r, r)
  let p = horner(constant(LOG, 9), r, LOG, 10)
  p = horner(p, r, LOG, 11)
  p = horner(p, r, LOG, 12)
  p = horner(p, r, LOG, 13)
  p = horner(p, r, LOG, 14)
  p = horner(p, r, LOG, 15)
  p = horner(p, r, LOG, 16)
  p = horner(p, r, LOG, 17)
  p = f32x4.mul(f32x4.mul(p, r), z)
  p = mulAdd(p, e, constant(LOG, 6))
  p = mulSub(p, z, half)
  let y = mulAdd(f32x4.add(r, p), e, constant(LOG, 7))
  y = v128.bitselect(x, y, f32x4.eq(x, f32x4.splat(Infinity)))
  y = v128.bitselect(f32x4.splat(-Infinity), y, f32x4.eq(x, f32x4.splat(0)))
  const positive = f32x4.ge(x, f32x4.splat(0))
  return v128.bitselect(y, f32x4.splat(NaN), positive)
}

/** Logarithm to base 2: x = 2^e m, √(1/2) <= m < √2, log2 x = e + ln m / ln 2; whole where x is a power of 2. */
export function log2(x: v128): v128 {
  const subnormal = f32x4.lt(x, constant(LOG, 0))
  const scaled = v128.bitselect(f32x4.mul(x, constant(LOG, 1)), x, subnormal)
  // 0x3f3504f3 is √(1/2). What has no such m (0, negative, infinite, NaN) is left to log.
  const e = i32x4.shr_s(i32x4.sub(scaled, i32x4.splat(0x3f3504f3)), 23)
  const usual = v128.and(f32x4.gt(x, f32x4.splat(0)), f32x4.lt(x, f32x4.splat(Infinity)))
  const m = v128.bitselect(i32x4.sub(scaled, i32x4.shl(e, 23)), x, usual)
  const whole = f32x4.sub(f32x4.convert_i32x4_s(e), v128.and(subnormal, constant(LOG, 2)))
  return mulAdd(v128.and(whole, usual), log(m), constant(EXP, 2))
}

/** tan(π/8); Cephes atanf; π/4, π/2, π. */
const ATAN = memory.data<f32>([
  0.414213562, 8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1, 0.785398163, 1.57079633, 3.14159265,
])

/** The angle of the point (x, y), from -π to π: of the smaller coordinate over the larger, t <= 1, which above tan(π/8)
 *  becomes (t - 1) / (t + 1) and π/4; then the octant. 0 at the origin, with the sign of y; π where x is negative. */
export function atan2(y: v128, x: v128): v128 {
  const zero = f32x4.splat(0)
  const ax = f32x4.abs(x)
  const ay = f32x4.abs(y)
  const most = f32x4.max(ax, ay)
  const least = f32x4.min(ax, ay)
  const far = v128.and(f32x4.ge(least, f32x4.mul(most, constant(ATAN, 0))), f32x4.gt(least, zero))
  // Equal ones are told apart: ∞ - ∞ and 0 / 0 are no numbers.
  const up = v128.andnot(v128.bitselect(f32x4.sub(least, most), least, far), f32x4.eq(least, most))
  const down = v128.bitselect(f32x4.add(least, most), most, far)
  const t = v128.andnot(f32x4.div(up, down), f32x4.eq(up, zero))
  const z = f32x4.mul(t, t)
  let p = horner(constant(ATAN, 1), z, ATAN, 2)
  p = horner(p, z, ATAN, 3)
  p = horner(p, z, ATAN, 4)
  let r = mulAdd(t, f32x4.mul(p, z), t)
  r = f32x4.add(r, v128.and(far, constant(ATAN, 5)))
  r = v128.bitselect(f32x4.sub(constant(ATAN, 6), r), r, f32x4.gt(ay, ax))
  const behind = i32x4.shr_s(x, 31)
  r = v128.bitselect(f32x4.sub(constant(ATAN, 7), r), r, behind)
  return v128.or(r, v128.xor(y, ay))
}

/** Where tanh changes its formula; Cephes tanhf. */
const TANH = memory.data<f32>([0.625, -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1])

/** tanh x, given e = e^2|x|, of |x| with the sign put back: an odd polynomial below 0.625, 1 - 2 / (e + 1) above. The other
 *  parameters are the constants of TANH, and 1. */
// @ts-ignore: decorator
@inline
function tanhBy(x: v128, e: v128, edge: v128, c4: v128, c3: v128, c2: v128, c1: v128, c0: v128, one: v128): v128 {
  const a = f32x4.abs(x)
  const big = f32x4.sub(one, f32x4.div(f32x4.add(one, one), f32x4.add(e, one)))
  const z = f32x4.mul(a, a)
  let p = mulAdd(c3, c4, z)
  p = mulAdd(c2, p, z)
  p = mulAdd(c1, p, z)
  p = mulAdd(c0, p, z)
  p = mulAdd(a, f32x4.mul(p, z), a)
  return v128.or(v128.bitselect(p, big, f32x4.lt(a, edge)), v128.xor(x, a))
}

/** Max error 1.33 ULP. */
export function tanh(x: v128): v128 {
  const a = f32x4.abs(x)
  const e = exp(f32x4.add(a, a))
  return tanhBy(
    x, e, constant(TANH, 0), constant(TANH, 1), constant(TANH, 2), constant(TANH, 3), constant(TANH, 4), constant(TANH, 5), constant(ONE, 0),
  )
}

/** out = tanh x on n elements, a multiple of 8; out, which is not x, holds e^2|x|. */
export function tanhPairs(out: usize, x: usize, n: i32): void {
  const edge = constant(TANH, 0)
  const c4 = constant(TANH, 1)
  const c3 = constant(TANH, 2)
  const c2 = constant(TANH, 3)
  const c1 = constant(TANH, 4)
  const c0 = constant(TANH, 5)
  const one = constant(ONE, 0)
  const end = at(x, n)
  for (; x < end; x += 32, out += 32) {
    const y0 = tanhBy(v128.load(x), v128.load(out), edge, c4, c3, c2, c1, c0, one)
    const y1 = tanhBy(v128.load(x, 16), v128.load(out, 16), edge, c4, c3, c2, c1, c0, one)
    v128.store(out, y0)
    v128.store(out, y1, 16)
  }
}

/** 1 / (1 + e^-x), given e = e^-|x|, which cannot overflow: e / (1 + e) below 0. */
// @ts-ignore: decorator
@inline
function sigmoidBy(x: v128, e: v128, one: v128): v128 {
  return f32x4.div(v128.bitselect(e, one, f32x4.lt(x, i32x4.splat(0))), f32x4.add(one, e))
}

// @ts-ignore: decorator
@inline
export function sigmoidOf(x: v128, e: v128): v128 {
  return sigmoidBy(x, e, constant(ONE, 0))
}

/** out = σ(x) on n elements, a multiple of 8; out, which is not x, holds e^-|x|. */
export function sigmoidPairs(out: usize, x: usize, n: i32): void {
  const one = constant(ONE, 0)
  const end = at(x, n)
  for (; x < end; x += 32, out += 32) {
    const y0 = sigmoidBy(v128.load(x), v128.load(out), one)
    const y1 = sigmoidBy(v128.load(x, 16), v128.load(out, 16), one)
    v128.store(out, y0)
    v128.store(out, y1, 16)
  }
}

/** Max error 2.40 ULP. */
export function sigmoid(x: v128): v128 {
  return sigmoidOf(x, exp(f32x4.neg(f32x4.abs(x))))
}

/** ln(1 + x) = ln u · (x / (u - 1)), u = 1 + x rounded: the quotient takes the rounding back (Kahan).
 *  Max error 2.31 ULP (every 499th input). */
export function log1p(x: v128): v128 {
  const one = constant(ONE, 0)
  const u = f32x4.add(one, x)
  const d = f32x4.sub(u, one)
  const corrected = f32x4.mul(log(u), f32x4.div(x, d))
  // u = 1: the series ends after x. u = Infinity: ln u is already right.
  const y = v128.bitselect(x, corrected, f32x4.eq(d, f32x4.splat(0)))
  return v128.bitselect(u, y, f32x4.eq(u, f32x4.splat(Infinity)))
}

/** Where erf changes its formula, and where it is 1 to the last bit; polynomials after N. Juffa. */
const ERF = memory.data<f32>([
  0.927734375, 4, -1.72853470e-5, 3.83197126e-4, -3.88396438e-3, 2.42546219e-2, -1.06777877e-1, -6.34846687e-1, -1.28717512e-1,
  -5.96761703e-4, 4.99119423e-3, -2.67681349e-2, 1.12819925e-1, -3.76125336e-1, 1.28379166e-1,
])

/** erf x: an odd polynomial below 0.93, 1 - e^p(|x|) above.  Max error 1.00 ULP (every 4001st input). */
export function erf(x: v128): v128 {
  const t = f32x4.abs(x)
  const s = f32x4.mul(x, x)
  let r = horner(constant(ERF, 2), t, ERF, 3)
  const u = horner(constant(ERF, 4), t, ERF, 5)
  r = mulAdd(u, r, s)
  r = horner(r, t, ERF, 6)
  r = horner(r, t, ERF, 7)
  r = horner(r, t, ERF, 8)
  r = f32x4.sub(f32x4.mul(r, t), t)
  const one = constant(ONE, 0)
  const large = f32x4.sub(one, exp(r))
  let p = horner(constant(ERF, 9), s, ERF, 10)
  p = horner(p, s, ERF, 11)
  p = horner(p, s, ERF, 12)
  p = horner(p, s, ERF, 13)
  p = horner(p, s, ERF, 14)
  p = mulAdd(t, p, t)
  // Beyond 4 the polynomial of e no longer falls.
  let y = v128.bitselect(p, large, f32x4.lt(t, constant(ERF, 0)))
  y = v128.bitselect(one, y, f32x4.gt(t, constant(ERF, 1)))
  return v128.or(y, v128.xor(x, t))
}

/** Slope of w; the polynomial P; the density of the normal distribution at 0; 1. */
export const NORMAL = memory.data<f32>([
  0.305, 0.036699566, -0.15298989, 0.18571963, -0.037979327, 0.12102297, 0.10342049, 0.12246687, 0.12163973, 0.398942280, 1,
])

/** The share of the normal distribution beyond t >= 0, given e = e^(-t²/2): e w P(w), w = 1 / (1 + 0.305 t). P is a minimax
 *  fit of Mills' ratio, relative error 9.5e-8; with roundings 4.2e-7, about 7 U. The other parameters are constants of
 *  NORMAL. */
// @ts-ignore: decorator
@inline
export function normalTail(
  t: v128, e: v128, slope: v128, c7: v128, c6: v128, c5: v128, c4: v128, c3: v128, c2: v128, c1: v128, c0: v128, one: v128,
): v128 {
  const w = f32x4.div(one, mulAdd(one, t, slope))
  let p = mulAdd(c6, c7, w)
  p = mulAdd(c5, p, w)
  p = mulAdd(c4, p, w)
  p = mulAdd(c3, p, w)
  p = mulAdd(c2, p, w)
  p = mulAdd(c1, p, w)
  p = mulAdd(c0, p, w)
  return f32x4.mul(f32x4.mul(e, w), p)
}

/** Cephes sinf, cosf; 1/2. */
const SIN = memory.data<f32>([
  -1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1, 2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, 0.5,
])

/** sin(a + k π/2), a in [-π/4, π/4]. */
function wave(a: v128, k: v128): v128 {
  const z = f32x4.mul(a, a)
  const s = horner(horner(constant(SIN, 0), z, SIN, 1), z, SIN, 2)
  const sine = mulAdd(a, f32x4.mul(s, z), a)
  const c = horner(horner(constant(SIN, 3), z, SIN, 4), z, SIN, 5)
  const cosine = f32x4.add(mulSub(f32x4.mul(c, f32x4.mul(z, z)), z, constant(SIN, 6)), constant(ONE, 0))
  // The last bit of k, in the sign: odd quarters are cosines.
  const odd = i32x4.shr_s(i32x4.shl(k, 31), 31)
  return v128.xor(v128.bitselect(cosine, sine, odd), i32x4.shl(i32x4.shr_u(k, 1), 31))
}

/** sin(2πt), or cos(2πt) with `quarter` 1, for t in [0, 1]: exact reduction to an eighth of a turn. */
export function sinTurn(t: v128, quarter: i32): v128 {
  const q = f32x4.nearest(f32x4.mul(t, f32x4.splat(4)))
  const a = f32x4.mul(mulSub(t, q, f32x4.splat(0.25)), f32x4.splat(6.28318531))
  return wave(a, i32x4.add(i32x4.trunc_sat_f32x4_s(q), i32x4.splat(quarter)))
}

/** sin x, or cos x with `quarter` 1: |x| < 2^17 by Cody and Waite's reduction in f64, other lanes one by one
 *  by Payne and Hanek's.  Max error 1.53 ULP (every 499th input). */
export function sinOrCos(x: v128, quarter: i32): v128 {
  const quarters = f32x4.nearest(f32x4.mul(x, f32x4.splat(0.636619772)))
  const low = reduceQuarters(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(quarters))
  const high = reduceQuarters(
    f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)), f64x2.promote_low_f32x4(v128.shuffle<i64>(quarters, quarters, 1, 0)),
  )
  const a = v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2)
  let y = wave(a, i32x4.add(i32x4.trunc_sat_f32x4_s(quarters), i32x4.splat(quarter)))
  if (v128.any_true(f32x4.ge(f32x4.abs(x), f32x4.splat(131072)))) {
    y = f32x4.replace_lane(y, 0, farLane(f32x4.extract_lane(x, 0), f32x4.extract_lane(y, 0), quarter))
    y = f32x4.replace_lane(y, 1, farLane(f32x4.extract_lane(x, 1), f32x4.extract_lane(y, 1), quarter))
    y = f32x4.replace_lane(y, 2, farLane(f32x4.extract_lane(x, 2), f32x4.extract_lane(y, 2), quarter))
    y = f32x4.replace_lane(y, 3, farLane(f32x4.extract_lane(x, 3), f32x4.extract_lane(y, 3), quarter))
  }
  return y
}

/** x - n π/2 in f64, for n of up to 17 bits: π/2 in two parts, the first of 33 bits, so that n times it is exact. */
// @ts-ignore: decorator
@inline
function reduceQuarters(x: v128, n: v128): v128 {
  const r = f64x2.sub(x, f64x2.mul(n, f64x2.splat(1.57079632673412561417)))
  return f64x2.sub(r, f64x2.mul(n, f64x2.splat(6.07710050650619224932e-11)))
}

/** The binary digits of 1 / (2π) after 32 zeros, and a word that is read but never counts. */
const TURN = memory.data<u32>([0, 0x28be60db, 0x9391054a, 0x7f09d5f4, 0x7d4d3770, 0x36d8a566, 0x4f10e410, 0])

/** y, but where |x| >= 2^17 sin x or cos x. The part of x / (2π) after the point, to 64 bits: the 24 digits of x times
 *  the 96 of 1 / (2π) that decide it (Payne and Hanek, 1983). */
function farLane(x: f32, y: f32, quarter: i32): f32 {
  if (!(abs(x) >= 131072)) return y
  const bits = reinterpret<u32>(x)
  const exponent = ((bits >> 23) & 255) - 126
  const digits = <u64>((bits << 8) | 0x80000000)
  const p = TURN + <usize>((exponent >> 5) << 2)
  const shift = <u64>(exponent & 31)
  const high = (load<u64>(p) << 32 | <u64>load<u32>(p, 4)) << shift >> 32
  const middle = (load<u64>(p, 4) << 32 | <u64>load<u32>(p, 8)) << shift >> 32
  const low = (load<u64>(p, 8) << 32 | <u64>load<u32>(p, 12)) << shift >> 32
  const turn = (digits * high << 32) + digits * middle + (digits * low >> 32)
  const quarters = (turn + (1 << 61)) >> 62
  // Infinity has no sine: x - x.
  const a = <f32>(<f64>(<i64>(turn - (quarters << 62))) * 3.4061215800304811e-19) + (x - x)
  const k = <i32>quarters
  return f32x4.extract_lane(x < 0 ? wave(f32x4.splat(-a), i32x4.splat(quarter - k)) : wave(f32x4.splat(a), i32x4.splat(quarter + k)), 0)
}
