// Elementary functions on four f32 lanes, of our own so that every engine gives the same bits.
// Errors are the largest found over every f32 input (npm run ulp), in units in the last place
// of the result; results below the normal range are off by at most one of its steps.

// @ts-ignore: decorator
@inline
function horner(p: v128, z: v128, c: f32): v128 {
  return f32x4.add(f32x4.mul(p, z), f32x4.splat(c))
}

/** 2^n for integer lanes n in [-126, 127]. */
// @ts-ignore: decorator
@inline
function exp2i(n: v128): v128 {
  return i32x4.shl(i32x4.add(n, i32x4.splat(127)), 23)
}

/** e^x = 2^n e^r, n = round(x / ln 2), |r| <= ln 2 / 2.  Max error 0.99 ULP. */
export function exp(v: v128): v128 {
  // pmin and pmax keep NaN; beyond these bounds the result is Infinity, or 0.
  const x = f32x4.pmax(f32x4.pmin(v, f32x4.splat(89)), f32x4.splat(-104))
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504)))
  // ln 2 in two parts; the first has 9 trailing zero bits, so n * hi is exact.
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)))
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)))
  // Taylor-like minimax of (e^r - 1 - r) / r², Cephes expf.
  let p = f32x4.splat(1.9875691500e-4)
  p = horner(p, r, 1.3981999507e-3)
  p = horner(p, r, 8.3334519073e-3)
  p = horner(p, r, 4.1665795894e-2)
  p = horner(p, r, 1.6666665459e-1)
  p = horner(p, r, 5.0000001201e-1)
  p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), f32x4.splat(1))
  // 2^n in two factors, since n reaches 128 and -150.
  const i = i32x4.trunc_sat_f32x4_s(n)
  const half = i32x4.shr_s(i, 1)
  return f32x4.mul(f32x4.mul(p, exp2i(half)), exp2i(i32x4.sub(i, half)))
}

/** e^x - 1: exp's polynomial without its 1 where |x| <= ln 2 / 2, else the difference.  Max error 1.36 ULP below 0
 *  (every 4001st input). */
export function expm1(x: v128): v128 {
  let p = f32x4.splat(1.9875691500e-4)
  p = horner(p, x, 1.3981999507e-3)
  p = horner(p, x, 8.3334519073e-3)
  p = horner(p, x, 4.1665795894e-2)
  p = horner(p, x, 1.6666665459e-1)
  p = horner(p, x, 5.0000001201e-1)
  p = f32x4.add(f32x4.mul(p, f32x4.mul(x, x)), x)
  const small = f32x4.le(f32x4.abs(x), f32x4.splat(0.34657359))
  return v128.bitselect(p, f32x4.sub(exp(x), f32x4.splat(1)), small)
}

/** Natural logarithm: x = 2^e m, sqrt(1/2) <= m < sqrt(2), ln x = e ln 2 + ln m.  Max error 0.83 ULP.
 *  log(0) = -Infinity, log(x < 0) = NaN. */
