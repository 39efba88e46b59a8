// Orders of f32 values as orders of whole numbers: what sorting and choosing the largest work on.

import { at } from './simd'

/** A number whose unsigned order is that of the values: -0 counts as 0, and NaN is the largest. */
// @ts-ignore: decorator
@inline
export function rank(x: f32): u32 {
  if (x != x) return 0xffffffff
  const bits = reinterpret<u32>(x + 0)
  return bits & 0x80000000 ? ~bits : bits | 0x80000000
}

/** Offers `entry` to the heap at `heap`, which keeps the `k` largest of those offered with the smallest at the
 *  root; `held`: how many it has. Returns how many it has then. */
export function offer(heap: usize, held: i32, k: i32, entry: u64): i32 {
  if (held < k) {
    // Up from the end.
    let i = held
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = load<u64>(at64(heap, parent))
      if (above <= entry) break
      store<u64>(at64(heap, i), above)
      i = parent
    }
    store<u64>(at64(heap, i), entry)
    return held + 1
  }
  if (k > 0 && entry > load<u64>(heap)) sink(heap, k, entry)
  return held
}

/** Takes the entries out of a heap of n: the largest first. */
export function drain(heap: usize, n: i32): void {
  for (let end = n - 1; end > 0; end--) {
    const least = load<u64>(heap)
    sink(heap, end, load<u64>(at64(heap, end)))
    store<u64>(at64(heap, end), least)
  }
}

/** Replaces the root of a heap of n by `entry`. */
function sink(heap: usize, n: i32, entry: u64): void {
  let i = 0
  for (;;) {
    let child = 2 * i + 1
    if (child >= n) break
    if (child + 1 < n && load<u64>(at64(heap, child + 1)) < load<u64>(at64(heap, child))) child++
    const below = load<u64>(at64(heap, child))
    if (entry <= below) break
    store<u64>(at64(heap, i), below)
    i = child
  }
  store<u64>(at64(heap, i), entry)
}

/** The address of u64 number i. */
// @ts-ignore: decorator
@inline
export function at64(base: usize, i: i32): usize {
  return base + (<usize>i << 3)
}

/** Sorts n entries by their upper 32 bits, ascending and stable: by insertion when few, else by four passes over
 *  one byte each.  entries, other: n u64 each; counts: 256 i32. Returns where the sorted ones lie: entries or other. */
export function sortEntries(entries: usize, other: usize, counts: usize, n: i32): usize {
  if (n <= 48) {
    for (let i = 1; i < n; i++) {
      const entry = load<u64>(at64(entries, i))
      let j = i
      while (j > 0) {
        const before = load<u64>(at64(entries, j - 1))
        if (before >> 32 <= entry >> 32) break
        store<u64>(at64(entries, j), before)
        j--
      }
      store<u64>(at64(entries, j), entry)
    }
    return entries
  }
  for (let shift: u64 = 32; shift < 64; shift += 8) {
    memory.fill(counts, 0, 1024)
    for (let i = 0; i < n; i++) {
      const p = at(counts, <i32>((load<u64>(at64(entries, i)) >> shift) & 255))
      store<i32>(p, load<i32>(p) + 1)
    }
    let start = 0
    for (let b = 0; b < 256; b++) {
      const count = load<i32>(at(counts, b))
      store<i32>(at(counts, b), start)
      start += count
    }
    for (let i = 0; i < n; i++) {
      const entry = load<u64>(at64(entries, i))
      const p = at(counts, <i32>((entry >> shift) & 255))
      const place = load<i32>(p)
      store<i32>(p, place + 1)
      store<u64>(at64(other, place), entry)
    }
    const sorted = other
    other = entries
    entries = sorted
  }
  return entries
}
