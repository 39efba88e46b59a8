// One function of one element, and of two with broadcasting.

import type { Command } from '../core/command.ts'
import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { broadcastShapes, broadcastStrides, mergeAxes } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { float, type Value } from './input.ts'
import { sumTo } from './reduce.ts'

type BinaryKernel = (out: Tensor, a: Tensor, b: Tensor, dims: readonly number[]) => Command

function binary(name: string, kernel: BinaryKernel, a: Tensor, b: Tensor): Tensor {
  const shape = broadcastShapes(name, a.shape, b.shape)
  const out = empty(name, shape)
  emit(kernel(out, a, b, mergeAxes(shape, [broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)])))
  return out
}

function unary(name: string, kernel: (out: Tensor, x: Tensor, n: number) => Command, x: Tensor): Tensor {
  const out = empty(name, x.shape)
  emit(kernel(out, x, x.size))
  return out
}

/** a + b, broadcast. */
export function add(a: Value, b: Value): Tensor {
  const x = float('add', 'a', a)
  const y = float('add', 'b', b)
  return record('add', binary('add', core.add, x, y), [x, y], [(dy) => sumTo(dy, x.shape), (dy) => sumTo(dy, y.shape)])
}

/** a - b, broadcast. */
export function sub(a: Value, b: Value): Tensor {
  const x = float('sub', 'a', a)
  const y = float('sub', 'b', b)
  return record(
    'sub',
    binary('sub', core.sub, x, y),
    [x, y],
    [(dy) => sumTo(dy, x.shape), (dy) => neg(sumTo(dy, y.shape))],
  )
}

/** a b, element by element, broadcast. */
export function mul(a: Value, b: Value): Tensor {
  const x = float('mul', 'a', a)
  const y = float('mul', 'b', b)
  return record(
    'mul',
    binary('mul', core.mul, x, y),
    [x, y],
    [(dy) => sumTo(mul(dy, y), x.shape), (dy) => sumTo(mul(dy, x), y.shape)],
  )
}

/** a / b, broadcast. */
export function div(a: Value, b: Value): Tensor {
  const x = float('div', 'a', a)
  const y = float('div', 'b', b)
  const out = binary('div', core.div, x, y)
  return record(
    'div',
    out,
    [x, y],
    [(dy) => sumTo(div(dy, y), x.shape), (dy) => neg(sumTo(div(mul(dy, out), y), y.shape))],
  )
}

/** -x. */
export function neg(x: Value): Tensor {
  const a = float('neg', 'x', x)
  return record('neg', unary('neg', core.neg, a), [a], [(dy) => neg(dy)])
}

/** |x|; the gradient at 0 is 0. */
export function abs(x: Value): Tensor {
  const a = float('abs', 'x', x)
  return record('abs', unary('abs', core.abs, a), [a], [(dy) => mul(dy, sign(a))])
}

/** -1, 0 or 1; NaN for NaN. Its gradient is 0 everywhere. */
export function sign(x: Value): Tensor {
  const a = float('sign', 'x', x)
  return record('sign', unary('sign', core.sign, a), [a], [(dy) => mul(dy, 0)])
}

/** e^x. */
export function exp(x: Value): Tensor {
  const a = float('exp', 'x', x)
  const out = unary('exp', core.exp, a)
  return record('exp', out, [a], [(dy) => mul(dy, out)])
}

/** Natural logarithm; -Infinity at 0, NaN below. */
export function log(x: Value): Tensor {
  const a = float('log', 'x', x)
  return record('log', unary('log', core.log, a), [a], [(dy) => div(dy, a)])
}

/** √x; NaN below 0. */
export function sqrt(x: Value): Tensor {
  const a = float('sqrt', 'x', x)
  const out = unary('sqrt', core.sqrt, a)
  return record('sqrt', out, [a], [(dy) => div(mul(dy, 0.5), out)])
}

/** 1 / √x; Infinity at 0, NaN below. */
export function rsqrt(x: Value): Tensor {
  const a = float('rsqrt', 'x', x)
  const out = unary('rsqrt', core.rsqrt, a)
  return record('rsqrt', out, [a], [(dy) => div(mul(mul(dy, out), -0.5), a)])
}
