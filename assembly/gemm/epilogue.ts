// What happens to a tile of C on its way out: it joins the sum over earlier blocks of k, gets the bias of
// its columns or rows, then an activation.

import { activate, Activation } from '../kernels/activation'
import { at, storeLanes } from '../simd'

// tanh and sigmoid have a loop of their own: in one loop with the rest, V8 sets up their some forty constants
// before every tile, and a bias halved the speed of 768×128×512 (13 GFLOP/s against 25 without).

/** out = activation((carry ? out : 0) + tile + bias) on `rows` rows of `width` columns.
 *  bias: [width], or 0 when absent; rows of out ldc bytes apart, of tile ldt; out may be tile. */
export function finishTile(
  out: usize, ldc: usize, tile: usize, ldt: usize, rows: i32, width: i32, carry: bool, bias: usize, activation: i32,
): void {
  const zero = f32x4.splat(0)
  // Where nothing is added -0 is: it changes no number, not even -0.
  const nothing = f32x4.splat(-0.0)
  const bias0 = bias ? v128.load(bias) : nothing
  const bias1 = bias && width > 4 ? v128.load(bias, 16) : nothing
  finish(out, ldc, tile, ldt, rows, width, carry, bias0, bias1, 0, activation == Activation.relu ? zero : f32x4.splat(-Infinity))
  if (activation > Activation.relu) activateTile(out, ldc, rows, width, activation)
}

/** The same with a bias for each row: [rows]. */
export function finishRows(
  out: usize, ldc: usize, tile: usize, ldt: usize, rows: i32, width: i32, carry: bool, bias: usize, activation: i32,
): void {
  const nothing = f32x4.splat(-0.0)
  finish(out, ldc, tile, ldt, rows, width, carry, nothing, nothing, bias, activation == Activation.relu ? f32x4.splat(0) : f32x4.splat(-Infinity))
  if (activation > Activation.relu) activateTile(out, ldc, rows, width, activation)
}

/** Nothing below `least` passes; NaN does. */
// @ts-ignore: decorator
@inline
function finish(
  out: usize, ldc: usize, tile: usize, ldt: usize, rows: i32, width: i32, carry: bool, bias0: v128, bias1: v128, rowBias: usize, least: v128,
): void {
  for (let i = 0; i < rows; i++) {
    let v0 = v128.load(tile)
    let v1 = v128.load(tile, 16)
    if (carry) {
      v0 = f32x4.add(v128.load(out), v0)
      v1 = f32x4.add(v128.load(out, 16), v1)
    }
    const b = rowBias ? v128.load32_splat(at(rowBias, i)) : bias0
    v0 = f32x4.max(f32x4.add(v0, b), least)
    v1 = f32x4.max(f32x4.add(v1, rowBias ? b : bias1), least)
    if (width >= 8) {
      v128.store(out, v0)
      v128.store(out, v1, 16)
    } else {
      storeLanes(out, v0, width)
      if (width > 4) storeLanes(out + 16, v1, width - 4)
    }
    out += ldc
    tile += ldt
  }
}

function activateTile(out: usize, ldc: usize, rows: i32, width: i32, activation: i32): void {
  for (let i = 0; i < rows; i++) {
    storeLanes(out, activate(activation, v128.load(out)), width)
    if (width > 4) storeLanes(out + 16, activate(activation, v128.load(out, 16)), width - 4)
    out += ldc
  }
}
