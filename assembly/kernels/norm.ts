// Normalisation: of rows (layer and RMS norm), of groups of channels, and of channels over a batch. The
// forward keeps mean and rstd = 1 / √(variance + eps); with x̂ = (x - mean) rstd and g = dy weight,
//   dx = rstd (g - mean(g) - x̂ mean(g x̂)),  dweight = Σ dy x̂,  dbias = Σ dy
// in one pass over dy and x for the sums and one for dx. Variances are biased, Σ (x - mean)² / n.
//
// A mean is an f64, used as two f32: m = high + low. Rounded to one it would be off by half a step of its size, which is
// no less than the deviation of values far from 0 (a column around 1e5 has steps of 1/128).

import { In, InOut, OptionalIn, OptionalInOut, OptionalOut, Out, Scratch } from '../abi'
import { at, loadLanes, mulAdd, mulSub, storeLanes, sumLanes } from '../simd'
import { fourColumns, join, sumOf } from './reduce'

/** Elements added in f32 lanes before their sum joins an f64 total. */
const CHUNK = 2048
/** Rows whose gradients of weight and bias are added up before they join the total. */
export const SUMMED_ROWS = 64

// @ts-ignore: decorator
@inline
function square(v: v128): v128 {
  return f32x4.mul(v, v)
}

/** Σ x² over n contiguous elements. */
function squaresOf(x: usize, n: i32): f64 {
  let total: f64 = 0
  for (let start = 0; start < n; start += CHUNK) {
    const end = min(n, start + CHUNK)
    let s0 = f32x4.splat(0)
    let s1 = s0
    let s2 = s0
    let s3 = s0
    let i = start
    for (; i + 16 <= end; i += 16) {
      const p = at(x, i)
      s0 = f32x4.add(s0, square(v128.load(p)))
      s1 = f32x4.add(s1, square(v128.load(p, 16)))
      s2 = f32x4.add(s2, square(v128.load(p, 32)))
      s3 = f32x4.add(s3, square(v128.load(p, 48)))
    }
    for (; i + 4 <= end; i += 4) s0 = f32x4.add(s0, square(v128.load(at(x, i))))
    total += <f64>sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)))
    for (; i < end; i++) {
      const value = load<f32>(at(x, i))
      total += <f64>(value * value)
    }
  }
  return total
}

/** [Σ (x - m), Σ (x - m)²] over n contiguous elements, m near their mean. */
function momentsAbout(x: usize, m: f32, n: i32): v128 {
  const centre = f32x4.splat(m)
  let total = f64x2.splat(0)
  for (let start = 0; start < n; start += CHUNK) {
    const end = min(n, start + CHUNK)
    let s0 = f32x4.splat(0)
    let s1 = s0
    let s2 = s0
    let s3 = s0
    let q0 = s0
    let q1 = s0
    let q2 = s0
    let q3 = s0
    let i = start
    for (; i + 16 <= end; i += 16) {
      const p = at(x, i)
      const v0 = f32x4.sub(v128.load(p), centre)
      const v1 = f32x4.sub(v128.load(p, 16), centre)
      const v2 = f32x4.sub(v128.load(p, 32), centre)
      const v3 = f32x4.sub(v128.load(p, 48), centre)
      s0 = f32x4.add(s0, v0)
      s1 = f32x4.add(s1, v1)
      s2 = f32x4.add(s2, v2)
      s3 = f32x4.add(s3, v3)
      q0 = f32x4.add(q0, square(v0))
      q1 = f32x4.add(q1, square(v1))
      q2 = f32x4.add(q2, square(v2))
      q3 = f32x4.add(q3, square(v3))
    }
    for (; i < end; i += 4) {
      const v = v128.and(f32x4.sub(v128.load(at(x, i)), centre), i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(end - i)))
      s0 = f32x4.add(s0, v)
      q0 = f32x4.add(q0, square(v))
    }
    s0 = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3))
    q0 = f32x4.add(f32x4.add(q0, q1), f32x4.add(q2, q3))
    const sums = f64x2(<f64>sumLanes(s0), <f64>sumLanes(q0))
    total = f64x2.add(total, sums)
  }
  return total
}

/** Values whose mean is the first guess of that of all. */
const GUESSED = 16

