// Recurrent layers: the loop over time, forward and backward, of one layer in one direction. What the inputs give
// to the gates comes as one matrix product over all steps (x below), and the gradients of the recurrent weights
// leave as one: the backward writes the gradients of the gates and, row by row beside them, the states before.
//
//   each step    products = h_before · W_hhᵀ  [batch, G H], from weights packed once; then the gates, row by row
//
// Rows of x, h, … are one step of one sequence: row t batch + b, or b steps + t with batchFirst; the products
// read and write them where they are. `reverse` runs from the last step to the first. Row of G gates: one after the
// other, H wide. h0, c0: [batch, H], 0 where absent; W_hh: [G H, H].
//
// buffer of a forward, in floats, with b = min(batch, 256) rounded up to 4: 256 × 16; b H; H ⌈G H / 16⌉ 16; batch G H.
// Of a backward: 256 × 16; b G H; G H ⌈H / 16⌉ 16.

import { In, OptionalIn, Out, Scratch } from '../abi'
import { multiplyPacked, packedBytes, packMatrix, productBytes } from '../gemm/packed'
import { at, storeLanes } from '../simd'
import { relu as reluOf, sigmoid as sigmoidOf, tanh as tanhOf } from './activation'

/** The row of sequence b at the s-th step that is run. */
// @ts-ignore: decorator
@inline
function rowOf(s: i32, b: i32, batch: i32, steps: i32, batchFirst: i32, reverse: i32): i32 {
  const t = reverse ? steps - 1 - s : s
  return batchFirst ? b * steps + t : t * batch + b
}

/** Address of row r of an array of rows of `width` floats. */
// @ts-ignore: decorator
@inline
function rowAt(base: usize, r: i32, width: i32): usize {
  return base + <usize>r * (<usize>width << 2)
}

enum Mix { sum, product, cell, step, blend }

// @ts-ignore: decorator
@inline
function mix(kind: i32, a: v128, b: v128, c: v128, d: v128): v128 {
  if (kind == Mix.sum) return f32x4.add(a, b)
  if (kind == Mix.product) return f32x4.mul(a, b)
  if (kind == Mix.cell) return f32x4.add(f32x4.mul(a, b), f32x4.mul(c, d))
  if (kind == Mix.step) return f32x4.add(a, f32x4.mul(b, c))
  return f32x4.add(a, f32x4.mul(b, f32x4.sub(c, a)))
}

/** out = a + b, a b, a b + c d, a + b c, or a + b (c - a) on n elements; out may be any of them. */
// @ts-ignore: decorator
@inline
function mixRow(kind: i32, out: usize, a: usize, b: usize, c: usize, d: usize, n: i32): void {
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const v0 = mix(kind, v128.load(at(a, i)), v128.load(at(b, i)), v128.load(at(c, i)), v128.load(at(d, i)))
    const v1 = mix(kind, v128.load(at(a, i), 16), v128.load(at(b, i), 16), v128.load(at(c, i), 16), v128.load(at(d, i), 16))
    v128.store(at(out, i), v0)
    v128.store(at(out, i), v1, 16)
  }
  for (; i < n; i += 4) {
    const v = mix(kind, v128.load(at(a, i)), v128.load(at(b, i)), v128.load(at(c, i)), v128.load(at(d, i)))
    storeLanes(at(out, i), v, n - i)
  }
}

// @ts-ignore: decorator
@inline
function loadOrZero(p: usize, i: i32): v128 {
  return p ? v128.load(at(p, i)) : f32x4.splat(0)
}

/** sums [batch, G H] = F + the states before step s · W_hhᵀ; returns false, and leaves sums, where those are 0. */
function recur(
  sums: usize, f: usize, ldf: usize, h: usize, h0: usize, packed: usize, buffer: usize,
  s: i32, G: i32, batch: i32, steps: i32, H: i32, batchFirst: i32, reverse: i32,
): bool {
  if (s == 0 && !h0) return false
  const before = s > 0 ? rowAt(h, rowOf(s - 1, 0, batch, steps, batchFirst, reverse), H) : h0
  const ld = s > 0 && batchFirst ? <usize>(steps * H) << 2 : <usize>H << 2
  multiplyPacked(sums, <usize>(G * H) << 2, before, ld, packed, H, batch, G * H, H, buffer, f, ldf)
  return true
}

