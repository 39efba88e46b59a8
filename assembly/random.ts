// Philox4x32-10, a counter-based generator: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
// easy as 1, 2, 3", 2011. Key = seed; counter = (index, call): any element of any draw can be computed
// alone, so draws are replayable from (seed, call) and do not depend on who computes which part.
//
// A generator is 16 bytes of memory: u64 seed, u64 number of draws so far.

import { at } from './simd'

/** Writes the four u32 of block `index` of draw `call` to out. */
export function philox(out: usize, seed: u64, call: u64, index: u64): void {
  let k0 = <u32>seed
  let k1 = <u32>(seed >> 32)
  let c0 = <u32>index
  let c1 = <u32>(index >> 32)
  let c2 = <u32>call
  let c3 = <u32>(call >> 32)
  for (let round = 0; round < 10; round++) {
    const p0 = <u64>c0 * 0xd2511f53
    const p1 = <u64>c2 * 0xcd9e8d57
    c0 = <u32>(p1 >> 32) ^ c1 ^ k0
    c1 = <u32>p1
    c2 = <u32>(p0 >> 32) ^ c3 ^ k1
    c3 = <u32>p0
    k0 += 0x9e3779b9
    k1 += 0xbb67ae85
  }
  store<u32>(out, c0)
  store<u32>(out, c1, 4)
  store<u32>(out, c2, 8)
  store<u32>(out, c3, 12)
}

/** Of four products of 64 bits. */
// @ts-ignore: decorator
@inline
function lowHalves(even: v128, odd: v128): v128 {
  return v128.shuffle<i32>(even, odd, 0, 2, 4, 6)
}

// @ts-ignore: decorator
@inline
function highHalves(even: v128, odd: v128): v128 {
  return v128.shuffle<i32>(even, odd, 1, 3, 5, 7)
}

/** 24 bits of each lane as a number in [0, 1). */
// @ts-ignore: decorator
@inline
export function share(bits: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_u(i32x4.shr_u(bits, 8)), f32x4.splat(5.9604644775390625e-8))
}

/** Sixteen uniform numbers in [0, 1) with 24 bits each: blocks index .. index + 3 of the generator's current draw, a lane
 *  for each block until the end. 4.6 → 1.9 ns a number against one block after the other. */
export function uniform16(out: usize, generator: usize, index: i32): void {
  const m0 = i32x4.splat(0xd2511f53)
  const m1 = i32x4.splat(0xcd9e8d57)
  let k0 = v128.load32_splat(generator)
  let k1 = v128.load32_splat(generator, 4)
  let c0 = i32x4.add(i32x4.splat(index), i32x4(0, 1, 2, 3))
  let c1 = i32x4.splat(0)
  let c2 = v128.load32_splat(generator, 8)
  let c3 = v128.load32_splat(generator, 12)
  for (let round = 0; round < 10; round++) {
    const a0 = i64x2.extmul_low_i32x4_u(c0, m0)
    const a1 = i64x2.extmul_high_i32x4_u(c0, m0)
    const b0 = i64x2.extmul_low_i32x4_u(c2, m1)
    const b1 = i64x2.extmul_high_i32x4_u(c2, m1)
    c0 = v128.xor(v128.xor(highHalves(b0, b1), c1), k0)
    c1 = lowHalves(b0, b1)
    c2 = v128.xor(v128.xor(highHalves(a0, a1), c3), k1)
    c3 = lowHalves(a0, a1)
    k0 = i32x4.add(k0, i32x4.splat(0x9e3779b9))
    k1 = i32x4.add(k1, i32x4.splat(0xbb67ae85))
  }
  // Lanes of words to blocks of words.
  const low01 = v128.shuffle<i32>(c0, c1, 0, 4, 1, 5)
  const low23 = v128.shuffle<i32>(c2, c3, 0, 4, 1, 5)
  const high01 = v128.shuffle<i32>(c0, c1, 2, 6, 3, 7)
  const high23 = v128.shuffle<i32>(c2, c3, 2, 6, 3, 7)
  v128.store(out, share(v128.shuffle<i64>(low01, low23, 0, 2)))
  v128.store(out, share(v128.shuffle<i64>(low01, low23, 1, 3)), 16)
  v128.store(out, share(v128.shuffle<i64>(high01, high23, 0, 2)), 32)
  v128.store(out, share(v128.shuffle<i64>(high01, high23, 1, 3)), 48)
}

/** Numbers first + i .. first + i + 3 of the draw, first a multiple of 16 and i one of 4, from 0 to the last: every
 *  sixteenth time into the scratch. */
// @ts-ignore: decorator
@inline
export function uniform4(generator: usize, drawn: usize, first: i32, i: i32): v128 {
  if ((i & 15) == 0) uniform16(drawn, generator, (first + i) >> 2)
  return v128.load(at(drawn, i & 15))
}
