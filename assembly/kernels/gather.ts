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

/** out[o, j, i] = x[o, index[o, j, i], i], elements of 4 bytes.  out, index: [outer, count, inner]; x: [outer, size, inner]. */
export function gather(out: Out, x: In, index: In, outer: i32, size: i32, count: i32, inner: i32): i32 {
  let n = 0
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < count; j++) {
      for (let i = 0; i < inner; i++) {
        const s = load<i32>(at(index, n))
        if (<u32>s >= <u32>size) return n + 1
        store<i32>(at(out, n), load<i32>(at(x, s * inner + i)))
        n++
      }
    }
    x += <usize>(size * inner) << 2
  }
  return 0
}

/** out = x (0 when absent), then out[o, index[o, j, i], i] += source[o, j, i].  out, x: [outer, size, inner];
 *  source, index: [outer, count, inner]. */
export function scatterAdd(out: Out, x: OptionalIn, source: In, index: In, outer: i32, size: i32, count: i32, inner: i32): i32 {
  const bytes = (<usize>outer * <usize>size * <usize>inner) << 2
  if (x) memory.copy(out, x, bytes)
  else memory.fill(out, 0, bytes)
  let n = 0
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < count; j++) {
      for (let i = 0; i < inner; i++) {
        const s = load<i32>(at(index, n))
        if (<u32>s >= <u32>size) return n + 1
        const p = at(out, s * inner + i)
        store<f32>(p, load<f32>(p) + load<f32>(at(source, n)))
        n++
      }
    }
    out += <usize>(size * inner) << 2
  }
  return 0
}

/** out[i, c] = 1 where c = index[i], else 0.  out: [n, classes]; index: i32 [n]. */
export function oneHot(out: Out, index: In, n: i32, classes: i32): i32 {
  memory.fill(out, 0, (<usize>n * <usize>classes) << 2)
  for (let i = 0; i < n; i++) {
    const c = load<i32>(at(index, i))
    if (<u32>c >= <u32>classes) return i + 1
    store<f32>(at(out, c), 1)
    out += <usize>classes << 2
  }
  return 0
}
