// nn.init: fills parameters in place, from the default generator (see manualSeed) or a given one.

import * as core from '../core/commands.ts'
import { floatBits } from '../core/encode.ts'
import { checkUntraced, emit } from '../core/engine.ts'
import { exp, mul, sub } from '../ops/elementwise.ts'
import { defaultGenerator, draw, normal as drawNormal, uniform as drawUniform, Generator } from '../ops/random.ts'
import { checkFinite, checkNumber, kindOf, misshaped, unexpected } from '../tensor/checks.ts'
import { checkOptions, settle } from '../tensor/options.ts'
import { show } from '../tensor/shape.ts'
import { noGrad } from '../tensor/tape.ts'
import { elements, Tensor } from '../tensor/tensor.ts'

export interface Drawn {
  /** Where the numbers come from; default the one of manualSeed. */
  generator?: Generator
}

/** Throws unless `x` can be filled now, and `options` have no other names than these and `generator`. */
function check(op: string, x: Tensor, options: Drawn = {}, names: readonly string[] = []): void {
  if (!(x instanceof Tensor)) throw new TypeError(`${op}: tensor is ${kindOf(x)}, expected a Tensor`)
  checkUntraced(`${op}: cannot be called`, 'fill parameters outside of the compiled function')
  x.check(op)
  if (x.dtype !== 'f32') throw new TypeError(`${op}: tensor is ${x.dtype} ${show(x.shape)}, expected f32`)
  checkOptions(op, options, [...names, 'generator'])
  const { generator } = options
  if (generator !== undefined && !(generator instanceof Generator))
    throw new TypeError(`${op}: generator is ${kindOf(generator)}, expected a Generator`)
}

function fillUniform(x: Tensor, low: number, high: number, { generator = defaultGenerator() }: Drawn): Tensor {
  draw('nn.init', generator, (state, block) => core.uniform(x, state, block, low, high, 0, x.size))
  return x
}

function fillNormal(x: Tensor, mean: number, std: number, { generator = defaultGenerator() }: Drawn): Tensor {
  draw('nn.init', generator, (state, block) => core.normal(x, state, block, mean, std, 0, x.size))
  return x
}

/** Fills with U[a, b); a is 0, b is 1 by default. Returns the tensor, as all of these do. torch.nn.init.uniform_. */
export function uniform(x: Tensor, options: Drawn & { a?: number; b?: number } = {}): Tensor {
  const op = 'nn.init.uniform'
  check(op, x, options, ['a', 'b'])
  const { a = 0, b = 1 } = options
  checkFinite(op, 'a', a)
  checkFinite(op, 'b', b)
  if (a > b) throw new RangeError(`nn.init.uniform: a is ${a} and b is ${b}, expected a <= b`)
  return fillUniform(x, a, b, options)
}

/** Fills with N(mean, std²), by default N(0, 1). torch.nn.init.normal_. */
export function normal(x: Tensor, options: Drawn & { mean?: number; std?: number } = {}): Tensor {
  const op = 'nn.init.normal'
  check(op, x, options, ['mean', 'std'])
  const { mean = 0, std = 1 } = options
  checkFinite(op, 'mean', mean)
  checkFinite(op, 'std', std, 0)
  return fillNormal(x, mean, std, options)
}

/** Fills with one value. torch.nn.init.constant_. */
export function constant(x: Tensor, value: number): Tensor {
  if (typeof value !== 'number') throw unexpected('nn.init.constant', 'value', value, 'a number')
  return fill('nn.init.constant', x, value)
}

function fill(op: string, x: Tensor, value: number): Tensor {
  check(op, x)
  emit(core.fill(x, floatBits(value), x.size))
  return x
}

/** Fills with 1. torch.nn.init.ones_. */
export const ones = (x: Tensor): Tensor => fill('nn.init.ones', x, 1)

/** Fills with 0. torch.nn.init.zeros_. */
export const zeros = (x: Tensor): Tensor => fill('nn.init.zeros', x, 0)

/** 1 on the diagonal of a matrix, else 0. torch.nn.init.eye_. */
export function eye(x: Tensor): Tensor {
  check('nn.init.eye', x)
  if (x.ndim !== 2) throw misshaped('nn.init.eye', 'tensor', x, 'two axes')
  const [rows, columns] = x.shape as [number, number]
  const data = elements(x).fill(0)
  for (let i = 0; i < Math.min(rows, columns); i++) data[i * columns + i] = 1
  return x
}

/** The weight of a convolution that keeps as many channels as it can, in each of `groups` groups (default 1): 1 in the
 *  middle of kernel i for channel i.  x: [out, in, ...], three to five axes. torch.nn.init.dirac_. */
