// The micro-kernel: C = F + A · B for (half) a panel of B and any number of strips of A, four rows each, in registers.
//
//              B  [k, 16]                   rows ldb bytes apart
//             ┌────┬────┬────┬────┐
//             │ b0 │ b1 │ b2 │ b3 │         A: strips one after the other, each k lines of 4 rows' elements
//   ┌───────┐ ├────┼────┼────┼────┤         F: where sums start (zeros, a bias, the sum over earlier k), rows ldf
//   │ strip │ │ c00  c01  c02  c03│            bytes apart; may be C
//   │   4   │ │ c10  …            │         C: rows ldc bytes apart, stored in full
//   └───────┘ └───────────────────┘
//
// Every element of C is one sum over p = 0 .. k-1 in that order, and goes on where F ends: results do not depend
// on tile sizes, on blocks of k, or on who computes which part.
//
// Two widths: 4×8 fills the 15 vector registers that V8 has on x64; where V8's 256-bit pass makes one instruction of two
// neighbouring vectors, 4×16 does. GFLOP/s for 120×32×784 / 480×512×480, Xeon (Sapphire Rapids), packed:
//
//              4×8       5×8       6×8       4×16      5×16
//   Node 20    48 / 47   39 / 39   36 / 38   – / 44    – / 41      128-bit multiplications and additions alone: 48
//   Node 24    48 / 48   46 / 47   – / 46    – / 44    – / 42
//   its pass                                 73 / 85   81 / 86
//   fast, 24   52 / 51                       44 / 50             for 128³ / 512³, with fused multiply-add
//   its pass   61 / 57                       97 / 97             the limit of 8 sums that each wait 4 cycles
//
// The loop over strips lies inside: a call for each tile costs 38 instead of 48 at k = 32. Reading rows of A where they
// are, instead of strips, costs 44 instead of 48 (four pointers more); k unrolled by 2 falls to 36 .. 41 on Node 20.
// Nothing but the stores may follow the loop over k: with a max or branches there, or in a function with other tiles,
// Node 20 keeps sums on the stack within it (38 and 10 GFLOP/s).

import { at, mulAdd, storeLanes } from '../simd'

/** Columns of a tile, 8 or 16: the host says which when it instantiates the core. No result depends on it. */
// @ts-ignore: decorator
@external("env", "tileColumns")
declare const COLUMNS: i32

export const TILE_ROWS = 4
/** Columns of a panel: one tile, or two side by side. */
export const TILE_COLUMNS = 16
/** Bytes of a line of a panel: a line of the cache. */
export const TILE_ROW: usize = 4 * TILE_COLUMNS
/** Rows of A that share one call, at most. */
export const ROWS = 256
/** Bytes of the buffer for tiles that are larger than what is left of C. */
export const TILE_BYTES: usize = 4 * ROWS * TILE_COLUMNS
/** Bytes of one k of a strip. */
export const STRIP_ROW: usize = 4 * TILE_ROWS

/** F of a sum that starts at nothing, with ldf = 0. */
export const ZEROS: usize = memory.data(4 * TILE_COLUMNS, 16)

// NV (1, 2 or 4 vectors) is a constant at every call: the branches on it fold away.
// @ts-ignore: decorator
@inline
function tiles(NV: i32, c: usize, ldc: usize, a: usize, b: usize, ldb: usize, k: i32, f: usize, ldf: usize, strips: i32): void {
  while (strips > 0) {
    let left = k, line = b, from = f
    let c00 = v128.load(from), c01 = NV > 1 ? v128.load(from, 16) : c00, c02 = NV > 2 ? v128.load(from, 32) : c00, c03 = NV > 2 ? v128.load(from, 48) : c00
    from += ldf
    let c10 = v128.load(from), c11 = NV > 1 ? v128.load(from, 16) : c10, c12 = NV > 2 ? v128.load(from, 32) : c10, c13 = NV > 2 ? v128.load(from, 48) : c10
    from += ldf
    let c20 = v128.load(from), c21 = NV > 1 ? v128.load(from, 16) : c20, c22 = NV > 2 ? v128.load(from, 32) : c20, c23 = NV > 2 ? v128.load(from, 48) : c20
    from += ldf
    let c30 = v128.load(from), c31 = NV > 1 ? v128.load(from, 16) : c30, c32 = NV > 2 ? v128.load(from, 32) : c30, c33 = NV > 2 ? v128.load(from, 48) : c30
    f = from + ldf
    while (left > 0) {
      const b0 = v128.load(line), b1 = NV > 1 ? v128.load(line, 16) : b0, b2 = NV > 2 ? v128.load(line, 32) : b0, b3 = NV > 2 ? v128.load(line, 48) : b0
      const s0 = v128.load32_splat(a)
      c00 = mulAdd(c00, s0, b0); if (NV > 1) c01 = mulAdd(c01, s0, b1); if (NV > 2) { c02 = mulAdd(c02, s0, b2); c03 = mulAdd(c03, s0, b3) }
      const s1 = v128.load32_splat(a, 4)
      c10 = mulAdd(c10, s1, b0); if (NV > 1) c11 = mulAdd(c11, s1, b1); if (NV > 2) { c12 = mulAdd(c12, s1, b2); c13 = mulAdd(c13, s1, b3) }
      const s2 = v128.load32_splat(a, 8)
      c20 = mulAdd(c20, s2, b0); if (NV > 1) c21 = mulAdd(c21, s2, b1); if (NV > 2) { c22 = mulAdd(c22, s2, b2); c23 = mulAdd(c23, s2, b3) }
      const s3 = v128.load32_splat(a, 12)
      c30 = mulAdd(c30, s3, b0); if (NV > 1) c31 = mulAdd(c31, s3, b1); if (NV > 2) { c32 = mulAdd(c32, s3, b2); c33 = mulAdd(c33, s3, b3) }
      line += ldb
      a += STRIP_ROW
      left--
    }
    v128.store(c, c00); if (NV > 1) v128.store(c, c01, 16); if (NV > 2) { v128.store(c, c02, 32); v128.store(c, c03, 48) }
    c += ldc
    v128.store(c, c10); if (NV > 1) v128.store(c, c11, 16); if (NV > 2) { v128.store(c, c12, 32); v128.store(c, c13, 48) }
    c += ldc
    v128.store(c, c20); if (NV > 1) v128.store(c, c21, 16); if (NV > 2) { v128.store(c, c22, 32); v128.store(c, c23, 48) }
    c += ldc
    v128.store(c, c30); if (NV > 1) v128.store(c, c31, 16); if (NV > 2) { v128.store(c, c32, 32); v128.store(c, c33, 48) }
    c += ldc
    strips--
  }
}

