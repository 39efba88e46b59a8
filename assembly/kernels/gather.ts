// Elements read and added at positions that a tensor of i32 indices names. Every kernel refuses an index
// outside 0 .. size - 1. Additions happen in the order of the indices, one after the other.

import { In, OptionalIn, Out } from '../abi'
import { at, storeLanes } from '../simd'

/** p = q on n elements; short rows without a call of memory.copy. */
// @ts-ignore: decorator
@inline
function copyRow(p: usize, q: usize, n: i32): void {
  if (n > 64) {
    memory.copy(p, q, <usize>n << 2)
    return
  }
  let i = 0
  for (; i + 4 <= n; i += 4) v128.store(at(p, i), v128.load(at(q, i)))
  if (i < n) storeLanes(at(p, i), v128.load(at(q, i)), n - i)
}

/** p += q on n elements. */
// @ts-ignore: decorator
@inline
function addRow(p: usize, q: usize, n: i32): void {
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const v0 = f32x4.add(v128.load(at(p, i)), v128.load(at(q, i)))
    const v1 = f32x4.add(v128.load(at(p, i), 16), v128.load(at(q, i), 16))
    v128.store(at(p, i), v0)
    v128.store(at(p, i), v1, 16)
  }
  for (; i < n; i += 4) storeLanes(at(p, i), f32x4.add(v128.load(at(p, i)), v128.load(at(q, i))), n - i)
}

/** out[o, j, :] = x[o, index[j], :], elements of 4 bytes.  out: [outer, count, inner]; x: [outer, size, inner];
 *  index: i32 [count]. */
export function gatherRows(out: Out, x: In, index: In, outer: i32, size: i32, count: i32, inner: i32): i32 {
  const bytes = <usize>inner << 2
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < count; j++) {
      const row = load<i32>(at(index, j))
      if (<u32>row >= <u32>size) return j + 1
      copyRow(out, x + <usize>row * bytes, inner)
      out += bytes
    }
    x += <usize>size * bytes
  }
  return 0
}

/** dx[o, s, :] = Σ dy[o, j, :] over the j with index[j] = s, but 0 for s = skip (-1: none).
 *  dx: [outer, size, inner]; dy: [outer, count, inner]; index: i32 [count]. */
export function gatherRowsBackward(dx: Out, dy: In, index: In, skip: i32, outer: i32, size: i32, count: i32, inner: i32): i32 {
  const bytes = <usize>inner << 2
  memory.fill(dx, 0, <usize>outer * <usize>size * bytes)
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < count; j++) {
      const row = load<i32>(at(index, j))
      if (<u32>row >= <u32>size) return j + 1
      if (row != skip) addRow(dx + <usize>row * bytes, dy, inner)
      dy += bytes
    }
    dx += <usize>size * bytes
  }
  return 0
}
