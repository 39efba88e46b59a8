// Packing brings the factors to where the micro-kernel reads them line after line (rows that are a power of two apart
// share cache sets), and absorbs transposes:
//
//   strips   of A, [m, k] or [k, m]:  ⌈m / 4⌉ strips of k lines of 4 rows' elements
//   panel    of B, [k, n] or [n, k]:  k lines of 16 columns; a row-major B may also be read where it is

import { storeLanes } from '../simd'
import { STRIP_ROW, TILE_ROW, TILE_ROWS } from './tile'

/** Strips of A [m, k], or of Aᵀ [k, m] when transposed; rows lda bytes apart. Rows past m repeat the last, or are
 *  what follows it in memory. */
export function packStrips(strips: usize, a: usize, lda: usize, m: i32, k: i32, transposed: bool): void {
  const strip = <usize>k * STRIP_ROW
  let i = 0
  if (transposed) {
    // Four strips at a time: a line of the cache is read once.
    for (; i + 4 * TILE_ROWS <= m; i += 4 * TILE_ROWS) {
      packColumns(strips, strip, a + (<usize>i << 2), lda, k)
      strips += 4 * strip
    }
  }
  for (; i < m; i += TILE_ROWS) {
    if (transposed) copyLines(strips, STRIP_ROW, a + (<usize>i << 2), lda, k)
    else packFour(strips, STRIP_ROW, a + <usize>i * lda, lda, min(m - i, TILE_ROWS), k)
    strips += strip
  }
}

/** Four neighbouring strips of Aᵀ. */
function packColumns(strips: usize, strip: usize, a: usize, lda: usize, k: i32): void {
  for (let p = 0; p < k; p++) {
    v128.store(strips, v128.load(a))
    v128.store(strips + strip, v128.load(a, 16))
    v128.store(strips + 2 * strip, v128.load(a, 32))
    v128.store(strips + 3 * strip, v128.load(a, 48))
    strips += STRIP_ROW
    a += lda
  }
}

/** The first four elements of k rows. */
function copyLines(to: usize, line: usize, from: usize, ld: usize, k: i32): void {
  for (let p = 0; p < k; p++) {
    v128.store(to, v128.load(from))
    to += line
    from += ld
  }
}

/** sums[i] = (add ? sums[i] : 0) + Σ over k of row i of the strips, i < m: the gradient of a bias, while dY is packed
 *  for that of the weight. */
export function sumStrips(sums: usize, strips: usize, m: i32, k: i32, add: bool): void {
  for (let i = 0; i < m; i += TILE_ROWS) {
    let s0 = f32x4.splat(0)
    let s1 = s0
    let p = 0
    for (; p + 2 <= k; p += 2) {
      s0 = f32x4.add(s0, v128.load(strips))
      s1 = f32x4.add(s1, v128.load(strips, 16))
      strips += 2 * STRIP_ROW
    }
    if (p < k) {
      s0 = f32x4.add(s0, v128.load(strips))
      strips += STRIP_ROW
    }
    const sum = f32x4.add(s0, s1)
    storeLanes(sums, add ? f32x4.add(v128.load(sums), sum) : sum, m - i)
    sums += 16
  }
}

/** panel[p, 0..16) = B[p, 0..16), rows of B ldb bytes apart. */
export function packRows(panel: usize, b: usize, ldb: usize, k: i32): void {
  for (let p = 0; p < k; p++) {
    copyEight(panel, b)
    copyEight(panel + 32, b + 32)
    panel += TILE_ROW
    b += ldb
  }
}

// @ts-ignore: decorator
@inline
export function copyEight(to: usize, from: usize): void {
  const v0 = v128.load(from)
  const v1 = v128.load(from, 16)
  v128.store(to, v0)
  v128.store(to, v1, 16)
}

/** to[p, j] = from[j, p] for p < k and the four rows j, of which those from `count` on repeat the last; lines of `to` are
 *  `line` bytes apart, rows of `from` ld bytes. */
export function packFour(to: usize, line: usize, from: usize, ld: usize, count: i32, k: i32): void {
  const last = from + <usize>(count - 1) * ld
  interleave(to, line, from, min(from + ld, last), min(from + 2 * ld, last), min(from + 3 * ld, last), k)
}

/** to[p, 0..4) = b0[p], b1[p], b2[p], b3[p] for p < k, by 4×4 transposes. */
export function interleave(to: usize, line: usize, b0: usize, b1: usize, b2: usize, b3: usize, k: i32): void {
  let p = 0
  for (; p + 4 <= k; p += 4) {
    const r0 = v128.load(b0)
    const r1 = v128.load(b1)
    const r2 = v128.load(b2)
    const r3 = v128.load(b3)
    const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
    const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
    const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
    const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
    v128.store(to, v128.shuffle<i64>(low01, low23, 0, 2))
    v128.store(to + line, v128.shuffle<i64>(low01, low23, 1, 3))
    v128.store(to + 2 * line, v128.shuffle<i64>(high01, high23, 0, 2))
    v128.store(to + 3 * line, v128.shuffle<i64>(high01, high23, 1, 3))
    to += 4 * line
    b0 += 16
    b1 += 16
    b2 += 16
    b3 += 16
  }
  for (; p < k; p++) {
    store<f32>(to, load<f32>(b0))
    store<f32>(to, load<f32>(b1), 4)
    store<f32>(to, load<f32>(b2), 8)
    store<f32>(to, load<f32>(b3), 12)
    to += line
    b0 += 4
    b1 += 4
    b2 += 4
    b3 += 4
  }
}

/** panel[p, j] = Bᵀ[j, p] for j < width, rows of Bᵀ ldb bytes apart; columns past width, up to the next multiple of
 *  4, repeat the last. */
export function packTransposed(panel: usize, b: usize, ldb: usize, k: i32, width: i32): void {
  for (let j = 0; j < width; j += 4) {
    packFour(panel, TILE_ROW, b, ldb, min(width - j, 4), k)
    panel += 16
    b += 4 * ldb
  }
}
