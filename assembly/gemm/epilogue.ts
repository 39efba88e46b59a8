// What happens to a tile of C on its way out: it joins the sum over earlier blocks of k, gets the bias of
// its columns, then an activation.

import { activate } from '../kernels/activation'
import { storeLanes } from '../simd'

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
