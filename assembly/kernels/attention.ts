// Attention: softmax(factor Q Kᵀ + mask) V for each (batch, head), by the micro-kernels of the matrix product.
// Queries, keys, values and results are read and written where they lie, whatever the strides: heads side by side
// in one row need no transposes.
//
//   forward    for each block of 20 queries: scores = Q Kᵀ straight into the probabilities, softmax in place, · V
//   backward   for each block of 20 queries: dP = dO Vᵀ, dS = P (dP - Σ dP P) in place, dQ = dS K
//              then dK = dSᵀ Q and dV = Pᵀ dO
//
// Causal: query t sees keys 0 .. t; a block ends at the last key that one of its queries sees.
//
// dims: batch, heads, T, S, D, Dv; then, in elements, (batch, head, row) strides of q, k, v and out; then (batch,
// head, row, column) strides of the mask. Rows of q, k, v and out are contiguous.

import { In, Ints, OptionalIn, Out, Scratch } from '../abi'
import { multiplyPacked, multiplyTransposed, packedBytes, packMatrix, productBytes } from '../gemm/packed'
import { philox, share } from '../random'
import { at, storeLanes } from '../simd'
import { expShifted, maxOf, scale, softmaxRowBackward } from './softmax'

/** Queries in a block. */
export const QUERIES = 20

/** Bytes between neighbours along `axis` (0 batch, 1 head, 2 row, 3 column) of operand `index` in dims. */
// @ts-ignore: decorator
@inline
function stride(dims: usize, index: i32, axis: i32): usize {
  return <usize>load<i32>(dims + 24 + <usize>(12 * index + 4 * axis)) << 2
}

/** 1 / (1 - dropout) for the lanes that are kept, 0 for the others. drawn: seed and draw; block: 4 words. */
function keepLanes(drawn: usize, block: usize, index: u64, dropout: f32): v128 {
  philox(block, load<u64>(drawn), load<u64>(drawn, 8), index)
  const u = share(v128.load(block))
  return v128.and(f32x4.splat(1 / (1 - dropout)), f32x4.ge(u, f32x4.splat(dropout)))
}

/** p = softmax(factor p + mask) on the first `seen` of `count` elements, 0 after; all 0 where the mask leaves none. */
function softmaxRow(p: usize, mask: usize, maskStep: usize, factor: f32, seen: i32, count: i32): void {
  let end = 0
  if (seen > 0) {
    scale(p, p, factor, seen)
    if (mask) {
      for (let i = 0; i < seen; i += 4) {
        const added = maskStep ? v128.load(at(mask, i)) : v128.load32_splat(mask)
        storeLanes(at(p, i), f32x4.add(v128.load(at(p, i)), added), seen - i)
      }
    }
    const most = maxOf(p, seen)
    if (most != -Infinity) {
      scale(p, p, 1 / expShifted(p, p, most, seen), seen)
      end = seen
    }
  }
  memory.fill(at(p, end), 0, <usize>(count - end) << 2)
}

/** out = dropped(softmax(factor q kᵀ + mask)) v.  q: [batch, heads, T, D]; k: [batch, heads, S, D]; v: [batch, heads,
 *  S, Dv]; out: [batch, heads, T, Dv]; mask: broadcast over [batch, heads, T, S]; strides in dims.
 *  Keeps probabilities [batch, heads, T, S], before dropout. drawn: the generator's state, 4 words, where there is
 *  dropout; its numbers are those of rows first, first + 1, ….
 *  buffer, in floats: 256 × 16 + 4; 20 × max(D, S) for strips; k and v packed, D ⌈S / 16⌉ 16 and S ⌈Dv / 16⌉ 16; with dropout, 20 S. */
