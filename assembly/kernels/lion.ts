// Steps by the sign of a momentum: layout and conventions as in assembly/update.ts.

import { In, InOut, Ints } from '../abi'
import { at, mulAdd } from '../simd'
import { signOf, signTimes, splat } from '../update'

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
