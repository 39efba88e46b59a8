// Optimizer updates, each one pass over a flat run of parameters. Hyperparameters are f64 read through
// an address, so that a schedule never touches a program; expressions are in the order of PyTorch's
// single-tensor implementations.
//
// Adam's moments of parameters that see no gradient shrink for ever. Left alone they end below the normal
// range and make each step several times slower (mlp-small, 2000 steps on data learnt by heart: 3.7 ms a
// step against 0.9 ms), so moments and gradients below 1e-30 count as 0.

import { In, InOut, OptionalInOut } from '../abi'
import { at, flush, storeLanes } from '../simd'

// @ts-ignore: decorator
@inline
function splat(value: f64): v128 {
  return f32x4.splat(<f32>value)
}

/** g = grad + weightDecay param;  velocity = momentum velocity + (1 - dampening) g, or g at the first step;
 *  param -= lr (nesterov ? g + momentum velocity : velocity).  velocity absent: param -= lr g.
 *  steps (f64) counts the updates so far. torch.optim.SGD. */
export function sgd(
  param: InOut, grad: In, velocity: OptionalInOut, steps: In,
  lr: In, momentum: In, dampening: In, weightDecay: In, nesterov: i32, n: i32,
): void {
  const first = load<f64>(steps) == 1
  const rate = splat(-load<f64>(lr))
  const mu = splat(load<f64>(momentum))
  const keep = splat(first ? 1 : 1 - load<f64>(dampening))
  const decay = splat(load<f64>(weightDecay))
  const decays = load<f64>(weightDecay) != 0
  for (let i = 0; i < n; i += 4) {
    const p = v128.load(at(param, i))
    let g = v128.load(at(grad, i))
    if (decays) g = f32x4.add(g, f32x4.mul(p, decay))
    if (velocity) {
      let v = f32x4.mul(v128.load(at(velocity, i)), mu)
      v = f32x4.add(v, f32x4.mul(g, keep))
      storeLanes(at(velocity, i), v, n - i)
      g = nesterov ? f32x4.add(g, f32x4.mul(v, mu)) : v
    }
    storeLanes(at(param, i), f32x4.add(p, f32x4.mul(g, rate)), n - i)
  }
}

/** steps (f64) += 1. */
export function countStep(steps: InOut): void {
  store<f64>(steps, load<f64>(steps) + 1)
}

/** powers (f64): steps += 1, β1^steps, β2^steps, by one multiplication each. */
export function countAdamStep(powers: InOut, beta1: In, beta2: In): void {
  store<f64>(powers, load<f64>(powers) + 1)
  store<f64>(powers, load<f64>(powers, 8) * load<f64>(beta1), 8)
  store<f64>(powers, load<f64>(powers, 16) * load<f64>(beta2), 16)
}

// @ts-ignore: decorator
@inline
function adamUpdate(
  decoupled: bool, param: usize, grad: usize, m: usize, v: usize, powers: usize,
  lr: usize, beta1: usize, beta2: usize, eps: usize, weightDecay: usize, n: i32,
): void {
  const rate = load<f64>(lr)
  const b1 = load<f64>(beta1)
  const b2 = load<f64>(beta2)
  const keep1 = splat(b1)
  const keep2 = splat(b2)
  const take1 = splat(1 - b1)
  const take2 = splat(1 - b2)
  const decay = splat(decoupled ? 1 - rate * load<f64>(weightDecay) : load<f64>(weightDecay))
  const decays = load<f64>(weightDecay) != 0
  const step = splat(-rate / (1 - load<f64>(powers, 8)))
  const root = splat(Math.sqrt(1 - load<f64>(powers, 16)))
  const floor = splat(load<f64>(eps))
  for (let i = 0; i < n; i += 4) {
    let p = v128.load(at(param, i))
    let g = v128.load(at(grad, i))
    if (decays) {
      if (decoupled) p = f32x4.mul(p, decay)
      else g = f32x4.add(g, f32x4.mul(p, decay))
    }
    const m1 = flush(f32x4.add(f32x4.mul(v128.load(at(m, i)), keep1), f32x4.mul(g, take1)))
    const v1 = flush(f32x4.add(f32x4.mul(v128.load(at(v, i)), keep2), f32x4.mul(f32x4.mul(g, g), take2)))
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v1), root), floor)
    p = f32x4.add(p, f32x4.div(f32x4.mul(m1, step), denominator))
    storeLanes(at(m, i), m1, n - i)
    storeLanes(at(v, i), v1, n - i)
    storeLanes(at(param, i), p, n - i)
  }
}

/** g = grad + weightDecay param;  m = β1 m + (1-β1) g;  v = β2 v + (1-β2) g²;
 *  param -= lr / (1 - β1^t) · m / (√v / √(1 - β2^t) + eps).  Kingma, Ba, 2015; torch.optim.Adam. */
export function adam(
  param: InOut, grad: In, m: InOut, v: InOut, powers: In,
  lr: In, beta1: In, beta2: In, eps: In, weightDecay: In, n: i32,
): void {
  adamUpdate(false, param, grad, m, v, powers, lr, beta1, beta2, eps, weightDecay, n)
}

/** As adam, with decay apart from the gradient: param *= 1 - lr weightDecay first.
 *  Loshchilov, Hutter, 2019; torch.optim.AdamW. */
export function adamw(
  param: InOut, grad: In, m: InOut, v: InOut, powers: In,
  lr: In, beta1: In, beta2: In, eps: In, weightDecay: In, n: i32,
): void {
  adamUpdate(true, param, grad, m, v, powers, lr, beta1, beta2, eps, weightDecay, n)
}