export function attention(
  out: Out, probabilities: Out, drawn: OptionalIn, q: In, k: In, v: In, mask: OptionalIn, buffer: Scratch,
  dims: Ints, first: i32, causal: i32, factor: f32, dropout: f32,
): void {
  const batch = load<i32>(dims), heads = load<i32>(dims, 4)
  const T = load<i32>(dims, 8), S = load<i32>(dims, 12), D = load<i32>(dims, 16), Dv = load<i32>(dims, 20)
  const rowQ = stride(dims, 0, 2), rowK = stride(dims, 1, 2), rowV = stride(dims, 2, 2), rowO = stride(dims, 3, 2)
  const rowM = stride(dims, 4, 2), stepM = stride(dims, 4, 3)
  const rowP = <usize>S << 2
  const block = buffer + productBytes(QUERIES, max(D, S))
  const keys = block + 16
  const values = keys + packedBytes(D, S)
  const dropped = values + packedBytes(S, Dv)
  let p = probabilities
  let row = <u64>first
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const qh = q + <usize>b * stride(dims, 0, 0) + <usize>h * stride(dims, 0, 1)
      const oh = out + <usize>b * stride(dims, 3, 0) + <usize>h * stride(dims, 3, 1)
      const mh = mask ? mask + <usize>b * stride(dims, 4, 0) + <usize>h * stride(dims, 4, 1) : 0
      packMatrix(keys, k + <usize>b * stride(dims, 1, 0) + <usize>h * stride(dims, 1, 1), rowK, D, S, true)
      packMatrix(values, v + <usize>b * stride(dims, 2, 0) + <usize>h * stride(dims, 2, 1), rowV, S, Dv, false)
      for (let t = 0; t < T; t += QUERIES) {
        const rows = min(T - t, QUERIES)
        const width = causal ? min(S, t + rows) : S
        multiplyPacked(p, rowP, qh + <usize>t * rowQ, rowQ, keys, D, rows, width, D, buffer, 0, 0)
        for (let i = 0; i < rows; i++, row++) {
          const line = p + <usize>i * rowP
          softmaxRow(line, mh ? mh + <usize>(t + i) * rowM : 0, stepM, factor, causal ? min(S, t + i + 1) : S, S)
          if (dropout > 0) {
            const to = dropped + <usize>i * rowP
            for (let j = 0; j < width; j += 4) {
              const keep = keepLanes(drawn, block, row << 28 | <u64>(j >> 2), dropout)
              storeLanes(at(to, j), f32x4.mul(v128.load(at(line, j)), keep), width - j)
            }
          }
        }
        multiplyPacked(oh + <usize>t * rowO, rowO, dropout > 0 ? dropped : p, rowP, values, S, rows, Dv, width, buffer, 0, 0)
        p += <usize>rows * rowP
      }
    }
  }
}

/** The gradients dq, dk, dv from dout, laid out as q, k, v and out; dweights: what comes besides to the probabilities
 *  [batch, heads, T, S], or absent.
 *  buffer, in floats: 256 × 16 + 4; 20 × max(T, S, Dv) for strips; the larger of Dv ⌈S / 16⌉ 16 and T ⌈D / 16⌉ 16; the larger of S ⌈D / 16⌉ 16 and
 *  T ⌈Dv / 16⌉ 16; T S; with dropout, T S. */
