// Optimizers with a rate for each parameter element, besides Adam: layout, counters and conventions as in
// optim.ts. A mean of squares below 1e-37 becomes 0 where eps keeps the quotient finite: numbers below the normal
// range make steps several times slower.

import { In, InOut, Ints, OptionalInOut } from '../abi'
import { at, mulAdd, mulSub } from '../simd'
import { COUNTERS, mix, power, signOf, signTimes, splat } from './optim'

/** Below this a mean of squares becomes 0. */
// @ts-ignore: decorator
@inline
function leastSquare(eps: usize): v128 {
  return splat(load<f64>(eps) > 0 ? 1e-37 : 0)
}

/** x with lanes below `least` (in size) set to 0. */
// @ts-ignore: decorator
@inline
function flush(x: v128, least: v128): v128 {
  return v128.andnot(x, f32x4.lt(f32x4.abs(x), least))
}

/** ± grad + decay · param */
// @ts-ignore: decorator
@inline
function slope(grad: usize, sign: v128, param: v128, decay: v128): v128 {
  return mulAdd(v128.xor(v128.load(grad), sign), param, decay)
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

/** sum += g²;  param -= lr / (1 + (t-1) lrDecay) · g / (√sum + eps); the first sum is initialAccumulatorValue.
 *  Duchi et al., 2011; torch.optim.Adagrad. */
export function adagrad(
  param: InOut, grad: In, sum: InOut, counters: In, sizes: Ints,
  lr: In, lrDecay: In, eps: In, weightDecay: In, initialAccumulatorValue: In, maximize: i32,
): void {
  const decay = splat(load<f64>(weightDecay))
  const floor = splat(load<f64>(eps))
  const sign = signOf(maximize)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const steps = load<f64>(counters)
    const first = steps == 1
    const step = splat(-load<f64>(lr) / (1 + (steps - 1) * load<f64>(lrDecay)))
    const initial = splat(load<f64>(initialAccumulatorValue))
    const end = at(param, load<i32>(at(sizes, k + 1)))
    for (; param < end; param += 16, grad += 16, sum += 16) {
      const p = v128.load(param)
      const g = slope(grad, sign, p, decay)
      const s = mulAdd(first ? initial : v128.load(sum), g, g)
      v128.store(sum, s)
      v128.store(param, f32x4.add(p, f32x4.div(f32x4.mul(g, step), f32x4.add(f32x4.sqrt(s), floor))))
    }
    counters += COUNTERS
  }
}

/** v = ρ v + (1-ρ) g²;  δ = √(a + eps) / √(v + eps) · g;  a = ρ a + (1-ρ) δ²;  param -= lr δ.
 *  Zeiler, 2012; torch.optim.Adadelta. */
export function adadelta(
  param: InOut, grad: In, v: InOut, a: InOut, sizes: Ints, lr: In, rho: In, eps: In, weightDecay: In, maximize: i32,
): void {
  const rate = splat(load<f64>(lr))
  const keep = splat(load<f64>(rho))
  const take = splat(1 - load<f64>(rho))
  const decay = splat(load<f64>(weightDecay))
  const floor = splat(load<f64>(eps))
  const least = leastSquare(eps)
  const sign = signOf(maximize)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const end = at(param, load<i32>(at(sizes, k + 1)))
    for (; param < end; param += 16, grad += 16, v += 16, a += 16) {
      const p = v128.load(param)
      const g = slope(grad, sign, p, decay)
      const v1 = flush(mix(v128.load(v), keep, f32x4.mul(g, g), take), least)
      const a0 = v128.load(a)
      const ratio = f32x4.div(f32x4.sqrt(f32x4.add(a0, floor)), f32x4.sqrt(f32x4.add(v1, floor)))
      const delta = f32x4.mul(ratio, g)
      v128.store(v, v1)
      v128.store(a, flush(mix(a0, keep, f32x4.mul(delta, delta), take), least))
      v128.store(param, mulSub(p, delta, rate))
    }
  }
}

