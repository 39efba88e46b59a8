// Gradient descent: layout and conventions as in assembly/update.ts.

import { In, InOut, Ints, OptionalInOut } from '../abi'
import { at, mulAdd } from '../simd'
import { COUNTERS, signOf, splat } from '../update'

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