/** mean (f64) = Σ x / count; returns Σ (x - mean)², of `segments` stretches of `size` values, `stride` apart. One pass about
 *  a guess, from which D = Σ (x - guess) leads to both; a second about the mean where the guess is more than a deviation
 *  off, since Σ (x - guess)² - D² / count would lose digits. */
function statistics(mean: usize, x: usize, segments: i32, stride: i32, size: i32): f64 {
  const count = <f64>(segments * size)
  const guessed = min(size, GUESSED)
  let about = <f32>(sumOf(x, guessed) / <f64>guessed)
  let moments = momentsOfAll(x, about, segments, stride, size)
  let sum = f64x2.extract_lane(moments, 0)
  if (2 * sum * sum > count * f64x2.extract_lane(moments, 1)) {
    about = <f32>(<f64>about + sum / count)
    moments = momentsOfAll(x, about, segments, stride, size)
    sum = f64x2.extract_lane(moments, 0)
  }
  store<f64>(mean, <f64>about + sum / count)
  return max(0, f64x2.extract_lane(moments, 1) - (sum * sum) / count)
}

function momentsOfAll(x: usize, about: f32, segments: i32, stride: i32, size: i32): v128 {
  let total = f64x2.splat(0)
  for (let s = 0; s < segments; s++) {
    total = f64x2.add(total, momentsAbout(x, about, size))
    x = at(x, stride)
  }
  return total
}

/** Where the mean of row, group or channel i is. */
// @ts-ignore: decorator
@inline
function meanAt(mean: usize, i: i32): usize {
  return mean + (<usize>i << 3)
}

/** What is left of a mean beside its nearest f32. */
// @ts-ignore: decorator
@inline
function lowOf(mean: f64): f32 {
  return <f32>(mean - <f64><f32>mean)
}

// @ts-ignore: decorator
@inline
function rstdOf(variance: f64, eps: f32): f32 {
  return <f32>(1 / Math.sqrt(variance + <f64>eps))
}

/** x - (m + low). The first difference is exact where x is near m. */
// @ts-ignore: decorator
@inline
function centred(x: v128, m: v128, low: v128): v128 {
  return f32x4.sub(f32x4.sub(x, m), low)
}

/** out = (x - mean) rstd weight + bias on d elements, each with a weight and a bias of its own. */
// @ts-ignore: decorator
@inline
function normalizeRow(
  scales: bool, shifts: bool, out: usize, x: usize, mean: f64, rstd: f32, weight: usize, bias: usize, d: i32,
): void {
  const m = f32x4.splat(<f32>mean)
  const low = f32x4.splat(lowOf(mean))
  const r = f32x4.splat(rstd)
  let i = 0
  for (; i + 8 <= d; i += 8) {
    const p = at(x, i)
    let y0 = f32x4.mul(centred(v128.load(p), m, low), r)
    let y1 = f32x4.mul(centred(v128.load(p, 16), m, low), r)
    if (scales) {
      y0 = f32x4.mul(y0, v128.load(at(weight, i)))
      y1 = f32x4.mul(y1, v128.load(at(weight, i), 16))
    }
    if (shifts) {
      y0 = f32x4.add(y0, v128.load(at(bias, i)))
      y1 = f32x4.add(y1, v128.load(at(bias, i), 16))
    }
    v128.store(at(out, i), y0)
    v128.store(at(out, i), y1, 16)
  }
  for (; i < d; i += 4) {
    let y = f32x4.mul(centred(v128.load(at(x, i)), m, low), r)
    if (scales) y = f32x4.mul(y, v128.load(at(weight, i)))
    if (shifts) y = f32x4.add(y, v128.load(at(bias, i)))
    storeLanes(at(out, i), y, d - i)
  }
}

/** out[r,:] = (x[r,:] - mean_r) rstd_r weight + bias.  out, x: [rows, d]; mean (f64), rstd: [rows]; weight, bias: [d].
 *  Without `mean` it counts as 0: then rstd_r = 1 / √(Σ x² / d + eps), which is RMS norm. */
export function layerNorm(
  out: Out, mean: OptionalOut, rstd: Out, x: In, weight: OptionalIn, bias: OptionalIn, eps: f32, rows: i32, d: i32,
): void {
  normalizeRows(out, mean, rstd, x, weight, bias, eps, rows, 1, d)
}

