// One function of one element, and of two with broadcasting.

import type { Command } from '../core/command.ts'
import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { settle } from '../tensor/options.ts'
import { broadcastShapes, broadcastStrides, mergeAxes } from '../tensor/shape.ts'
import { noGrad, record } from '../tensor/tape.ts'
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

/** ln(1 + x), exact also near 0. */
export function log1p(x: Value): Tensor {
  const a = float('log1p', 'x', x)
  return record('log1p', unary('log1p', core.log1p, a), [a], [(dy) => div(dy, add(a, 1))])
}

/** sin x, x in radians. */
export function sin(x: Value): Tensor {
  const a = float('sin', 'x', x)
  return record('sin', unary('sin', core.sin, a), [a], [(dy) => mul(dy, cos(a))])
}

/** cos x, x in radians. */
export function cos(x: Value): Tensor {
  const a = float('cos', 'x', x)
  return record('cos', unary('cos', core.cos, a), [a], [(dy) => neg(mul(dy, sin(a)))])
}

/** 2/√π ∫₀ˣ exp(-t²) dt. */
export function erf(x: Value): Tensor {
  const a = float('erf', 'x', x)
  const slope = (): Tensor => mul(exp(neg(mul(a, a))), 2 / Math.sqrt(Math.PI))
  return record('erf', unary('erf', core.erf, a), [a], [(dy) => mul(dy, slope())])
}

/** The largest whole number not above x. Its gradient is 0. */
export function floor(x: Value): Tensor {
  const a = float('floor', 'x', x)
  return record('floor', unary('floor', core.floor, a), [a], [(dy) => mul(dy, 0)])
}

/** The nearest whole number, halves to the even one. Its gradient is 0. torch.round. */
export function round(x: Value): Tensor {
  const a = float('round', 'x', x)
  return record('round', unary('round', core.round, a), [a], [(dy) => mul(dy, 0)])
}

/** Gradient rules of a choice between a and b: all to the chosen one, half to each of two equals. */
function choice(name: string, kernel: BinaryKernel, chosen: typeof less, a: Value, b: Value): Tensor {
  const x = float(name, 'a', a)
  const y = float(name, 'b', b)
  const share = (to: Tensor, other: Tensor): Tensor => add(chosen(to, other), mul(equal(to, other), 0.5))
  return record(
    name,
    binary(name, kernel, x, y),
    [x, y],
    [(dy) => sumTo(mul(dy, share(x, y)), x.shape), (dy) => sumTo(mul(dy, share(y, x)), y.shape)],
  )
}

/** The smaller of a and b, NaN if either is; broadcast. torch.minimum. */
export const minimum = (a: Value, b: Value): Tensor => choice('minimum', core.minimum, less, a, b)

/** The larger of a and b, NaN if either is; broadcast. torch.maximum. */
export const maximum = (a: Value, b: Value): Tensor => choice('maximum', core.maximum, greater, a, b)

/** x held between `min` and `max`; where it is beyond, the gradient is 0. torch.clamp. */
export function clamp(x: Value, options: { min?: number; max?: number }): Tensor {
  const { min, max } = settle('clamp', options, { min: -Infinity, max: Infinity })
  if (!(min <= max)) throw new RangeError(`clamp: min is ${min} and max is ${max}, expected min <= max`)
  const a = float('clamp', 'x', x)
  const out = noGrad(() => minimum(maximum(a, min), max))
  return record('clamp', out, [a], [(dy) => mul(dy, mul(greaterEqual(a, min), lessEqual(a, max)))])
}

/** a^b, broadcast; NaN for a negative a with a broken b. torch.pow. */
export function pow(a: Value, b: Value): Tensor {
  const x = float('pow', 'a', a)
  // What people write most has a faster form, as exact or more so.
  if (b === 2) return mul(x, x)
  if (b === 1) return mul(x, 1)
  if (b === -1) return div(1, x)
  if (b === 0.5) return sqrt(x)
  if (b === -0.5) return rsqrt(x)
  const y = float('pow', 'b', b)
  const out = binary('pow', core.pow, x, y)
  return record(
    'pow',
    out,
    [x, y],
    [
      // b = 0 has the slope 0 everywhere, also at a = 0, where a^-1 is Infinity.
      (dy) => sumTo(mul(dy, where(equal(y, 0), 0, mul(y, pow(x, sub(y, 1))))), x.shape),
      // 0^b is 0 for all b > 0: no slope, though ln 0 is -Infinity.
      (dy) => sumTo(mul(dy, where(equal(x, 0), 0, mul(out, log(x)))), y.shape),
    ],
  )
}

function comparison(name: string, kernel: BinaryKernel, a: Value, b: Value): Tensor {
  return binary(name, kernel, float(name, 'a', a), float(name, 'b', b))
}

/** 1 where a = b, else 0; broadcast. Comparisons have no gradient. torch.eq. */
export const equal = (a: Value, b: Value): Tensor => comparison('equal', core.equal, a, b)

/** 1 where a ≠ b, else 0; broadcast. torch.ne. */
export const notEqual = (a: Value, b: Value): Tensor => comparison('notEqual', core.notEqual, a, b)

/** 1 where a < b, else 0; broadcast. torch.lt. */
export const less = (a: Value, b: Value): Tensor => comparison('less', core.less, a, b)

/** 1 where a ≤ b, else 0; broadcast. torch.le. */
export const lessEqual = (a: Value, b: Value): Tensor => comparison('lessEqual', core.lessEqual, a, b)

/** 1 where a > b, else 0; broadcast. torch.gt. */
export const greater = (a: Value, b: Value): Tensor => comparison('greater', core.greater, a, b)

/** 1 where a ≥ b, else 0; broadcast. torch.ge. */
export const greaterEqual = (a: Value, b: Value): Tensor => comparison('greaterEqual', core.greaterEqual, a, b)

/** a where `condition` is not 0, b elsewhere; all three broadcast. torch.where. */
export function where(condition: Value, a: Value, b: Value): Tensor {
  const c = float('where', 'condition', condition)
  const x = float('where', 'a', a)
  const y = float('where', 'b', b)
  const shape = broadcastShapes('where', c.shape, broadcastShapes('where', x.shape, y.shape))
  const out = empty('where', shape)
  emit(
    core.where(
      out,
      c,
      x,
      y,
      mergeAxes(
        shape,
        [c, x, y].map((t) => broadcastStrides(t.shape, shape)),
      ),
    ),
  )
  return record(
    'where',
    out,
    [c, x, y],
    [null, (dy) => sumTo(where(c, dy, 0), x.shape), (dy) => sumTo(where(c, 0, dy), y.shape)],
  )
}
