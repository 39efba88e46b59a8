// Activations, forward and backward. The derivatives of the first three are functions of the output y, so that
// the input need not be kept and the forward can live in the epilogue of a matrix product; those of the others
// are taken from the input.

import { In, OptionalOut, Out } from '../abi'
import { erf, exp, expm1Of, log1p, sigmoid as sigmoidOf, tanh as tanhOf } from '../math'
import { at, loadLanes, storeLanes, sumLanes } from '../simd'

export enum Activation {
  none,
  relu,
  tanh,
  sigmoid,
}

/** relu keeps NaN, as PyTorch's does: max(0, NaN) is NaN in wasm. */
// @ts-ignore: decorator
@inline
export function activate(kind: i32, x: v128): v128 {
  if (kind == Activation.relu) return f32x4.max(x, f32x4.splat(0))
  if (kind == Activation.tanh) return tanhOf(x)
  if (kind == Activation.sigmoid) return sigmoidOf(x)
  return x
}

// @ts-ignore: decorator
@inline
function forward(kind: i32, out: usize, x: usize, n: i32): void {
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const p = at(x, i)
    const y0 = activate(kind, v128.load(p))
    const y1 = activate(kind, v128.load(p, 16))
    v128.store(at(out, i), y0)
    v128.store(at(out, i), y1, 16)
  }
  for (; i < n; i += 4) storeLanes(at(out, i), activate(kind, v128.load(at(x, i))), n - i)
}

/** dy · h'(x), written in y = h(x). */
// @ts-ignore: decorator
@inline
function slope(kind: i32, dy: v128, y: v128): v128 {
  if (kind == Activation.relu) return v128.and(dy, f32x4.gt(y, f32x4.splat(0)))
  if (kind == Activation.tanh) return f32x4.mul(dy, f32x4.sub(f32x4.splat(1), f32x4.mul(y, y)))
  return f32x4.mul(f32x4.mul(dy, y), f32x4.sub(f32x4.splat(1), y))
}

// @ts-ignore: decorator
@inline
function backward(kind: i32, dx: usize, dy: usize, y: usize, n: i32): void {
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const p = at(dy, i)
    const q = at(y, i)
    const d0 = slope(kind, v128.load(p), v128.load(q))
    const d1 = slope(kind, v128.load(p, 16), v128.load(q, 16))
    v128.store(at(dx, i), d0)
    v128.store(at(dx, i), d1, 16)
  }
  for (; i < n; i += 4) storeLanes(at(dx, i), slope(kind, v128.load(at(dy, i)), v128.load(at(y, i))), n - i)
}

/** out = max(x, 0).  out, x: [n]. */
export function relu(out: Out, x: In, n: i32): void {
  forward(Activation.relu, out, x, n)
}

/** dx = dy where y > 0, else 0.  All [n]. */
export function reluBackward(dx: Out, dy: In, y: In, n: i32): void {
  backward(Activation.relu, dx, dy, y, n)
}

/** out = tanh(x).  out, x: [n]. */
export function tanh(out: Out, x: In, n: i32): void {
  forward(Activation.tanh, out, x, n)
}

/** dx = dy (1 - y²).  All [n]. */
export function tanhBackward(dx: Out, dy: In, y: In, n: i32): void {
  backward(Activation.tanh, dx, dy, y, n)
}

/** out = 1 / (1 + exp(-x)).  out, x: [n]. */
export function sigmoid(out: Out, x: In, n: i32): void {
  forward(Activation.sigmoid, out, x, n)
}

/** dx = dy y (1 - y).  All [n]. */
export function sigmoidBackward(dx: Out, dy: In, y: In, n: i32): void {
  backward(Activation.sigmoid, dx, dy, y, n)
}

enum Curve {
  leakyRelu,
  elu,
  gelu,
  geluTanh,
  silu,
  mish,
  hardswish,
  hardsigmoid,
  softplus,
}

// @ts-ignore: decorator
@inline
function splat(value: f32): v128 {
  return f32x4.splat(value)
}

// @ts-ignore: decorator
@inline
function positive(x: v128): v128 {
  return f32x4.gt(x, splat(0))
}

/** 2 √(2/π) (x + 0.044715 x³): gelu's approximation is x σ of it. */
// @ts-ignore: decorator
@inline
function geluArgument(x: v128): v128 {
  const cubic = f32x4.add(f32x4.mul(f32x4.mul(x, x), splat(0.0713548163)), splat(1.59576912))
  return f32x4.mul(cubic, x)
}

