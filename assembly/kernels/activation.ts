// Activations, forward and backward. The derivatives of relu, tanh and sigmoid are functions of the output y, so
// that the input need not be kept; those of the others are taken from the input.
//
// Most of them are made of one exponential. Of a block that fits the first-level cache its arguments are written
// to the output, then the exponentials in their place, then the results.

import { In, OptionalOut, Out } from '../abi'
import {
  constant, exp, expm1Of, expPairs, log1p, NORMAL, normalTail, sigmoid as sigmoidAt, sigmoidOf, sigmoidPairs, tanh as tanhAt, tanhPairs,
} from '../math'
import { at, loadLanes, mulAdd, mulSub, storeLanes, sumLanes } from '../simd'
import { COLUMN_ROWS, fourColumns } from './reduce'

/** All curves; those before relu are made of an exponential. */
enum Curve { tanh, sigmoid, elu, gelu, geluTanh, silu, mish, softplus, relu, leakyRelu, hardswish, hardsigmoid }

/** Elements of a block. */
const BLOCK = 1024

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

/** x between -15 and 15. */
// @ts-ignore: decorator
@inline
function near(x: v128): v128 {
  return f32x4.pmax(f32x4.pmin(x, splat(15)), splat(-15))
}

/** 2 √(2/π) (x + 0.044715 x³): gelu's approximation is x σ of it. */
// @ts-ignore: decorator
@inline
function geluArgument(x: v128): v128 {
  const cubic = mulAdd(splat(1.59576912), f32x4.mul(x, x), splat(0.0713548163))
  return f32x4.mul(cubic, x)
}

// @ts-ignore: decorator
@inline
function exponential(kind: i32, backward: bool): bool {
  return kind < Curve.relu && !(backward && kind <= Curve.sigmoid)
}

/** What the exponential of a curve is taken of; p as for the kernel. */
// @ts-ignore: decorator
@inline
function argument(kind: i32, x: v128, p: v128): v128 {
  if (kind == Curve.elu) return x
  if (kind == Curve.mish) return f32x4.pmin(x, splat(20))
  if (kind == Curve.gelu) return f32x4.mul(f32x4.mul(x, x), splat(-0.5))
  const a = f32x4.abs(kind == Curve.geluTanh ? geluArgument(x) : kind == Curve.softplus ? f32x4.mul(x, p) : x)
  return kind == Curve.tanh ? f32x4.add(a, a) : f32x4.neg(a)
}

/** h(x) but for gelu; e: the exponential of the argument; what p and q are says the kernel. */
// @ts-ignore: decorator
@inline
function curve(kind: i32, x: v128, e: v128, p: v128, q: v128): v128 {
  if (kind == Curve.tanh) return tanhAt(x)
  if (kind == Curve.sigmoid) return sigmoidOf(x, e)
  if (kind == Curve.elu) return f32x4.mul(q, v128.bitselect(x, f32x4.mul(p, expm1Of(x, e)), positive(x)))
  if (kind == Curve.geluTanh) return f32x4.mul(x, sigmoidOf(x, e))
  if (kind == Curve.silu) return f32x4.mul(x, sigmoidOf(x, e))
  if (kind == Curve.mish) {
    // tanh(ln(1 + e)) = w / (w + 2), w = e² + 2 e, which is 1 from 20 on.
    const w = f32x4.mul(e, f32x4.add(e, splat(2)))
    return f32x4.mul(x, f32x4.div(w, f32x4.add(w, splat(2))))
  }
  if (kind == Curve.softplus) {
    const z = f32x4.mul(x, p)
    const soft = f32x4.add(f32x4.max(z, splat(0)), log1p(e))
    return v128.bitselect(x, f32x4.div(soft, p), f32x4.gt(z, q))
  }
  // pmax gives its first operand unless that is smaller: NaN stays, as in PyTorch.
  if (kind == Curve.relu) return f32x4.pmax(x, splat(0))
  if (kind == Curve.leakyRelu) return v128.bitselect(x, f32x4.mul(x, p), positive(x))
  const gate = f32x4.div(f32x4.min(f32x4.max(f32x4.add(x, splat(3)), splat(0)), splat(6)), splat(6))
  return kind == Curve.hardswish ? f32x4.mul(x, gate) : gate
}

