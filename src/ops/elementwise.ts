// One function of one element, and of two with broadcasting.

import { check, kind, number, settle } from '../checks.ts'
import type { Command } from '../core/command.ts'
import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { broadcastShapes, broadcastStrides, mergeAxes, misshaped, sameShape, show } from '../tensor/shape.ts'
import { noGrad, record } from '../tensor/tape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { sumTo } from './broadcast.ts'
import { float, numbers, type Value } from './input.ts'

/** `kernel` on each element; `rule` gives the gradient from that of the result, `dy`. */
function unary(
  name: string,
  kernel: (out: Tensor, x: Tensor, n: number) => Command,
  x: Value,
  rule: (dy: Tensor, a: Tensor, out: Tensor) => Tensor,
): Tensor {
  const a = float(name, 'x', x)
  const out = empty(name, a.shape)
  emit(kernel(out, a, a.size))
  return record(name, out, [a], [(dy) => rule(dy, a, out)])
}

type BinaryKernel = (out: Tensor, a: Tensor, b: Tensor, dims: readonly number[]) => Command
type BinaryRule = (dy: Tensor, x: Tensor, y: Tensor, out: Tensor) => Tensor

/** `kernel` on the elements of a and b, broadcast; what the rules of their gradients give is summed to their shapes. */
function binary(name: string, kernel: BinaryKernel, a: Value, b: Value, rules?: [BinaryRule, BinaryRule]): Tensor {
  const x = float(name, 'a', a)
  const y = float(name, 'b', b)
  // Equal shapes are one axis: the usual case, without the search for it.
  const same = sameShape(x.shape, y.shape)
  const shape = same ? x.shape : broadcastShapes(name, x.shape, y.shape)
  const dims = same
    ? [1, x.size, 1, 1]
    : mergeAxes(shape, [broadcastStrides(x.shape, shape), broadcastStrides(y.shape, shape)])
  const out = empty(name, shape)
  emit(kernel(out, x, y, dims))
  if (!rules) return out
  return record(
    name,
    out,
    [x, y],
    [(dy) => sumTo(rules[0](dy, x, y, out), x.shape), (dy) => sumTo(rules[1](dy, x, y, out), y.shape)],
  )
}

/** a + b, broadcast. */
export const add = (a: Value, b: Value): Tensor => binary('add', core.add, a, b, [(dy) => dy, (dy) => dy])

/** a - b, broadcast. */
export const sub = (a: Value, b: Value): Tensor =>
  binary('sub', core.sub, a, b, [(dy) => dy, (dy, _, y) => neg(sumTo(dy, y.shape))])

/** a b, element by element, broadcast. */
export const mul = (a: Value, b: Value): Tensor =>
  binary('mul', core.mul, a, b, [(dy, _, y) => mul(dy, y), (dy, x) => mul(dy, x)])

/** a / b, broadcast. */
export const div = (a: Value, b: Value): Tensor =>
  binary('div', core.div, a, b, [
    (dy, _, y) => div(dy, y),
    (dy, _, y, out) => neg(sumTo(div(mul(dy, out), y), y.shape)),
  ])

/** -x. */
export const neg = (x: Value): Tensor => unary('neg', core.neg, x, (dy) => neg(dy))

/** |x|; the gradient at 0 is 0. */
export const abs = (x: Value): Tensor => unary('abs', core.abs, x, (dy, a) => mul(dy, sign(a)))

/** -1, 0 or 1; NaN for NaN. Its gradient is 0 everywhere. */
export const sign = (x: Value): Tensor => unary('sign', core.sign, x, (dy) => mul(dy, 0))

/** e^x. */
export const exp = (x: Value): Tensor => unary('exp', core.exp, x, (dy, _, out) => mul(dy, out))

/** e^x - 1, exact also near 0. torch.expm1. */
export const expm1 = (x: Value): Tensor => unary('expm1', core.expm1, x, (dy, _, out) => mul(dy, add(out, 1)))

/** Natural logarithm; -Infinity at 0, NaN below. */
export const log = (x: Value): Tensor => unary('log', core.log, x, (dy, a) => div(dy, a))

/** √x; NaN below 0. */
export const sqrt = (x: Value): Tensor => unary('sqrt', core.sqrt, x, (dy, _, out) => div(mul(dy, 0.5), out))