export function log(x: v128): v128 {
  const subnormal = f32x4.lt(x, f32x4.splat(1.17549435e-38))
  const scaled = v128.bitselect(f32x4.mul(x, f32x4.splat(8388608)), x, subnormal)
  const bias = v128.bitselect(i32x4.splat(126 + 23), i32x4.splat(126), subnormal)
  let e = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_u(scaled, 23), bias))
  // Mantissa in [0.5, 1), moved to [sqrt(1/2), sqrt(2)).
  const m = v128.or(v128.and(scaled, i32x4.splat(0x007fffff)), i32x4.splat(0x3f000000))
  const low = f32x4.lt(m, f32x4.splat(0.707106781))
  e = f32x4.sub(e, v128.and(low, f32x4.splat(1)))
  const r = f32x4.sub(f32x4.add(m, v128.and(low, m)), f32x4.splat(1))
  const z = f32x4.mul(r, r)
  // Cephes logf.
  let p = f32x4.splat(7.0376836292e-2)
  p = horner(p, r, -1.1514610310e-1)
  p = horner(p, r, 1.1676998740e-1)
  p = horner(p, r, -1.2420140846e-1)
  p = horner(p, r, 1.4249322787e-1)
  p = horner(p, r, -1.6668057665e-1)
  p = horner(p, r, 2.0000714765e-1)
  p = horner(p, r, -2.4999993993e-1)
  p = horner(p, r, 3.3333331174e-1)
  p = f32x4.mul(f32x4.mul(p, r), z)
  p = f32x4.add(p, f32x4.mul(e, f32x4.splat(-2.12194440e-4)))
  p = f32x4.sub(p, f32x4.mul(z, f32x4.splat(0.5)))
  let y = f32x4.add(f32x4.add(r, p), f32x4.mul(e, f32x4.splat(0.693359375)))
  y = v128.bitselect(x, y, f32x4.eq(x, f32x4.splat(Infinity)))
  y = v128.bitselect(f32x4.splat(-Infinity), y, f32x4.eq(x, f32x4.splat(0)))
  const positive = f32x4.ge(x, f32x4.splat(0))
  return v128.bitselect(y, f32x4.splat(NaN), positive)
}

/** tanh x, of |x| with the sign put back: an odd polynomial below 0.625, 1 - 2 / (e^2x + 1) above.  Max error 1.33 ULP. */
export function tanh(x: v128): v128 {
  const sign = i32x4.splat(0x80000000)
  const a = v128.andnot(x, sign)
  const big = f32x4.sub(
    f32x4.splat(1),
    f32x4.div(f32x4.splat(2), f32x4.add(exp(f32x4.add(a, a)), f32x4.splat(1))),
  )
  const z = f32x4.mul(a, a)
  // Cephes tanhf.
  let p = f32x4.splat(-5.70498872745e-3)
  p = horner(p, z, 2.06390887954e-2)
  p = horner(p, z, -5.37397155531e-2)
  p = horner(p, z, 1.33314422036e-1)
  p = horner(p, z, -3.33332819422e-1)
  p = f32x4.add(f32x4.mul(f32x4.mul(p, z), a), a)
  return v128.or(v128.bitselect(p, big, f32x4.lt(a, f32x4.splat(0.625))), v128.and(x, sign))
}

/** 1 / (1 + e^-x), as e^x / (1 + e^x) below 0: e^-|x| cannot overflow.  Max error 2.40 ULP. */
export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1)
  const e = exp(f32x4.neg(f32x4.abs(x)))
  const above = v128.bitselect(e, one, f32x4.lt(x, f32x4.splat(0)))
  return f32x4.div(above, f32x4.add(one, e))
}

/** ln(1 + x) = ln u · (x / (u - 1)), u = 1 + x rounded: the quotient takes the rounding back (Kahan).
 *  Max error 2.31 ULP (every 499th input). */
export function log1p(x: v128): v128 {
  const one = f32x4.splat(1)
  const u = f32x4.add(one, x)
  const d = f32x4.sub(u, one)
  const corrected = f32x4.mul(log(u), f32x4.div(x, d))
  // u = 1: the series ends after x. u = Infinity: ln u is already right.
  const y = v128.bitselect(x, corrected, f32x4.eq(d, f32x4.splat(0)))
  return v128.bitselect(u, y, f32x4.eq(u, f32x4.splat(Infinity)))
}

/** erf x, after N. Juffa: an odd polynomial below 0.93, 1 - e^p(|x|) above.  Max error 1.00 ULP (every
 *  4001st input). */