/** Bytes from one sequence to the next in an array of rows of `width`. */
// @ts-ignore: decorator
@inline
function sequenceStep(width: i32, steps: i32, batchFirst: i32): usize {
  return <usize>(batchFirst ? steps * width : width) << 2
}

/** carry [batch, H] = (add ? carry : 0) + the gates' gradients of step s · W_hh. */
function carryBack(
  carry: usize, dgates: usize, packed: usize, buffer: usize, s: i32, G: i32, batch: i32, steps: i32, H: i32, batchFirst: i32, reverse: i32, add: bool,
): void {
  const width = G * H
  const from = rowAt(dgates, rowOf(s, 0, batch, steps, batchFirst, reverse), width)
  const ld = sequenceStep(width, steps, batchFirst)
  const ldc = <usize>H << 2
  multiplyPacked(carry, ldc, from, ld, packed, width, batch, H, width, buffer, add ? carry : 0, ldc)
}

/** The state of sequence b before step s; 0 when absent. */
// @ts-ignore: decorator
@inline
function stateBefore(h: usize, h0: usize, s: i32, b: i32, batch: i32, steps: i32, H: i32, batchFirst: i32, reverse: i32): usize {
  if (s > 0) return rowAt(h, rowOf(s - 1, b, batch, steps, batchFirst, reverse), H)
  return h0 ? rowAt(h0, b, H) : 0
}

function copyOrZero(to: usize, from: usize, H: i32): void {
  if (from) memory.copy(to, from, <usize>H << 2)
  else memory.fill(to, 0, <usize>H << 2)
}

/** h_t = tanh, or relu, of x_t + W_hh h_{t-1}.  h, x: [rows, H]. */
export function rnn(
  h: Out, x: In, h0: OptionalIn, weight: In, buffer: Scratch,
  batch: i32, steps: i32, H: i32, batchFirst: i32, reverse: i32, relu: i32,
): void {
  const packed = buffer + productBytes(batch, H)
  const sums = packed + packedBytes(H, H)
  packMatrix(packed, weight, <usize>H << 2, H, H, true)
  for (let s = 0; s < steps; s++) {
    const first = rowAt(x, rowOf(s, 0, batch, steps, batchFirst, reverse), H)
    const some = recur(sums, first, sequenceStep(H, steps, batchFirst), h, h0, packed, buffer, s, 1, batch, steps, H, batchFirst, reverse)
    for (let b = 0; b < batch; b++) {
      const r = rowOf(s, b, batch, steps, batchFirst, reverse)
      const p = some ? rowAt(sums, b, H) : rowAt(x, r, H)
      if (relu) reluOf(rowAt(h, r, H), p, H)
      else tanhOf(rowAt(h, r, H), p, H)
    }
  }
}