function tiles4x4(c: usize, ldc: usize, a: usize, b: usize, ldb: usize, k: i32, f: usize, ldf: usize, strips: i32): void { tiles(1, c, ldc, a, b, ldb, k, f, ldf, strips) }
function tiles4x8(c: usize, ldc: usize, a: usize, b: usize, ldb: usize, k: i32, f: usize, ldf: usize, strips: i32): void { tiles(2, c, ldc, a, b, ldb, k, f, ldf, strips) }
function tiles4x16(c: usize, ldc: usize, a: usize, b: usize, ldb: usize, k: i32, f: usize, ldf: usize, strips: i32): void { tiles(4, c, ldc, a, b, ldb, k, f, ldf, strips) }

// Called through a table, so that each stays a function of its own.
const widths: StaticArray<(c: usize, ldc: usize, a: usize, b: usize, ldb: usize, k: i32, f: usize, ldf: usize, strips: i32) => void> = [
  tiles4x4, tiles4x8, tiles4x16,
]

/** C [rows, width] = F + A · B, or relu of it; up to ROWS rows, in strips, and 16 columns.  Rows of B and, when it is
 *  one row (ldf = 0), F are readable for 16 columns.  buffer: TILE_BYTES. */
export function multiplyPanel(
  c: usize, ldc: usize, rows: i32, width: i32, a: usize, b: usize, ldb: usize, k: i32, f: usize, ldf: usize, relu: bool, buffer: usize,
): void {
  for (let j = 0; j < width; j += COLUMNS) {
    multiplyColumns(at(c, j), ldc, rows, min(width - j, COLUMNS), a, at(b, j), ldb, k, at(f, j), ldf, buffer)
  }
  if (relu) clampRows(c, ldc, rows, width)
}

/** The same for one width of tile. */
function multiplyColumns(
  c: usize, ldc: usize, rows: i32, width: i32, a: usize, b: usize, ldb: usize, k: i32, f: usize, ldf: usize, buffer: usize,
): void {
  const kind = width > 8 ? 2 : width > 4 ? 1 : 0
  const multiply = unchecked(widths[kind])
  const whole = width == 4 << kind ? rows / TILE_ROWS : 0
  const done = whole * TILE_ROWS
  if (whole > 0) multiply(c, ldc, a, b, ldb, k, f, ldf, whole)
  if (done == rows) return
  const rest = rows - done
  if (ldf) copyRows(buffer, TILE_ROW, f + <usize>done * ldf, ldf, rest, width)
  const strips = (rest + TILE_ROWS - 1) / TILE_ROWS
  multiply(buffer, TILE_ROW, a + stripBytes(done, k), b, ldb, k, ldf ? buffer : f, ldf ? TILE_ROW : 0, strips)
  copyRows(c + <usize>done * ldc, ldc, buffer, TILE_ROW, rest, width)
}

/** Bytes of the strips of A [m, k]. */
// @ts-ignore: decorator
@inline
export function stripBytes(m: i32, k: i32): usize {
  return <usize>((m + TILE_ROWS - 1) / TILE_ROWS) * <usize>k * STRIP_ROW
}

function copyRows(to: usize, ldt: usize, from: usize, ldf: usize, rows: i32, width: i32): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < width; j += 4) storeLanes(at(to, j), v128.load(at(from, j)), width - j)
    to += ldt
    from += ldf
  }
}

/** c = relu(c). NaN passes. */
export function clampRows(c: usize, ldc: usize, rows: i32, width: i32): void {
  const zero = f32x4.splat(0)
  for (let i = 0; i < rows; i++) {
    let j = 0
    for (; j + 8 <= width; j += 8) {
      const p = at(c, j)
      const v0 = f32x4.pmax(v128.load(p), zero)
      const v1 = f32x4.pmax(v128.load(p, 16), zero)
      v128.store(p, v0)
      v128.store(p, v1, 16)
    }
    for (; j < width; j += 4) storeLanes(at(c, j), f32x4.pmax(v128.load(at(c, j)), zero), width - j)
    c += ldc
  }
}