/** h(x); what p and q are says the kernel. */
// @ts-ignore: decorator
@inline
function curve(kind: i32, x: v128, p: v128, q: v128): v128 {
  if (kind == Curve.leakyRelu) return v128.bitselect(x, f32x4.mul(x, p), positive(x))
  if (kind == Curve.elu) return f32x4.mul(q, v128.bitselect(x, f32x4.mul(p, expm1Of(x, exp(x))), positive(x)))
  if (kind == Curve.gelu) {
    const half = f32x4.mul(x, splat(0.5))
    return f32x4.mul(half, f32x4.add(splat(1), erf(f32x4.mul(x, splat(0.707106781)))))
  }
  if (kind == Curve.geluTanh) return f32x4.mul(x, sigmoidOf(geluArgument(x)))
  if (kind == Curve.silu) return f32x4.mul(x, sigmoidOf(x))
  if (kind == Curve.mish) {
    // tanh(ln(1 + e)) = w / (w + 2), w = e² + 2 e, which is 1 from 20 on.
    const e = exp(f32x4.pmin(x, splat(20)))
    const w = f32x4.mul(e, f32x4.add(e, splat(2)))
    return f32x4.mul(x, f32x4.div(w, f32x4.add(w, splat(2))))
  }
  if (kind == Curve.softplus) {
    const z = f32x4.mul(x, p)
    const soft = f32x4.add(f32x4.max(z, splat(0)), log1p(exp(f32x4.neg(f32x4.abs(z)))))
    return v128.bitselect(x, f32x4.div(soft, p), f32x4.gt(z, q))
  }
  const gate = f32x4.div(f32x4.min(f32x4.max(f32x4.add(x, splat(3)), splat(0)), splat(6)), splat(6))
  return kind == Curve.hardswish ? f32x4.mul(x, gate) : gate
}

/** dy h'(x). */
// @ts-ignore: decorator
@inline
function curveSlope(kind: i32, dy: v128, x: v128, p: v128, q: v128): v128 {
  const one = splat(1)
  let slope = one
  if (kind == Curve.leakyRelu) slope = v128.bitselect(one, p, positive(x))
  if (kind == Curve.elu) slope = f32x4.mul(q, v128.bitselect(one, f32x4.mul(p, exp(x)), positive(x)))
  if (kind == Curve.gelu) {
    // Φ(x) + x φ(x), φ(x) = e^(-x²/2) / √(2π); φ is 0 from 15 on, where x² must not overflow.
    const t = f32x4.pmax(f32x4.pmin(x, splat(15)), splat(-15))
    const density = f32x4.mul(exp(f32x4.mul(f32x4.mul(t, t), splat(-0.5))), splat(0.398942280))
    const total = f32x4.add(splat(0.5), f32x4.mul(splat(0.5), erf(f32x4.mul(t, splat(0.707106781)))))
    slope = f32x4.add(total, f32x4.mul(t, density))
  }
  if (kind == Curve.geluTanh) {
    // σ(u) (1 + x u' (1 - σ(u))); beyond 15 it is 0 or 1.
    const t = f32x4.pmax(f32x4.pmin(x, splat(15)), splat(-15))
    const s = sigmoidOf(geluArgument(t))
    const rise = f32x4.mul(t, f32x4.add(splat(1.59576912), f32x4.mul(f32x4.mul(t, t), splat(0.214064449))))
    slope = f32x4.mul(s, f32x4.add(one, f32x4.mul(rise, f32x4.sub(one, s))))
  }
  if (kind == Curve.silu) {
    const s = sigmoidOf(x)
    slope = f32x4.mul(s, f32x4.add(one, f32x4.mul(x, f32x4.sub(one, s))))
  }
  if (kind == Curve.mish) {
    // w / (w + 2) + 4 x e (1 + e) / (w + 2)²
    const t = f32x4.pmin(x, splat(20))
    const e = exp(t)
    const w = f32x4.mul(e, f32x4.add(e, splat(2)))
    const r = f32x4.div(one, f32x4.add(w, splat(2)))
    const rest = f32x4.mul(f32x4.mul(f32x4.mul(t, splat(4)), f32x4.mul(e, f32x4.add(one, e))), f32x4.mul(r, r))
    slope = f32x4.add(f32x4.mul(w, r), rest)
  }
  if (kind == Curve.softplus) {
    const z = f32x4.mul(x, p)
    slope = v128.bitselect(one, sigmoidOf(z), f32x4.gt(z, q))
  }
  if (kind == Curve.hardswish) {
    const middle = f32x4.add(f32x4.div(x, splat(3)), splat(0.5))
    slope = v128.bitselect(one, v128.bitselect(splat(0), middle, f32x4.lt(x, splat(-3))), f32x4.gt(x, splat(3)))
  }
  if (kind == Curve.hardsigmoid) {
    const inside = v128.and(f32x4.gt(x, splat(-3)), f32x4.lt(x, splat(3)))
    slope = v128.and(splat(0.166666667), inside)
  }
  return f32x4.mul(dy, slope)
}

