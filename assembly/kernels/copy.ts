// Moving and converting: fills, strided copies, transposes, dtypes.

import { In, Ints, Out } from '../abi'
import { at, storeLanes } from '../simd'

/** How many runs along the last axis `dims` stands for: rank, then for each axis its size and its strides in the
 *  `operands`, in elements. */
export function runsOf(dims: usize, operands: i32): i32 {
  const rank = load<i32>(dims)
  let runs = 1
  for (let d = 1; d < rank; d++) {
    runs *= load<i32>(dims, 4)
    dims = at(dims, operands + 1)
  }
  return runs
}

/** Where run `run` starts in an operand (the first is 0), in bytes. */
export function offsetOf(dims: usize, operands: i32, operand: i32, run: i32): usize {
  let offset = 0
  for (let axis = load<i32>(dims) - 2; axis >= 0; axis--) {
    const d = at(dims, axis * (operands + 1))
    const size = load<i32>(d, 4)
    offset += (run % size) * load<i32>(at(d, operand), 8)
    run /= size
  }
  return <usize>offset << 2
}

/** out = the 32 bits of `word`, n times. */
export function fill(out: Out, word: i32, n: i32): void {
  const v = i32x4.splat(word)
  let i = 0
  for (; i + 4 <= n; i += 4) v128.store(at(out, i), v)
  storeLanes(at(out, i), v, n - i)
}

/** out = x, n elements of 4 bytes. */
export function copy(out: Out, x: In, n: i32): void {
  memory.copy(out, x, <usize>n << 2)
}

/** out = x, n elements of one byte. */
export function copyBytes(out: Out, x: In, n: i32): void {
  memory.copy(out, x, n)
}

/** out[i, j, …] = x[i·s0 + j·s1 + …], elements of 4 bytes.  dims: rank, then (size, stride) of each axis.
 *  Serves permute, expand and slice; out is contiguous. */
export function stridedCopy(out: Out, x: In, dims: Ints): void {
  const inner = dims + 8 * (load<i32>(dims) - 1)
  const n = load<i32>(inner, 4)
  const step = <usize>load<i32>(inner, 8) << 2
  const runs = runsOf(dims, 1)
  for (let r = 0; r < runs; r++) {
    let p = x + offsetOf(dims, 1, 0, r)
    if (step == 4) {
      memory.copy(out, p, <usize>n << 2)
      out += <usize>n << 2
    } else {
      for (let i = 0; i < n; i++) {
        store<i32>(out, load<i32>(p))
        out += 4
        p += step
      }
    }
  }
}

/** out[b] = x[b]ᵀ.  out: [batch, columns, rows]; x: [batch, rows, columns]; 4×4 blocks at a time. */
export function transpose(out: Out, x: In, batch: i32, rows: i32, columns: i32): void {
  const stepX = <usize>columns << 2
  const stepOut = <usize>rows << 2
  for (let b = 0; b < batch; b++) {
    let i = 0
    for (; i + 4 <= rows; i += 4) {
      let p = x + <usize>i * stepX
      let q = at(out, i)
      let j = 0
      for (; j + 4 <= columns; j += 4) {
        const r0 = v128.load(p)
        const r1 = v128.load(p + stepX)
        const r2 = v128.load(p + 2 * stepX)
        const r3 = v128.load(p + 3 * stepX)
        const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
        const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
        const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
        const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
        v128.store(q, v128.shuffle<i64>(low01, low23, 0, 2))
        v128.store(q + stepOut, v128.shuffle<i64>(low01, low23, 1, 3))
        v128.store(q + 2 * stepOut, v128.shuffle<i64>(high01, high23, 0, 2))
        v128.store(q + 3 * stepOut, v128.shuffle<i64>(high01, high23, 1, 3))
        p += 16
        q += 4 * stepOut
      }
      for (; j < columns; j++) {
        for (let r: usize = 0; r < 4; r++) store<i32>(q + 4 * r, load<i32>(p + r * stepX))
        p += 4
        q += stepOut
      }
    }
    for (; i < rows; i++) {
      const p = x + <usize>i * stepX
      for (let j = 0; j < columns; j++) store<i32>(at(out + <usize>j * stepOut, i), load<i32>(at(p, j)))
    }
    x += <usize>(rows * columns) << 2
    out += <usize>(rows * columns) << 2
  }
}

/** out (f32) = x (u8).  [n]. */
export function u8ToF32(out: Out, x: In, n: i32): void {
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const wide = v128.load_ext<u8>(x + i)
    v128.store(at(out, i), f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_u(wide)))
    v128.store(at(out, i), f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_u(wide)), 16)
  }
  for (; i < n; i++) store<f32>(at(out, i), <f32>load<u8>(x + i))
}

/** out (i32) = x (u8).  [n]. */
export function u8ToI32(out: Out, x: In, n: i32): void {
  for (let i = 0; i < n; i++) store<i32>(at(out, i), <i32>load<u8>(x + i))
}

/** out (f32) = x (i32).  [n]. */
export function i32ToF32(out: Out, x: In, n: i32): void {
  for (let i = 0; i < n; i += 4) storeLanes(at(out, i), f32x4.convert_i32x4_s(v128.load(at(x, i))), n - i)
}

/** out (i32) = x (f32) towards zero, saturating; NaN gives 0.  [n]. */
export function f32ToI32(out: Out, x: In, n: i32): void {
  for (let i = 0; i < n; i += 4) storeLanes(at(out, i), i32x4.trunc_sat_f32x4_s(v128.load(at(x, i))), n - i)
}
