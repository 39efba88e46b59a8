// Random draws. A generator (see random.ts) counts its draws: every call takes a fresh one, and the
// same (seed, draw) gives the same numbers.

import { InOut, Out, Scratch } from '../abi'
import { log, sinTurn } from '../math'
import { nextDraw, uniform4 } from '../random'
import { at, storeLanes } from '../simd'

/** out ~ U[low, high).  out: [n]; block: 4 words. */
export function uniform(out: Out, generator: InOut, block: Scratch, low: f32, high: f32, n: i32): void {
  const base = f32x4.splat(low)
  const span = f32x4.splat(high - low)
  for (let i = 0; i < n; i += 4) {
    storeLanes(at(out, i), f32x4.add(f32x4.mul(uniform4(generator, block, i >> 2), span), base), n - i)
  }
  nextDraw(generator)
}

/** out ~ N(mean, std²), by Box and Muller: √(-2 ln u) (cos, sin)(2π t).  out: [n]; block: 4 words. */
export function normal(out: Out, generator: InOut, block: Scratch, mean: f32, std: f32, n: i32): void {
  for (let i = 0; i < n; i += 4) {
    const t = uniform4(generator, block, i >> 2)
    // 1 - u is in (0, 1]: its logarithm is finite.
    const u = f32x4.sub(f32x4.splat(1), v128.shuffle<f32>(t, t, 0, 1, 0, 1))
    const turn = v128.shuffle<f32>(t, t, 2, 3, 2, 3)
    const radius = f32x4.sqrt(f32x4.mul(log(u), f32x4.splat(-2)))
    const wave = v128.shuffle<f32>(sinTurn(turn, 1), sinTurn(turn, 0), 0, 1, 4, 5)
    const z = f32x4.mul(radius, wave)
    storeLanes(at(out, i), f32x4.add(f32x4.mul(z, f32x4.splat(std)), f32x4.splat(mean)), n - i)
  }
  nextDraw(generator)
}
