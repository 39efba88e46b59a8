// The parts of Muon around its matrix products (assembly/kernels/gemm.ts): layout and conventions as in
// assembly/update.ts.

import { In, InOut, Ints, Out } from '../abi'
import { at, loadLanes, mulAdd, mulSub, storeLanes } from '../simd'
import { splat } from '../update'

/** velocity += (1 - momentum) (grad - velocity);  out = nesterov ? grad + momentum (velocity - grad) : velocity. */
export function muonMomentum(out: Out, grad: In, velocity: InOut, sizes: Ints, momentum: In, nesterov: i32, maximize: i32): void {
  const mu = splat(load<f64>(momentum))
  const take = splat(1 - load<f64>(momentum))
  const sign = i32x4.splat(maximize ? i32.MIN_VALUE : 0)
  const count = load<i32>(sizes)
  for (let k = 0; k < count; k++) {
    const end = at(grad, load<i32>(at(sizes, k + 1)))
    for (; grad < end; grad += 16, velocity += 16, out += 16) {
      const g = v128.xor(v128.load(grad), sign)
      let v = v128.load(velocity)
      v = mulAdd(v, f32x4.sub(g, v), take)
      v128.store(velocity, v128.andnot(v, f32x4.lt(f32x4.abs(v), f32x4.splat(1e-30))))
      v128.store(out, nesterov ? mulAdd(g, f32x4.sub(v, g), mu) : v)
    }
  }
}

/** x /= max(|x|, eps), |x| = √Σ x² in f64.  x: [n]. */
export function normalize(x: InOut, eps: In, n: i32): void {
  let sum = f64x2.splat(0)
  for (let i = 0; i < n; i += 4) {
    const v = loadLanes(at(x, i), n - i)
    const low = f64x2.promote_low_f32x4(v)
    const high = f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0))
    sum = f64x2.add(sum, f64x2.add(f64x2.mul(low, low), f64x2.mul(high, high)))
  }
  const size = Math.sqrt(f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1))
  const factor = splat(1 / max(size, load<f64>(eps)))
  for (let i = 0; i < n; i += 4) storeLanes(at(x, i), f32x4.mul(v128.load(at(x, i)), factor), n - i)
}

/** y = a x + b y.  x, y: [n]. */
export function mixInto(y: InOut, x: In, a: f32, b: f32, n: i32): void {
  const first = f32x4.splat(a)
  const second = f32x4.splat(b)
  for (let i = 0; i < n; i += 4) {
    const sum = mulAdd(f32x4.mul(v128.load(at(x, i)), first), v128.load(at(y, i)), second)
    storeLanes(at(y, i), sum, n - i)
  }
}

/** param = (1 - lr weightDecay) param - lr scale u.  param, u: [n]. */
export function muonStep(param: InOut, u: In, lr: In, weightDecay: In, scale: f32, n: i32): void {
  const keep = splat(1 - load<f64>(lr) * load<f64>(weightDecay))
  const rate = splat(load<f64>(lr) * <f64>scale)
  for (let i = 0; i < n; i += 4) {
    const p = f32x4.mul(v128.load(at(param, i)), keep)
    storeLanes(at(param, i), mulSub(p, v128.load(at(u, i)), rate), n - i)
  }
}
