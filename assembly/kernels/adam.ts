// Adam and its variants, with means of gradients and of their squares: layout and conventions as in
// assembly/update.ts.

import { In, InOut, Ints, OptionalInOut } from '../abi'
import { at, mulAdd } from '../simd'
import { COUNTERS, flush, leastSquare, mix, power, signOf, slope, splat, spread } from '../update'

/** adam, or adamw with `decoupled`, in neighbouring pairs of vectors; the largest v so far where amsgrad. */
// @ts-ignore: decorator
@inline
function adamPairs(
  amsgrad: bool, decoupled: i32, param: usize, grad: usize, m: usize, v: usize, most: usize, counters: usize, sizes: usize,
  lr: usize, beta1: usize, beta2: usize, eps: usize, weightDecay: usize, maximize: i32,
): void {
  const rate = load<f64>(lr)
  const b1 = load<f64>(beta1)
  const b2 = load<f64>(beta2)
  const keep1 = spread(b1)
  const keep2 = spread(b2)
  const take1 = spread(1 - b1)
  const take2 = spread(1 - b2)
  // One of them changes nothing: p · 1, or g + p · 0.
  const shrink = spread(decoupled ? 1 - rate * load<f64>(weightDecay) : 1)
  const decay = spread(decoupled ? 0 : load<f64>(weightDecay))
  const floor = spread(load<f64>(eps))
  const sign = signOf(maximize)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const step = spread(-rate / (1 - load<f64>(counters, 8)))
    // √v times this, where PyTorch divides by its inverse: one division less, half a unit apart.
    const root = spread(1 / Math.sqrt(1 - load<f64>(counters, 16)))
    const end = at(param, load<i32>(at(sizes, k + 1)))
    while (param < end) {
      const p0 = f32x4.mul(v128.load(param), shrink)
      const p1 = f32x4.mul(v128.load(param, 16), shrink)
      const g0 = mulAdd(v128.xor(v128.load(grad), sign), p0, decay)
      const g1 = mulAdd(v128.xor(v128.load(grad, 16), sign), p1, decay)
      let m0 = mix(v128.load(m), keep1, g0, take1)
      let m1 = mix(v128.load(m, 16), keep1, g1, take1)
      let v0 = mix(v128.load(v), keep2, f32x4.mul(g0, g0), take2)
      let v1 = mix(v128.load(v, 16), keep2, f32x4.mul(g1, g1), take2)
      const spent0 = f32x4.lt(f32x4.abs(m0), f32x4.splat(1e-30))
      const spent1 = f32x4.lt(f32x4.abs(m1), f32x4.splat(1e-30))
      m0 = v128.andnot(m0, spent0)
      m1 = v128.andnot(m1, spent1)
      v0 = v128.andnot(v0, v128.and(spent0, f32x4.lt(v0, f32x4.splat(1e-37))))
      v1 = v128.andnot(v1, v128.and(spent1, f32x4.lt(v1, f32x4.splat(1e-37))))
      v128.store(m, m0)
      v128.store(m, m1, 16)
      v128.store(v, v0)
      v128.store(v, v1, 16)
      if (amsgrad) {
        v0 = f32x4.max(v0, v128.load(most))
        v1 = f32x4.max(v1, v128.load(most, 16))
        v128.store(most, v0)
        v128.store(most, v1, 16)
        most += 32
      }
      const d0 = f32x4.div(f32x4.mul(m0, step), mulAdd(floor, f32x4.sqrt(v0), root))
      const d1 = f32x4.div(f32x4.mul(m1, step), mulAdd(floor, f32x4.sqrt(v1), root))
      v128.store(param, f32x4.add(p0, d0))
      v128.store(param, f32x4.add(p1, d1), 16)
      param += 32
      grad += 32
      m += 32
      v += 32
    }
    counters += COUNTERS
  }
}

function adamUpdate(
  decoupled: i32, param: usize, grad: usize, m: usize, v: usize, most: usize, counters: usize, sizes: usize,
  lr: usize, beta1: usize, beta2: usize, eps: usize, weightDecay: usize, maximize: i32,
): void {
  if (most) adamPairs(true, decoupled, param, grad, m, v, most, counters, sizes, lr, beta1, beta2, eps, weightDecay, maximize)
  else adamPairs(false, decoupled, param, grad, m, v, 0, counters, sizes, lr, beta1, beta2, eps, weightDecay, maximize)
}