/** dy h'(x) but for gelu; x is y = h(x) for relu, tanh and sigmoid. */
// @ts-ignore: decorator
@inline
function slope(kind: i32, dy: v128, x: v128, e: v128, p: v128, q: v128): v128 {
  const one = splat(1)
  // NaN lets gradients pass, as in PyTorch.
  if (kind == Curve.relu) return v128.andnot(dy, f32x4.le(x, splat(0)))
  if (kind == Curve.tanh) return f32x4.mul(dy, mulSub(one, x, x))
  if (kind == Curve.sigmoid) return f32x4.mul(f32x4.mul(dy, x), f32x4.sub(one, x))
  let slope = one
  if (kind == Curve.leakyRelu) slope = v128.bitselect(one, p, positive(x))
  if (kind == Curve.elu) slope = f32x4.mul(q, v128.bitselect(one, f32x4.mul(p, e), positive(x)))
  if (kind == Curve.geluTanh) {
    // σ(u) (1 + x u' (1 - σ(u))); beyond 15 it is 0 or 1.
    const t = near(x)
    const s = sigmoidOf(t, e)
    const rise = f32x4.mul(t, mulAdd(splat(1.59576912), f32x4.mul(t, t), splat(0.214064449)))
    slope = f32x4.mul(s, mulAdd(one, rise, f32x4.sub(one, s)))
  }
  if (kind == Curve.silu) {
    const s = sigmoidOf(x, e)
    slope = f32x4.mul(s, mulAdd(one, x, f32x4.sub(one, s)))
  }
  if (kind == Curve.mish) {
    // w / (w + 2) + 4 x e (1 + e) / (w + 2)²
    const w = f32x4.mul(e, f32x4.add(e, splat(2)))
    const r = f32x4.div(one, f32x4.add(w, splat(2)))
    const x4 = f32x4.mul(f32x4.pmax(f32x4.pmin(x, splat(20)), splat(-200)), splat(4))
    const rest = f32x4.mul(f32x4.mul(x4, f32x4.mul(e, f32x4.add(one, e))), f32x4.mul(r, r))
    slope = mulAdd(rest, w, r)
  }
  if (kind == Curve.softplus) {
    const z = f32x4.mul(x, p)
    slope = v128.bitselect(one, sigmoidOf(z, e), f32x4.gt(z, q))
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

/** x Φ(x), above 0 x - x Φ(-x); with `backward` Φ(x) + x φ(x), φ(x) = e^(-x²/2) / √(2π), which is 0 from 15 on.
 *  e: the exponential of the argument; the other parameters are the constants of NORMAL. */
// @ts-ignore: decorator
@inline
function geluBy(
  backward: bool, x: v128, e: v128, slope: v128,
  c7: v128, c6: v128, c5: v128, c4: v128, c3: v128, c2: v128, c1: v128, c0: v128, density: v128, one: v128,
): v128 {
  const t = backward ? near(x) : x
  const a = f32x4.abs(t)
  const beyond = normalTail(a, e, slope, c7, c6, c5, c4, c3, c2, c1, c0, one)
  // Φ(-x) is 0 long before 15; ∞ times it would be NaN.
  if (!backward) return mulSub(f32x4.max(x, splat(0)), f32x4.pmin(a, splat(15)), beyond)
  const total = v128.bitselect(f32x4.sub(one, beyond), beyond, positive(t))
  return mulAdd(total, t, f32x4.mul(e, density))
}

/** gelu of n elements, or dy times its slope; out holds the exponentials, and n is a multiple of 8; but below 8 they are
 *  computed here. The constants are loaded once for both vectors: V8's 256-bit pass does not pair loads of one address, nor
 *  across branches (geluBackward 0.75 → 0.51 ms for 768×512). */
// @ts-ignore: decorator
@inline
function geluPairs(backward: bool, out: usize, dy: usize, x: usize, n: i32): void {
  const c = constant(NORMAL, 0)
  const c7 = constant(NORMAL, 1)
  const c6 = constant(NORMAL, 2)
  const c5 = constant(NORMAL, 3)
  const c4 = constant(NORMAL, 4)
  const c3 = constant(NORMAL, 5)
  const c2 = constant(NORMAL, 6)
  const c1 = constant(NORMAL, 7)
  const c0 = constant(NORMAL, 8)
  const density = constant(NORMAL, 9)
  const one = constant(NORMAL, 10)
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const x0 = v128.load(at(x, i))
    const x1 = v128.load(at(x, i), 16)
    let y0 = geluBy(backward, x0, v128.load(at(out, i)), c, c7, c6, c5, c4, c3, c2, c1, c0, density, one)
    let y1 = geluBy(backward, x1, v128.load(at(out, i), 16), c, c7, c6, c5, c4, c3, c2, c1, c0, density, one)
    if (backward) {
      y0 = f32x4.mul(v128.load(at(dy, i)), y0)
      y1 = f32x4.mul(v128.load(at(dy, i), 16), y1)
    }
    v128.store(at(out, i), y0)
    v128.store(at(out, i), y1, 16)
  }
  for (; i < n; i += 4) {
    const v = v128.load(at(x, i))
    const y = geluBy(backward, v, exp(argument(Curve.gelu, v, v)), c, c7, c6, c5, c4, c3, c2, c1, c0, density, one)
    storeLanes(at(out, i), backward ? f32x4.mul(v128.load(at(dy, i)), y) : y, n - i)
  }
}

/** out = h(x), or dy h'(x) with `backward`, for curves of few instructions: in neighbouring pairs of vectors. */
// @ts-ignore: decorator
@inline
function drawPairs(kind: i32, backward: bool, out: usize, dy: usize, x: usize, p: f32, n: i32): void {
  const a = splat(p)
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const v0 = v128.load(at(x, i))
    const v1 = v128.load(at(x, i), 16)
    const y0 = backward ? slope(kind, v128.load(at(dy, i)), v0, v0, a, a) : curve(kind, v0, v0, a, a)
    const y1 = backward ? slope(kind, v128.load(at(dy, i), 16), v1, v1, a, a) : curve(kind, v1, v1, a, a)
    v128.store(at(out, i), y0)
    v128.store(at(out, i), y1, 16)
  }
  for (; i < n; i += 4) {
    const v = v128.load(at(x, i))
    storeLanes(at(out, i), backward ? slope(kind, v128.load(at(dy, i)), v, v, a, a) : curve(kind, v, v, a, a), n - i)
  }
}