/** dx: gradients of what goes into the activation; before: h_{t-1} beside it; dh0.  dx, before, dh, h: [rows, H]. */
export function rnnBackward(
  dx: Out, before: Out, dh0: Out, dh: In, h: In, h0: OptionalIn, weight: In, buffer: Scratch,
  batch: i32, steps: i32, H: i32, batchFirst: i32, reverse: i32, relu: i32,
): void {
  const packed = buffer + productBytes(batch, H)
  packMatrix(packed, weight, <usize>H << 2, H, H, false)
  memory.fill(dh0, 0, <usize>(batch * H) << 2)
  for (let s = steps - 1; s >= 0; s--) {
    for (let b = 0; b < batch; b++) {
      const r = rowOf(s, b, batch, steps, batchFirst, reverse)
      const dr = rowAt(dh, r, H)
      const yr = rowAt(h, r, H)
      const to = rowAt(dx, r, H)
      const carry = rowAt(dh0, b, H)
      for (let i = 0; i < H; i += 4) {
        const d = f32x4.add(v128.load(at(dr, i)), v128.load(at(carry, i)))
        const y = v128.load(at(yr, i))
        const passed = relu
          ? v128.andnot(d, f32x4.le(y, f32x4.splat(0)))
          : f32x4.mul(d, f32x4.sub(f32x4.splat(1), f32x4.mul(y, y)))
        storeLanes(at(to, i), passed, H - i)
      }
      copyOrZero(rowAt(before, r, H), stateBefore(h, h0, s, b, batch, steps, H, batchFirst, reverse), H)
    }
    if (s > 0 || h0) carryBack(dh0, dx, packed, buffer, s, 1, batch, steps, H, batchFirst, reverse, false)
  }
}

/** i, f, o = σ, g = tanh of x_t + W_hh h_{t-1};  c_t = f c_{t-1} + i g;  h_t = o tanh c_t.
 *  h, c: [rows, H]; gates, x: [rows, 4H], in the order i, f, g, o. */
export function lstm(
  h: Out, c: Out, gates: Out, x: In, h0: OptionalIn, c0: OptionalIn, weight: In, buffer: Scratch,
  batch: i32, steps: i32, H: i32, batchFirst: i32, reverse: i32,
): void {
  const packed = buffer + productBytes(batch, H)
  const sums = packed + packedBytes(H, 4 * H)
  packMatrix(packed, weight, <usize>H << 2, H, 4 * H, true)
  for (let s = 0; s < steps; s++) {
    const first = rowAt(x, rowOf(s, 0, batch, steps, batchFirst, reverse), 4 * H)
    const some = recur(sums, first, sequenceStep(4 * H, steps, batchFirst), h, h0, packed, buffer, s, 4, batch, steps, H, batchFirst, reverse)
    for (let b = 0; b < batch; b++) {
      const r = rowOf(s, b, batch, steps, batchFirst, reverse)
      const p = some ? rowAt(sums, b, 4 * H) : rowAt(x, r, 4 * H)
      const i = rowAt(gates, r, 4 * H)
      const f = at(i, H)
      const g = at(f, H)
      const o = at(g, H)
      const hr = rowAt(h, r, H)
      const cr = rowAt(c, r, H)
      const last = stateBefore(c, c0, s, b, batch, steps, H, batchFirst, reverse)
      sigmoidOf(i, p, 2 * H)
      tanhOf(g, at(p, 2 * H), H)
      sigmoidOf(o, at(p, 3 * H), H)
      if (last) mixRow(Mix.cell, cr, f, last, i, g, H)
      else mixRow(Mix.product, cr, i, g, i, g, H)
      tanhOf(hr, cr, H)
      mixRow(Mix.product, hr, o, hr, o, hr, H)
    }
  }
}

/** `left` (4 where it is a constant) elements of a row of lstmBackward, from j on. */
// @ts-ignore: decorator
@inline
function lstmLanesBackward(left: i32, to: usize, cells: usize, gr: usize, dr: usize, carry: usize, last: usize, j: i32, H: i32): void {
  const one = f32x4.splat(1)
  const i = v128.load(at(gr, j)), f = v128.load(at(gr, j + H)), g = v128.load(at(gr, j + 2 * H)), o = v128.load(at(gr, j + 3 * H))
  const d = f32x4.add(v128.load(at(dr, j)), v128.load(at(carry, j)))
  const u = v128.load(at(to, j + 3 * H))
  // c reaches the loss through h and through the next step.
  const dc = f32x4.add(v128.load(at(cells, j)), f32x4.mul(f32x4.mul(d, o), f32x4.sub(one, f32x4.mul(u, u))))
  put(left, at(to, j), f32x4.mul(f32x4.mul(dc, g), f32x4.mul(i, f32x4.sub(one, i))))
  put(left, at(to, j + H), f32x4.mul(f32x4.mul(dc, loadOrZero(last, j)), f32x4.mul(f, f32x4.sub(one, f))))
  put(left, at(to, j + 2 * H), f32x4.mul(f32x4.mul(dc, i), f32x4.sub(one, f32x4.mul(g, g))))
  put(left, at(to, j + 3 * H), f32x4.mul(f32x4.mul(d, u), f32x4.mul(o, f32x4.sub(one, o))))
  put(left, at(cells, j), f32x4.mul(dc, f))
}

