// Products with a matrix B [k, n] that is packed as a whole, once, and then meets many small A: the weights of
// a recurrent layer at every step, the keys and values of a head for every block of queries. Rows of A and C
// may lie any distance apart.
//
//   packed   │ 16 columns: k lines │ the next 16 │ …      ⌈n / 16⌉ panels

import { at } from '../simd'
import { packRows, packStrips, packTransposed } from './pack'
import { multiplyPanel, ROWS, stripBytes, TILE_BYTES, TILE_COLUMNS, TILE_ROW, TILE_ROWS, ZEROS } from './tile'

/** Bytes of a packed matrix [k, n]. */
export function packedBytes(k: i32, n: i32): usize {
  return <usize>((n + TILE_COLUMNS - 1) / TILE_COLUMNS) * <usize>k * TILE_ROW
}

/** Bytes that a product with an A [m, k] works in: tiles and strips. */
export function productBytes(m: i32, k: i32): usize {
  return TILE_BYTES + stripBytes(min(m, ROWS), k)
}

/** Packs B [k, n], or [n, k] when transposed; rows of B ldb bytes apart. */
export function packMatrix(packed: usize, b: usize, ldb: usize, k: i32, n: i32, transposed: bool): void {
  for (let j = 0; j < n; j += TILE_COLUMNS) {
    if (transposed) packTransposed(packed, b + <usize>j * ldb, ldb, k, min(n - j, TILE_COLUMNS))
    else packRows(packed, at(b, j), ldb, k)
    packed += <usize>k * TILE_ROW
  }
}

/** C [m, n] = F + A [m, k] · B; rows of A lda, of C ldc and of F, which may be C, ldf bytes apart; F is 0 where absent.
 *  Panels of B are `depth` lines long, of which the first k count.  buffer: productBytes(m, k). */
export function multiplyPacked(
  c: usize, ldc: usize, a: usize, lda: usize, packed: usize, depth: i32, m: i32, n: i32, k: i32, buffer: usize, f: usize, ldf: usize,
): void {
  const strips = buffer + TILE_BYTES
  const panel = <usize>depth * TILE_ROW
  for (let i = 0; i < m; i += ROWS) {
    const rows = min(m - i, ROWS)
    packStrips(strips, a + <usize>i * lda, lda, rows, k, false)
    let p = packed
    for (let j = 0; j < n; j += TILE_COLUMNS) {
      const from = f ? at(f + <usize>i * ldf, j) : ZEROS
      multiplyPanel(at(c + <usize>i * ldc, j), ldc, rows, min(n - j, TILE_COLUMNS), strips, p, TILE_ROW, k, from, f ? ldf : 0, false, buffer)
      p += panel
    }
  }
}

/** C [m, n] = Aᵀ · B, A: [k, m]; rows of A lda and of C ldc bytes apart. With `lower`, A is 0 above its diagonal:
 *  row i of C is the sum from p = i on, and what lies far above the diagonal is not read.
 *  buffer: productBytes(4, k). */
export function multiplyTransposed(
  c: usize, ldc: usize, a: usize, lda: usize, packed: usize, m: i32, n: i32, k: i32, buffer: usize, lower: bool,
): void {
  const strip = buffer + TILE_BYTES
  const panel = <usize>k * TILE_ROW
  for (let i = 0; i < m; i += TILE_ROWS) {
    const rows = min(m - i, TILE_ROWS)
    const skip = lower ? min(i, k) : 0
    packStrips(strip, at(a + <usize>skip * lda, i), lda, rows, k - skip, true)
    let p = packed + <usize>skip * TILE_ROW
    for (let j = 0; j < n; j += TILE_COLUMNS) {
      multiplyPanel(at(c + <usize>i * ldc, j), ldc, rows, min(n - j, TILE_COLUMNS), strip, p, TILE_ROW, k - skip, ZEROS, 0, false, buffer)
      p += panel
    }
  }
}
