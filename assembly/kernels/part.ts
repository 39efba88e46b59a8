// Parts of tensors: writing into them, and triangles of matrices. They are read by stridedCopy.

import { In, Ints, Out } from '../abi'
import { offsetOf, runsOf } from './copy'

/** out[i·s0 + j·s1 + …] = x[i, j, …], elements of 4 bytes; dims as in stridedCopy, x is contiguous. The rest
 *  of out stays. Serves cat, pad and the gradients of slices. */
export function stridedWrite(out: Out, x: In, dims: Ints): void {
  const inner = dims + 8 * (load<i32>(dims) - 1)
  const n = load<i32>(inner, 4)
  const step = <usize>load<i32>(inner, 8) << 2
  const runs = runsOf(dims, 1)
  for (let r = 0; r < runs; r++) {
    let p = out + offsetOf(dims, 1, 0, r)
    if (step == 4) {
      memory.copy(p, x, <usize>n << 2)
      x += <usize>n << 2
    } else {
      for (let i = 0; i < n; i++) {
        store<i32>(p, load<i32>(x))
        x += 4
        p += step
      }
    }
  }
}

/** out[b, i, j] = x[b, i, j] where j - i <= diagonal (lower) or j - i >= diagonal (upper), else 0. */
export function triangle(out: Out, x: In, upper: i32, diagonal: i32, batch: i32, rows: i32, columns: i32): void {
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const inside = upper ? j - i >= diagonal : j - i <= diagonal
        store<i32>(out, inside ? load<i32>(x) : 0)
        out += 4
        x += 4
      }
    }
  }
}