/** 1 / √x; Infinity at 0, NaN below. */
export const rsqrt = (x: Value): Tensor =>
  unary('rsqrt', core.rsqrt, x, (dy, a, out) => div(mul(mul(dy, out), -0.5), a))

/** ln(1 + x), exact also near 0. */
export const log1p = (x: Value): Tensor => unary('log1p', core.log1p, x, (dy, a) => div(dy, add(a, 1)))

/** The logarithm of x to base 2, exact where that is whole. torch.log2. */
export const log2 = (x: Value): Tensor => unary('log2', core.log2, x, (dy, a) => div(dy, mul(a, Math.LN2)))

/** sin x, x in radians. */
export const sin = (x: Value): Tensor => unary('sin', core.sin, x, (dy, a) => mul(dy, cos(a)))

/** cos x, x in radians. */
export const cos = (x: Value): Tensor => unary('cos', core.cos, x, (dy, a) => neg(mul(dy, sin(a))))

/** (e^x - e^-x) / 2. torch.sinh. */
export const sinh = (x: Value): Tensor => unary('sinh', core.sinh, x, (dy, a) => mul(dy, cosh(a)))

/** (e^x + e^-x) / 2. torch.cosh. */
export const cosh = (x: Value): Tensor => unary('cosh', core.cosh, x, (dy, a) => mul(dy, sinh(a)))

/** The angle in radians, from -π to π, of the point (x, y), both broadcast; its gradient at the origin is 0. torch.atan2. */
export const atan2 = (y: Value, x: Value): Tensor =>
  binary('atan2', core.atan2, y, x, [(dy, b, a) => mul(dy, turn(a, b)), (dy, b, a) => neg(mul(dy, turn(b, a)))])

/** a / (a² + b²); 0 where that is 0 / 0. */
function turn(a: Tensor, b: Tensor): Tensor {
  const square = add(mul(a, a), mul(b, b))
  const none = equal(square, 0)
  return where(none, 0, div(a, where(none, 1, square)))
}

/** The angle in radians, from -π/2 to π/2, whose tangent is x. torch.atan. */
export const atan = (x: Value): Tensor => atan2(float('atan', 'x', x), 1)

/** 2/√π ∫₀ˣ exp(-t²) dt. */
export const erf = (x: Value): Tensor =>
  unary('erf', core.erf, x, (dy, a) => mul(dy, mul(exp(neg(mul(a, a))), 2 / Math.sqrt(Math.PI))))

/** The largest whole number not above x. Its gradient is 0. */
export const floor = (x: Value): Tensor => unary('floor', core.floor, x, (dy) => mul(dy, 0))

/** The smallest whole number not below x. Its gradient is 0. */
export const ceil = (x: Value): Tensor => unary('ceil', core.ceil, x, (dy) => mul(dy, 0))

/** x without what is after its point: towards 0. Its gradient is 0. torch.trunc. */
export const trunc = (x: Value): Tensor => unary('trunc', core.trunc, x, (dy) => mul(dy, 0))

/** The nearest whole number, halves to the even one. Its gradient is 0. torch.round. */
export const round = (x: Value): Tensor => unary('round', core.round, x, (dy) => mul(dy, 0))

/** The share of the gradient that goes to `x` of a choice between it and y: all where it was, half between equals. */
const share = (chosen: typeof less, x: Tensor, y: Tensor): Tensor => add(chosen(x, y), mul(equal(x, y), 0.5))

const choice = (name: string, kernel: BinaryKernel, chosen: typeof less, a: Value, b: Value): Tensor =>
  binary(name, kernel, a, b, [(dy, x, y) => mul(dy, share(chosen, x, y)), (dy, x, y) => mul(dy, share(chosen, y, x))])

/** The smaller of a and b, NaN if either is; broadcast. torch.minimum. */
export const minimum = (a: Value, b: Value): Tensor => choice('minimum', core.minimum, less, a, b)

/** The larger of a and b, NaN if either is; broadcast. torch.maximum. */
export const maximum = (a: Value, b: Value): Tensor => choice('maximum', core.maximum, greater, a, b)

