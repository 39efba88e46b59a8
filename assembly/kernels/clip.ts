// Gradients held within bounds. Stretches as in assembly/update.ts; here sizes counts elements without padding. Sums go
// parameter by parameter, so that the result does not depend on where they lie.

import { In, InOut, Ints, Out } from '../abi'
import { at, loadLanes, storeLanes } from '../simd'
import { padded, splat } from '../update'

/** sums[k] (f64) = Σ |grad|^p of parameter k; p = 1, 2, or Infinity: the largest |grad|. */
export function gradientPowers(sums: Out, grad: In, sizes: Ints, p: f32): void {
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const n = load<i32>(at(sizes, k + 1))
    let low = f64x2.splat(0)
    let high = low
    let most = f32x4.splat(0)
    for (let i = 0; i < n; i += 4) {
      const g = f32x4.abs(loadLanes(at(grad, i), n - i))
      if (p == Infinity) {
        most = f32x4.max(most, g)
        continue
      }
      let a = f64x2.promote_low_f32x4(g)
      let b = f64x2.promote_low_f32x4(v128.shuffle<i64>(g, g, 1, 0))
      if (p == 2) {
        a = f64x2.mul(a, a)
        b = f64x2.mul(b, b)
      }
      low = f64x2.add(low, a)
      high = f64x2.add(high, b)
    }
    if (p == Infinity) {
      low = f64x2.promote_low_f32x4(most)
      high = f64x2.promote_low_f32x4(v128.shuffle<i64>(most, most, 1, 0))
      low = f64x2.max(low, high)
      store<f64>(sums, max(f64x2.extract_lane(low, 0), f64x2.extract_lane(low, 1)))
    } else {
      low = f64x2.add(low, high)
      store<f64>(sums, f64x2.extract_lane(low, 0) + f64x2.extract_lane(low, 1))
    }
    sums += 8
    grad = at(grad, padded(n))
  }
}

/** norm[0] = (Σ sums)^(1/p), or the largest of sums; refuses a norm that is not finite where `strict`. */
export function normOfPowers(norm: Out, sums: In, n: i32, p: f32, strict: i32): i32 {
  let total: f64 = 0
  for (let i = 0; i < n; i++) {
    const sum = load<f64>(sums + (<usize>i << 3))
    total = p == Infinity ? max(total, sum) : total + sum
  }
  const value = <f32>(p == 2 ? Math.sqrt(total) : total)
  store<f32>(norm, value)
  return strict && !isFinite(value) ? 1 : 0
}

/** grad *= min(1, maxNorm / (norm + 1e-6)). */
export function scaleToNorm(grad: InOut, norm: In, sizes: Ints, maxNorm: f32): void {
  const share = <f64>maxNorm / (<f64>load<f32>(norm) + 1e-6)
  if (share >= 1) return
  const factor = splat(share)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const n = load<i32>(at(sizes, k + 1))
    for (let i = 0; i < n; i += 4) storeLanes(at(grad, i), f32x4.mul(v128.load(at(grad, i)), factor), n - i)
    grad = at(grad, padded(n))
  }
}

/** grad = min(max(grad, -bound), bound). */
export function clampGradient(grad: InOut, sizes: Ints, bound: f32): void {
  const high = f32x4.splat(bound)
  const low = f32x4.splat(-bound)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const n = load<i32>(at(sizes, k + 1))
    for (let i = 0; i < n; i += 4) {
      storeLanes(at(grad, i), f32x4.min(f32x4.max(v128.load(at(grad, i)), low), high), n - i)
    }
    grad = at(grad, padded(n))
  }
}
