// Recurrent layers: the loop over time, forward and backward, of one layer in one direction. What the inputs give
// to the gates comes as one matrix product over all steps (x below), and the gradients of the recurrent weights
// leave as one: the backward writes the gradients of the gates and, row by row beside them, the states before.
//
//   each step    products = h_before · W_hhᵀ  [batch, G H], from weights packed once; then the gates, row by row
//
// Rows of x, h, … are one step of one sequence: row t ahead + b apart, where [steps, batch, …] has ahead = batch and apart = 1,
// and [batch, steps, …] ahead = 1 and apart = steps; a command may so take some of the sequences of a batch. The products
// read and write them where they are. `reverse` runs from the last step to the first. Row of G gates: one after the
// other, H wide. h0, c0: [batch, H], 0 where absent; W_hh: [G H, H].
//
// buffer of a forward, in floats, with b = min(batch, 256) rounded up to 4: 256 × 16; b H; H ⌈G H / 16⌉ 16; batch G H.
// Of a backward: 256 × 16; b G H; G H ⌈H / 16⌉ 16; H.

import { In, OptionalIn, Out, Scratch } from '../abi'
import { multiplyPacked, packedBytes, packMatrix, productBytes } from '../gemm/packed'
import { constant, ONE } from '../math'
import { at, mulAdd, mulSub, storeLanes } from '../simd'
import { relu as reluOf, sigmoid as sigmoidOf, tanh as tanhOf } from './activation'

