// Optimizer updates, each one pass over a flat run of parameters: sizes holds their number, then the
// elements of each. Hyperparameters are f64 read through an address, so that a schedule never touches a
// program. Sizes are multiples of 16, padding included. Each parameter counts its own updates, as in PyTorch
// (one may be frozen for a while): three f64 a parameter, steps, β1^steps, β2^steps. Expressions are in the order
// of PyTorch's single-tensor code; with maximize the sign of the gradient is turned first.
//
// Adam's moments of parameters that see no gradient shrink for ever. Left alone they end below the normal
// range and make each step several times slower (mlp-small, 2000 steps on data learnt by heart: 3.7 ms a
// step against 0.9 ms), so a first moment below 1e-30 becomes 0, and with it a second below 1e-37.

import { In, InOut, Ints, OptionalIn, OptionalInOut } from '../abi'
import { at, mulAdd } from '../simd'

/** value in all lanes. V8 of Node 20 moves what only a loop uses into it, with all that leads there, roots and quotients
 *  too: adam of 101 776 parameters took 117 instead of 69 µs. It does not move what comes from a loop of one round. */
// @ts-ignore: decorator
@inline
export function spread(value: f64): v128 {
  let v = f32x4.splat(0)
  for (let i = 0; i < 1; i++) v = f32x4.splat(<f32>value)
  return v
}

/** The same by a call, which that loop keeps from being inlined: less code. Not for loops over pairs of vectors: V8's
 *  256-bit pass pairs no results of calls, and that of Node 26.10 aborts where they would be part of a pair. */
export function splat(value: f64): v128 {
  return spread(value)
}

/** Bytes of the counters of one parameter. */
export const COUNTERS: usize = 24

/** What turns the sign of a gradient by xor, or leaves it. */
// @ts-ignore: decorator
@inline
export function signOf(maximize: i32): v128 {
  return i32x4.splat(maximize ? i32.MIN_VALUE : 0)
}

/** base^n for whole n, by squaring: at most n 2^-53 off, relatively. */
export function power(base: f64, n: f64): f64 {
  let result: f64 = 1
  while (n >= 1) {
    const half = Math.floor(0.5 * n)
    if (n != 2 * half) result *= base
    base *= base
    n = half
  }
  return result
}

/** counters (f64): steps += 1, β1^steps, β2^steps; for n parameters. Powers of the present betas, as in PyTorch:
 *  a schedule may cycle them. */
export function countSteps(counters: InOut, beta1: OptionalIn, beta2: OptionalIn, n: i32): void {
  for (let i = 0; i < n; i++) {
    const steps = load<f64>(counters) + 1
    store<f64>(counters, steps)
    if (beta1) store<f64>(counters, power(load<f64>(beta1), steps), 8)
    if (beta2) store<f64>(counters, power(load<f64>(beta2), steps), 16)
    counters += COUNTERS
  }
}

/** g = grad + weightDecay param;  velocity = momentum velocity + (1 - dampening) g, or g at the first step;
 *  param -= lr (nesterov ? g + momentum velocity : velocity).  velocity absent: param -= lr g.
 *  torch.optim.SGD. */
export function sgd(
  param: InOut, grad: In, velocity: OptionalInOut, counters: In, sizes: Ints,
  lr: In, momentum: In, dampening: In, weightDecay: In, nesterov: i32, maximize: i32,
): void {
  const rate = splat(-load<f64>(lr))
  const mu = splat(load<f64>(momentum))
  const decay = splat(load<f64>(weightDecay))
  const decays = load<f64>(weightDecay) != 0
  const sign = signOf(maximize)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const n = load<i32>(at(sizes, k + 1))
    const keep = splat(load<f64>(counters) == 1 ? 1 : 1 - load<f64>(dampening))
    for (let i = 0; i < n; i += 4) {
      const p = v128.load(at(param, i))
      let g = v128.xor(v128.load(at(grad, i)), sign)
      if (decays) g = mulAdd(g, p, decay)
      if (velocity) {
        let v = f32x4.mul(v128.load(at(velocity, i)), mu)
        v = mulAdd(v, g, keep)
        v128.store(at(velocity, i), v)
        g = nesterov ? mulAdd(g, v, mu) : v
      }
      v128.store(at(param, i), mulAdd(p, g, rate))
    }
    param = at(param, n)
    grad = at(grad, n)
    if (velocity) velocity = at(velocity, n)
    counters += COUNTERS
  }
}

/** keep x + take y */
// @ts-ignore: decorator
@inline
export function mix(x: v128, keep: v128, y: v128, take: v128): v128 {
  return mulAdd(f32x4.mul(x, keep), y, take)
}

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

/** param *= 1 - lr weightDecay;  param -= lr sign(β1 m + (1-β1) grad);  m = β2 m + (1-β2) grad.
 *  Chen et al., 2023. */
export function lion(
  param: InOut, grad: In, m: InOut, sizes: Ints, lr: In, beta1: In, beta2: In, weightDecay: In, maximize: i32,
): void {
  const rate = splat(load<f64>(lr))
  const decay = splat(1 - load<f64>(lr) * load<f64>(weightDecay))
  const keep1 = splat(load<f64>(beta1))
  const keep2 = splat(load<f64>(beta2))
  const take1 = splat(1 - load<f64>(beta1))
  const take2 = splat(1 - load<f64>(beta2))
  const sign = signOf(maximize)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const end = at(param, load<i32>(at(sizes, k + 1)))
    for (; param < end; param += 16, grad += 16, m += 16) {
      const g = v128.xor(v128.load(grad), sign)
      const m0 = v128.load(m)
      const u = mulAdd(f32x4.mul(m0, keep1), g, take1)
      const m1 = mulAdd(f32x4.mul(m0, keep2), g, take2)
      v128.store(m, v128.andnot(m1, f32x4.lt(f32x4.abs(m1), f32x4.splat(1e-30))))
      v128.store(param, f32x4.sub(f32x4.mul(v128.load(param), decay), signTimes(u, rate)))
    }
  }
}

/** sign(x) · y, 0 where x is 0, NaN where x is NaN. */
// @ts-ignore: decorator
@inline
export function signTimes(x: v128, y: v128): v128 {
  const zero = f32x4.splat(0)
  const signed = v128.or(v128.and(f32x4.gt(x, zero), y), v128.and(f32x4.lt(x, zero), f32x4.neg(y)))
  return v128.bitselect(x, signed, f32x4.ne(x, x))
}