/** x held between `min` and `max`; where it is beyond, the gradient is 0. torch.clamp. */
export function clamp(x: Value, options: { min?: number | undefined; max?: number | undefined }): Tensor {
  const { min, max } = settle('clamp', options, { min: -Infinity, max: Infinity })
  if (!(min <= max)) throw new RangeError(`clamp: min is ${min} and max is ${max}, expected min <= max`)
  const a = float('clamp', 'x', x)
  const out = noGrad(() => minimum(maximum(a, min), max))
  return record('clamp', out, [a], [(dy) => mul(dy, mul(greaterEqual(a, min), lessEqual(a, max)))])
}

/** x, but `min` where it is below. torch.clamp_min. */
export function clampMin(x: Value, min: number): Tensor {
  check('clampMin', 'min', min, number())
  return clamp(x, { min })
}

/** x, but `max` where it is above. torch.clamp_max. */
export function clampMax(x: Value, max: number): Tensor {
  check('clampMax', 'max', max, number())
  return clamp(x, { max })
}

/** 1 where x is NaN, else 0. torch.isnan. */
export function isNaN(x: Value): Tensor {
  const a = float('isNaN', 'x', x)
  return notEqual(a, a)
}

/** 1 where x is neither infinite nor NaN, else 0. torch.isfinite. */
export const isFinite = (x: Value): Tensor => less(abs(float('isFinite', 'x', x).detach()), Infinity)

/** a^b, broadcast; NaN for a negative a with a broken b. torch.pow. */
export function pow(a: Value, b: Value): Tensor {
  const x = float('pow', 'a', a)
  // What people write most has a faster form, as exact or more so.
  if (b === 2) return mul(x, x)
  if (b === 1) return mul(x, 1)
  if (b === -1) return div(1, x)
  if (b === 0.5) return sqrt(x)
  if (b === -0.5) return rsqrt(x)
  return binary('pow', core.pow, x, b, [
    // b = 0 has the slope 0 everywhere, also at a = 0, where a^-1 is Infinity.
    (dy, x, y) => mul(dy, where(equal(y, 0), 0, mul(y, pow(x, sub(y, 1))))),
    // 0^b is 0 for all b > 0: no slope, though ln 0 is -Infinity.
    (dy, x, _, out) => mul(dy, where(equal(x, 0), 0, mul(out, log(x)))),
  ])
}

/** 1 where a = b, else 0; broadcast. Comparisons have no gradient. torch.eq. */
export const equal = (a: Value, b: Value): Tensor => binary('equal', core.equal, a, b)

/** 1 where a ≠ b, else 0; broadcast. torch.ne. */
export const notEqual = (a: Value, b: Value): Tensor => binary('notEqual', core.notEqual, a, b)

/** 1 where a < b, else 0; broadcast. torch.lt. */
export const less = (a: Value, b: Value): Tensor => binary('less', core.less, a, b)

/** 1 where a ≤ b, else 0; broadcast. torch.le. */
export const lessEqual = (a: Value, b: Value): Tensor => binary('lessEqual', core.lessEqual, a, b)

/** 1 where a > b, else 0; broadcast. torch.gt. */
export const greater = (a: Value, b: Value): Tensor => binary('greater', core.greater, a, b)

/** 1 where a ≥ b, else 0; broadcast. torch.ge. */
export const greaterEqual = (a: Value, b: Value): Tensor => binary('greaterEqual', core.greaterEqual, a, b)

/** a where `condition` is not 0, b elsewhere; all three broadcast. torch.where. */
export function where(condition: Value, a: Value, b: Value): Tensor {
  const c = numbers('where', 'condition', condition)
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

/** x, but `value` where `mask` is not 0.  mask: f32, i32 or u8 that broadcasts to x; out: x's shape. torch.Tensor.masked_fill. */
export function maskedFill(x: Value, mask: Value, value: number): Tensor {
  const a = float('maskedFill', 'x', x)
  const m = numbers('maskedFill', 'mask', mask)
  check('maskedFill', 'value', value, kind('number', 'a number'))
  if (!sameShape(broadcastShapes('maskedFill', a.shape, m.shape), a.shape))
    throw misshaped('maskedFill', 'mask', m, `one that broadcasts to x ${show(a.shape)}`)
  return where(m, value, a)
}