/** The row of sequence b at the s-th step that is run. */
// @ts-ignore: decorator
@inline
function rowOf(s: i32, b: i32, steps: i32, ahead: i32, apart: i32, reverse: i32): i32 {
  return (reverse ? steps - 1 - s : s) * ahead + b * apart
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
  if (kind == Mix.cell) return mulAdd(f32x4.mul(a, b), c, d)
  if (kind == Mix.step) return mulAdd(a, b, c)
  return mulAdd(a, b, f32x4.sub(c, a))
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

/** Stores two vectors, or where `end`, a constant, says so their first `left` elements. Were it a test of `left` at run time,
 *  V8's 256-bit pass would join vectors that another branch takes apart again, and abort (Node 24, "unreachable code"). */
// @ts-ignore: decorator
@inline
function put(end: bool, left: i32, p: usize, v0: v128, v1: v128): void {
  if (end) {
    storeRest(p, v0, v1, left)
  } else {
    v128.store(p, v0)
    v128.store(p, v1, 16)
  }
}

function storeRest(p: usize, v0: v128, v1: v128, left: i32): void {
  storeLanes(p, v0, left)
  storeLanes(p + 16, v1, left - 4)
}

/** d σ', given y = σ. */
// @ts-ignore: decorator
@inline
function throughSigmoid(d: v128, y: v128, one: v128): v128 {
  return f32x4.mul(d, f32x4.mul(y, f32x4.sub(one, y)))
}

/** d tanh', given y = tanh. */
// @ts-ignore: decorator
@inline
function throughTanh(d: v128, y: v128, one: v128): v128 {
  return f32x4.mul(d, mulSub(one, y, y))
}

/** sums [batch, G H] = F + the states before step s · W_hhᵀ; returns false, and leaves sums, where those are 0. */
function recur(
  sums: usize, f: usize, ldf: usize, h: usize, h0: usize, packed: usize, buffer: usize,
  s: i32, G: i32, batch: i32, steps: i32, H: i32, ahead: i32, apart: i32, reverse: i32,
): bool {
  if (s == 0 && !h0) return false
  const before = s > 0 ? rowAt(h, rowOf(s - 1, 0, steps, ahead, apart, reverse), H) : h0
  const ld = <usize>(s > 0 ? apart * H : H) << 2
  multiplyPacked(sums, <usize>(G * H) << 2, before, ld, packed, H, batch, G * H, H, buffer, f, ldf)
  return true
}

/** carry [batch, H] = (add ? carry : 0) + the gates' gradients of step s · W_hh. */
function carryBack(
  carry: usize, dgates: usize, packed: usize, buffer: usize, s: i32, G: i32, batch: i32, steps: i32, H: i32, ahead: i32,
  apart: i32, reverse: i32, add: bool,
): void {
  const width = G * H
  const from = rowAt(dgates, rowOf(s, 0, steps, ahead, apart, reverse), width)
  const ld = <usize>(apart * width) << 2
  const ldc = <usize>H << 2
  multiplyPacked(carry, ldc, from, ld, packed, width, batch, H, width, buffer, add ? carry : 0, ldc)
}

/** The state of sequence b before step s; `absent` where there is none. */
// @ts-ignore: decorator
@inline
function stateBefore(
  h: usize, h0: usize, absent: usize, s: i32, b: i32, steps: i32, H: i32, ahead: i32, apart: i32, reverse: i32,
): usize {
  if (s > 0) return rowAt(h, rowOf(s - 1, b, steps, ahead, apart, reverse), H)
  return h0 ? rowAt(h0, b, H) : absent
}

/** A row of zeros behind the packed weights: the state that a backward finds where none was given. */
function zeroRow(packed: usize, k: i32, H: i32): usize {
  const row = packed + packedBytes(k, H)
  memory.fill(row, 0, <usize>H << 2)
  return row
}

function copyOrZero(to: usize, from: usize, H: i32): void {
  if (from) memory.copy(to, from, <usize>H << 2)
  else memory.fill(to, 0, <usize>H << 2)
}

/** h_t = tanh, or relu, of x_t + W_hh h_{t-1}.  h, x: [rows, H]. */
export function rnn(
  h: Out, x: In, h0: OptionalIn, weight: In, buffer: Scratch,
  batch: i32, steps: i32, H: i32, ahead: i32, apart: i32, reverse: i32, relu: i32,
): void {
  const packed = buffer + productBytes(batch, H)
  const sums = packed + packedBytes(H, H)
  packMatrix(packed, weight, <usize>H << 2, H, H, true)
  for (let s = 0; s < steps; s++) {
    const first = rowAt(x, rowOf(s, 0, steps, ahead, apart, reverse), H)
    const some = recur(sums, first, <usize>(apart * H) << 2, h, h0, packed, buffer, s, 1, batch, steps, H, ahead, apart, reverse)
    for (let b = 0; b < batch; b++) {
      const r = rowOf(s, b, steps, ahead, apart, reverse)
      const p = some ? rowAt(sums, b, H) : rowAt(x, r, H)
      if (relu) reluOf(rowAt(h, r, H), p, H)
      else tanhOf(rowAt(h, r, H), p, H)
    }
  }
}

/** Eight elements of a row of rnnBackward from j on, or as many as are left. */
// @ts-ignore: decorator
@inline
function rnnPairBackward(end: bool, left: i32, relu: i32, to: usize, dr: usize, carry: usize, y: usize, last: usize, kept: usize, j: i32): void {
  const one = constant(ONE, 0)
  const d0 = f32x4.add(v128.load(at(dr, j)), v128.load(at(carry, j)))
  const d1 = f32x4.add(v128.load(at(dr, j), 16), v128.load(at(carry, j), 16))
  const y0 = v128.load(at(y, j)), y1 = v128.load(at(y, j), 16)
  if (relu) put(end, left, at(to, j), v128.andnot(d0, f32x4.le(y0, f32x4.splat(0))), v128.andnot(d1, f32x4.le(y1, f32x4.splat(0))))
  else put(end, left, at(to, j), throughTanh(d0, y0, one), throughTanh(d1, y1, one))
  put(end, left, at(kept, j), v128.load(at(last, j)), v128.load(at(last, j), 16))
}

/** dx: gradients of what goes into the activation; before: h_{t-1} beside it; dh0.  dx, before, dh, h: [rows, H]. */
export function rnnBackward(
  dx: Out, before: Out, dh0: Out, dh: In, h: In, h0: OptionalIn, weight: In, buffer: Scratch,
  batch: i32, steps: i32, H: i32, ahead: i32, apart: i32, reverse: i32, relu: i32,
): void {
  const packed = buffer + productBytes(batch, H)
  const zeros = zeroRow(packed, H, H)
  packMatrix(packed, weight, <usize>H << 2, H, H, false)
  memory.fill(dh0, 0, <usize>(batch * H) << 2)
  for (let s = steps - 1; s >= 0; s--) {
    for (let b = 0; b < batch; b++) {
      const r = rowOf(s, b, steps, ahead, apart, reverse)
      const dr = rowAt(dh, r, H)
      const yr = rowAt(h, r, H)
      const to = rowAt(dx, r, H)
      const carry = rowAt(dh0, b, H)
      const last = stateBefore(h, h0, zeros, s, b, steps, H, ahead, apart, reverse)
      const kept = rowAt(before, r, H)
      let j = 0
      for (; j + 8 <= H; j += 8) rnnPairBackward(false, 8, relu, to, dr, carry, yr, last, kept, j)
      if (j < H) rnnPairBackward(true, H - j, relu, to, dr, carry, yr, last, kept, j)
    }
    if (s > 0 || h0) carryBack(dh0, dx, packed, buffer, s, 1, batch, steps, H, ahead, apart, reverse, false)
  }
}

/** i, f, o = σ, g = tanh of x_t + W_hh h_{t-1};  c_t = f c_{t-1} + i g;  h_t = o tanh c_t.
 *  h, c: [rows, H]; x: [rows, 4H], in the order i, f, g, o; gates: [rows, 5H], in the order i, f, g, o, tanh c. */
export function lstm(
  h: Out, c: Out, gates: Out, x: In, h0: OptionalIn, c0: OptionalIn, weight: In, buffer: Scratch,
  batch: i32, steps: i32, H: i32, ahead: i32, apart: i32, reverse: i32,
): void {
  const packed = buffer + productBytes(batch, H)
  const sums = packed + packedBytes(H, 4 * H)
  packMatrix(packed, weight, <usize>H << 2, H, 4 * H, true)
  for (let s = 0; s < steps; s++) {
    const first = rowAt(x, rowOf(s, 0, steps, ahead, apart, reverse), 4 * H)
    const some = recur(sums, first, <usize>(apart * 4 * H) << 2, h, h0, packed, buffer, s, 4, batch, steps, H, ahead, apart, reverse)
    for (let b = 0; b < batch; b++) {
      const r = rowOf(s, b, steps, ahead, apart, reverse)
      const p = some ? rowAt(sums, b, 4 * H) : rowAt(x, r, 4 * H)
      const i = rowAt(gates, r, 5 * H)
      const f = at(i, H)
      const g = at(f, H)
      const o = at(g, H)
      const u = at(o, H)
      const hr = rowAt(h, r, H)
      const cr = rowAt(c, r, H)
      const last = stateBefore(c, c0, 0, s, b, steps, H, ahead, apart, reverse)
      sigmoidOf(i, p, 2 * H)
      tanhOf(g, at(p, 2 * H), H)
      sigmoidOf(o, at(p, 3 * H), H)
      if (last) mixRow(Mix.cell, cr, f, last, i, g, H)
      else mixRow(Mix.product, cr, i, g, i, g, H)
      tanhOf(u, cr, H)
      mixRow(Mix.product, hr, o, u, o, u, H)
    }
  }
}

/** Eight elements of a row of lstmBackward from j on, or as many as are left. */
// @ts-ignore: decorator
@inline
function lstmPairBackward(
  end: bool, left: i32, to: usize, cells: usize, gr: usize, dr: usize, carry: usize, lastCell: usize, last: usize, kept: usize, j: i32, H: i32,
): void {
  const one = constant(ONE, 0)
  const i = at(gr, j), f = at(i, H), g = at(f, H), o = at(g, H), u = at(o, H)
  const di = at(to, j), df = at(di, H), dg = at(df, H), dout = at(dg, H)
  const i0 = v128.load(i), i1 = v128.load(i, 16), f0 = v128.load(f), f1 = v128.load(f, 16), g0 = v128.load(g), g1 = v128.load(g, 16)
  const o0 = v128.load(o), o1 = v128.load(o, 16), u0 = v128.load(u), u1 = v128.load(u, 16)
  const d0 = f32x4.add(v128.load(at(dr, j)), v128.load(at(carry, j)))
  const d1 = f32x4.add(v128.load(at(dr, j), 16), v128.load(at(carry, j), 16))
  // c reaches the loss through h and through the next step.
  const dc0 = f32x4.add(v128.load(at(cells, j)), throughTanh(f32x4.mul(d0, o0), u0, one))
  const dc1 = f32x4.add(v128.load(at(cells, j), 16), throughTanh(f32x4.mul(d1, o1), u1, one))
  put(end, left, dout, throughSigmoid(f32x4.mul(d0, u0), o0, one), throughSigmoid(f32x4.mul(d1, u1), o1, one))
  put(end, left, di, throughSigmoid(f32x4.mul(dc0, g0), i0, one), throughSigmoid(f32x4.mul(dc1, g1), i1, one))
  put(end, left, dg, throughTanh(f32x4.mul(dc0, i0), g0, one), throughTanh(f32x4.mul(dc1, i1), g1, one))
  const l0 = v128.load(at(lastCell, j)), l1 = v128.load(at(lastCell, j), 16)
  put(end, left, df, throughSigmoid(f32x4.mul(dc0, l0), f0, one), throughSigmoid(f32x4.mul(dc1, l1), f1, one))
  put(end, left, at(cells, j), f32x4.mul(dc0, f0), f32x4.mul(dc1, f1))
  put(end, left, at(kept, j), v128.load(at(last, j)), v128.load(at(last, j), 16))
}

/** dx: gradients of what goes into the gates; before: h_{t-1} beside it; dh0 and dc0.  dx: [rows, 4H]; gates: [rows, 5H];
 *  before, dh, h, c: [rows, H]; dcell: the gradient of the last c, [batch, H], 0 where absent. */
export function lstmBackward(
  dx: Out, before: Out, dh0: Out, dc0: Out, dh: In, dcell: OptionalIn, h: In, c: In, gates: In, h0: OptionalIn, c0: OptionalIn,
  weight: In, buffer: Scratch, batch: i32, steps: i32, H: i32, ahead: i32, apart: i32, reverse: i32,
): void {
  const packed = buffer + productBytes(batch, 4 * H)
  const zeros = zeroRow(packed, 4 * H, H)
  packMatrix(packed, weight, <usize>H << 2, 4 * H, H, false)
  memory.fill(dh0, 0, <usize>(batch * H) << 2)
  copyOrZero(dc0, dcell, batch * H)
  for (let s = steps - 1; s >= 0; s--) {
    for (let b = 0; b < batch; b++) {
      const r = rowOf(s, b, steps, ahead, apart, reverse)
      const dr = rowAt(dh, r, H)
      const to = rowAt(dx, r, 4 * H)
      const gr = rowAt(gates, r, 5 * H)
      const carry = rowAt(dh0, b, H)
      const cells = rowAt(dc0, b, H)
      const lastCell = stateBefore(c, c0, zeros, s, b, steps, H, ahead, apart, reverse)
      const last = stateBefore(h, h0, zeros, s, b, steps, H, ahead, apart, reverse)
      const kept = rowAt(before, r, H)
      let j = 0
      for (; j + 8 <= H; j += 8) lstmPairBackward(false, 8, to, cells, gr, dr, carry, lastCell, last, kept, j, H)
      if (j < H) lstmPairBackward(true, H - j, to, cells, gr, dr, carry, lastCell, last, kept, j, H)
    }
    if (s > 0 || h0) carryBack(dh0, dx, packed, buffer, s, 4, batch, steps, H, ahead, apart, reverse, false)
  }
}

/** r, z = σ(x_t + m_r,z);  n = tanh(x_n + r m_n), m = W_hh h_{t-1} + b_hh;  h_t = n + z (h_{t-1} - n).
 *  h: [rows, H]; x: [rows, 3H], in the order r, z, n; bias: [3H]; gates: [rows, 4H], in the order r, z, n, m_n. */
export function gru(
  h: Out, gates: Out, x: In, h0: OptionalIn, weight: In, bias: OptionalIn, buffer: Scratch,
  batch: i32, steps: i32, H: i32, ahead: i32, apart: i32, reverse: i32,
): void {
  const packed = buffer + productBytes(batch, H)
  const sums = packed + packedBytes(H, 3 * H)
  packMatrix(packed, weight, <usize>H << 2, H, 3 * H, true)
  for (let s = 0; s < steps; s++) {
    const some = recur(sums, bias, 0, h, h0, packed, buffer, s, 3, batch, steps, H, ahead, apart, reverse)
    for (let b = 0; b < batch; b++) {
      const row = rowOf(s, b, steps, ahead, apart, reverse)
      const xr = rowAt(x, row, 3 * H)
      const m = rowAt(sums, b, 3 * H)
      const r = rowAt(gates, row, 4 * H)
      const z = at(r, H)
      const n = at(z, H)
      const hr = rowAt(h, row, H)
      const last = stateBefore(h, h0, 0, s, b, steps, H, ahead, apart, reverse)
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

/** Eight elements of a row of gruBackward from j on, or as many as are left. */
// @ts-ignore: decorator
@inline
function gruPairBackward(
  end: bool, left: i32, tx: usize, tm: usize, gr: usize, dr: usize, carry: usize, last: usize, kept: usize, j: i32, H: i32,
): void {
  const one = constant(ONE, 0)
  const r = at(gr, j), z = at(r, H), n = at(z, H), m = at(n, H)
  const xr = at(tx, j), xz = at(xr, H), xn = at(xz, H)
  const mr = at(tm, j), mz = at(mr, H), mn = at(mz, H)
  const r0 = v128.load(r), r1 = v128.load(r, 16), z0 = v128.load(z), z1 = v128.load(z, 16), n0 = v128.load(n), n1 = v128.load(n, 16)
  const l0 = v128.load(at(last, j)), l1 = v128.load(at(last, j), 16)
  const d0 = f32x4.add(v128.load(at(dr, j)), v128.load(at(carry, j)))
  const d1 = f32x4.add(v128.load(at(dr, j), 16), v128.load(at(carry, j), 16))
  const dn0 = throughTanh(f32x4.mul(d0, f32x4.sub(one, z0)), n0, one)
  const dn1 = throughTanh(f32x4.mul(d1, f32x4.sub(one, z1)), n1, one)
  const dz0 = throughSigmoid(f32x4.mul(d0, f32x4.sub(l0, n0)), z0, one)
  const dz1 = throughSigmoid(f32x4.mul(d1, f32x4.sub(l1, n1)), z1, one)
  const dr0 = throughSigmoid(f32x4.mul(dn0, v128.load(m)), r0, one)
  const dr1 = throughSigmoid(f32x4.mul(dn1, v128.load(m, 16)), r1, one)
  put(end, left, xr, dr0, dr1)
  put(end, left, mr, dr0, dr1)
  put(end, left, xz, dz0, dz1)
  put(end, left, mz, dz0, dz1)
  put(end, left, xn, dn0, dn1)
  put(end, left, mn, f32x4.mul(dn0, r0), f32x4.mul(dn1, r1))
  put(end, left, at(carry, j), f32x4.mul(d0, z0), f32x4.mul(d1, z1))
  put(end, left, at(kept, j), l0, l1)
}

/** dx: gradients of x, and dm: those of W_hh h_{t-1} + b_hh, which differ in n alone; before: h_{t-1} beside them; dh0.
 *  dx, dm: [rows, 3H]; gates: [rows, 4H]; before, dh, h: [rows, H]. */
export function gruBackward(
  dx: Out, dm: Out, before: Out, dh0: Out, dh: In, h: In, gates: In, h0: OptionalIn, weight: In, buffer: Scratch,
  batch: i32, steps: i32, H: i32, ahead: i32, apart: i32, reverse: i32,
): void {
  const packed = buffer + productBytes(batch, 3 * H)
  const zeros = zeroRow(packed, 3 * H, H)
  packMatrix(packed, weight, <usize>H << 2, 3 * H, H, false)
  memory.fill(dh0, 0, <usize>(batch * H) << 2)
  for (let s = steps - 1; s >= 0; s--) {
    for (let b = 0; b < batch; b++) {
      const row = rowOf(s, b, steps, ahead, apart, reverse)
      const dr = rowAt(dh, row, H)
      const tx = rowAt(dx, row, 3 * H)
      const tm = rowAt(dm, row, 3 * H)
      const gr = rowAt(gates, row, 4 * H)
      const carry = rowAt(dh0, b, H)
      const last = stateBefore(h, h0, zeros, s, b, steps, H, ahead, apart, reverse)
      const kept = rowAt(before, row, H)
      let j = 0
      for (; j + 8 <= H; j += 8) gruPairBackward(false, 8, tx, tm, gr, dr, carry, last, kept, j, H)
      if (j < H) gruPairBackward(true, H - j, tx, tm, gr, dr, carry, last, kept, j, H)
    }
    if (s > 0 || h0) carryBack(dh0, dm, packed, buffer, s, 3, batch, steps, H, ahead, apart, reverse, true)
  }
}
