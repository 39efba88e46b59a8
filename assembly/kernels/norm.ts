// Normalisation: of rows (layer and RMS norm), of groups of channels, and of channels over a batch. The
// forward keeps mean and rstd = 1 / √(variance + eps); with x̂ = (x - mean) rstd and g = dy weight,
//   dx = rstd (g - mean(g) - x̂ mean(g x̂)),  dweight = Σ dy x̂,  dbias = Σ dy
// in one pass over dy and x for the sums and one for dx. Variances are biased, Σ (x - mean)² / n.

import { In, InOut, OptionalIn, OptionalInOut, OptionalOut, Out, Scratch } from '../abi'
import { at, loadLanes, storeLanes, sumLanes } from '../simd'
import { sumOf } from './reduce'

/** Elements added in f32 lanes before their sum joins an f64 total. */
const CHUNK = 2048
/** Rows whose gradients of weight and bias are added up before they join the total. */
const ROWS = 64

// @ts-ignore: decorator
@inline
function square(v: v128): v128 {
  return f32x4.mul(v, v)
}

/** Σ (x - mean)² over n contiguous elements. */
function squaresOf(x: usize, mean: f32, n: i32): f64 {
  const m = f32x4.splat(mean)
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
      s0 = f32x4.add(s0, square(f32x4.sub(v128.load(p), m)))
      s1 = f32x4.add(s1, square(f32x4.sub(v128.load(p, 16), m)))
      s2 = f32x4.add(s2, square(f32x4.sub(v128.load(p, 32), m)))
      s3 = f32x4.add(s3, square(f32x4.sub(v128.load(p, 48), m)))
    }
    for (; i + 4 <= end; i += 4) s0 = f32x4.add(s0, square(f32x4.sub(v128.load(at(x, i)), m)))
    total += <f64>sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)))
    for (; i < end; i++) {
      const deviation = load<f32>(at(x, i)) - mean
      total += <f64>(deviation * deviation)
    }
  }
  return total
}

// @ts-ignore: decorator
@inline
function rstdOf(variance: f64, eps: f32): f32 {
  return <f32>(1 / Math.sqrt(variance + <f64>eps))
}

/** out = (x - mean) rstd weight + bias on d elements, each with a weight and a bias of its own. */
// @ts-ignore: decorator
@inline
function normalizeRow(scales: bool, shifts: bool, out: usize, x: usize, m: v128, r: v128, weight: usize, bias: usize, d: i32): void {
  let i = 0
  for (; i + 8 <= d; i += 8) {
    const p = at(x, i)
    let y0 = f32x4.mul(f32x4.sub(v128.load(p), m), r)
    let y1 = f32x4.mul(f32x4.sub(v128.load(p, 16), m), r)
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
    let y = f32x4.mul(f32x4.sub(v128.load(at(x, i)), m), r)
    if (scales) y = f32x4.mul(y, v128.load(at(weight, i)))
    if (shifts) y = f32x4.add(y, v128.load(at(bias, i)))
    storeLanes(at(out, i), y, d - i)
  }
}

/** out[r,:] = (x[r,:] - mean_r) rstd_r weight + bias.  out, x: [rows, d]; mean, rstd: [rows]; weight, bias: [d].
 *  Without `mean` it counts as 0: then rstd_r = 1 / √(Σ x² / d + eps), which is RMS norm. */
export function layerNorm(
  out: Out, mean: OptionalOut, rstd: Out, x: In, weight: OptionalIn, bias: OptionalIn, eps: f32, rows: i32, d: i32,
): void {
  for (let row = 0; row < rows; row++) {
    const centre = mean ? <f32>(sumOf(x, d) / <f64>d) : 0
    const scale = rstdOf(squaresOf(x, centre, d) / <f64>d, eps)
    if (mean) store<f32>(at(mean, row), centre)
    store<f32>(at(rstd, row), scale)
    const m = f32x4.splat(centre)
    const r = f32x4.splat(scale)
    if (weight) {
      if (bias) normalizeRow(true, true, out, x, m, r, weight, bias, d)
      else normalizeRow(true, false, out, x, m, r, weight, bias, d)
    } else {
      if (bias) normalizeRow(false, true, out, x, m, r, weight, bias, d)
      else normalizeRow(false, false, out, x, m, r, weight, bias, d)
    }
    x = at(x, d)
    out = at(out, d)
  }
}

