// Matrix products in the three layouts that training needs: NN (dX = dY · W), NT (Y = X · Wᵀ) and
// TN (dW = dYᵀ · X). All run the same micro-kernels; packing serves the transposes.
//
//   for each block of k (512 or less)     a sum goes on where the block before has left it
//     for each block of rows (256)        of A, in strips: 512 KB, stays in the second-level cache
//       for each panel of B (16 columns)  packed: 32 KB, about the first-level cache
//         micro-kernel                    for each strip of A (4 rows)

import { In, OptionalIn, OptionalOut, Out, Scratch } from '../abi'
import { packRows, packStrips, packTransposed, sumStrips } from '../gemm/pack'
import { multiplyRow } from '../gemm/row'
import { clampRows, multiplyPanel, ROWS, TILE_BYTES, TILE_COLUMNS, TILE_ROW, ZEROS } from '../gemm/tile'
import { at } from '../simd'

/** k in a block, at most. */
export const DEPTH = 512
/** Rows of A from which copying a row-major panel pays for itself. */
const PACKING_ROWS = 48

/** out = A · B + bias, or relu of it; sums = Σ over k of A.  out: [m, n]; sums: [m]; bias: [n], or absent.
 *  A: [m, k], or [k, m] with transposeA; B: [k, n], or [n, k] with transposeB; rows of A, B and out are lda, ldb and ldc
 *  elements apart.
 *  buffer, in floats: 256 × 16 for tiles, 16 × min(k, 512) for a panel, min(m, 256) rounded up to 4 × min(k, 512) for
 *  strips. */
export function gemm(
  out: Out, sums: OptionalOut, a: In, b: In, bias: OptionalIn, buffer: Scratch,
  m: i32, n: i32, k: i32, lda: i32, ldb: i32, ldc: i32, transposeA: i32, transposeB: i32, relu: i32,
): void {
  const rowA = <usize>lda << 2
  const stepB = <usize>ldb << 2
  const rowC = <usize>ldc << 2
  // Blocks of equal depth: 784 is 392 + 392.
  const blocks = max((k + DEPTH - 1) / DEPTH, 1)
  const most = (k + blocks - 1) / blocks
  const panel = buffer + TILE_BYTES
  const strips = panel + <usize>most * TILE_ROW
  const packed = transposeB || m >= PACKING_ROWS
  const rowB = packed ? TILE_ROW : stepB
  let start = 0
  do {
    const depth = min(k - start, most)
    const clamp = relu != 0 && start + depth == k
    const ldf = start > 0 ? rowC : 0
    for (let i = 0; i < m; i += ROWS) {
      const rows = min(m - i, ROWS)
      packStrips(strips, transposeA ? at(a + <usize>start * rowA, i) : at(a + <usize>i * rowA, start), rowA, rows, depth, transposeA != 0)
      if (sums) sumStrips(at(sums, i), strips, rows, depth, start > 0)
      for (let j = 0; j < n; j += TILE_COLUMNS) {
        const width = min(n - j, TILE_COLUMNS)
        const c = at(out + <usize>i * rowC, j)
        const f = start > 0 ? c : bias ? at(bias, j) : ZEROS
        let blockB = transposeB ? at(b + <usize>j * stepB, start) : at(b + <usize>start * stepB, j)
        if (transposeB && m == 1 && width == TILE_COLUMNS) {
          multiplyRow(c, at(a, start), blockB, stepB, depth, f)
          if (clamp) clampRows(c, rowC, 1, width)
          continue
        }
        if (transposeB) packTransposed(panel, blockB, stepB, depth, width)
        else if (packed) packRows(panel, blockB, stepB, depth)
        if (packed) blockB = panel
        multiplyPanel(c, rowC, rows, width, strips, blockB, rowB, depth, f, ldf, clamp, buffer)
      }
    }
    start += depth
  } while (start < k)
}
