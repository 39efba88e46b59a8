// Averages of weights. Stretches as in assembly/update.ts; here sizes counts elements without padding.

import { In, InOut, Ints } from '../abi'
import { at, mulAdd, storeLanes } from '../simd'
import { padded, splat } from '../update'

/** average = decay · average + (1 - decay) · param, or param where updates (f64) is 1: the first. */
export function averageWeights(average: InOut, param: In, updates: In, decay: In, sizes: Ints): void {
  const first = load<f64>(updates) == 1
  const keep = splat(load<f64>(decay))
  const take = splat(1 - load<f64>(decay))
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const n = load<i32>(at(sizes, k + 1))
    for (let i = 0; i < n; i += 4) {
      const p = v128.load(at(param, i))
      const mixed = mulAdd(f32x4.mul(v128.load(at(average, i)), keep), p, take)
      storeLanes(at(average, i), first ? p : mixed, n - i)
    }
    average = at(average, padded(n))
    param = at(param, padded(n))
  }
}