/** g = grad + weightDecay param;  m = β1 m + (1-β1) g;  v = β2 v + (1-β2) g²;
 *  param -= lr / (1 - β1^t) · m / (√v / √(1 - β2^t) + eps).  most, if not absent: the largest v so far takes the
 *  place of v (amsgrad).  Kingma, Ba, 2015; Reddi et al., 2018; torch.optim.Adam. */
export function adam(
  param: InOut, grad: In, m: InOut, v: InOut, most: OptionalInOut, counters: In, sizes: Ints,
  lr: In, beta1: In, beta2: In, eps: In, weightDecay: In, maximize: i32,
): void {
  adamUpdate(0, param, grad, m, v, most, counters, sizes, lr, beta1, beta2, eps, weightDecay, maximize)
}

/** As adam, with decay apart from the gradient: param *= 1 - lr weightDecay first.
 *  Loshchilov, Hutter, 2019; torch.optim.AdamW. */
export function adamw(
  param: InOut, grad: In, m: InOut, v: InOut, most: OptionalInOut, counters: In, sizes: Ints,
  lr: In, beta1: In, beta2: In, eps: In, weightDecay: In, maximize: i32,
): void {
  adamUpdate(1, param, grad, m, v, most, counters, sizes, lr, beta1, beta2, eps, weightDecay, maximize)
}

/** ln 0.96 */
const LN_096: f64 = -0.040821994520255166

/** μ_t = β1 (1 - 0.96^(t · momentumDecay) / 2) */
function momentumAt(steps: f64, beta1: f64, momentumDecay: f64): f64 {
  return beta1 * (1 - 0.5 * NativeMath.exp(LN_096 * steps * momentumDecay))
}

/** counters (f64): steps += 1, Π μ (kept as f32, as in PyTorch), β2^steps; for n parameters. */
export function countNadam(counters: InOut, beta1: In, beta2: In, momentumDecay: In, n: i32): void {
  for (let i = 0; i < n; i++) {
    const steps = load<f64>(counters) + 1
    const product = (steps == 1 ? 1 : load<f64>(counters, 8)) * momentumAt(steps, load<f64>(beta1), load<f64>(momentumDecay))
    store<f64>(counters, steps)
    store<f64>(counters, <f64>(<f32>product), 8)
    store<f64>(counters, power(load<f64>(beta2), steps), 16)
    counters += COUNTERS
  }
}

/** m, v as adam;  param -= (lr (1-μ_t) / (1 - Π_t μ) · g + lr μ_{t+1} / (1 - Π_{t+1} μ) · m) / (√(v / (1-β2^t)) + eps).
 *  Dozat, 2016; torch.optim.NAdam. */
export function nadam(
  param: InOut, grad: In, m: InOut, v: InOut, counters: In, sizes: Ints,
  lr: In, beta1: In, beta2: In, eps: In, weightDecay: In, momentumDecay: In, maximize: i32,
): void {
  const rate = load<f64>(lr)
  const b1 = load<f64>(beta1)
  const b2 = load<f64>(beta2)
  const decay = splat(load<f64>(weightDecay))
  const floor = splat(load<f64>(eps))
  const least = leastSquare(eps)
  const sign = signOf(maximize)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const steps = load<f64>(counters)
    const product = load<f64>(counters, 8)
    const mu = momentumAt(steps, b1, load<f64>(momentumDecay))
    const next = momentumAt(steps + 1, b1, load<f64>(momentumDecay))
    const stepGrad = splat((-rate * (1 - mu)) / (1 - product))
    const stepMean = splat((-rate * next) / (1 - product * next))
    const root = splat(1 / Math.sqrt(1 - load<f64>(counters, 16)))
    const end = at(param, load<i32>(at(sizes, k + 1)))
    for (; param < end; param += 16, grad += 16, m += 16, v += 16) {
      const p = v128.load(param)
      const g = slope(grad, sign, p, decay)
      const m1 = flush(mix(v128.load(m), splat(b1), g, splat(1 - b1)), f32x4.splat(1e-30))
      const v1 = flush(mix(v128.load(v), splat(b2), f32x4.mul(g, g), splat(1 - b2)), least)
      v128.store(m, m1)
      v128.store(v, v1)
      const denominator = mulAdd(floor, f32x4.sqrt(v1), root)
      const p1 = f32x4.add(p, f32x4.div(f32x4.mul(g, stepGrad), denominator))
      v128.store(param, f32x4.add(p1, f32x4.div(f32x4.mul(m1, stepMean), denominator)))
    }
    counters += COUNTERS
  }
}