/** v = α v + (1-α) g²;  with mean: mean = α mean + (1-α) g, w = v - mean², else w = v;  u = g / (√w + eps);
 *  with velocity: velocity = momentum velocity + u, param -= lr velocity, else param -= lr u.
 *  Hinton, 2012; torch.optim.RMSprop. */
export function rmsprop(
  param: InOut, grad: In, v: InOut, velocity: OptionalInOut, mean: OptionalInOut, sizes: Ints,
  lr: In, alpha: In, eps: In, weightDecay: In, momentum: In, maximize: i32,
): void {
  const rate = splat(-load<f64>(lr))
  const keep = splat(load<f64>(alpha))
  const take = splat(1 - load<f64>(alpha))
  const mu = splat(load<f64>(momentum))
  const decay = splat(load<f64>(weightDecay))
  const floor = splat(load<f64>(eps))
  const least = leastSquare(eps)
  const sign = signOf(maximize)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const n = load<i32>(at(sizes, k + 1))
    for (let i = 0; i < n; i += 4) {
      const p = v128.load(at(param, i))
      const g = slope(at(grad, i), sign, p, decay)
      let w = flush(mix(v128.load(at(v, i)), keep, f32x4.mul(g, g), take), least)
      v128.store(at(v, i), w)
      if (mean) {
        const m = flush(mix(v128.load(at(mean, i)), keep, g, take), f32x4.splat(1e-30))
        v128.store(at(mean, i), m)
        w = f32x4.sub(w, f32x4.mul(m, m))
      }
      const denominator = f32x4.add(f32x4.sqrt(w), floor)
      if (velocity) {
        const u = mulAdd(f32x4.div(g, denominator), v128.load(at(velocity, i)), mu)
        v128.store(at(velocity, i), u)
        v128.store(at(param, i), mulAdd(p, u, rate))
      } else v128.store(at(param, i), f32x4.add(p, f32x4.div(f32x4.mul(g, rate), denominator)))
    }
    param = at(param, n)
    grad = at(grad, n)
    v = at(v, n)
    if (velocity) velocity = at(velocity, n)
    if (mean) mean = at(mean, n)
  }
}

/** size *= η+ where grad keeps its sign, η- where it turns (grad then counts as 0), clamped to [least, most], lr at
 *  the first step;  param -= sign(grad) size;  prev = grad.  Riedmiller, Braun, 1993; torch.optim.Rprop. */
export function rprop(
  param: InOut, grad: In, prev: InOut, size: InOut, counters: In, sizes: Ints,
  lr: In, etaMinus: In, etaPlus: In, least: In, most: In, maximize: i32,
): void {
  const slower = splat(load<f64>(etaMinus))
  const faster = splat(load<f64>(etaPlus))
  const low = splat(load<f64>(least))
  const high = splat(load<f64>(most))
  const start = splat(load<f64>(lr))
  const zero = f32x4.splat(0)
  const sign = signOf(maximize)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const first = load<f64>(counters) == 1
    const end = at(param, load<i32>(at(sizes, k + 1)))
    for (; param < end; param += 16, grad += 16, prev += 16, size += 16) {
      let g = v128.xor(v128.load(grad), sign)
      const product = f32x4.mul(g, v128.load(prev))
      const turned = f32x4.lt(product, zero)
      const factor = v128.bitselect(slower, v128.bitselect(faster, f32x4.splat(1), f32x4.gt(product, zero)), turned)
      const s = f32x4.min(f32x4.max(f32x4.mul(first ? start : v128.load(size), factor), low), high)
      g = v128.andnot(g, turned)
      v128.store(size, s)
      v128.store(prev, g)
      v128.store(param, f32x4.sub(v128.load(param), signTimes(g, s)))
    }
    counters += COUNTERS
  }
}