/** layerNorm where weight and bias are [period, d], and row r has those of r % period. */
function normalizeRows(
  out: usize, mean: usize, rstd: usize, x: usize, weight: usize, bias: usize, eps: f32, rows: i32, period: i32, d: i32,
): void {
  for (let row = 0; row < rows; row++) {
    const squares = mean ? statistics(meanAt(mean, row), x, 1, 0, d) : squaresOf(x, d)
    const centre: f64 = mean ? load<f64>(meanAt(mean, row)) : 0
    const scale = rstdOf(squares / <f64>d, eps)
    store<f32>(at(rstd, row), scale)
    const own = (row % period) * d
    const w = at(weight, own)
    const b = at(bias, own)
    if (weight) {
      if (bias) normalizeRow(true, true, out, x, centre, scale, w, b, d)
      else normalizeRow(true, false, out, x, centre, scale, w, b, d)
    } else {
      if (bias) normalizeRow(false, true, out, x, centre, scale, w, b, d)
      else normalizeRow(false, false, out, x, centre, scale, w, b, d)
    }
    x = at(x, d)
    out = at(out, d)
  }
}

/** The gradient dx of layerNorm; sums: for each 64 rows the terms of dweight and those of dbias, [⌈rows / 64⌉, 2, d rounded
 *  up to 4], which layerNormSums adds up. */
export function layerNormBackward(
  dx: Out, sums: Out, dy: In, x: In, mean: OptionalIn, rstd: In, weight: OptionalIn, rows: i32, d: i32,
): void {
  normalizeRowsBackward(dx, sums, dy, x, mean, rstd, weight, rows, 1, d)
}

/** The gradients of layerNorm's weight and bias; dweight, dbias: [d], absent where not wanted. */
export function layerNormSums(sums: In, dweight: OptionalOut, dbias: OptionalOut, rows: i32, d: i32): void {
  const width = (d + 3) & ~3
  if (dweight) memory.fill(dweight, 0, <usize>d << 2)
  if (dbias) memory.fill(dbias, 0, <usize>d << 2)
  for (let row = 0; row < rows; row += SUMMED_ROWS) {
    if (dweight) addTo(dweight, sums, d)
    if (dbias) addTo(dbias, at(sums, width), d)
    sums = at(sums, 2 * width)
  }
}

/** The gradient dx of normalizeRows, and the sums of 64 times `period` rows each, [2, period · d rounded up to 4]. */
function normalizeRowsBackward(
  dx: usize, sums: usize, dy: usize, x: usize, mean: usize, rstd: usize, weight: usize, rows: i32, period: i32, d: i32,
): void {
  const width = (period * d + 3) & ~3
  const together = SUMMED_ROWS * period
  for (let row = 0; row < rows; row++) {
    if (row > 0 && row % together == 0) sums = at(sums, 2 * width)
    if (row % together == 0) memory.fill(sums, 0, <usize>width << 3)
    const centre: f64 = mean ? load<f64>(meanAt(mean, row)) : 0
    const scale = load<f32>(at(rstd, row))
    const own = (row % period) * d
    const w = at(weight, own)
    const pw = at(sums, own)
    const pb = at(sums, width + own)
    if (weight) layerNormBackwardRow(true, mean != 0, dx, pw, pb, dy, x, centre, scale, w, d)
    else layerNormBackwardRow(false, mean != 0, dx, pw, pb, dy, x, centre, scale, w, d)
    dx = at(dx, d)
    dy = at(dy, d)
    x = at(x, d)
  }
}