/** m, v as adam;  ρ = ρ∞ - 2 t β2^t / (1-β2^t), ρ∞ = 2/(1-β2) - 1;  param -= lr m / (1-β1^t) · r, with
 *  r = √((ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ)) √(1-β2^t) / (√v + eps) where ρ > 5, else 1.
 *  Liu et al., 2020; torch.optim.RAdam. */
export function radam(
  param: InOut, grad: In, m: InOut, v: InOut, counters: In, sizes: Ints,
  lr: In, beta1: In, beta2: In, eps: In, weightDecay: In, maximize: i32,
): void {
  const rate = load<f64>(lr)
  const b1 = load<f64>(beta1)
  const b2 = load<f64>(beta2)
  const decay = splat(load<f64>(weightDecay))
  const floor = splat(load<f64>(eps))
  const least = leastSquare(eps)
  const sign = signOf(maximize)
  const far = 2 / (1 - b2) - 1
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const correction = 1 - load<f64>(counters, 16)
    const rho = far - (2 * load<f64>(counters) * load<f64>(counters, 16)) / correction
    const rectified = rho > 5
    let step = -rate / (1 - load<f64>(counters, 8))
    if (rectified) {
      step *= Math.sqrt(((rho - 4) * (rho - 2) * far) / ((far - 4) * (far - 2) * rho)) * Math.sqrt(correction)
    }
    const scale = splat(step)
    const end = at(param, load<i32>(at(sizes, k + 1)))
    for (; param < end; param += 16, grad += 16, m += 16, v += 16) {
      const p = v128.load(param)
      const g = slope(grad, sign, p, decay)
      const m1 = flush(mix(v128.load(m), splat(b1), g, splat(1 - b1)), f32x4.splat(1e-30))
      const v1 = flush(mix(v128.load(v), splat(b2), f32x4.mul(g, g), splat(1 - b2)), least)
      v128.store(m, m1)
      v128.store(v, v1)
      const u = f32x4.mul(m1, scale)
      v128.store(param, f32x4.add(p, rectified ? f32x4.div(u, f32x4.add(f32x4.sqrt(v1), floor)) : u))
    }
    counters += COUNTERS
  }
}

/** m as adam;  u = max(β2 u, |g| + eps);  param -= lr / (1-β1^t) · m / u.  Kingma, Ba, 2015; torch.optim.Adamax. */
export function adamax(
  param: InOut, grad: In, m: InOut, most: InOut, counters: In, sizes: Ints,
  lr: In, beta1: In, beta2: In, eps: In, weightDecay: In, maximize: i32,
): void {
  const b1 = load<f64>(beta1)
  const keep2 = splat(load<f64>(beta2))
  const decay = splat(load<f64>(weightDecay))
  const floor = splat(load<f64>(eps))
  const sign = signOf(maximize)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const step = splat(-load<f64>(lr) / (1 - load<f64>(counters, 8)))
    const end = at(param, load<i32>(at(sizes, k + 1)))
    for (; param < end; param += 16, grad += 16, m += 16, most += 16) {
      const p = v128.load(param)
      const g = slope(grad, sign, p, decay)
      const m1 = flush(mix(v128.load(m), splat(b1), g, splat(1 - b1)), f32x4.splat(1e-30))
      const u = f32x4.max(f32x4.mul(v128.load(most), keep2), f32x4.add(f32x4.abs(g), floor))
      v128.store(m, m1)
      v128.store(most, u)
      v128.store(param, f32x4.add(p, f32x4.div(f32x4.mul(m1, step), u)))
    }
    counters += COUNTERS
  }
}
