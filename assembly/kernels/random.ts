// Random draws. A generator (see random.ts) counts its draws: nextDraw follows every one, and the same (seed, draw) gives
// the same numbers. Element 0 has number `first` of the draw, a multiple of 16: parts draw what the whole would.

import { In, InOut, Out, Scratch } from '../abi'
import { log, sinTurn } from '../math'
import { uniform4 } from '../random'
import { at, storeLanes } from '../simd'

/** Counts one draw. */
export function nextDraw(generator: InOut): void {
  store<u64>(generator, load<u64>(generator, 8) + 1, 8)
}

/** out ~ U[low, high).  out: [n]; block: 16 words. */
export function uniform(out: Out, generator: In, block: Scratch, low: f32, high: f32, first: i32, n: i32): void {
  const base = f32x4.splat(low)
  const span = f32x4.splat(high - low)
  for (let i = 0; i < n; i += 4) {
    storeLanes(at(out, i), f32x4.add(f32x4.mul(uniform4(generator, block, first, i), span), base), n - i)
  }
}

/** out ~ N(mean, std²), by Box and Muller: √(-2 ln u) (cos, sin)(2π t).  out: [n]; block: 16 words. */
export function normal(out: Out, generator: In, block: Scratch, mean: f32, std: f32, first: i32, n: i32): void {
  const m = f32x4.splat(mean)
  const s = f32x4.splat(std)
  for (let i = 0; i < n; i += 8) {
    const a = uniform4(generator, block, first, i)
    const b = v128.load(at(block, (i & 15) + 4))
    // 1 - u is in (0, 1]: its logarithm is finite.
    const u = f32x4.sub(f32x4.splat(1), v128.shuffle<i64>(a, b, 0, 2))
    const turn = v128.shuffle<i64>(a, b, 1, 3)
    const radius = f32x4.sqrt(f32x4.mul(log(u), f32x4.splat(-2)))
    const x = f32x4.add(f32x4.mul(f32x4.mul(radius, sinTurn(turn, 1)), s), m)
    const y = f32x4.add(f32x4.mul(f32x4.mul(radius, sinTurn(turn, 0)), s), m)
    storeLanes(at(out, i), v128.shuffle<i64>(x, y, 0, 2), n - i)
    if (n - i > 4) storeLanes(at(out, i + 4), v128.shuffle<i64>(x, y, 1, 3), n - i - 4)
  }
}
