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