export function attentionBackward(
  dq: Out, dk: Out, dv: Out, dout: In, dweights: OptionalIn, q: In, k: In, v: In, probabilities: In, drawn: OptionalIn, buffer: Scratch,
  dims: Ints, first: i32, causal: i32, factor: f32, dropout: f32,
): void {
  const batch = load<i32>(dims), heads = load<i32>(dims, 4)
  const T = load<i32>(dims, 8), S = load<i32>(dims, 12), D = load<i32>(dims, 16), Dv = load<i32>(dims, 20)
  const rowQ = stride(dims, 0, 2), rowK = stride(dims, 1, 2), rowV = stride(dims, 2, 2), rowO = stride(dims, 3, 2)
  const rowP = <usize>S << 2
  const block = buffer + productBytes(QUERIES, max(T, max(S, Dv)))
  const panel = block + 16
  const second = panel + max(packedBytes(Dv, S), packedBytes(T, D))
  const scores = second + max(packedBytes(S, D), packedBytes(T, Dv))
  const dropped = scores + <usize>T * rowP
  let p = probabilities
  let dw = dweights
  let row = <u64>first
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const toQ = <usize>b * stride(dims, 0, 0) + <usize>h * stride(dims, 0, 1)
      const toK = <usize>b * stride(dims, 1, 0) + <usize>h * stride(dims, 1, 1)
      const toV = <usize>b * stride(dims, 2, 0) + <usize>h * stride(dims, 2, 1)
      const doh = dout + <usize>b * stride(dims, 3, 0) + <usize>h * stride(dims, 3, 1)
      packMatrix(panel, v + toV, rowV, Dv, S, true)
      packMatrix(second, k + toK, rowK, S, D, false)
      for (let t = 0; t < T; t += QUERIES) {
        const rows = min(T - t, QUERIES)
        const width = causal ? min(S, t + rows) : S
        const ds = scores + <usize>t * rowP
        multiplyPacked(ds, rowP, doh + <usize>t * rowO, rowO, panel, Dv, rows, width, Dv, buffer, 0, 0)
        for (let i = 0; i < rows; i++, row++) {
          const line = ds + <usize>i * rowP
          const own = p + <usize>(t + i) * rowP
          if (dropout > 0 || dw) {
            for (let j = 0; j < width; j += 4) {
              let d = v128.load(at(line, j))
              if (dropout > 0) {
                const keep = keepLanes(drawn, block, row << 28 | <u64>(j >> 2), dropout)
                d = f32x4.mul(d, keep)
                storeLanes(at(dropped + <usize>(t + i) * rowP, j), f32x4.mul(v128.load(at(own, j)), keep), width - j)
              }
              if (dw) d = f32x4.add(d, v128.load(at(dw + <usize>(t + i) * rowP, j)))
              storeLanes(at(line, j), d, width - j)
            }
          }
          softmaxRowBackward(line, line, own, width)
          scale(line, line, factor, width)
          memory.fill(at(line, width), 0, <usize>(S - width) << 2)
          if (dropout > 0) memory.fill(at(dropped + <usize>(t + i) * rowP, width), 0, <usize>(S - width) << 2)
        }
        multiplyPacked(dq + toQ + <usize>t * rowQ, rowQ, ds, rowP, second, S, rows, D, width, buffer, 0, 0)
      }
      packMatrix(panel, q + toQ, rowQ, T, D, false)
      multiplyTransposed(dk + toK, rowK, scores, rowP, panel, S, D, T, buffer, causal != 0)
      packMatrix(second, doh, rowO, T, Dv, false)
      multiplyTransposed(dv + toV, rowV, dropout > 0 ? dropped : p, rowP, second, S, Dv, T, buffer, causal != 0)
      p += <usize>T * rowP
      if (dw) dw += <usize>T * rowP
    }
  }
}

/** Rotates pairs of x by angles: (a, b) → (a cos - sign b sin, b cos + sign a sin); sign -1 turns back.
 *  out, x: [batch, T, D]; cosines, sines: [T, D / 2]. Pair i is (x[2i], x[2i + 1]) when interleaved, else (x[i],
 *  x[i + D / 2]). */
export function rotary(
  out: Out, x: In, cosines: In, sines: In, batch: i32, T: i32, D: i32, interleaved: i32, sign: f32,
): void {
  const half = D >> 1
  const s = f32x4.splat(sign)
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < T; t++) {
      const cos = at(cosines, t * half)
      const sin = at(sines, t * half)
      for (let i = 0; i < half; i += 4) {
        const c = v128.load(at(cos, i))
        const w = f32x4.mul(v128.load(at(sin, i)), s)
        if (interleaved) {
          const low = v128.load(at(x, 2 * i)), high = v128.load(at(x, 2 * i), 16)
          const a = v128.shuffle<f32>(low, high, 0, 2, 4, 6), e = v128.shuffle<f32>(low, high, 1, 3, 5, 7)
          const y = f32x4.sub(f32x4.mul(a, c), f32x4.mul(e, w))
          const z = f32x4.add(f32x4.mul(e, c), f32x4.mul(a, w))
          storeLanes(at(out, 2 * i), v128.shuffle<f32>(y, z, 0, 4, 1, 5), 2 * (half - i))
          if (half - i > 2) storeLanes(at(out, 2 * i + 4), v128.shuffle<f32>(y, z, 2, 6, 3, 7), 2 * (half - i) - 4)
        } else {
          const a = v128.load(at(x, i)), e = v128.load(at(x, i + half))
          storeLanes(at(out, i), f32x4.sub(f32x4.mul(a, c), f32x4.mul(e, w)), half - i)
          storeLanes(at(out, i + half), f32x4.add(f32x4.mul(e, c), f32x4.mul(a, w)), half - i)
        }
      }
      x += <usize>D << 2
      out += <usize>D << 2
    }
  }
}
