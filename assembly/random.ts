// Philox4x32-10, a counter-based generator: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as
// easy as 1, 2, 3", 2011. Key = seed; counter = (index, call): any element of any draw can be computed
// alone, so draws are replayable from (seed, call) and do not depend on who computes which part.
//
// A generator is 16 bytes of memory: u64 seed, u64 number of draws so far.

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

/** Four uniform numbers in [0, 1) with 24 bits each: block `index` of the generator's current draw. */
// @ts-ignore: decorator
@inline
export function uniform4(generator: usize, block: usize, index: i32): v128 {
  philox(block, load<u64>(generator), load<u64>(generator, 8), <u64>index)
  return f32x4.mul(f32x4.convert_i32x4_u(i32x4.shr_u(v128.load(block), 8)), f32x4.splat(5.9604644775390625e-8))
}

/** Counts one draw. */
// @ts-ignore: decorator
@inline
export function nextDraw(generator: usize): void {
  store<u64>(generator, load<u64>(generator, 8) + 1, 8)
}