/** One row of dx, and its terms added to those of dweight and dbias. */
// @ts-ignore: decorator
@inline
function layerNormBackwardRow(
  scales: bool, hasMean: bool, dx: usize, dweight: usize, dbias: usize, dy: usize, x: usize, mean: f64, rstd: f32, weight: usize, d: i32,
): void {
  const m = f32x4.splat(<f32>mean)
  const low = f32x4.splat(lowOf(mean))
  const r = f32x4.splat(rstd)
  let a: f64 = 0
  let b: f64 = 0
  for (let start = 0; start < d; start += CHUNK) {
    const end = min(d, start + CHUNK)
    let a0 = f32x4.splat(0)
    let a1 = a0
    let b0 = a0
    let b1 = a0
    let i = start
    for (; i + 8 <= end; i += 8) {
      let g0 = v128.load(at(dy, i))
      let g1 = v128.load(at(dy, i), 16)
      if (scales) {
        g0 = f32x4.mul(g0, v128.load(at(weight, i)))
        g1 = f32x4.mul(g1, v128.load(at(weight, i), 16))
      }
      a0 = f32x4.add(a0, g0)
      a1 = f32x4.add(a1, g1)
      b0 = mulAdd(b0, g0, f32x4.sub(v128.load(at(x, i)), m))
      b1 = mulAdd(b1, g1, f32x4.sub(v128.load(at(x, i), 16), m))
    }
    for (; i < end; i += 4) {
      let g = loadLanes(at(dy, i), end - i)
      if (scales) g = f32x4.mul(g, loadLanes(at(weight, i), end - i))
      a0 = f32x4.add(a0, g)
      b0 = mulAdd(b0, g, f32x4.sub(loadLanes(at(x, i), end - i), m))
    }
    a += <f64>sumLanes(f32x4.add(a0, a1))
    b += <f64>sumLanes(f32x4.add(b0, b1))
  }
  b -= a * <f64>lowOf(mean)
  const meanG = f32x4.splat(hasMean ? <f32>(a / <f64>d) : 0)
  const meanGx = f32x4.splat(<f32>((b * <f64>rstd) / <f64>d))
  let i = 0
  for (; i + 8 <= d; i += 8) {
    const e0 = v128.load(at(dy, i))
    const e1 = v128.load(at(dy, i), 16)
    const h0 = f32x4.mul(centred(v128.load(at(x, i)), m, low), r)
    const h1 = f32x4.mul(centred(v128.load(at(x, i), 16), m, low), r)
    let g0 = e0
    let g1 = e1
    if (scales) {
      g0 = f32x4.mul(e0, v128.load(at(weight, i)))
      g1 = f32x4.mul(e1, v128.load(at(weight, i), 16))
    }
    v128.store(at(dx, i), f32x4.mul(r, mulSub(f32x4.sub(g0, meanG), h0, meanGx)))
    v128.store(at(dx, i), f32x4.mul(r, mulSub(f32x4.sub(g1, meanG), h1, meanGx)), 16)
    const w = at(dweight, i)
    const c = at(dbias, i)
    v128.store(w, mulAdd(v128.load(w), e0, h0))
    v128.store(w, mulAdd(v128.load(w, 16), e1, h1), 16)
    v128.store(c, f32x4.add(v128.load(c), e0))
    v128.store(c, f32x4.add(v128.load(c, 16), e1), 16)
  }
  for (; i < d; i += 4) {
    const e = v128.load(at(dy, i))
    const h = f32x4.mul(centred(v128.load(at(x, i)), m, low), r)
    const g = scales ? f32x4.mul(e, v128.load(at(weight, i))) : e
    storeLanes(at(dx, i), f32x4.mul(r, mulSub(f32x4.sub(g, meanG), h, meanGx)), d - i)
    const w = at(dweight, i)
    const c = at(dbias, i)
    storeLanes(w, mulAdd(v128.load(w), e, h), d - i)
    storeLanes(c, f32x4.add(v128.load(c), e), d - i)
  }
}

/** total += x on n elements. */
function addTo(total: usize, x: usize, n: i32): void {
  for (let i = 0; i < n; i += 4) storeLanes(at(total, i), f32x4.add(v128.load(at(total, i)), v128.load(at(x, i))), n - i)
}

/** out[n, c, :] = (x[n, c, :] - mean) (rstd weight_c) + bias_c on `segments` stretches of `size` elements, `stride` apart. */
function normalizeChannel(
  out: usize, x: usize, mean: f64, rstd: f32, channel: i32, weight: usize, bias: usize, segments: i32, stride: i32, size: i32,
): void {
  const m = f32x4.splat(<f32>mean)
  const scale = weight ? rstd * load<f32>(at(weight, channel)) : rstd
  const r = f32x4.splat(scale)
  // The low part of the mean is in the shift.
  const b = f32x4.splat((bias ? load<f32>(at(bias, channel)) : 0) - lowOf(mean) * scale)
  for (let s = 0; s < segments; s++) {
    let i = 0
    for (; i + 8 <= size; i += 8) {
      const y0 = mulAdd(b, f32x4.sub(v128.load(at(x, i)), m), r)
      const y1 = mulAdd(b, f32x4.sub(v128.load(at(x, i), 16), m), r)
      v128.store(at(out, i), y0)
      v128.store(at(out, i), y1, 16)
    }
    for (; i < size; i += 4) storeLanes(at(out, i), mulAdd(b, f32x4.sub(v128.load(at(x, i)), m), r), size - i)
    x = at(x, stride)
    out = at(out, stride)
  }
}

