// Sorting and the k largest along the middle axis of [outer, size, inner]. Equal values keep their order; NaN
// counts as the largest, as in PyTorch. An entry is rank << 32 | position (see order.ts).

import { In, Out, Scratch } from '../abi'
import { at64, drain, offer, rank, sortEntries } from '../order'
import { at } from '../simd'

/** values, indices (i32) = x in order.  All [outer, size, inner]; buffer: 1 KB and 2 size u64. */
export function sort(values: Out, indices: Out, buffer: Scratch, x: In, descending: i32, outer: i32, size: i32, inner: i32): void {
  const entries = buffer + 1024
  const other = at64(entries, size)
  const flip: u32 = descending ? 0xffffffff : 0
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const base = o * size * inner + i
      for (let s = 0; s < size; s++) {
        const key = rank(load<f32>(at(x, base + s * inner))) ^ flip
        store<u64>(at64(entries, s), (<u64>key << 32) | <u64>s)
      }
      const sorted = sortEntries(entries, other, buffer, size)
      for (let s = 0; s < size; s++) {
        const from = load<i32>(at64(sorted, s))
        store<i32>(at(indices, base + s * inner), from)
        store<i32>(at(values, base + s * inner), load<i32>(at(x, base + from * inner)))
      }
    }
  }
}

/** values, indices (i32) = the k largest (or smallest) of x, the most extreme first.  values, indices:
 *  [outer, k, inner]; x: [outer, size, inner]; buffer: k u64. */
export function topk(values: Out, indices: Out, buffer: Scratch, x: In, smallest: i32, k: i32, outer: i32, size: i32, inner: i32): void {
  const flip: u32 = smallest ? 0xffffffff : 0
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const base = o * size * inner + i
      const out = o * k * inner + i
      let held = 0
      for (let s = 0; s < size; s++) {
        const key = rank(load<f32>(at(x, base + s * inner))) ^ flip
        // Of equal values the first is the larger entry.
        held = offer(buffer, held, k, (<u64>key << 32) | <u64>(<u32>~s))
      }
      drain(buffer, k)
      for (let j = 0; j < k; j++) {
        const from = ~load<i32>(at64(buffer, j))
        store<i32>(at(indices, out + j * inner), from)
        store<i32>(at(values, out + j * inner), load<i32>(at(x, base + from * inner)))
      }
    }
  }
}

/** out[r, j] (i32) = how many elements of row r of `sorted` are below values[r, j], or with right not above it: where it would be
 *  put in. NaN counts as the largest.  out, values: [rows, m]; sorted: [rows, n], or with each 0 one row for all. */
export function searchSorted(out: Out, sorted: In, values: In, right: i32, each: i32, rows: i32, n: i32, m: i32): void {
  for (let r = 0; r < rows; r++) {
    const row = each ? at(sorted, r * n) : sorted
    for (let j = 0; j < m; j++) {
      const key = rank(load<f32>(at(values, r * m + j)))
      let low = 0
      let high = n
      while (low < high) {
        const middle = (low + high) >> 1
        const other = rank(load<f32>(at(row, middle)))
        if (right ? other <= key : other < key) low = middle + 1
        else high = middle
      }
      store<i32>(at(out, r * m + j), low)
    }
  }
}
