// Steps by the signs of gradients: layout and conventions as in assembly/update.ts.

import { In, InOut, Ints } from '../abi'
import { at } from '../simd'
import { COUNTERS, signOf, signTimes, splat } from '../update'

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