/** sums (f64) = Σ dy, Σ dy x̂ over `segments` stretches of `size` elements, `stride` apart. */
function channelSums(sums: usize, dy: usize, x: usize, mean: f64, rstd: f32, segments: i32, stride: i32, size: i32): void {
  const m = f32x4.splat(<f32>mean)
  let a: f64 = 0
  let b: f64 = 0
  for (let s = 0; s < segments; s++) {
    for (let start = 0; start < size; start += CHUNK) {
      const end = min(size, start + CHUNK)
      let a0 = f32x4.splat(0)
      let a1 = a0
      let b0 = a0
      let b1 = a0
      let i = start
      for (; i + 8 <= end; i += 8) {
        const g0 = v128.load(at(dy, i))
        const g1 = v128.load(at(dy, i), 16)
        a0 = f32x4.add(a0, g0)
        a1 = f32x4.add(a1, g1)
        b0 = mulAdd(b0, g0, f32x4.sub(v128.load(at(x, i)), m))
        b1 = mulAdd(b1, g1, f32x4.sub(v128.load(at(x, i), 16), m))
      }
      for (; i < end; i += 4) {
        const g = loadLanes(at(dy, i), end - i)
        a0 = f32x4.add(a0, g)
        b0 = mulAdd(b0, g, f32x4.sub(loadLanes(at(x, i), end - i), m))
      }
      a += <f64>sumLanes(f32x4.add(a0, a1))
      b += <f64>sumLanes(f32x4.add(b0, b1))
    }
    dy = at(dy, stride)
    x = at(x, stride)
  }
  store<f64>(sums, a)
  // The rstd of no values is no number; their sums are 0.
  store<f64>(sums, segments * size > 0 ? (b - a * <f64>lowOf(mean)) * <f64>rstd : 0, 8)
}

/** dx = rstd (dy weight - meanG - x̂ meanGx) on `segments` stretches of `size` elements, `stride` apart. */
function channelGradient(
  dx: usize, dy: usize, x: usize, mean: f64, rstd: f32, weight: f32, meanG: f64, meanGx: f64, segments: i32, stride: i32, size: i32,
): void {
  const m = f32x4.splat(<f32>mean)
  const g = f32x4.splat(rstd * weight)
  const slope = meanGx * <f64>rstd * <f64>rstd
  const b = f32x4.splat(<f32>slope)
  // The low part of the mean is in what is subtracted.
  const a = f32x4.splat(<f32>(meanG * <f64>rstd - slope * <f64>lowOf(mean)))
  for (let s = 0; s < segments; s++) {
    let i = 0
    for (; i + 8 <= size; i += 8) {
      const h0 = f32x4.mul(f32x4.sub(v128.load(at(x, i)), m), b)
      const h1 = f32x4.mul(f32x4.sub(v128.load(at(x, i), 16), m), b)
      v128.store(at(dx, i), f32x4.sub(f32x4.sub(f32x4.mul(v128.load(at(dy, i)), g), a), h0))
      v128.store(at(dx, i), f32x4.sub(f32x4.sub(f32x4.mul(v128.load(at(dy, i), 16), g), a), h1), 16)
    }
    for (; i < size; i += 4) {
      const h = f32x4.mul(f32x4.sub(v128.load(at(x, i)), m), b)
      storeLanes(at(dx, i), f32x4.sub(f32x4.sub(f32x4.mul(v128.load(at(dy, i)), g), a), h), size - i)
    }
    dx = at(dx, stride)
    dy = at(dy, stride)
    x = at(x, stride)
  }
}

/** out[n, c, :] = (x[n, c, :] - mean_ng) rstd_ng weight_c + bias_c, g the group of c: mean and rstd over the channels of a
 *  group.  out, x: [n, channels, inner]; mean (f64), rstd: [n, groups]; weight, bias: [channels]. */
