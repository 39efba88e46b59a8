// Matrix products in the three layouts that training needs: NN (dX = dY · W), NT (Y = X · Wᵀ) and
// TN (dW = dYᵀ · X). All run the same micro-kernels; packing serves Bᵀ.
//
//   for each block of k (512)            the sum over k is the sum of its blocks, in order
//     for each panel of B (8 columns)    packed: 16 KB, stays in the first-level cache
//       for each tile of A (6 rows)      micro-kernel

import { In, OptionalIn, Out, Scratch } from '../abi'
import { finishTile } from '../gemm/epilogue'
import { packRows, packTransposed } from '../gemm/pack'
import { multiplyTile, TILE_COLUMNS, TILE_ROWS } from '../gemm/tile'
import { at } from '../simd'
import { Activation } from './activation'

/** Rows of B in a panel: 512 × 8 floats, half of a 32 KB first-level cache. */
const PANEL_DEPTH = 512
/** Rows of A from which copying a row-major panel pays for itself. */
const PACKING_ROWS = 48
/** Bytes of a row of a panel, and of the tile buffer. */
const PANEL_ROW: usize = 4 * TILE_COLUMNS

/** out = activation(A · B + bias).  out: [m, n]; bias: [n], or absent; activation: see Activation.
 *  A: [m, k], or [k, m] with transposeA; B: [k, n], or [n, k] with transposeB.
 *  buffer: 6 × 8 floats for a tile, then min(k, 512) × 8 for a panel. */
export function gemm(
  out: Out, a: In, b: In, bias: OptionalIn, buffer: Scratch,
  m: i32, n: i32, k: i32, transposeA: i32, transposeB: i32, activation: i32,
): void {
  const ldc = <usize>n << 2
  const ldb = <usize>(transposeB ? k : n) << 2
  const lda = <usize>(transposeA ? m : k) << 2
  const panel = buffer + <usize>TILE_ROWS * PANEL_ROW
  const packed = transposeB || m >= PACKING_ROWS
  const rowB = packed ? PANEL_ROW : ldb
  let start = 0
  do {
    const depth = min(k - start, PANEL_DEPTH)
    const last = start + depth == k
    const finish = last && (bias != 0 || activation != Activation.none)
    const blockA = transposeA ? a + <usize>start * lda : at(a, start)
    for (let j = 0; j < n; j += TILE_COLUMNS) {
      const width = min(n - j, TILE_COLUMNS)
      let blockB = transposeB ? at(b + <usize>j * ldb, start) : at(b + <usize>start * ldb, j)
      if (transposeB) packTransposed(panel, blockB, ldb, depth, width)
      else if (packed) packRows(panel, blockB, ldb, depth)
      if (packed) blockB = panel
      const direct = start == 0 && width == TILE_COLUMNS
      for (let i = 0, rows = 0; i < m; i += rows) {
        // 7..11 rows are split evenly: a tile of one or two rows would wait on its own additions.
        const left = m - i
        rows = left >= 2 * TILE_ROWS ? TILE_ROWS : left > TILE_ROWS ? (left + 1) >> 1 : left
        const c = at(out + <usize>i * ldc, j)
        const tile = direct ? c : buffer
        const ldt = direct ? ldc : PANEL_ROW
        multiplyTile(rows, width, transposeA != 0, tile, ldt, transposeA ? at(blockA, i) : blockA + <usize>i * lda, lda, blockB, rowB, depth)
        if (finish || !direct) {
          finishTile(c, ldc, tile, ldt, rows, width, start > 0, last && bias ? at(bias, j) : 0, last ? activation : Activation.none)
        }
      }
    }
    start += depth
  } while (start < k)
}
