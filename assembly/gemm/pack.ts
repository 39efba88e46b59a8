// Packing copies a panel of B, k rows of 8 columns, or a strip of Aᵀ, k rows of 6, to where the micro-kernel
// reads it line after line (rows that are a power of two apart share cache sets). A must where B is
// transposed in memory; a row-major B is worth it once enough rows of A use the panel.

import { TILE_COLUMNS, TILE_ROWS } from './tile'

const PANEL_ROW: usize = 4 * TILE_COLUMNS
const STRIP_ROW: usize = 4 * TILE_ROWS

/** strip[p, 0..6) = Aᵀ[p, 0..6), rows of Aᵀ lda bytes apart. */
export function packStrip(strip: usize, a: usize, lda: usize, k: i32): void {
  for (let p = 0; p < k; p++) {
    v128.store(strip, v128.load(a))
    v128.store64_lane(strip, v128.load(a, 16), 0, 16)
    strip += STRIP_ROW
    a += lda
  }
}

/** panel[p, 0..8) = B[p, 0..8), rows of B ldb bytes apart. */
export function packRows(panel: usize, b: usize, ldb: usize, k: i32): void {
  for (let p = 0; p < k; p++) {
    v128.store(panel, v128.load(b))
    v128.store(panel, v128.load(b, 16), 16)
    panel += PANEL_ROW
    b += ldb
  }
}

/** Four columns of the panel from four rows of Bᵀ, by 4×4 transposes. */
// @ts-ignore: decorator
@inline
function packFour(panel: usize, b0: usize, b1: usize, b2: usize, b3: usize, k: i32): void {
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
    v128.store(panel, v128.shuffle<i64>(low01, low23, 0, 2))
    v128.store(panel, v128.shuffle<i64>(low01, low23, 1, 3), PANEL_ROW)
    v128.store(panel, v128.shuffle<i64>(high01, high23, 0, 2), 2 * PANEL_ROW)
    v128.store(panel, v128.shuffle<i64>(high01, high23, 1, 3), 3 * PANEL_ROW)
    panel += 4 * PANEL_ROW
    b0 += 16
    b1 += 16
    b2 += 16
    b3 += 16
  }
  for (; p < k; p++) {
    store<f32>(panel, load<f32>(b0))
    store<f32>(panel, load<f32>(b1), 4)
    store<f32>(panel, load<f32>(b2), 8)
    store<f32>(panel, load<f32>(b3), 12)
    panel += PANEL_ROW
    b0 += 4
    b1 += 4
    b2 += 4
    b3 += 4
  }
}

/** panel[p, j] = Bᵀ[j, p] for j < width, rows of Bᵀ ldb bytes apart; columns past width repeat the last. */
export function packTransposed(panel: usize, b: usize, ldb: usize, k: i32, width: i32): void {
  const last = b + <usize>(width - 1) * ldb
  packFour(panel, b, min(b + ldb, last), min(b + 2 * ldb, last), min(b + 3 * ldb, last), k)
  if (width <= 4) return
  const middle = b + 4 * ldb
  packFour(panel + 16, middle, min(middle + ldb, last), min(middle + 2 * ldb, last), min(middle + 3 * ldb, last), k)
}
