// Products with a matrix B [k, n] that is packed as a whole, once, and then meets many small A: the weights of
// a recurrent layer at every step, the keys and values of a head for every block of queries. Rows of A and C
// may lie any distance apart.
//
//   packed   │ columns 0..7: k rows of 8 │ columns 8..15 │ … │      ⌈n / 8⌉ panels, 8 k floats each

import { finishTile } from './epilogue'
import { Activation } from '../kernels/activation'
import { at } from '../simd'
import { packRows, packStrip, packTransposed } from './pack'
import { multiplyTile, TILE_COLUMNS, tileRows } from './tile'

/** Bytes of a row of a panel, and of the tile buffer. */
export const PANEL_ROW: usize = 4 * TILE_COLUMNS

/** Bytes of a packed matrix [k, n]. */
export function packedBytes(k: i32, n: i32): usize {
  return <usize>((n + TILE_COLUMNS - 1) / TILE_COLUMNS) * <usize>k * PANEL_ROW
}

/** Packs B [k, n], or [n, k] when transposed; rows of B ldb bytes apart. */
export function packMatrix(packed: usize, b: usize, ldb: usize, k: i32, n: i32, transposed: bool): void {
  for (let j = 0; j < n; j += TILE_COLUMNS) {
    if (transposed) packTransposed(packed, b + <usize>j * ldb, ldb, k, min(n - j, TILE_COLUMNS))
    else packRows(packed, at(b, j), ldb, k)
    packed += <usize>k * PANEL_ROW
  }
}

/** C = (add ? C : 0) + A · B for one tile.  A: rows lda bytes apart, or a strip of Aᵀ; `left`: columns of C from here on. */
// @ts-ignore: decorator
@inline
function multiplyRows(
  c: usize, ldc: usize, a: usize, lda: usize, strip: bool, packed: usize, rows: i32, left: i32, k: i32, tile: usize, add: bool,
): void {
  const direct = left >= TILE_COLUMNS && !add
  multiplyTile(rows, left, strip, direct ? c : tile, direct ? ldc : PANEL_ROW, a, lda, packed, PANEL_ROW, k)
  if (!direct) finishTile(c, ldc, tile, PANEL_ROW, rows, min(left, TILE_COLUMNS), add, 0, Activation.none)
}

/** C [m, n] = (add ? C : 0) + A [m, k] · B; rows of A lda and of C ldc bytes apart. Panels of B are `depth`
 *  rows long, of which the first k count.  tile: 48 floats. */
export function multiplyPacked(
  c: usize, ldc: usize, a: usize, lda: usize, packed: usize, depth: i32, m: i32, n: i32, k: i32, tile: usize, add: bool,
): void {
  const panel = <usize>depth * PANEL_ROW
  for (let j = 0; j < n; j += TILE_COLUMNS) {
    for (let i = 0, rows = 0; i < m; i += rows) {
      rows = tileRows(m - i)
      multiplyRows(at(c + <usize>i * ldc, j), ldc, a + <usize>i * lda, lda, false, packed, rows, n - j, k, tile, add)
    }
    packed += panel
  }
}

/** C [m, n] = Aᵀ · B, A: [k, m]; rows of A lda and of C ldc bytes apart. With `lower`, A is 0 above its diagonal:
 *  row i of C is the sum from p = i on, and what lies far above the diagonal is not read.
 *  tile: 48 floats; strip: 6 k floats. */
export function multiplyTransposed(
  c: usize, ldc: usize, a: usize, lda: usize, packed: usize, m: i32, n: i32, k: i32, tile: usize, strip: usize, lower: bool,
): void {
  const panel = <usize>k * PANEL_ROW
  for (let i = 0, rows = 0; i < m; i += rows) {
    rows = tileRows(m - i)
    const skip = lower ? min(i, k) : 0
    packStrip(strip, at(a + <usize>skip * lda, i), lda, k - skip)
    let p = packed + <usize>skip * PANEL_ROW
    for (let j = 0; j < n; j += TILE_COLUMNS) {
      multiplyRows(at(c + <usize>i * ldc, j), ldc, strip, lda, true, p, rows, n - j, k - skip, tile, false)
      p += panel
    }
  }
}
