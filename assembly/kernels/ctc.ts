// Connectionist temporal classification (Graves and others, 2006): the probability of a sequence of labels, summed over all
// ways to spread it over the steps of an input, with blanks between. All in logarithms.
//
// The path goes along L = 2 length + 1 places, blank and label in turns. A row of alpha or beta has 4 places before, of which the
// last two stand for none, then L rounded up to 4; a row of beta has 4 more behind. Places that are none hold -Infinity.

import { In, Out, Scratch } from '../abi'
import { exp, log } from '../math'
import { at, storeLanes } from '../simd'

const NONE: f32 = -Infinity

/** Floats of a row, for the most labels that a sequence may have. */
// @ts-ignore: decorator
@inline
function widthOf(S: i32): i32 {
  return 4 + ((2 * S + 4) & -4)
}

function fillNone(row: usize, n: i32): void {
  const v = f32x4.splat(NONE)
  for (let i = 0; i < n; i += 4) v128.store(at(row, i), v)
}

/** row[s] = the logarithm of the probability of place s in a step, for all L places. */
function emission(row: usize, logp: usize, target: usize, blank: i32, L: i32): void {
  for (let s = 0; s < L; s++) {
    const label = s & 1 ? load<i32>(at(target, s >> 1)) : blank
    store<f32>(at(row, s), load<f32>(at(logp, label)))
  }
}

/** All bits where place s, a label, may follow the label before it without a blank: where they differ. */
// @ts-ignore: decorator
@inline
function joins(target: usize, s: i32, L: i32): i32 {
  if (s < 3 || s >= L) return 0
  const i = s >> 1
  return load<i32>(at(target, i)) != load<i32>(at(target, i - 1)) ? -1 : 0
}

/** The same of places s to s + 3; s is even. */
// @ts-ignore: decorator
@inline
function joinsOf(target: usize, s: i32, L: i32): v128 {
  return i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(0), 1, joins(target, s + 1, L)), 3, joins(target, s + 3, L))
}

/** ln(e^a + e^b + e^c), c only where `third`. */
function logSum(a: v128, b: v128, c: v128, third: v128): v128 {
  const none = f32x4.splat(NONE)
  const d = v128.bitselect(c, none, third)
  const most = f32x4.max(f32x4.max(a, b), d)
  const shift = v128.andnot(most, f32x4.eq(most, none))
  const sum = f32x4.add(f32x4.add(exp(f32x4.sub(a, shift)), exp(f32x4.sub(b, shift))), exp(f32x4.sub(d, shift)))
  return f32x4.add(shift, log(sum))
}

/** loss[n] = -ln of the probability of the labels of sequence n; Infinity where they do not fit its steps.
 *  loss, inputLengths, targetLengths: [batch]; alpha: [batch, steps, width]; logp: [steps, batch, classes], `apart` elements from
 *  step to step; target: i32 [batch, S]. Refuses labels that are the blank, or outside 0 .. classes - 1. */
export function ctc(
  loss: Out, alpha: Out, logp: In, target: In, inputLengths: In, targetLengths: In,
  blank: i32, batch: i32, steps: i32, classes: i32, S: i32, apart: i32,
): i32 {
  const width = widthOf(S)
  for (let n = 0; n < batch; n++) {
    const labels = at(target, n * S)
    const length = load<i32>(at(targetLengths, n))
    for (let i = 0; i < length; i++) {
      const label = load<i32>(at(labels, i))
      if (<u32>label >= <u32>classes || label == blank) return n * S + i + 1
    }
    const L = 2 * length + 1
    const own = load<i32>(at(inputLengths, n))
    let row = at(alpha, n * steps * width)
    let step = at(logp, n * classes)
    for (let t = 0; t < own; t++) {
      const here = row + 16
      fillNone(row, width)
      emission(here, step, labels, blank, t == 0 ? min(L, 2) : L)
      if (t > 0) {
        const before = here - (<usize>width << 2)
        for (let s = 0; s < L; s += 4) {
          const p = at(before, s)
          const sum = logSum(v128.load(p), v128.load(p - 4), v128.load(p - 8), joinsOf(labels, s, L))
          v128.store(at(here, s), f32x4.add(v128.load(at(here, s)), sum))
        }
      }
      row += <usize>width << 2
      step += <usize>apart << 2
    }
    const ends = at(row - (<usize>width << 2) + 16, L - 1)
    const none = f32x4.splat(NONE)
    const total = logSum(v128.load32_splat(ends), v128.load32_splat(ends - 4), none, none)
    store<f32>(at(loss, n), -f32x4.extract_lane(total, 0))
  }
  return 0
}

/** dlogp[t, n, c] = -dy[n] (the share of paths of sequence n that are at label c in step t); 0 where its loss is Infinity, and after
 *  its last step.  Shapes as ctc; buffer: 3 rows of width + 4. */
export function ctcBackward(
  dlogp: Out, dy: In, loss: In, alpha: In, logp: In, target: In, inputLengths: In, targetLengths: In, buffer: Scratch,
  blank: i32, batch: i32, steps: i32, classes: i32, S: i32, apart: i32,
): void {
  const width = widthOf(S)
  const shares = at(buffer, 2 * (width + 4))
  for (let n = 0; n < batch; n++) {
    const labels = at(target, n * S)
    const L = 2 * load<i32>(at(targetLengths, n)) + 1
    const lost = load<f32>(at(loss, n))
    const own = lost < Infinity ? load<i32>(at(inputLengths, n)) : 0
    const factor = load<f32>(at(dy, n))
    let later = buffer
    let here = at(buffer, width + 4)
    fillNone(buffer, 2 * (width + 4))
    for (let t = steps - 1; t >= 0; t--) {
      const place = n * classes + t * apart
      const gradient = at(dlogp, place)
      memory.fill(gradient, 0, <usize>classes << 2)
      if (t >= own) continue
      emission(shares, at(logp, place), labels, blank, L)
      const row = at(alpha, (n * steps + t) * width) + 16
      for (let s = 0; s < L; s += 4) {
        const p = at(later, s)
        // After the last step: from the last label, or the blank behind it.
        const sum = t == own - 1
          ? v128.bitselect(f32x4.splat(0), f32x4.splat(NONE), i32x4.ge_s(i32x4.add(i32x4.splat(s), i32x4(0, 1, 2, 3)), i32x4.splat(L - 2)))
          : logSum(v128.load(p), v128.load(p, 4), v128.load(p, 8), joinsOf(labels, s + 2, L))
        const emitted = v128.load(at(shares, s))
        storeLanes(at(here, s), f32x4.add(sum, emitted), L - s)
        v128.store(at(shares, s), exp(f32x4.add(f32x4.add(v128.load(at(row, s)), sum), f32x4.splat(lost))))
      }
      for (let s = 0; s < L; s++) {
        const c = at(gradient, s & 1 ? load<i32>(at(labels, s >> 1)) : blank)
        store<f32>(c, load<f32>(c) - factor * load<f32>(at(shares, s)))
      }
      const swap = later
      later = here
      here = swap
    }
  }
}