export function groupNorm(
  out: Out, mean: Out, rstd: Out, x: In, weight: OptionalIn, bias: OptionalIn, eps: f32, n: i32, groups: i32, channels: i32, inner: i32,
): void {
  const each = channels / groups
  if (inner == 1) return normalizeRows(out, mean, rstd, x, weight, bias, eps, n * groups, groups, each)
  const size = each * inner
  for (let k = 0; k < n * groups; k++) {
    const r = rstdOf(statistics(meanAt(mean, k), x, 1, 0, size) / <f64>size, eps)
    const m = load<f64>(meanAt(mean, k))
    store<f32>(at(rstd, k), r)
    const first = (k % groups) * each
    for (let c = 0; c < each; c++) normalizeChannel(at(out, c * inner), at(x, c * inner), m, r, first + c, weight, bias, 1, 0, inner)
    x = at(x, size)
    out = at(out, size)
  }
}

/** The gradient dx of groupNorm.  sums: for each sample and channel the terms of dbias and dweight, f64 [n, channels, 2],
 *  which groupNormSums adds up; where inner is 1 as layerNormBackward has them, for layerNormSums. */
export function groupNormBackward(
  dx: Out, sums: Out, dy: In, x: In, mean: In, rstd: In, weight: OptionalIn, n: i32, groups: i32, channels: i32, inner: i32,
): void {
  const each = channels / groups
  if (inner == 1) return normalizeRowsBackward(dx, sums, dy, x, mean, rstd, weight, n * groups, groups, each)
  const size = each * inner
  for (let k = 0; k < n * groups; k++) {
    const m = load<f64>(meanAt(mean, k))
    const r = load<f32>(at(rstd, k))
    const first = (k % groups) * each
    let g: f64 = 0
    let gx: f64 = 0
    for (let c = 0; c < each; c++) {
      channelSums(sums, at(dy, c * inner), at(x, c * inner), m, r, 1, 0, inner)
      const w: f64 = weight ? <f64>load<f32>(at(weight, first + c)) : 1
      g += w * load<f64>(sums)
      gx += w * load<f64>(sums, 8)
      sums += 16
    }
    for (let c = 0; c < each; c++) {
      const w: f32 = weight ? load<f32>(at(weight, first + c)) : 1
      const p = c * inner
      channelGradient(at(dx, p), at(dy, p), at(x, p), m, r, w, g / <f64>size, gx / <f64>size, 1, 0, inner)
    }
    dx = at(dx, size)
    dy = at(dy, size)
    x = at(x, size)
  }
}

/** The gradients of groupNorm's weight and bias; dweight, dbias: [channels], absent where not wanted. */
export function groupNormSums(sums: In, dweight: OptionalOut, dbias: OptionalOut, n: i32, channels: i32): void {
  const step = <usize>channels << 4
  for (let c = 0; c < channels; c++) {
    let total = f64x2.splat(0)
    for (let s = 0; s < n; s++) total = f64x2.add(total, v128.load(sums + <usize>s * step))
    if (dbias) store<f32>(at(dbias, c), <f32>f64x2.extract_lane(total, 0))
    if (dweight) store<f32>(at(dweight, c), <f32>f64x2.extract_lane(total, 1))
    sums += 16
  }
}

/** A running statistic moves a share `factor` of the way to its new value. */
// @ts-ignore: decorator
@inline
function moveTo(p: usize, value: f64, factor: f64): void {
  store<f32>(p, <f32>((1 - factor) * <f64>load<f32>(p) + factor * value))
}

/** Counts one batch. */
export function countBatch(count: InOut): void {
  store<i32>(count, load<i32>(count) + 1)
}

/** out[n, c, :] = (x[n, c, :] - mean_c) rstd_c weight_c + bias_c, mean and rstd over the batch.
 *  out, x: [n, channels, inner], from sample to sample `stride`; all others: [channels], mean in f64. The running mean and variance
 *  (unbiased) move by `momentum`, or with a count (i32) of batches, this one included, by 1 / count: the average over all. */