// @ts-ignore: decorator
@inline
function draw(kind: i32, out: usize, x: usize, p: f32, q: f32, n: i32): void {
  const a = splat(p)
  const b = splat(q)
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const y0 = curve(kind, v128.load(at(x, i)), a, b)
    const y1 = curve(kind, v128.load(at(x, i), 16), a, b)
    v128.store(at(out, i), y0)
    v128.store(at(out, i), y1, 16)
  }
  for (; i < n; i += 4) storeLanes(at(out, i), curve(kind, v128.load(at(x, i)), a, b), n - i)
}

// @ts-ignore: decorator
@inline
function drawBackward(kind: i32, dx: usize, dy: usize, x: usize, p: f32, q: f32, n: i32): void {
  const a = splat(p)
  const b = splat(q)
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const d0 = curveSlope(kind, v128.load(at(dy, i)), v128.load(at(x, i)), a, b)
    const d1 = curveSlope(kind, v128.load(at(dy, i), 16), v128.load(at(x, i), 16), a, b)
    v128.store(at(dx, i), d0)
    v128.store(at(dx, i), d1, 16)
  }
  for (; i < n; i += 4) storeLanes(at(dx, i), curveSlope(kind, v128.load(at(dy, i)), v128.load(at(x, i)), a, b), n - i)
}

/** out = x where x > 0, else slope x.  out, x: [n]. */
export function leakyRelu(out: Out, x: In, slope: f32, n: i32): void {
  draw(Curve.leakyRelu, out, x, slope, 0, n)
}

/** dx = dy (x > 0 ? 1 : slope).  All [n]. */
export function leakyReluBackward(dx: Out, dy: In, x: In, slope: f32, n: i32): void {
  drawBackward(Curve.leakyRelu, dx, dy, x, slope, 0, n)
}

/** out = scale x where x > 0, else scale alpha (e^x - 1).  out, x: [n]. */
export function elu(out: Out, x: In, alpha: f32, scale: f32, n: i32): void {
  draw(Curve.elu, out, x, alpha, scale, n)
}

/** dx = dy scale (x > 0 ? 1 : alpha e^x).  All [n]. */
export function eluBackward(dx: Out, dy: In, x: In, alpha: f32, scale: f32, n: i32): void {
  drawBackward(Curve.elu, dx, dy, x, alpha, scale, n)
}

/** out = x Φ(x) = x (1 + erf(x / √2)) / 2.  out, x: [n]. */
export function gelu(out: Out, x: In, n: i32): void {
  draw(Curve.gelu, out, x, 0, 0, n)
}

/** dx = dy (Φ(x) + x φ(x)).  All [n]. */
export function geluBackward(dx: Out, dy: In, x: In, n: i32): void {
  drawBackward(Curve.gelu, dx, dy, x, 0, 0, n)
}

/** out = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 = x σ(u).  out, x: [n]. */
export function geluTanh(out: Out, x: In, n: i32): void {
  draw(Curve.geluTanh, out, x, 0, 0, n)
}

/** dx = dy σ(u) (1 + x u' (1 - σ(u))).  All [n]. */
export function geluTanhBackward(dx: Out, dy: In, x: In, n: i32): void {
  drawBackward(Curve.geluTanh, dx, dy, x, 0, 0, n)
}

/** out = x σ(x).  out, x: [n]. */
export function silu(out: Out, x: In, n: i32): void {
  draw(Curve.silu, out, x, 0, 0, n)
}

/** dx = dy σ(x) (1 + x (1 - σ(x))).  All [n]. */
export function siluBackward(dx: Out, dy: In, x: In, n: i32): void {
  drawBackward(Curve.silu, dx, dy, x, 0, 0, n)
}

/** out = x tanh(ln(1 + e^x)).  out, x: [n]. */
export function mish(out: Out, x: In, n: i32): void {
  draw(Curve.mish, out, x, 0, 0, n)
}

/** dx = dy (t + x t'), t = tanh(ln(1 + e^x)).  All [n]. */
export function mishBackward(dx: Out, dy: In, x: In, n: i32): void {
  drawBackward(Curve.mish, dx, dy, x, 0, 0, n)
}

/** out = x min(max(x + 3, 0), 6) / 6.  out, x: [n]. */
export function hardswish(out: Out, x: In, n: i32): void {
  draw(Curve.hardswish, out, x, 0, 0, n)
}