/** The same for the others. The last vector or block of exponentials ends where the array does, and may compute a
 *  second time what the one before it did; out is apart from x and dy. */
// @ts-ignore: decorator
@inline
function draw(kind: i32, backward: bool, out: usize, dy: usize, x: usize, p: f32, q: f32, n: i32): void {
  const a = splat(p)
  const b = splat(q)
  const blocks = n >= 8
  let i = 0
  while (i < n) {
    let end = n
    if (blocks && exponential(kind, backward)) {
      i = min(i, n - 8)
      end = i + (min(n - i, BLOCK) & ~7)
      if (kind != Curve.elu) {
        for (let j = i; j < end; j += 8) {
          const a0 = argument(kind, v128.load(at(x, j)), a)
          const a1 = argument(kind, v128.load(at(x, j), 16), a)
          v128.store(at(out, j), a0)
          v128.store(at(out, j), a1, 16)
        }
      }
      expPairs(at(out, i), at(kind == Curve.elu ? x : out, i), 0, end - i)
    }
    if (blocks && !backward && kind <= Curve.sigmoid) {
      if (kind == Curve.tanh) tanhPairs(at(out, i), at(x, i), end - i)
      else sigmoidPairs(at(out, i), at(x, i), end - i)
      i = end
    }
    if (kind == Curve.gelu) {
      geluPairs(backward, at(out, i), at(dy, i), at(x, i), end - i)
      i = end
    }
    for (; i < end; i += 4) {
      if (blocks && !exponential(kind, backward)) i = min(i, n - 4)
      const v = v128.load(at(x, i))
      const e = !exponential(kind, backward) ? v : blocks ? v128.load(at(out, i)) : exp(argument(kind, v, a))
      const y = backward ? slope(kind, v128.load(at(dy, i)), v, e, a, b) : curve(kind, v, e, a, b)
      if (blocks) v128.store(at(out, i), y)
      else storeLanes(at(out, i), y, n - i)
    }
  }
}

