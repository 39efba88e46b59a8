// What happens to a tile of C on its way out: it joins the sum over earlier blocks of k, gets the bias of
// its columns or rows, then an activation.

import { activate } from '../kernels/activation'
import { at, storeLanes } from '../simd'

/** out = activation((carry ? out : 0) + tile + bias) on `rows` rows of `width` columns.
 *  bias: [width], or 0 when absent; rows of out ldc bytes apart, of tile ldt; out may be tile. */
export function finishTile(
  out: usize, ldc: usize, tile: usize, ldt: usize, rows: i32, width: i32, carry: bool, bias: usize, activation: i32,
): void {
  const zero = f32x4.splat(0)
  const bias0 = bias ? v128.load(bias) : zero
  const bias1 = bias && width > 4 ? v128.load(bias, 16) : zero
  for (let i = 0; i < rows; i++) {
    let v = v128.load(tile)
    if (carry) v = f32x4.add(v128.load(out), v)
    if (bias) v = f32x4.add(v, bias0)
    storeLanes(out, activate(activation, v), width)
    if (width > 4) {
      v = v128.load(tile, 16)
      if (carry) v = f32x4.add(v128.load(out, 16), v)
      if (bias) v = f32x4.add(v, bias1)
      storeLanes(out + 16, activate(activation, v), width - 4)
    }
    out += ldc
    tile += ldt
  }
}

/** The same with a bias for each row: [rows]. */
export function finishRows(
  out: usize, ldc: usize, tile: usize, ldt: usize, rows: i32, width: i32, carry: bool, bias: usize, activation: i32,
): void {
  for (let i = 0; i < rows; i++) {
    const added = bias ? v128.load32_splat(at(bias, i)) : f32x4.splat(0)
    let v0 = v128.load(tile)
    let v1 = v128.load(tile, 16)
    if (carry) {
      v0 = f32x4.add(v128.load(out), v0)
      v1 = f32x4.add(v128.load(out, 16), v1)
    }
    if (bias) {
      v0 = f32x4.add(v0, added)
      v1 = f32x4.add(v1, added)
    }
    storeLanes(out, activate(activation, v0), width)
    if (width > 4) storeLanes(out + 16, activate(activation, v1), width - 4)
    out += ldc
    tile += ldt
  }
}
