// Optimizer updates, each one pass over a flat run of parameters: sizes holds their number, then the
// elements of each. Hyperparameters are f64 read through an address, so that a schedule never touches a
// program. Sizes are multiples of 16, padding included. Each parameter counts its own updates, as in PyTorch (one may be frozen for a while): three f64
// a parameter, steps, β1^steps, β2^steps. Expressions are in the order of PyTorch's single-tensor code.
//
// Adam's moments of parameters that see no gradient shrink for ever. Left alone they end below the normal
// range and make each step several times slower (mlp-small, 2000 steps on data learnt by heart: 3.7 ms a
// step against 0.9 ms), so a first moment below 1e-30 becomes 0, and with it a second below 1e-37.

import { In, InOut, Ints, OptionalInOut } from '../abi'
import { at } from '../simd'

// @ts-ignore: decorator
@inline
function splat(value: f64): v128 {
  return f32x4.splat(<f32>value)
}

/** Bytes of the counters of one parameter. */
const COUNTERS: usize = 24

/** counters (f64): steps += 1, β1^steps, β2^steps by one multiplication each; for n parameters. */
export function countSteps(counters: InOut, beta1: In, beta2: In, n: i32): void {
  for (let i = 0; i < n; i++) {
    store<f64>(counters, load<f64>(counters) + 1)
    store<f64>(counters, load<f64>(counters, 8) * load<f64>(beta1), 8)
    store<f64>(counters, load<f64>(counters, 16) * load<f64>(beta2), 16)
    counters += COUNTERS
  }
}

/** g = grad + weightDecay param;  velocity = momentum velocity + (1 - dampening) g, or g at the first step;
 *  param -= lr (nesterov ? g + momentum velocity : velocity).  velocity absent: param -= lr g.
 *  torch.optim.SGD. */
export function sgd(
  param: InOut, grad: In, velocity: OptionalInOut, counters: In, sizes: Ints,
  lr: In, momentum: In, dampening: In, weightDecay: In, nesterov: i32,
): void {
  const rate = splat(-load<f64>(lr))
  const mu = splat(load<f64>(momentum))
  const decay = splat(load<f64>(weightDecay))
  const decays = load<f64>(weightDecay) != 0
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const n = load<i32>(at(sizes, k + 1))
    const keep = splat(load<f64>(counters) == 1 ? 1 : 1 - load<f64>(dampening))
    for (let i = 0; i < n; i += 4) {
      const p = v128.load(at(param, i))
      let g = v128.load(at(grad, i))
      if (decays) g = f32x4.add(g, f32x4.mul(p, decay))
      if (velocity) {
        let v = f32x4.mul(v128.load(at(velocity, i)), mu)
        v = f32x4.add(v, f32x4.mul(g, keep))
        v128.store(at(velocity, i), v)
        g = nesterov ? f32x4.add(g, f32x4.mul(v, mu)) : v
      }
      v128.store(at(param, i), f32x4.add(p, f32x4.mul(g, rate)))
    }
    param = at(param, n)
    grad = at(grad, n)
    if (velocity) velocity = at(velocity, n)
    counters += COUNTERS
  }
}

/** What the update of one vector needs besides the vector. */
// @ts-ignore: decorator
@inline
function adamVector(
  decoupled: bool, param: usize, grad: usize, m: usize, v: usize,
  keep1: v128, keep2: v128, take1: v128, take2: v128, decay: v128, step: v128, root: v128, floor: v128,
): void {
  let p = v128.load(param)
  let g = v128.load(grad)
  // Without weight decay these change nothing: p · 1, and g + p · 0.
  if (decoupled) p = f32x4.mul(p, decay)
  else g = f32x4.add(g, f32x4.mul(p, decay))
  let m1 = f32x4.add(f32x4.mul(v128.load(m), keep1), f32x4.mul(g, take1))
  let v1 = f32x4.add(f32x4.mul(v128.load(v), keep2), f32x4.mul(f32x4.mul(g, g), take2))
  const spent = f32x4.lt(f32x4.abs(m1), f32x4.splat(1e-30))
  m1 = v128.andnot(m1, spent)
  v1 = v128.andnot(v1, v128.and(spent, f32x4.lt(v1, f32x4.splat(1e-37))))
  v128.store(m, m1)
  v128.store(v, v1)
  const denominator = f32x4.add(f32x4.mul(f32x4.sqrt(v1), root), floor)
  v128.store(param, f32x4.add(p, f32x4.div(f32x4.mul(m1, step), denominator)))
}

// @ts-ignore: decorator
@inline
function adamUpdate(
  decoupled: bool, param: usize, grad: usize, m: usize, v: usize, counters: usize, sizes: usize,
  lr: usize, beta1: usize, beta2: usize, eps: usize, weightDecay: usize,
): void {
  const rate = load<f64>(lr)
  const b1 = load<f64>(beta1)
  const b2 = load<f64>(beta2)
  const keep1 = splat(b1)
  const keep2 = splat(b2)
  const take1 = splat(1 - b1)
  const take2 = splat(1 - b2)
  const decay = splat(decoupled ? 1 - rate * load<f64>(weightDecay) : load<f64>(weightDecay))
  const floor = splat(load<f64>(eps))
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const step = splat(-rate / (1 - load<f64>(counters, 8)))
    // √v times this, where PyTorch divides by its inverse: one division less, half a unit apart.
    const root = splat(1 / Math.sqrt(1 - load<f64>(counters, 16)))
    const end = at(param, load<i32>(at(sizes, k + 1)))
    while (param < end) {
      adamVector(decoupled, param, grad, m, v, keep1, keep2, take1, take2, decay, step, root, floor)
      adamVector(decoupled, param + 16, grad + 16, m + 16, v + 16, keep1, keep2, take1, take2, decay, step, root, floor)
      param += 32
      grad += 32
      m += 32
      v += 32
    }
    counters += COUNTERS
  }
}

/** g = grad + weightDecay param;  m = β1 m + (1-β1) g;  v = β2 v + (1-β2) g²;
 *  param -= lr / (1 - β1^t) · m / (√v / √(1 - β2^t) + eps).  Kingma, Ba, 2015; torch.optim.Adam. */
export function adam(
  param: InOut, grad: In, m: InOut, v: InOut, counters: In, sizes: Ints,
  lr: In, beta1: In, beta2: In, eps: In, weightDecay: In,
): void {
  adamUpdate(false, param, grad, m, v, counters, sizes, lr, beta1, beta2, eps, weightDecay)
}

/** As adam, with decay apart from the gradient: param *= 1 - lr weightDecay first.
 *  Loshchilov, Hutter, 2019; torch.optim.AdamW. */
export function adamw(
  param: InOut, grad: In, m: InOut, v: InOut, counters: In, sizes: Ints,
  lr: In, beta1: In, beta2: In, eps: In, weightDecay: In,
): void {
  adamUpdate(true, param, grad, m, v, counters, sizes, lr, beta1, beta2, eps, weightDecay)
}