/** out = max(x, 0).  out, x: [n]. */
export function relu(out: Out, x: In, n: i32): void {
  drawPairs(Curve.relu, false, out, 0, x, 0, n)
}

/** dx = dy where y > 0, else 0.  All [n]. */
export function reluBackward(dx: Out, dy: In, y: In, n: i32): void {
  drawPairs(Curve.relu, true, dx, dy, y, 0, n)
}

/** out = tanh(x).  out, x: [n]. */
export function tanh(out: Out, x: In, n: i32): void {
  draw(Curve.tanh, false, out, 0, x, 0, 0, n)
}

/** dx = dy (1 - y²).  All [n]. */
export function tanhBackward(dx: Out, dy: In, y: In, n: i32): void {
  drawPairs(Curve.tanh, true, dx, dy, y, 0, n)
}

/** out = 1 / (1 + exp(-x)).  out, x: [n]. */
export function sigmoid(out: Out, x: In, n: i32): void {
  draw(Curve.sigmoid, false, out, 0, x, 0, 0, n)
}

/** dx = dy y (1 - y).  All [n]. */
export function sigmoidBackward(dx: Out, dy: In, y: In, n: i32): void {
  drawPairs(Curve.sigmoid, true, dx, dy, y, 0, n)
}

/** out = x where x > 0, else slope x.  out, x: [n]. */
export function leakyRelu(out: Out, x: In, slope: f32, n: i32): void {
  drawPairs(Curve.leakyRelu, false, out, 0, x, slope, n)
}

/** dx = dy (x > 0 ? 1 : slope).  All [n]. */
export function leakyReluBackward(dx: Out, dy: In, x: In, slope: f32, n: i32): void {
  drawPairs(Curve.leakyRelu, true, dx, dy, x, slope, n)
}

/** out = scale x where x > 0, else scale alpha (e^x - 1).  out, x: [n]. */
export function elu(out: Out, x: In, alpha: f32, scale: f32, n: i32): void {
  draw(Curve.elu, false, out, 0, x, alpha, scale, n)
}

/** dx = dy scale (x > 0 ? 1 : alpha e^x).  All [n]. */
export function eluBackward(dx: Out, dy: In, x: In, alpha: f32, scale: f32, n: i32): void {
  draw(Curve.elu, true, dx, dy, x, alpha, scale, n)
}

/** out = x Φ(x) = x (1 + erf(x / √2)) / 2.  out, x: [n]. */
export function gelu(out: Out, x: In, n: i32): void {
  draw(Curve.gelu, false, out, 0, x, 0, 0, n)
}

/** dx = dy (Φ(x) + x φ(x)).  All [n]. */
export function geluBackward(dx: Out, dy: In, x: In, n: i32): void {
  draw(Curve.gelu, true, dx, dy, x, 0, 0, n)
}