/** dx = dy (x < -3 ? 0 : x > 3 ? 1 : x / 3 + 1/2).  All [n]. */
export function hardswishBackward(dx: Out, dy: In, x: In, n: i32): void {
  drawBackward(Curve.hardswish, dx, dy, x, 0, 0, n)
}

/** out = min(max(x + 3, 0), 6) / 6.  out, x: [n]. */
export function hardsigmoid(out: Out, x: In, n: i32): void {
  draw(Curve.hardsigmoid, out, x, 0, 0, n)
}

/** dx = dy (-3 < x < 3 ? 1/6 : 0).  All [n]. */
export function hardsigmoidBackward(dx: Out, dy: In, x: In, n: i32): void {
  drawBackward(Curve.hardsigmoid, dx, dy, x, 0, 0, n)
}

/** out = ln(1 + e^(beta x)) / beta, or x where beta x > threshold.  out, x: [n]. */
export function softplus(out: Out, x: In, beta: f32, threshold: f32, n: i32): void {
  draw(Curve.softplus, out, x, beta, threshold, n)
}

/** dx = dy (beta x > threshold ? 1 : σ(beta x)).  All [n]. */
export function softplusBackward(dx: Out, dy: In, x: In, beta: f32, threshold: f32, n: i32): void {
  drawBackward(Curve.softplus, dx, dy, x, beta, threshold, n)
}

/** out[o, c, :] = x where x > 0, else weight_c x.  out, x: [outer, channels, inner]; weight: [channels]. */
export function prelu(out: Out, x: In, weight: In, outer: i32, channels: i32, inner: i32): void {
  for (let k = 0; k < outer * channels; k++) {
    leakyRelu(at(out, k * inner), at(x, k * inner), load<f32>(at(weight, k % channels)), inner)
  }
}

/** dx = dy (x > 0 ? 1 : weight_c); dweight_c = Σ dy x over x <= 0, absent where not wanted. */
export function preluBackward(
  dx: Out, dweight: OptionalOut, dy: In, x: In, weight: In, outer: i32, channels: i32, inner: i32,
): void {
  for (let c = 0; c < channels; c++) {
    let total: f64 = 0
    for (let o = 0; o < outer; o++) {
      const p = (o * channels + c) * inner
      leakyReluBackward(at(dx, p), at(dy, p), at(x, p), load<f32>(at(weight, c)), inner)
      if (dweight) total += negativeProduct(at(dy, p), at(x, p), inner)
    }
    if (dweight) store<f32>(at(dweight, c), <f32>total)
  }
}

/** Σ dy x over x <= 0, of n elements: f32 within 1024, f64 over these. */
function negativeProduct(dy: usize, x: usize, n: i32): f64 {
  let total: f64 = 0
  for (let start = 0; start < n; start += 1024) {
    const end = min(n, start + 1024)
    let sum = splat(0)
    for (let i = start; i < end; i += 4) {
      sum = f32x4.add(sum, f32x4.mul(loadLanes(at(dy, i), end - i), f32x4.min(loadLanes(at(x, i), end - i), splat(0))))
    }
    total += <f64>sumLanes(sum)
  }
  return total
}

/** out[r,:] = a σ(b), a and b the halves of x[r,:].  out: [rows, half]; x: [rows, 2 half]. */
export function glu(out: Out, x: In, rows: i32, half: i32): void {
  for (let r = 0; r < rows; r++) {
    const b = at(x, half)
    for (let i = 0; i < half; i += 4) {
      storeLanes(at(out, i), f32x4.mul(v128.load(at(x, i)), sigmoidOf(v128.load(at(b, i)))), half - i)
    }
    x = at(b, half)
    out = at(out, half)
  }
}

/** da = dy σ(b), db = dy a σ(b) (1 - σ(b)): the halves of dx[r,:].  dy: [rows, half]; dx, x: [rows, 2 half]. */
export function gluBackward(dx: Out, dy: In, x: In, rows: i32, half: i32): void {
  for (let r = 0; r < rows; r++) {
    const b = at(x, half)
    const db = at(dx, half)
    for (let i = 0; i < half; i += 4) {
      const s = sigmoidOf(v128.load(at(b, i)))
      const da = f32x4.mul(v128.load(at(dy, i)), s)
      storeLanes(at(dx, i), da, half - i)
      storeLanes(at(db, i), f32x4.mul(f32x4.mul(da, v128.load(at(x, i))), f32x4.sub(splat(1), s)), half - i)
    }
    x = at(b, half)
    dx = at(db, half)
    dy = at(dy, half)
  }
}