// @ts-ignore: decorator
@inline
function put(left: i32, p: usize, v: v128): void {
  if (left == 4) v128.store(p, v)
  else storeLanes(p, v, left)
}

/** dx: gradients of what goes into the gates; before: h_{t-1} beside it; dh0 and dc0.  dx, gates: [rows, 4H];
 *  before, dh, h, c: [rows, H]; dcell: the gradient of the last c, [batch, H], 0 where absent. */
export function lstmBackward(
  dx: Out, before: Out, dh0: Out, dc0: Out, dh: In, dcell: OptionalIn, h: In, c: In, gates: In, h0: OptionalIn, c0: OptionalIn,
  weight: In, buffer: Scratch, batch: i32, steps: i32, H: i32, batchFirst: i32, reverse: i32,
): void {
  const packed = buffer + productBytes(batch, 4 * H)
  packMatrix(packed, weight, <usize>H << 2, 4 * H, H, false)
  memory.fill(dh0, 0, <usize>(batch * H) << 2)
  copyOrZero(dc0, dcell, batch * H)
  for (let s = steps - 1; s >= 0; s--) {
    for (let b = 0; b < batch; b++) {
      const r = rowOf(s, b, batch, steps, batchFirst, reverse)
      const dr = rowAt(dh, r, H)
      const to = rowAt(dx, r, 4 * H)
      const gr = rowAt(gates, r, 4 * H)
      const cr = rowAt(c, r, H)
      const carry = rowAt(dh0, b, H)
      const cells = rowAt(dc0, b, H)
      const last = stateBefore(c, c0, s, b, batch, steps, H, batchFirst, reverse)
      // tanh c_t, where the gradient of o will be.
      tanhOf(at(to, 3 * H), cr, H)
      let j = 0
      for (; j + 4 <= H; j += 4) lstmLanesBackward(4, to, cells, gr, dr, carry, last, j, H)
      if (j < H) lstmLanesBackward(H - j, to, cells, gr, dr, carry, last, j, H)
      copyOrZero(rowAt(before, r, H), stateBefore(h, h0, s, b, batch, steps, H, batchFirst, reverse), H)
    }
    if (s > 0 || h0) carryBack(dh0, dx, packed, buffer, s, 4, batch, steps, H, batchFirst, reverse, false)
  }
}

/** r, z = σ(x_t + m_r,z);  n = tanh(x_n + r m_n), m = W_hh h_{t-1} + b_hh;  h_t = n + z (h_{t-1} - n).
 *  h: [rows, H]; x: [rows, 3H], in the order r, z, n; bias: [3H]; gates: [rows, 4H], in the order r, z, n, m_n. */