/** out = x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2 = x σ(u).  out, x: [n]. */
export function geluTanh(out: Out, x: In, n: i32): void {
  draw(Curve.geluTanh, false, out, 0, x, 0, 0, n)
}

/** dx = dy σ(u) (1 + x u' (1 - σ(u))).  All [n]. */
export function geluTanhBackward(dx: Out, dy: In, x: In, n: i32): void {
  draw(Curve.geluTanh, true, dx, dy, x, 0, 0, n)
}

/** out = x σ(x).  out, x: [n]. */
export function silu(out: Out, x: In, n: i32): void {
  draw(Curve.silu, false, out, 0, x, 0, 0, n)
}

/** dx = dy σ(x) (1 + x (1 - σ(x))).  All [n]. */
export function siluBackward(dx: Out, dy: In, x: In, n: i32): void {
  draw(Curve.silu, true, dx, dy, x, 0, 0, n)
}

/** out = x tanh(ln(1 + e^x)).  out, x: [n]. */
export function mish(out: Out, x: In, n: i32): void {
  draw(Curve.mish, false, out, 0, x, 0, 0, n)
}

/** dx = dy (t + x t'), t = tanh(ln(1 + e^x)).  All [n]. */
export function mishBackward(dx: Out, dy: In, x: In, n: i32): void {
  draw(Curve.mish, true, dx, dy, x, 0, 0, n)
}

/** out = x min(max(x + 3, 0), 6) / 6.  out, x: [n]. */
export function hardswish(out: Out, x: In, n: i32): void {
  draw(Curve.hardswish, false, out, 0, x, 0, 0, n)
}

/** dx = dy (x < -3 ? 0 : x > 3 ? 1 : x / 3 + 1/2).  All [n]. */
export function hardswishBackward(dx: Out, dy: In, x: In, n: i32): void {
  draw(Curve.hardswish, true, dx, dy, x, 0, 0, n)
}

/** out = min(max(x + 3, 0), 6) / 6.  out, x: [n]. */
export function hardsigmoid(out: Out, x: In, n: i32): void {
  draw(Curve.hardsigmoid, false, out, 0, x, 0, 0, n)
}

/** dx = dy (-3 < x < 3 ? 1/6 : 0).  All [n]. */
export function hardsigmoidBackward(dx: Out, dy: In, x: In, n: i32): void {
  draw(Curve.hardsigmoid, true, dx, dy, x, 0, 0, n)
}

/** out = ln(1 + e^(beta x)) / beta, or x where beta x > threshold.  out, x: [n]. */
export function softplus(out: Out, x: In, beta: f32, threshold: f32, n: i32): void {
  draw(Curve.softplus, false, out, 0, x, beta, threshold, n)
}

/** dx = dy (beta x > threshold ? 1 : σ(beta x)).  All [n]. */
export function softplusBackward(dx: Out, dy: In, x: In, beta: f32, threshold: f32, n: i32): void {
  draw(Curve.softplus, true, dx, dy, x, beta, threshold, n)
}

/** out[o, c, :] = x where x > 0, else weight_c x.  out, x: [outer, channels, inner]; weight: [channels]. */
export function prelu(out: Out, x: In, weight: In, outer: i32, channels: i32, inner: i32): void {
  if (inner == 1) {
    for (let o = 0; o < outer; o++) {
      for (let c = 0; c < channels; c += 4) {
        storeLanes(at(out, c), curve(Curve.leakyRelu, v128.load(at(x, c)), splat(0), v128.load(at(weight, c)), splat(0)), channels - c)
      }
      x = at(x, channels)
      out = at(out, channels)
    }
    return
  }
  for (let k = 0; k < outer * channels; k++) {
    leakyRelu(at(out, k * inner), at(x, k * inner), load<f32>(at(weight, k % channels)), inner)
  }
}

