// Random choices: of 0 or 1, of whole numbers, of orders, of classes. Draws, and `first`, as in random.ts.

import { In, Out, Scratch } from '../abi'
import { log1p } from '../math'
import { at64, drain, offer, rank } from '../order'
import { philox, uniform4 } from '../random'
import { at, storeLanes } from '../simd'

/** out = 1 with probability p, else 0.  out, p: [n]; block: 16 words. Refuses a p outside [0, 1]. */
export function bernoulli(out: Out, generator: In, block: Scratch, p: In, first: i32, n: i32): i32 {
  for (let i = 0; i < n; i++) {
    const share = load<f32>(at(p, i))
    if (!(share >= 0 && share <= 1)) return i + 1
  }
  for (let i = 0; i < n; i += 4) {
    const hit = f32x4.lt(uniform4(generator, block, first, i), v128.load(at(p, i)))
    storeLanes(at(out, i), v128.and(hit, f32x4.splat(1)), n - i)
  }
  return 0
}

/** A whole number below `bound` from half `half` (0, 1) of the block: the upper 32 of 96 bits of bound times a
 *  number of 64 bits; no number is likelier than another by more than 2^-32 of its share. */
// @ts-ignore: decorator
@inline
function below(block: usize, half: i32, bound: u32): u32 {
  const word = block + (<usize>half << 3)
  const low = (<u64>load<u32>(word) * <u64>bound) >> 32
  return <u32>((<u64>load<u32>(word, 4) * <u64>bound + low) >> 32)
}

/** out (i32) = low + a whole number below span.  out: [n]; block: 4 words. */
export function randint(out: Out, generator: In, block: Scratch, low: i32, span: i32, first: i32, n: i32): void {
  for (let i = 0; i < n; i++) {
    if ((i & 1) == 0) philox(block, load<u64>(generator), load<u64>(generator, 8), <u64>((first + i) >> 1))
    store<i32>(at(out, i), low + <i32>below(block, i & 1, <u32>span))
  }
}

/** out (i32) = 0 .. n - 1 in random order, by Fisher and Yates.  out: [n]; block: 4 words. */
export function permutation(out: Out, generator: In, block: Scratch, n: i32): void {
  for (let i = 0; i < n; i++) store<i32>(at(out, i), i)
  for (let i = n - 1; i > 0; i--) {
    philox(block, load<u64>(generator), load<u64>(generator, 8), <u64>i)
    const j = <i32>below(block, 0, <u32>i + 1)
    const held = load<i32>(at(out, i))
    store<i32>(at(out, i), load<i32>(at(out, j)))
    store<i32>(at(out, j), held)
  }
}

/** The position of the first weight that is negative or no number, 1 based; else 0. */
function badWeight(weights: usize, n: i32): i32 {
  for (let i = 0; i < n; i++) {
    const w = load<f32>(at(weights, i))
    if (!(w >= 0 && w < Infinity)) return i + 1
  }
  return 0
}

/** out[r, :] (i32) = count classes drawn with probabilities weights[r, :] / Σ.  out: [rows, count]; weights:
 *  [rows, n]; buffer: 4 words, then n f64. Refuses a weight, or as element rows n + r a row without a weight above 0. */
export function multinomial(out: Out, generator: In, buffer: Scratch, weights: In, rows: i32, n: i32, count: i32): i32 {
  const bad = badWeight(weights, rows * n)
  if (bad) return bad
  const sums = buffer + 16
  for (let r = 0; r < rows; r++) {
    let total: f64 = 0
    for (let i = 0; i < n; i++) {
      total += <f64>load<f32>(at(weights, i))
      store<f64>(at64(sums, i), total)
    }
    if (!(total > 0)) return rows * n + r + 1
    for (let c = 0; c < count; c++) {
      philox(buffer, load<u64>(generator), load<u64>(generator, 8), <u64>r * <u64>count + <u64>c)
      // 53 bits in [0, 1).
      const u = <f64>(load<u64>(buffer) >> 11) * 1.1102230246251565e-16 * total
      // The first sum above u: never that of a weight of 0, which adds nothing.
      let low = 0
      let high = n - 1
      while (low < high) {
        const middle = (low + high) >> 1
        if (load<f64>(at64(sums, middle)) > u) high = middle
        else low = middle + 1
      }
      store<i32>(at(out, c), low)
    }
    weights += <usize>n << 2
    out += <usize>count << 2
  }
  return 0
}

/** The same without repeats: the count largest of weight / e, e ~ Exp(1) (Efraimidis and Spirakis).  buffer: 4 words,
 *  then count u64. Refuses a weight, or as element rows n + r a row with fewer than count weights above 0. */
export function multinomialDistinct(
  out: Out, generator: In, buffer: Scratch, weights: In, rows: i32, n: i32, count: i32,
): i32 {
  const bad = badWeight(weights, rows * n)
  if (bad) return bad
  const heap = buffer + 16
  for (let r = 0; r < rows; r++) {
    let held = 0
    for (let i = 0; i < n; i++) {
      const w = load<f32>(at(weights, i))
      if (w == 0) continue
      philox(buffer, load<u64>(generator), load<u64>(generator, 8), <u64>r * <u64>n + <u64>i)
      // u in (0, 1), fine near 0, where e = -ln(1 - u) decides who comes first.
      const u = min<f32>(0.99999994, (<f32>load<u32>(buffer) + 0.5) * 2.3283064365386963e-10)
      const e = -f32x4.extract_lane(log1p(f32x4.splat(-u)), 0)
      held = offer(heap, held, count, (<u64>rank(w / e) << 32) | <u64>(<u32>~i))
    }
    if (held < count) return rows * n + r + 1
    drain(heap, count)
    for (let c = 0; c < count; c++) store<i32>(at(out, c), ~load<i32>(at64(heap, c)))
    weights += <usize>n << 2
    out += <usize>count << 2
  }
  return 0
}