export function batchNorm(
  out: Out, mean: Out, rstd: Out, runningMean: OptionalInOut, runningVar: OptionalInOut,
  x: In, weight: OptionalIn, bias: OptionalIn, count: OptionalIn, momentum: f32, eps: f32, n: i32, channels: i32, inner: i32, stride: i32,
): void {
  const values = n * inner
  if (values == 0) return
  const factor: f64 = count ? 1 / <f64>load<i32>(count) : <f64>momentum
  if (inner == 1) columnStatistics(mean, rstd, x, n, channels, stride)
  for (let c = 0; c < channels; c++) {
    const p = at(x, c * inner)
    const squares = inner == 1 ? <f64>load<f32>(at(rstd, c)) : statistics(meanAt(mean, c), p, n, stride, inner)
    const m = load<f64>(meanAt(mean, c))
    const r = rstdOf(squares / <f64>values, eps)
    store<f32>(at(rstd, c), r)
    if (runningMean) moveTo(at(runningMean, c), m, factor)
    if (runningVar) moveTo(at(runningVar, c), squares / <f64>(values - 1), factor)
    if (inner > 1) normalizeChannel(at(out, c * inner), p, m, r, c, weight, bias, n, stride, inner)
  }
  if (inner == 1) normalizeColumns(out, x, mean, rstd, weight, bias, n, channels, stride)
}

/** mean (f64) = Σ x / n, squares = Σ (x - mean)² of the columns of x: [n, channels]. */
function columnStatistics(mean: usize, squares: usize, x: usize, n: i32, channels: i32, stride: i32): void {
  const step = <usize>stride << 2
  const count = f32x4.splat(<f32>n)
  const guessed = min(n, GUESSED)
  for (let c = 0; c < channels; c += 4) {
    const p = at(x, c)
    let near = f32x4.div(fourColumns(p, 0, f32x4.splat(0), 0, false, guessed, step), f32x4.splat(<f32>guessed))
    let sum = fourColumns(p, 0, near, 0, false, n, step)
    let about = fourColumns(p, 0, near, 0, true, n, step)
    const far = f32x4.gt(f32x4.mul(f32x4.add(sum, sum), sum), f32x4.mul(count, about))
    if (v128.any_true(far)) {
      near = v128.bitselect(f32x4.add(near, f32x4.div(sum, count)), near, far)
      sum = fourColumns(p, 0, near, 0, false, n, step)
      about = fourColumns(p, 0, near, 0, true, n, step)
    }
    const rest = f32x4.div(sum, count)
    storeLanes(at(squares, c), f32x4.pmax(f32x4.sub(about, f32x4.mul(sum, rest)), f32x4.splat(0)), channels - c)
    const low = f64x2.add(f64x2.promote_low_f32x4(near), f64x2.promote_low_f32x4(rest))
    const high = f64x2.add(f64x2.promote_low_f32x4(upper(near)), f64x2.promote_low_f32x4(upper(rest)))
    storeLanes(meanAt(mean, c), low, 2 * (channels - c))
    if (channels - c > 2) storeLanes(meanAt(mean, c) + 16, high, 2 * (channels - c) - 4)
  }
}

/** The last two lanes first. */
// @ts-ignore: decorator
@inline
function upper(v: v128): v128 {
  return v128.shuffle<i64>(v, v, 1, 0)
}

/** Four means as f32. */
// @ts-ignore: decorator
@inline
function fourMeans(mean: usize): v128 {
  return join(v128.load(mean), v128.load(mean, 16))
}

/** What is left of them. */
// @ts-ignore: decorator
@inline
function fourLows(mean: usize, m: v128): v128 {
  const low = f64x2.sub(v128.load(mean), f64x2.promote_low_f32x4(m))
  return join(low, f64x2.sub(v128.load(mean, 16), f64x2.promote_low_f32x4(upper(m))))
}

/** batchNorm with given mean and variance; keeps rstd = 1 / √(variance + eps), and the mean in f64. */
export function batchNormFixed(
  out: Out, mean: Out, rstd: Out, runningMean: In, runningVar: In,
  x: In, weight: OptionalIn, bias: OptionalIn, eps: f32, n: i32, channels: i32, inner: i32, stride: i32,
): void {
  for (let c = 0; c < channels; c++) {
    const m = <f64>load<f32>(at(runningMean, c))
    const r = rstdOf(<f64>load<f32>(at(runningVar, c)), eps)
    store<f64>(meanAt(mean, c), m)
    store<f32>(at(rstd, c), r)
    if (inner > 1) normalizeChannel(at(out, c * inner), at(x, c * inner), m, r, c, weight, bias, n, stride, inner)
  }
  if (inner == 1) normalizeColumns(out, x, mean, rstd, weight, bias, n, channels, stride)
}