/** Elements of a channel whose terms of preluBackward are added in f32. */
export const SUMMED_ELEMENTS = 1024

/** dx = dy (x > 0 ? 1 : weight_c).  sums: Σ dy x over x <= 0 of each 1024 elements, [outer, channels, ⌈inner / 1024⌉], or
 *  where inner is 1 of 128 rows, [⌈outer / 128⌉, channels], which preluSums adds up; absent where not wanted. */
export function preluBackward(
  dx: Out, sums: OptionalOut, dy: In, x: In, weight: In, outer: i32, channels: i32, inner: i32,
): void {
  if (inner == 1) {
    const step = <usize>channels << 2
    for (let start = 0; start < outer; start += COLUMN_ROWS) {
      const rows = min(outer - start, COLUMN_ROWS)
      for (let c = 0; c < channels; c += 4) {
        const w = v128.load(at(weight, c))
        if (sums) storeLanes(at(sums, c), fourColumns(at(x, c), at(dy, c), splat(0), 0, false, rows, step), channels - c)
        for (let o = 0; o < rows; o++) {
          const p = at(<usize>o * step, c)
          storeLanes(dx + p, slope(Curve.leakyRelu, v128.load(dy + p), v128.load(x + p), w, w, w), channels - c)
        }
      }
      dx += <usize>rows * step
      dy += <usize>rows * step
      x += <usize>rows * step
      if (sums) sums = at(sums, channels)
    }
    return
  }
  for (let k = 0; k < outer * channels; k++) {
    const w = load<f32>(at(weight, k % channels))
    for (let start = 0; start < inner; start += SUMMED_ELEMENTS) {
      const n = min(inner - start, SUMMED_ELEMENTS)
      leakyReluBackward(dx, dy, x, w, n)
      if (sums) {
        store<f32>(sums, negativeProduct(dy, x, n))
        sums += 4
      }
      dx = at(dx, n)
      dy = at(dy, n)
      x = at(x, n)
    }
  }
}

/** The gradient of prelu's weight: dweight_c = Σ sums[:, c, :], in f64.  dweight: [channels]; sums: [outer, channels, inner]. */
export function preluSums(dweight: Out, sums: In, outer: i32, channels: i32, inner: i32): void {
  for (let c = 0; c < channels; c++) {
    let total: f64 = 0
    for (let o = 0; o < outer; o++) {
      let row: f64 = 0
      for (let i = 0; i < inner; i++) row += <f64>load<f32>(at(sums, (o * channels + c) * inner + i))
      total += row
    }
    store<f32>(at(dweight, c), <f32>total)
  }
}

/** Σ dy x over x <= 0, of n elements. */
function negativeProduct(dy: usize, x: usize, n: i32): f32 {
  let sum = splat(0)
  for (let i = 0; i < n; i += 4) sum = mulAdd(sum, loadLanes(at(dy, i), n - i), f32x4.min(loadLanes(at(x, i), n - i), splat(0)))
  return sumLanes(sum)
}

/** out[r,:] = a σ(b), a and b the halves of x[r,:].  out: [rows, half]; x: [rows, 2 half]. */
export function glu(out: Out, x: In, rows: i32, half: i32): void {
  for (let r = 0; r < rows; r++) {
    const b = at(x, half)
    for (let i = 0; i < half; i += 4) {
      storeLanes(at(out, i), f32x4.mul(v128.load(at(x, i)), sigmoidAt(v128.load(at(b, i)))), half - i)
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
      const s = sigmoidAt(v128.load(at(b, i)))
      const da = f32x4.mul(v128.load(at(dy, i)), s)
      storeLanes(at(dx, i), da, half - i)
      storeLanes(at(db, i), f32x4.mul(f32x4.mul(da, v128.load(at(x, i))), f32x4.sub(splat(1), s)), half - i)
    }
    x = at(b, half)
    dx = at(db, half)
    dy = at(dy, half)
  }
}
