// Gradients divided by the root of a sum or mean of their squares: layout and conventions as in
// assembly/update.ts.

import { In, InOut, Ints, OptionalInOut } from '../abi'
import { at, mulAdd, mulSub } from '../simd'
import { COUNTERS, flush, leastSquare, mix, signOf, slope, splat } from '../update'

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