export function dirac(x: Tensor, options: { groups?: number } = {}): Tensor {
  const op = 'nn.init.dirac'
  check(op, x)
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

/** The factor by which weights before a nonlinearity grow, to keep variances: 1 for 'linear', convolutions and
 *  'sigmoid', 5/3 for 'tanh', √2 for 'relu', √(2 / (1 + param²)) for 'leakyRelu' (param is its slope, 0.01 by default),
 *  3/4 for 'selu'. torch.nn.init.calculate_gain. */
export function calculateGain(nonlinearity: Nonlinearity, param = 0.01): number {
  const op = 'nn.init.calculateGain'
  if (!Object.hasOwn(gains, nonlinearity))
    throw unexpected(op, 'nonlinearity', nonlinearity, `one of ${Object.keys(gains).join(', ')}`)
  checkFinite(op, 'param', param)
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
  gain?: number
}

function xavierStd(op: string, x: Tensor, options: XavierOptions): number {
  check(op, x, options, ['gain'])
  const { gain = 1 } = options
  checkFinite(op, 'gain', gain)
  const { fanIn, fanOut } = fans(op, x)
  return fanIn + fanOut === 0 ? 0 : Math.abs(gain) * Math.sqrt(2 / (fanIn + fanOut))
}

/** Fills with U(±gain √(6 / (fanIn + fanOut))).  x: [out, in, ...]. torch.nn.init.xavier_uniform_. */
export function xavierUniform(x: Tensor, options: XavierOptions = {}): Tensor {
  const bound = Math.sqrt(3) * xavierStd('nn.init.xavierUniform', x, options)
  return fillUniform(x, -bound, bound, options)
}

/** Fills with N(0, gain² 2 / (fanIn + fanOut)).  x: [out, in, ...]. torch.nn.init.xavier_normal_. */
export function xavierNormal(x: Tensor, options: XavierOptions = {}): Tensor {
  const std = xavierStd('nn.init.xavierNormal', x, options)
  return fillNormal(x, 0, std, options)
}

export type KaimingOptions = Drawn & {
  /** Slope of the leakyRelu that follows; default 0. */
  a?: number
  /** Keep variances forward ('fanIn', default) or backward ('fanOut'). */
  mode?: 'fanIn' | 'fanOut'
  /** What follows; default 'leakyRelu'. */
  nonlinearity?: Nonlinearity
}

function kaimingStd(op: string, x: Tensor, options: KaimingOptions): number {
  check(op, x, options, ['a', 'mode', 'nonlinearity'])
  const { a = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' } = options
  if (mode !== 'fanIn' && mode !== 'fanOut') throw unexpected(op, 'mode', mode, "'fanIn' or 'fanOut'")
  checkFinite(op, 'a', a)
  const fan = fans(op, x)[mode]
  const gain = calculateGain(nonlinearity, a)
  return fan === 0 ? 0 : gain / Math.sqrt(fan)
}

/** Fills with U(±gain √(3 / fan)).  x: [out, in, ...]. torch.nn.init.kaiming_uniform_. */
export function kaimingUniform(x: Tensor, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd('nn.init.kaimingUniform', x, options)
  return fillUniform(x, -bound, bound, options)
}

/** Fills with N(0, gain² / fan).  x: [out, in, ...]. torch.nn.init.kaiming_normal_. */
export function kaimingNormal(x: Tensor, options: KaimingOptions = {}): Tensor {
  const std = kaimingStd('nn.init.kaimingNormal', x, options)
  return fillNormal(x, 0, std, options)
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
  options: Drawn & { mean?: number; std?: number; a?: number; b?: number } = {},
): Tensor {
  const op = 'nn.init.truncNormal'
  check(op, x, options, ['mean', 'std', 'a', 'b'])
  const { mean = 0, std = 1, a = -2, b = 2, generator = defaultGenerator() } = options
  checkFinite(op, 'mean', mean)
  checkFinite(op, 'std', std, Number.MIN_VALUE)
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
  check(op, x, options, ['gain'])
  const { gain = 1, generator } = options
  checkFinite(op, 'gain', gain)
  if (x.ndim < 2) throw misshaped(op, 'tensor', x, 'at least two axes')
  if (x.size === 0) return x
  const rows = x.shape[0] as number
  const columns = x.size / rows
  const [count, length] = rows < columns ? [rows, columns] : [columns, rows]
  const drawn = take(drawNormal([count, length], 0, 1, generator))
  const vectors = Array.from({ length: count }, (_, i) =>
    Float64Array.from(drawn.subarray(i * length, (i + 1) * length)),
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
export function sparse(x: Tensor, options: Drawn & { sparsity: number; std?: number }): Tensor {
  const op = 'nn.init.sparse'
  check(op, x, options, ['sparsity', 'std'])
  const { sparsity, std = 0.01, generator } = options
  if (x.ndim !== 2) throw misshaped(op, 'tensor', x, 'two axes')
  checkNumber(op, 'sparsity', sparsity, 0, 1)
  checkFinite(op, 'std', std, 0)
  const [rows, columns] = x.shape as [number, number]
  fillNormal(x, 0, std, options)
  const order = take(drawUniform([columns, rows], 0, 1, generator))
  const data = elements(x)
  for (let c = 0; c < columns; c++) {
    const key = (r: number): number => order[c * rows + r] as number
    const shuffled = Array.from({ length: rows }, (_, r) => r).sort((r, s) => key(r) - key(s) || r - s)
    for (const r of shuffled.slice(0, Math.ceil(sparsity * rows))) data[r * columns + c] = 0
  }
  return x
}