/** The same for channels without inner axes, four columns at a time. */
function normalizeColumns(
  out: usize, x: usize, mean: usize, rstd: usize, weight: usize, bias: usize, n: i32, channels: i32, stride: i32,
): void {
  const step = <usize>stride << 2
  for (let c = 0; c < channels; c += 4) {
    const m = fourMeans(meanAt(mean, c))
    let r = v128.load(at(rstd, c))
    if (weight) r = f32x4.mul(r, v128.load(at(weight, c)))
    const low = f32x4.mul(fourLows(meanAt(mean, c), m), r)
    const b = f32x4.sub(bias ? v128.load(at(bias, c)) : f32x4.splat(0), low)
    for (let s = 0; s < n; s++) {
      const p = at(<usize>s * step, c)
      storeLanes(out + p, mulAdd(b, f32x4.sub(v128.load(x + p), m), r), channels - c)
    }
  }
}

/** The gradients of batchNorm, or with `fixed` those of batchNormFixed, where mean and rstd are constants.
 *  dweight, dbias: [channels], absent where not wanted.  sums: 2 f64. */
export function batchNormBackward(
  dx: Out, dweight: OptionalOut, dbias: OptionalOut, sums: Scratch,
  dy: In, x: In, mean: In, rstd: In, weight: OptionalIn, fixed: i32, n: i32, channels: i32, inner: i32, stride: i32,
): void {
  const values = <f64>(n * inner)
  if (inner == 1) return columnGradients(dx, dweight, dbias, dy, x, mean, rstd, weight, fixed, n, channels, stride)
  for (let c = 0; c < channels; c++) {
    const p = c * inner
    const m = load<f64>(meanAt(mean, c))
    const r = load<f32>(at(rstd, c))
    const w: f32 = weight ? load<f32>(at(weight, c)) : 1
    channelSums(sums, at(dy, p), at(x, p), m, r, n, stride, inner)
    const g: f64 = fixed ? 0 : (<f64>w * load<f64>(sums)) / values
    const gx: f64 = fixed ? 0 : (<f64>w * load<f64>(sums, 8)) / values
    if (dbias) store<f32>(at(dbias, c), <f32>load<f64>(sums))
    if (dweight) store<f32>(at(dweight, c), <f32>load<f64>(sums, 8))
    channelGradient(at(dx, p), at(dy, p), at(x, p), m, r, w, g, gx, n, stride, inner)
  }
}

/** The same for channels without inner axes, four columns at a time. */
function columnGradients(
  dx: usize, dweight: usize, dbias: usize, dy: usize, x: usize, mean: usize, rstd: usize, weight: usize, fixed: i32, n: i32, channels: i32,
  stride: i32,
): void {
  const step = <usize>stride << 2
  const share = f32x4.splat(fixed ? 0 : <f32>(1 / <f64>n))
  for (let c = 0; c < channels; c += 4) {
    const m = fourMeans(meanAt(mean, c))
    // The mean and the rstd of no values are no numbers; their sums are 0.
    const low = n > 0 ? fourLows(meanAt(mean, c), m) : f32x4.splat(0)
    const r = n > 0 ? v128.load(at(rstd, c)) : f32x4.splat(0)
    const g = weight ? f32x4.mul(r, v128.load(at(weight, c))) : r
    const sum = fourColumns(at(dy, c), 0, f32x4.splat(0), 0, false, n, step)
    const sumX = f32x4.mul(f32x4.sub(fourColumns(at(x, c), at(dy, c), m, Infinity, false, n, step), f32x4.mul(low, sum)), r)
    if (dbias) storeLanes(at(dbias, c), sum, channels - c)
    if (dweight) storeLanes(at(dweight, c), sumX, channels - c)
    const b = f32x4.mul(f32x4.mul(f32x4.mul(sumX, share), g), r)
    const a = f32x4.sub(f32x4.mul(f32x4.mul(sum, share), g), f32x4.mul(b, low))
    for (let s = 0; s < n; s++) {
      const p = at(<usize>s * step, c)
      const h = f32x4.mul(f32x4.sub(v128.load(x + p), m), b)
      storeLanes(dx + p, f32x4.sub(f32x4.sub(f32x4.mul(v128.load(dy + p), g), a), h), channels - c)
    }
  }
}