export function erf(x: v128): v128 {
  const sign = v128.and(x, i32x4.splat(0x80000000))
  const t = f32x4.abs(x)
  const s = f32x4.mul(x, x)
  let r = horner(f32x4.splat(-1.72853470e-5), t, 3.83197126e-4)
  const u = horner(f32x4.splat(-3.88396438e-3), t, 2.42546219e-2)
  r = f32x4.add(f32x4.mul(r, s), u)
  r = horner(r, t, -1.06777877e-1)
  r = horner(r, t, -6.34846687e-1)
  r = horner(r, t, -1.28717512e-1)
  r = f32x4.sub(f32x4.mul(r, t), t)
  const large = f32x4.sub(f32x4.splat(1), exp(r))
  let p = horner(f32x4.splat(-5.96761703e-4), s, 4.99119423e-3)
  p = horner(p, s, -2.67681349e-2)
  p = horner(p, s, 1.12819925e-1)
  p = horner(p, s, -3.76125336e-1)
  p = horner(p, s, 1.28379166e-1)
  p = f32x4.add(f32x4.mul(p, t), t)
  // Beyond 4 it is 1 to the last bit, and the polynomial of e no longer falls.
  let y = v128.bitselect(p, large, f32x4.lt(t, f32x4.splat(0.927734375)))
  y = v128.bitselect(f32x4.splat(1), y, f32x4.gt(t, f32x4.splat(4)))
  return v128.or(y, sign)
}

/** sin and cos of a in [-π/4, π/4]; Cephes sinf, cosf. */
// @ts-ignore: decorator
@inline
function sinQuarter(a: v128): v128 {
  const z = f32x4.mul(a, a)
  let p = f32x4.splat(-1.9515295891e-4)
  p = horner(p, z, 8.3321608736e-3)
  p = horner(p, z, -1.6666654611e-1)
  return f32x4.add(f32x4.mul(f32x4.mul(p, z), a), a)
}

// @ts-ignore: decorator
@inline
function cosQuarter(a: v128): v128 {
  const z = f32x4.mul(a, a)
  let p = f32x4.splat(2.443315711809948e-5)
  p = horner(p, z, -1.388731625493765e-3)
  p = horner(p, z, 4.166664568298827e-2)
  return f32x4.add(f32x4.sub(f32x4.mul(p, f32x4.mul(z, z)), f32x4.mul(z, f32x4.splat(0.5))), f32x4.splat(1))
}

/** sin(2πt), or cos(2πt) with `quarter` 1, for t in [0, 1]: exact reduction to an eighth of a turn. */
export function sinTurn(t: v128, quarter: i32): v128 {
  const q = f32x4.nearest(f32x4.mul(t, f32x4.splat(4)))
  const a = f32x4.mul(f32x4.sub(t, f32x4.mul(q, f32x4.splat(0.25))), f32x4.splat(6.28318531))
  const k = i32x4.add(i32x4.trunc_sat_f32x4_s(q), i32x4.splat(quarter))
  const odd = i32x4.ne(v128.and(k, i32x4.splat(1)), i32x4.splat(0))
  const y = v128.bitselect(cosQuarter(a), sinQuarter(a), odd)
  return v128.xor(y, i32x4.shl(v128.and(k, i32x4.splat(2)), 30))
}

/** sin x, or cos x with `quarter` 1: |x| < 2^17 by Cody and Waite's reduction in f64, other lanes one by one
 *  by the f64 functions of AssemblyScript's library (musl).  Max error 1.53 ULP (every 499th input). */
export function sinOrCos(x: v128, quarter: i32): v128 {
  const quarters = f32x4.nearest(f32x4.mul(x, f32x4.splat(0.636619772)))
  const low = reduceQuarters(f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(quarters))
  const high = reduceQuarters(
    f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)), f64x2.promote_low_f32x4(v128.shuffle<i64>(quarters, quarters, 1, 0)),
  )
  const a = v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2)
  const k = i32x4.add(i32x4.trunc_sat_f32x4_s(quarters), i32x4.splat(quarter))
  const odd = i32x4.ne(v128.and(k, i32x4.splat(1)), i32x4.splat(0))
  let y = v128.bitselect(cosQuarter(a), sinQuarter(a), odd)
  y = v128.xor(y, i32x4.shl(v128.and(k, i32x4.splat(2)), 30))
  const far = f32x4.ge(f32x4.abs(x), f32x4.splat(131072))
  if (v128.any_true(far)) {
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

function farLane(x: f32, y: f32, quarter: i32): f32 {
  if (!(Mathf.abs(x) >= 131072)) return y
  return <f32>(quarter ? NativeMath.cos(x) : NativeMath.sin(x))
}