export function gru(
  h: Out, gates: Out, x: In, h0: OptionalIn, weight: In, bias: OptionalIn, buffer: Scratch,
  batch: i32, steps: i32, H: i32, batchFirst: i32, reverse: i32,
): void {
  const packed = buffer + productBytes(batch, H)
  const sums = packed + packedBytes(H, 3 * H)
  packMatrix(packed, weight, <usize>H << 2, H, 3 * H, true)
  for (let s = 0; s < steps; s++) {
    const some = recur(sums, bias, 0, h, h0, packed, buffer, s, 3, batch, steps, H, batchFirst, reverse)
    for (let b = 0; b < batch; b++) {
      const row = rowOf(s, b, batch, steps, batchFirst, reverse)
      const xr = rowAt(x, row, 3 * H)
      const m = rowAt(sums, b, 3 * H)
      const r = rowAt(gates, row, 4 * H)
      const z = at(r, H)
      const n = at(z, H)
      const hr = rowAt(h, row, H)
      const last = stateBefore(h, h0, s, b, batch, steps, H, batchFirst, reverse)
      if (!some) copyOrZero(m, bias, 3 * H)
      memory.copy(at(n, H), at(m, 2 * H), <usize>H << 2)
      mixRow(Mix.sum, m, xr, m, m, m, 2 * H)
      sigmoidOf(r, m, 2 * H)
      mixRow(Mix.step, at(m, 2 * H), at(xr, 2 * H), r, at(m, 2 * H), r, H)
      tanhOf(n, at(m, 2 * H), H)
      if (!last) memory.fill(hr, 0, <usize>H << 2)
      mixRow(Mix.blend, hr, n, z, last ? last : hr, z, H)
    }
  }
}

/** dx: gradients of x, and dm: those of W_hh h_{t-1} + b_hh, which differ in n alone; before: h_{t-1} beside them; dh0.
 *  dx, dm: [rows, 3H]; gates: [rows, 4H]; before, dh, h: [rows, H]. */
export function gruBackward(
  dx: Out, dm: Out, before: Out, dh0: Out, dh: In, h: In, gates: In, h0: OptionalIn, weight: In, buffer: Scratch,
  batch: i32, steps: i32, H: i32, batchFirst: i32, reverse: i32,
): void {
  const packed = buffer + productBytes(batch, 3 * H)
  const one = f32x4.splat(1)
  packMatrix(packed, weight, <usize>H << 2, 3 * H, H, false)
  memory.fill(dh0, 0, <usize>(batch * H) << 2)
  for (let s = steps - 1; s >= 0; s--) {
    for (let b = 0; b < batch; b++) {
      const row = rowOf(s, b, batch, steps, batchFirst, reverse)
      const dr = rowAt(dh, row, H)
      const tx = rowAt(dx, row, 3 * H)
      const tm = rowAt(dm, row, 3 * H)
      const gr = rowAt(gates, row, 4 * H)
      const carry = rowAt(dh0, b, H)
      const last = stateBefore(h, h0, s, b, batch, steps, H, batchFirst, reverse)
      for (let j = 0; j < H; j += 4) {
        const left = H - j
        const r = v128.load(at(gr, j)), z = v128.load(at(gr, j + H)), n = v128.load(at(gr, j + 2 * H)), m = v128.load(at(gr, j + 3 * H))
        const d = f32x4.add(v128.load(at(dr, j)), v128.load(at(carry, j)))
        const dn = f32x4.mul(f32x4.mul(d, f32x4.sub(one, z)), f32x4.sub(one, f32x4.mul(n, n)))
        const dz = f32x4.mul(f32x4.mul(d, f32x4.sub(loadOrZero(last, j), n)), f32x4.mul(z, f32x4.sub(one, z)))
        const dreset = f32x4.mul(f32x4.mul(dn, m), f32x4.mul(r, f32x4.sub(one, r)))
        storeLanes(at(tx, j), dreset, left)
        storeLanes(at(tm, j), dreset, left)
        storeLanes(at(tx, j + H), dz, left)
        storeLanes(at(tm, j + H), dz, left)
        storeLanes(at(tx, j + 2 * H), dn, left)
        storeLanes(at(tm, j + 2 * H), f32x4.mul(dn, r), left)
        storeLanes(at(carry, j), f32x4.mul(d, z), left)
      }
      copyOrZero(rowAt(before, row, H), stateBefore(h, h0, s, b, batch, steps, H, batchFirst, reverse), H)
    }
    if (s > 0 || h0) carryBack(dh0, dm, packed, buffer, s, 3, batch, steps, H, batchFirst, reverse, true)
  }
}
