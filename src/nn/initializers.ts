// nn.init: fills parameters in place, from the default generator (see manualSeed) or a given one.

import { check, finite, kindOf, number, option, required, settle, unexpected, word } from '../checks.ts'
import * as core from '../core/commands.ts'
import { floatBits } from '../core/encode.ts'
import { checkUntraced, emit } from '../core/engine.ts'
import { exp, mul, sub } from '../ops/elementwise.ts'
import {
  defaultGenerator,
  draw,
  normal as drawNormal,
  drawn,
  uniform as drawUniform,
  type Generator,
} from '../ops/random.ts'
import { misshaped, show } from '../tensor/shape.ts'
import { noGrad } from '../tensor/tape.ts'
import { elements, Tensor } from '../tensor/tensor.ts'

export interface Drawn {
  /** Where the numbers come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

/** Throws unless `x` can be filled now. */
function checkFillable(op: string, x: Tensor): void {
  if (!(x instanceof Tensor)) throw new TypeError(`${op}: tensor is ${kindOf(x)}, expected a Tensor`)
  checkUntraced(`${op}: cannot be called`, 'fill parameters outside of the compiled function')
  x.check(op)
  if (x.dtype !== 'f32') throw new TypeError(`${op}: tensor is ${x.dtype} ${show(x.shape)}, expected f32`)
}

function fillUniform(x: Tensor, low: number, high: number, generator: Generator = defaultGenerator()): Tensor {
  draw('nn.init', generator, (state, block) => core.uniform(x, state, block, low, high, 0, x.size))
  return x
}

function fillNormal(x: Tensor, mean: number, std: number, generator: Generator = defaultGenerator()): Tensor {
  draw('nn.init', generator, (state, block) => core.normal(x, state, block, mean, std, 0, x.size))
  return x
}

/** Fills with U[a, b); a is 0, b is 1 by default. Returns the tensor, as all of these do. torch.nn.init.uniform_. */
export function uniform(x: Tensor, options: Drawn & { a?: number | undefined; b?: number | undefined } = {}): Tensor {
  const op = 'nn.init.uniform'
  checkFillable(op, x)
  const { a, b, generator } = settle(op, options, { a: option(finite(), 0), b: option(finite(), 1), generator: drawn })
  if (a > b) throw new RangeError(`nn.init.uniform: a is ${a} and b is ${b}, expected a <= b`)
  return fillUniform(x, a, b, generator)
}

/** Fills with N(mean, std²), by default N(0, 1). torch.nn.init.normal_. */
export function normal(
  x: Tensor,
  options: Drawn & { mean?: number | undefined; std?: number | undefined } = {},
): Tensor {
  const op = 'nn.init.normal'
  checkFillable(op, x)
  const { mean, std, generator } = settle(op, options, {
    mean: option(finite(), 0),
    std: option(finite(0), 1),
    generator: drawn,
  })
  return fillNormal(x, mean, std, generator)
}

/** Fills with one value. torch.nn.init.constant_. */
export function constant(x: Tensor, value: number): Tensor {
  if (typeof value !== 'number') throw unexpected('nn.init.constant', 'value', value, 'a number')
  return fill('nn.init.constant', x, value)
}

function fill(op: string, x: Tensor, value: number): Tensor {
  checkFillable(op, x)
  emit(core.fill(x, floatBits(value), x.size))
  return x
}

/** Fills with 1. torch.nn.init.ones_. */
export const ones = (x: Tensor): Tensor => fill('nn.init.ones', x, 1)

/** Fills with 0. torch.nn.init.zeros_. */
export const zeros = (x: Tensor): Tensor => fill('nn.init.zeros', x, 0)

/** 1 on the diagonal of a matrix, else 0. torch.nn.init.eye_. */
export function eye(x: Tensor): Tensor {
  checkFillable('nn.init.eye', x)
  if (x.ndim !== 2) throw misshaped('nn.init.eye', 'tensor', x, 'two axes')
  const [rows, columns] = x.shape as [number, number]
  const data = elements(x).fill(0)
  for (let i = 0; i < Math.min(rows, columns); i++) data[i * columns + i] = 1
  return x
}

/** The weight of a convolution that keeps as many channels as it can, in each of `groups` groups (default 1): 1 in the
 *  middle of kernel i for channel i.  x: [out, in, ...], three to five axes. torch.nn.init.dirac_. */
export function dirac(x: Tensor, options: { groups?: number | undefined } = {}): Tensor {
  const op = 'nn.init.dirac'
  checkFillable(op, x)
  const { groups } = settle(op, options, { groups: 1 })
  if (x.ndim < 3 || x.ndim > 5) throw misshaped(op, 'tensor', x, 'three to five axes')
  const [out, channels, ...kernel] = x.shape as [number, number, ...number[]]
  if (!Number.isInteger(groups) || groups < 1 || out % groups !== 0)
    throw unexpected(op, 'groups', groups, `a divisor of ${out}, the first axis`)
  const area = kernel.reduce((a, b) => a * b, 1)
  const middle = kernel.reduce((at, size) => at * size + Math.floor(size / 2), 0)
  const each = out / groups
  const data = elements(x).fill(0)
  if (area > 0)
    for (let g = 0; g < groups; g++)
      for (let i = 0; i < Math.min(each, channels); i++) data[((g * each + i) * channels + i) * area + middle] = 1
  return x
}

export type Nonlinearity =
  | 'linear'
  | 'conv1d'
  | 'conv2d'
  | 'convTranspose2d'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'leakyRelu'
  | 'selu'

const gains: Record<Nonlinearity, number | ((slope: number) => number)> = {
  linear: 1,
  conv1d: 1,
  conv2d: 1,
  convTranspose2d: 1,
  sigmoid: 1,
  tanh: 5 / 3,
  relu: Math.SQRT2,
  leakyRelu: (slope) => Math.sqrt(2 / (1 + slope * slope)),
  selu: 3 / 4,
}

const nonlinearities = /* @__PURE__ */ word(...(Object.keys(gains) as Nonlinearity[]))

/** The factor by which weights before a nonlinearity grow, to keep variances: 1 for 'linear', convolutions and
 *  'sigmoid', 5/3 for 'tanh', √2 for 'relu', √(2 / (1 + param²)) for 'leakyRelu' (param is its slope, 0.01 by default),
 *  3/4 for 'selu'. torch.nn.init.calculate_gain. */
export function calculateGain(nonlinearity: Nonlinearity, param = 0.01): number {
  const op = 'nn.init.calculateGain'
  check(op, 'nonlinearity', nonlinearity, nonlinearities)
  check(op, 'param', param, finite())
  const gain = gains[nonlinearity]
  return typeof gain === 'number' ? gain : gain(param)
}

/** Values that go into one output, and outputs that one value goes to: [out, in, ...kernel]. */
function fans(op: string, x: Tensor): { fanIn: number; fanOut: number } {
  if (x.ndim < 2) throw misshaped(op, 'tensor', x, 'at least two axes, [out, in, ...]')
  const [out, inputs, ...kernel] = x.shape as [number, number, ...number[]]
  const area = kernel.reduce((a, b) => a * b, 1)
  return { fanIn: inputs * area, fanOut: out * area }
}

export type XavierOptions = Drawn & {
  /** Factor of the deviation; default 1. See calculateGain. */
  gain?: number | undefined
}

function xavier(op: string, x: Tensor, options: XavierOptions): { std: number; generator: Generator | undefined } {
  checkFillable(op, x)
  const { gain, generator } = settle(op, options, { gain: option(finite(), 1), generator: drawn })
  const { fanIn, fanOut } = fans(op, x)
  return { std: fanIn + fanOut === 0 ? 0 : Math.abs(gain) * Math.sqrt(2 / (fanIn + fanOut)), generator }
}

/** Fills with U(±gain √(6 / (fanIn + fanOut))).  x: [out, in, ...]. torch.nn.init.xavier_uniform_. */
export function xavierUniform(x: Tensor, options: XavierOptions = {}): Tensor {
  const { std, generator } = xavier('nn.init.xavierUniform', x, options)
  const bound = Math.sqrt(3) * std
  return fillUniform(x, -bound, bound, generator)
}

/** Fills with N(0, gain² 2 / (fanIn + fanOut)).  x: [out, in, ...]. torch.nn.init.xavier_normal_. */
export function xavierNormal(x: Tensor, options: XavierOptions = {}): Tensor {
  const { std, generator } = xavier('nn.init.xavierNormal', x, options)
  return fillNormal(x, 0, std, generator)
}

export type KaimingOptions = Drawn & {
  /** Slope of the leakyRelu that follows; default 0. */
  a?: number | undefined
  /** Keep variances forward ('fanIn', default) or backward ('fanOut'). */
  mode?: 'fanIn' | 'fanOut' | undefined
  /** What follows; default 'leakyRelu'. */
  nonlinearity?: Nonlinearity | undefined
}

function kaiming(op: string, x: Tensor, options: KaimingOptions): { std: number; generator: Generator | undefined } {
  checkFillable(op, x)
  const { a, mode, nonlinearity, generator } = settle(op, options, {
    a: option(finite(), 0),
    mode: option(word('fanIn', 'fanOut'), 'fanIn'),
    nonlinearity: option(nonlinearities, 'leakyRelu'),
    generator: drawn,
  })
  const fan = fans(op, x)[mode]
  const gain = calculateGain(nonlinearity, a)
  return { std: fan === 0 ? 0 : gain / Math.sqrt(fan), generator }
}

/** Fills with U(±gain √(3 / fan)).  x: [out, in, ...]. torch.nn.init.kaiming_uniform_. */
export function kaimingUniform(x: Tensor, options: KaimingOptions = {}): Tensor {
  const { std, generator } = kaiming('nn.init.kaimingUniform', x, options)
  const bound = Math.sqrt(3) * std
  return fillUniform(x, -bound, bound, generator)
}

/** Fills with N(0, gain² / fan).  x: [out, in, ...]. torch.nn.init.kaiming_normal_. */
export function kaimingNormal(x: Tensor, options: KaimingOptions = {}): Tensor {
  const { std, generator } = kaiming('nn.init.kaimingNormal', x, options)
  return fillNormal(x, 0, std, generator)
}

/** A tensor's values; the tensor is freed. */
function take(x: Tensor): Float32Array {
  const data = x.data() as Float32Array
  x.dispose()
  return data
}

/** Fills with N(mean, std²) (default N(0, 1)) of which only values in [a, b] (default [-2, 2]) are taken.
 *  torch.nn.init.trunc_normal_. */
export function truncNormal(
  x: Tensor,
  options: Drawn & {
    mean?: number | undefined
    std?: number | undefined
    a?: number | undefined
    b?: number | undefined
  } = {},
): Tensor {
  const op = 'nn.init.truncNormal'
  checkFillable(op, x)
  const { mean, std, a, b, generator } = settle(op, options, {
    mean: option(finite(), 0),
    std: option(finite(Number.MIN_VALUE), 1),
    a: -2,
    b: 2,
    generator: drawn,
  })
  if (!(a < b)) throw new RangeError(`${op}: a is ${a} and b is ${b}, expected a < b`)
  const low = (a - mean) / std
  const high = (b - mean) / std
  const result = new Float32Array(x.size)
  // Draws until enough were accepted: of N(0, 1) where the window holds a good part of it, else even ones, each
  // accepted by its density over the largest in the window. Beyond `reach` it is below 2^-24 of that.
  const nearest = Math.max(low, -high, 0)
  const reach = Math.sqrt(nearest * nearest + 34)
  const byNormal = low <= 0 && high >= 0 && high - low >= 2.5
  for (let n = 0; n < x.size; ) {
    const count = 2 * (x.size - n) + 16
    if (byNormal) {
      for (const z of take(drawNormal([count], 0, 1, generator)))
        if (z >= low && z <= high && n < x.size) result[n++] = mean + std * z
    } else {
      const z = drawUniform([count], Math.max(low, -reach), Math.min(high, reach), generator)
      const heights = take(noGrad(() => exp(mul(sub(mul(z, z), nearest * nearest), -0.5))))
      const chances = take(drawUniform([count], 0, 1, generator))
      for (const [i, value] of take(z).entries())
        if ((chances[i] as number) < (heights[i] as number) && n < x.size) result[n++] = mean + std * value
    }
  }
  elements(x).set(result.map((value) => Math.min(Math.max(value, a), b)))
  return x
}

/** A random matrix of orthonormal rows, or columns where there are fewer of them, times `gain` (default 1).
 *  x: [rows, ...], the other axes taken as one. torch.nn.init.orthogonal_. */
export function orthogonal(x: Tensor, options: XavierOptions = {}): Tensor {
  const op = 'nn.init.orthogonal'
  checkFillable(op, x)
  const { gain, generator } = settle(op, options, { gain: option(finite(), 1), generator: drawn })
  if (x.ndim < 2) throw misshaped(op, 'tensor', x, 'at least two axes')
  if (x.size === 0) return x
  const rows = x.shape[0] as number
  const columns = x.size / rows
  const [count, length] = rows < columns ? [rows, columns] : [columns, rows]
  const values = take(drawNormal([count, length], 0, 1, generator))
  const vectors = Array.from({ length: count }, (_, i) =>
    Float64Array.from(values.subarray(i * length, (i + 1) * length)),
  )
  const dot = (u: Float64Array, v: Float64Array): number => {
    let total = 0
    for (let i = 0; i < length; i++) total += (u[i] as number) * (v[i] as number)
    return total
  }
  // Gram and Schmidt's, in f64, each vector twice: "twice is enough". Its R has a positive diagonal, so that the
  // result is uniform over all such matrices.
  for (const [i, v] of vectors.entries()) {
    for (let round = 0; round < 2; round++)
      for (const u of vectors.slice(0, i)) {
        const part = dot(u, v)
        for (let j = 0; j < length; j++) v[j] = (v[j] as number) - part * (u[j] as number)
      }
    const norm = Math.sqrt(dot(v, v))
    for (let j = 0; j < length; j++) v[j] = (v[j] as number) / norm
  }
  const at = (row: number, column: number): number =>
    (rows < columns ? vectors[row]?.[column] : vectors[column]?.[row]) as number
  elements(x).set(Float32Array.from({ length: x.size }, (_, k) => gain * at(Math.floor(k / columns), k % columns)))
  return x
}

/** Fills a matrix with N(0, std²) (std is 0.01 by default), then sets a share `sparsity` of each column, rounded up,
 *  to 0. torch.nn.init.sparse_. */
export function sparse(x: Tensor, options: Drawn & { sparsity: number; std?: number | undefined }): Tensor {
  const op = 'nn.init.sparse'
  checkFillable(op, x)
  const { sparsity, std, generator } = settle(op, options, {
    sparsity: required(number(0, 1)),
    std: option(finite(0), 0.01),
    generator: drawn,
  })
  if (x.ndim !== 2) throw misshaped(op, 'tensor', x, 'two axes')
  const [rows, columns] = x.shape as [number, number]
  fillNormal(x, 0, std, generator)
  const order = take(drawUniform([columns, rows], 0, 1, generator))
  const data = elements(x)
  for (let c = 0; c < columns; c++) {
    const key = (r: number): number => order[c * rows + r] as number
    const shuffled = Array.from({ length: rows }, (_, r) => r).sort((r, s) => key(r) - key(s) || r - s)
    for (const r of shuffled.slice(0, Math.ceil(sparsity * rows))) data[r * columns + c] = 0
  }
  return x
}
