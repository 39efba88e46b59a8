// Matrix products in the three layouts that training needs: NN (dX = dY · W), NT (Y = X · Wᵀ) and
// TN (dW = dYᵀ · X). All run the same micro-kernels; packing serves the transposes.
//
//   for each block of k (1024)            the sum over k is the sum of its blocks, in order
//     for each block of rows (192)        of A: 768 KB, stays in the second-level cache; Aᵀ is packed
//       for each panel of B (8 columns)   packed: 32 KB, about the first-level cache
//         for each tile of A (6 rows)     micro-kernel

import { In, OptionalIn, Out, Scratch } from '../abi'
import { finishTile } from '../gemm/epilogue'
import { packRows, packStrip, packTransposed } from '../gemm/pack'
import { multiplyTile, TILE_COLUMNS, TILE_ROWS } from '../gemm/tile'
import { at } from '../simd'
import { Activation } from './activation'

/** k in a block. Blocks after the first go through the tile buffer: at 1024³ blocks of 512 reached 22 GFLOP/s,
 *  one of 1024 reaches 28 (Node 20), though its panel fills a 32 KB cache. */
export const DEPTH = 1024
/** Rows of A in a block. */
export const ROWS = 192
/** Rows of A from which copying a row-major panel pays for itself. */
const PACKING_ROWS = 48
/** Bytes of a row of a panel, and of the tile buffer. */
const PANEL_ROW: usize = 4 * TILE_COLUMNS
/** Bytes of one k of a strip of Aᵀ. */
const STRIP_ROW: usize = 4 * TILE_ROWS

/** Rows of the next tile when `left` remain. 7..11 are split evenly: a tile of one or two rows would wait on
 *  its own additions. */
// @ts-ignore: decorator
@inline
export function tileRows(left: i32): i32 {
  return left >= 2 * TILE_ROWS ? TILE_ROWS : left > TILE_ROWS ? (left + 1) >> 1 : left
}

/** out = activation(A · B + bias).  out: [m, n]; bias: [n], or absent; activation: see Activation.
 *  A: [m, k], or [k, m] with transposeA; B: [k, n], or [n, k] with transposeB.
 *  buffer, in floats: 6 × 8 for a tile, min(k, 1024) × 8 for a panel; then with transposeA, min(k, 1024) × 6
 *  for each six of the first 192 rows. */
export function gemm(
  out: Out, a: In, b: In, bias: OptionalIn, buffer: Scratch,
  m: i32, n: i32, k: i32, transposeA: i32, transposeB: i32, activation: i32,
): void {
  const ldc = <usize>n << 2
  const ldb = <usize>(transposeB ? k : n) << 2
  const lda = <usize>(transposeA ? m : k) << 2
  const panel = buffer + <usize>TILE_ROWS * PANEL_ROW
  const strips = panel + <usize>min(k, DEPTH) * PANEL_ROW
  const packed = transposeB || m >= PACKING_ROWS
  const rowB = packed ? PANEL_ROW : ldb
  let start = 0
  do {
    const depth = min(k - start, DEPTH)
    const last = start + depth == k
    const finish = last && (bias != 0 || activation != Activation.none)
    const strip = <usize>depth * STRIP_ROW
    for (let top = 0; top < m; top += ROWS) {
      const bottom = min(m, top + ROWS)
      if (transposeA) {
        let p = strips
        for (let i = top, rows = 0; i < bottom; i += rows, p += strip) {
          rows = tileRows(bottom - i)
          packStrip(p, at(a + <usize>start * lda, i), lda, depth)
        }
      }
      for (let j = 0; j < n; j += TILE_COLUMNS) {
        const width = min(n - j, TILE_COLUMNS)
        let blockB = transposeB ? at(b + <usize>j * ldb, start) : at(b + <usize>start * ldb, j)
        if (transposeB) packTransposed(panel, blockB, ldb, depth, width)
        else if (packed) packRows(panel, blockB, ldb, depth)
        if (packed) blockB = panel
        const direct = start == 0 && width == TILE_COLUMNS
        let p = strips
        for (let i = top, rows = 0; i < bottom; i += rows, p += strip) {
          rows = tileRows(bottom - i)
          const c = at(out + <usize>i * ldc, j)
          const tile = direct ? c : buffer
          const ldt = direct ? ldc : PANEL_ROW
          const tileA = transposeA ? p : at(a + <usize>i * lda, start)
          multiplyTile(rows, width, transposeA != 0, tile, ldt, tileA, lda, blockB, rowB, depth)
          if (finish || !direct) {
            finishTile(c, ldc, tile, ldt, rows, width, start > 0, last && bias ? at(bias, j) : 0, last ? activation : Activation.none)
          }
        }
      }
    }
    start += depth
  } while (start < k)
}
