// Dropout. Which elements were kept is remembered in bits for the backward.

import { In, Out, Scratch } from '../abi'
import { uniform4 } from '../random'
import { at, storeLanes } from '../simd'

/** factor in the lanes whose bits (0 .. 3) are set, 0 in the others. */
// @ts-ignore: decorator
@inline
function lanesOf(bits: i32, factor: v128): v128 {
  const lanes = i32x4(1, 2, 4, 8)
  return v128.and(factor, i32x4.eq(v128.and(i32x4.splat(bits), lanes), lanes))
}

/** out = x factor with probability 1 - p, else x 0.  out, x: [n]; kept: one byte for four elements, its bits say
 *  which were kept; block: 16 words. Element i is kept where number first + i of the draw (in [0, 1)) is
 *  >= p. */
export function dropout(
  out: Out, kept: Out, generator: In, block: Scratch, x: In, p: f32, factor: f32, first: i32, n: i32,
): void {
  const f = f32x4.splat(factor)
  const limit = f32x4.splat(p)
  for (let i = 0; i < n; i += 4) {
    const bits = i32x4.bitmask(f32x4.ge(uniform4(generator, block, first, i), limit))
    store<u8>(kept + (i >> 2), bits)
    storeLanes(at(out, i), f32x4.mul(v128.load(at(x, i)), lanesOf(bits, f)), n - i)
  }
}

/** dx = dy factor where x was kept, else dy 0.  dx, dy: [n]. */
export function dropoutBackward(dx: Out, dy: In, kept: In, factor: f32, n: i32): void {
  const f = f32x4.splat(factor)
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const bits = load<u16>(kept + (i >> 2))
    v128.store(at(dx, i), f32x4.mul(v128.load(at(dy, i)), lanesOf(bits, f)))
    v128.store(at(dx, i), f32x4.mul(v128.load(at(dy, i), 16), lanesOf(bits >> 8, f)), 16)
  }
  for (; i < n; i += 4) storeLanes(at(dx, i), f32x4.mul(v128.load(at(dy, i)), lanesOf(load<u8>(kept + (i >> 2)), f)), n - i)
}