/** The gradients of layerNorm; dweight, dbias: [d], absent where not wanted.  partial: 2 × (d rounded up to 4) floats. */
export function layerNormBackward(
  dx: Out, dweight: OptionalOut, dbias: OptionalOut, partial: Scratch,
  dy: In, x: In, mean: OptionalIn, rstd: In, weight: OptionalIn, rows: i32, d: i32,
): void {
  const width = (d + 3) & ~3
  const partialBias = at(partial, width)
  if (dweight) memory.fill(dweight, 0, <usize>d << 2)
  if (dbias) memory.fill(dbias, 0, <usize>d << 2)
  for (let row = 0; row < rows; row++) {
    if (row % ROWS == 0) memory.fill(partial, 0, <usize>width << 3)
    const centre = mean ? load<f32>(at(mean, row)) : 0
    const scale = load<f32>(at(rstd, row))
    if (weight) layerNormBackwardRow(true, mean != 0, dx, partial, partialBias, dy, x, centre, scale, weight, d)
    else layerNormBackwardRow(false, mean != 0, dx, partial, partialBias, dy, x, centre, scale, weight, d)
    if (row % ROWS == ROWS - 1 || row == rows - 1) {
      if (dweight) addTo(dweight, partial, d)
      if (dbias) addTo(dbias, partialBias, d)
    }
    dx = at(dx, d)
    dy = at(dy, d)
    x = at(x, d)
  }
}

/** One row of dx, and its terms added to those of dweight and dbias. */
// @ts-ignore: decorator
@inline
function layerNormBackwardRow(
  scales: bool, centred: bool, dx: usize, dweight: usize, dbias: usize, dy: usize, x: usize, mean: f32, rstd: f32, weight: usize, d: i32,
): void {
  const m = f32x4.splat(mean)
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
      b0 = f32x4.add(b0, f32x4.mul(g0, f32x4.sub(v128.load(at(x, i)), m)))
      b1 = f32x4.add(b1, f32x4.mul(g1, f32x4.sub(v128.load(at(x, i), 16), m)))
    }
    for (; i < end; i += 4) {
      let g = loadLanes(at(dy, i), end - i)
      if (scales) g = f32x4.mul(g, loadLanes(at(weight, i), end - i))
      a0 = f32x4.add(a0, g)
      b0 = f32x4.add(b0, f32x4.mul(g, f32x4.sub(loadLanes(at(x, i), end - i), m)))
    }
    a += <f64>sumLanes(f32x4.add(a0, a1))
    b += <f64>sumLanes(f32x4.add(b0, b1))
  }
  const meanG = f32x4.splat(centred ? <f32>(a / <f64>d) : 0)
  const meanGx = f32x4.splat(<f32>((b * <f64>rstd) / <f64>d))
  let i = 0
  for (; i + 8 <= d; i += 8) {
    const e0 = v128.load(at(dy, i))
    const e1 = v128.load(at(dy, i), 16)
    const h0 = f32x4.mul(f32x4.sub(v128.load(at(x, i)), m), r)
    const h1 = f32x4.mul(f32x4.sub(v128.load(at(x, i), 16), m), r)
    let g0 = e0
    let g1 = e1
    if (scales) {
      g0 = f32x4.mul(e0, v128.load(at(weight, i)))
      g1 = f32x4.mul(e1, v128.load(at(weight, i), 16))
    }
    v128.store(at(dx, i), f32x4.mul(r, f32x4.sub(f32x4.sub(g0, meanG), f32x4.mul(h0, meanGx))))
    v128.store(at(dx, i), f32x4.mul(r, f32x4.sub(f32x4.sub(g1, meanG), f32x4.mul(h1, meanGx))), 16)
    const w = at(dweight, i)
    const c = at(dbias, i)
    v128.store(w, f32x4.add(v128.load(w), f32x4.mul(e0, h0)))
    v128.store(w, f32x4.add(v128.load(w, 16), f32x4.mul(e1, h1)), 16)
    v128.store(c, f32x4.add(v128.load(c), e0))
    v128.store(c, f32x4.add(v128.load(c, 16), e1), 16)
  }
  for (; i < d; i += 4) {
    const e = v128.load(at(dy, i))
    const h = f32x4.mul(f32x4.sub(v128.load(at(x, i)), m), r)
    const g = scales ? f32x4.mul(e, v128.load(at(weight, i))) : e
    storeLanes(at(dx, i), f32x4.mul(r, f32x4.sub(f32x4.sub(g, meanG), f32x4.mul(h, meanGx))), d - i)
    const w = at(dweight, i)
    const c = at(dbias, i)
    v128.store(w, f32x4.add(v128.load(w), f32x4.mul(e, h)))
    v128.store(c, f32x4.add(v128.load(c), e))
  }
}

/** total += x on n elements. */
function addTo(total: usize, x: usize, n: i32): void {
  for (let i = 0; i < n; i += 4) storeLanes(at(total, i), f32x4.add(v128.load(at(total, i)), v128.load(at(x, i))), n - i)
}
