// The micro-kernel: C[MR, 4 NV] = A[MR, k] · B[k, 4 NV], in registers.
//
//              B  [k, 8]    rows ldb bytes apart
//             ┌────────┐
//   A [MR, k] │ b0  b1 │    A: rows lda bytes apart; or, TA, a packed strip of Aᵀ: k rows of 6
//   ┌───────┐ ├────────┤
//   │ splat │ │ c00 c01│    C: rows ldc bytes apart, stored in full
//   └───────┘ └────────┘
//
// Every element of C is one sum over p = 0 .. k-1 in that order, whatever the tile: results do not
// depend on tile sizes, blocking or who computes which part.
//
// 6×8 fills the 15 vector registers that V8 has on x64; measured against 4×8, 4×16 and 6×16, with k
// unrolled by 1 and 2 (ARCHITECTURE.md, decisions). Nothing but the stores may follow the loop: with
// branches there (edges, sums over several blocks of k), Node 20 kept accumulators on the stack within
// the loop, 31 → 23 GFLOP/s. Such tiles go to a buffer, and gemm takes them from there.

/** Rows of the largest tile. */
export const TILE_ROWS = 6
/** Columns of the largest tile. */
export const TILE_COLUMNS = 8

// @ts-ignore: decorator
@inline
function madd(c: v128, a: v128, b: v128): v128 {
  return f32x4.add(c, f32x4.mul(a, b))
}

// MR, NV and TA are constants at every call: the branches on them fold away.
// @ts-ignore: decorator
@inline
function tile(MR: i32, NV: i32, TA: bool, c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0)
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0)
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0)
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0)
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0)
  let c50 = f32x4.splat(0), c51 = f32x4.splat(0)
  let a0 = a, a1 = TA ? a : a + 1 * lda, a2 = TA ? a : a + 2 * lda, a3 = TA ? a : a + 3 * lda, a4 = TA ? a : a + 4 * lda, a5 = TA ? a : a + 5 * lda
  while (k > 0) {
    const b0 = v128.load(b)
    const b1 = NV > 1 ? v128.load(b, 16) : b0
    if (MR > 0) { const s = TA ? v128.load32_splat(a0, 0) : v128.load32_splat(a0); c00 = madd(c00, s, b0); if (NV > 1) c01 = madd(c01, s, b1) }
    if (MR > 1) { const s = TA ? v128.load32_splat(a0, 4) : v128.load32_splat(a1); c10 = madd(c10, s, b0); if (NV > 1) c11 = madd(c11, s, b1) }
    if (MR > 2) { const s = TA ? v128.load32_splat(a0, 8) : v128.load32_splat(a2); c20 = madd(c20, s, b0); if (NV > 1) c21 = madd(c21, s, b1) }
    if (MR > 3) { const s = TA ? v128.load32_splat(a0, 12) : v128.load32_splat(a3); c30 = madd(c30, s, b0); if (NV > 1) c31 = madd(c31, s, b1) }
    if (MR > 4) { const s = TA ? v128.load32_splat(a0, 16) : v128.load32_splat(a4); c40 = madd(c40, s, b0); if (NV > 1) c41 = madd(c41, s, b1) }
    if (MR > 5) { const s = TA ? v128.load32_splat(a0, 20) : v128.load32_splat(a5); c50 = madd(c50, s, b0); if (NV > 1) c51 = madd(c51, s, b1) }
    b += ldb
    if (TA) a0 += 4 * TILE_ROWS
    else { a0 += 4; if (MR > 1) a1 += 4; if (MR > 2) a2 += 4; if (MR > 3) a3 += 4; if (MR > 4) a4 += 4; if (MR > 5) a5 += 4 }
    k--
  }
  if (MR > 0) { v128.store(c, c00); if (NV > 1) v128.store(c, c01, 16); c += ldc }
  if (MR > 1) { v128.store(c, c10); if (NV > 1) v128.store(c, c11, 16); c += ldc }
  if (MR > 2) { v128.store(c, c20); if (NV > 1) v128.store(c, c21, 16); c += ldc }
  if (MR > 3) { v128.store(c, c30); if (NV > 1) v128.store(c, c31, 16); c += ldc }
  if (MR > 4) { v128.store(c, c40); if (NV > 1) v128.store(c, c41, 16); c += ldc }
  if (MR > 5) { v128.store(c, c50); if (NV > 1) v128.store(c, c51, 16); c += ldc }
}

