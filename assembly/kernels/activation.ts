// Activations, forward and backward. Every derivative here is a function of the output y, so that the
// input need not be kept and the forward can live in the epilogue of a matrix product.

import { In, Out } from '../abi'
import { sigmoid as sigmoidOf, tanh as tanhOf } from '../math'
import { at, storeLanes } from '../simd'

export enum Activation {
  none,
  relu,
  tanh,
  sigmoid,
}

/** relu keeps NaN, as PyTorch's does: max(0, NaN) is NaN in wasm. */
// @ts-ignore: decorator
@inline
export function activate(kind: i32, x: v128): v128 {
  if (kind == Activation.relu) return f32x4.max(x, f32x4.splat(0))
  if (kind == Activation.tanh) return tanhOf(x)
  if (kind == Activation.sigmoid) return sigmoidOf(x)
  return x
}

// @ts-ignore: decorator
@inline
function forward(kind: i32, out: usize, x: usize, n: i32): void {
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const p = at(x, i)
    const y0 = activate(kind, v128.load(p))
    const y1 = activate(kind, v128.load(p, 16))
    v128.store(at(out, i), y0)
    v128.store(at(out, i), y1, 16)
  }
  for (; i < n; i += 4) storeLanes(at(out, i), activate(kind, v128.load(at(x, i))), n - i)
}

/** dy · h'(x), written in y = h(x). */
// @ts-ignore: decorator
@inline
function slope(kind: i32, dy: v128, y: v128): v128 {
  if (kind == Activation.relu) return v128.and(dy, f32x4.gt(y, f32x4.splat(0)))
  if (kind == Activation.tanh) return f32x4.mul(dy, f32x4.sub(f32x4.splat(1), f32x4.mul(y, y)))
  return f32x4.mul(f32x4.mul(dy, y), f32x4.sub(f32x4.splat(1), y))
}

// @ts-ignore: decorator
@inline
function backward(kind: i32, dx: usize, dy: usize, y: usize, n: i32): void {
  let i = 0
  for (; i + 8 <= n; i += 8) {
    const p = at(dy, i)
    const q = at(y, i)
    const d0 = slope(kind, v128.load(p), v128.load(q))
    const d1 = slope(kind, v128.load(p, 16), v128.load(q, 16))
    v128.store(at(dx, i), d0)
    v128.store(at(dx, i), d1, 16)
  }
  for (; i < n; i += 4) storeLanes(at(dx, i), slope(kind, v128.load(at(dy, i)), v128.load(at(y, i))), n - i)
}

/** out = max(x, 0).  out, x: [n]. */
export function relu(out: Out, x: In, n: i32): void {
  forward(Activation.relu, out, x, n)
}

/** dx = dy where y > 0, else 0.  All [n]. */
export function reluBackward(dx: Out, dy: In, y: In, n: i32): void {
  backward(Activation.relu, dx, dy, y, n)
}

/** out = tanh(x).  out, x: [n]. */
export function tanh(out: Out, x: In, n: i32): void {
  forward(Activation.tanh, out, x, n)
}

/** dx = dy (1 - y²).  All [n]. */
export function tanhBackward(dx: Out, dy: In, y: In, n: i32): void {
  backward(Activation.tanh, dx, dy, y, n)
}

/** out = 1 / (1 + exp(-x)).  out, x: [n]. */
export function sigmoid(out: Out, x: In, n: i32): void {
  forward(Activation.sigmoid, out, x, n)
}

/** dx = dy y (1 - y).  All [n]. */
export function sigmoidBackward(dx: Out, dy: In, y: In, n: i32): void {
  backward(Activation.sigmoid, dx, dy, y, n)
}