function n6x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(6, 2, false, c, ldc, a, lda, b, ldb, k) }
function n5x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(5, 2, false, c, ldc, a, lda, b, ldb, k) }
function n4x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(4, 2, false, c, ldc, a, lda, b, ldb, k) }
function n3x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(3, 2, false, c, ldc, a, lda, b, ldb, k) }
function n2x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(2, 2, false, c, ldc, a, lda, b, ldb, k) }
function n1x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(1, 2, false, c, ldc, a, lda, b, ldb, k) }
function n6x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(6, 1, false, c, ldc, a, lda, b, ldb, k) }
function n5x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(5, 1, false, c, ldc, a, lda, b, ldb, k) }
function n4x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(4, 1, false, c, ldc, a, lda, b, ldb, k) }
function n3x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(3, 1, false, c, ldc, a, lda, b, ldb, k) }
function n2x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(2, 1, false, c, ldc, a, lda, b, ldb, k) }
function n1x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(1, 1, false, c, ldc, a, lda, b, ldb, k) }
function t6x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(6, 2, true, c, ldc, a, lda, b, ldb, k) }
function t5x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(5, 2, true, c, ldc, a, lda, b, ldb, k) }
function t4x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(4, 2, true, c, ldc, a, lda, b, ldb, k) }
function t3x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(3, 2, true, c, ldc, a, lda, b, ldb, k) }
function t2x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(2, 2, true, c, ldc, a, lda, b, ldb, k) }
function t1x8(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(1, 2, true, c, ldc, a, lda, b, ldb, k) }
function t6x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(6, 1, true, c, ldc, a, lda, b, ldb, k) }
function t5x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(5, 1, true, c, ldc, a, lda, b, ldb, k) }
function t4x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(4, 1, true, c, ldc, a, lda, b, ldb, k) }
function t3x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(3, 1, true, c, ldc, a, lda, b, ldb, k) }
function t2x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(2, 1, true, c, ldc, a, lda, b, ldb, k) }
function t1x4(c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void { tile(1, 1, true, c, ldc, a, lda, b, ldb, k) }

/** The tile of `rows` (1..6) rows and 8 columns, or 4 when that is enough for `width`; transposed: from a
 *  strip of Aᵀ. */
export function multiplyTile(rows: i32, width: i32, transposed: bool, c: usize, ldc: usize, a: usize, lda: usize, b: usize, ldb: usize, k: i32): void {
  switch (rows + (width > 4 ? 0 : 6) + (transposed ? 12 : 0)) {
    case 1: n1x8(c, ldc, a, lda, b, ldb, k); return
    case 2: n2x8(c, ldc, a, lda, b, ldb, k); return
    case 3: n3x8(c, ldc, a, lda, b, ldb, k); return
    case 4: n4x8(c, ldc, a, lda, b, ldb, k); return
    case 5: n5x8(c, ldc, a, lda, b, ldb, k); return
    case 6: n6x8(c, ldc, a, lda, b, ldb, k); return
    case 7: n1x4(c, ldc, a, lda, b, ldb, k); return
    case 8: n2x4(c, ldc, a, lda, b, ldb, k); return
    case 9: n3x4(c, ldc, a, lda, b, ldb, k); return
    case 10: n4x4(c, ldc, a, lda, b, ldb, k); return
    case 11: n5x4(c, ldc, a, lda, b, ldb, k); return
    case 12: n6x4(c, ldc, a, lda, b, ldb, k); return
    case 13: t1x8(c, ldc, a, lda, b, ldb, k); return
    case 14: t2x8(c, ldc, a, lda, b, ldb, k); return
    case 15: t3x8(c, ldc, a, lda, b, ldb, k); return
    case 16: t4x8(c, ldc, a, lda, b, ldb, k); return
    case 17: t5x8(c, ldc, a, lda, b, ldb, k); return
    case 18: t6x8(c, ldc, a, lda, b, ldb, k); return
    case 19: t1x4(c, ldc, a, lda, b, ldb, k); return
    case 20: t2x4(c, ldc, a, lda, b, ldb, k); return
    case 21: t3x4(c, ldc, a, lda, b, ldb, k); return
    case 22: t4x4(c, ldc, a, lda, b, ldb, k); return
    case 23: t5x4(c, ldc, a, lda, b, ldb, k); return
    case 24: t6x4(c, ldc, a, lda, b, ldb, k); return
  }
}

/** Rows of the next tile when `left` remain. 7..11 are split evenly: a tile of one or two rows would wait on
 *  its own additions. */
// @ts-ignore: decorator
@inline
export function tileRows(left: i32): i32 {
  return left >= 2 * TILE_ROWS ? TILE_ROWS : left > TILE_ROWS ? (left + 1) >> 1 : left
}
