// Activations. Where the derivative is a function of the output, the input need not be kept.

import { type Full, number, option, settle, word } from '../checks.ts'
import type { Command } from '../core/command.ts'
import * as core from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { checkAxis, show, sizeOf } from '../tensor/shape.ts'
import { record, together } from '../tensor/tape.ts'
import { computed, empty, type Tensor } from '../tensor/tensor.ts'
import { float, type Value } from './input.ts'

function activation(
  name: string,
  forward: (out: Tensor, x: Tensor, n: number) => Command,
  backward: (dx: Tensor, dy: Tensor, from: Tensor, n: number) => Command,
  x: Value,
  from: 'output' | 'input' = 'output',
): Tensor {
  const a = float(name, 'x', x)
  const y = computed(name, a.shape, (y) => forward(y, a, a.size))
  return record(
    name,
    y,
    [a],
    [(dy) => computed(`${name} gradient`, a.shape, (dx) => backward(dx, dy, from === 'output' ? y : a, a.size))],
  )
}

/** max(x, 0); the gradient at 0 is 0. */
export const relu = (x: Value): Tensor => activation('relu', core.relu, core.reluBackward, x)

/** tanh x. */
export const tanh = (x: Value): Tensor => activation('tanh', core.tanh, core.tanhBackward, x)

/** 1 / (1 + e^-x). */
export const sigmoid = (x: Value): Tensor => activation('sigmoid', core.sigmoid, core.sigmoidBackward, x)

/** x where x > 0, else negativeSlope x (default 0.01). torch.nn.functional.leaky_relu. */
export function leakyRelu(x: Value, options: { negativeSlope?: number | undefined } = {}): Tensor {
  const { negativeSlope: slope } = settle('leakyRelu', options, { negativeSlope: 0.01 })
  return activation(
    'leakyRelu',
    (y, a, n) => core.leakyRelu(y, a, slope, n),
    (dx, dy, a, n) => core.leakyReluBackward(dx, dy, a, slope, n),
    x,
    'input',
  )
}

const scaledElu = (op: string, x: Value, alpha: number, scale: number): Tensor =>
  activation(
    op,
    (y, a, n) => core.elu(y, a, alpha, scale, n),
    (dx, dy, a, n) => core.eluBackward(dx, dy, a, alpha, scale, n),
    x,
    'input',
  )

/** x where x > 0, else alpha (e^x - 1); alpha is 1 by default. torch.nn.functional.elu. */
export function elu(x: Value, options: { alpha?: number | undefined } = {}): Tensor {
  const { alpha } = settle('elu', options, { alpha: 1 })
  return scaledElu('elu', x, alpha, 1)
}

/** 1.0507 x where x > 0, else 1.0507 · 1.6733 (e^x - 1). torch.nn.functional.selu. */
export const selu = (x: Value): Tensor => scaledElu('selu', x, 1.6732632423543772, 1.0507009873554805)

export interface GeluOptions {
  /** 'none' (default): x Φ(x) by erf; 'tanh': x (1 + tanh(√(2/π) (x + 0.044715 x³))) / 2. */
  approximate?: 'none' | 'tanh' | undefined
}

export const approximateOption = /* @__PURE__ */ option(/* @__PURE__ */ word('none', 'tanh'), 'none')

/** x Φ(x), Φ the distribution function of N(0, 1). torch.nn.functional.gelu. */
export function gelu(x: Value, options: GeluOptions = {}): Tensor {
  const { approximate } = settle('gelu', options, { approximate: approximateOption })
  return approximate === 'tanh'
    ? activation('gelu', core.geluTanh, core.geluTanhBackward, x, 'input')
    : activation('gelu', core.gelu, core.geluBackward, x, 'input')
}

/** x / (1 + e^-x). torch.nn.functional.silu. */
export const silu = (x: Value): Tensor => activation('silu', core.silu, core.siluBackward, x, 'input')

/** x tanh(ln(1 + e^x)). torch.nn.functional.mish. */
export const mish = (x: Value): Tensor => activation('mish', core.mish, core.mishBackward, x, 'input')

/** x min(max(x + 3, 0), 6) / 6. torch.nn.functional.hardswish. */
export const hardswish = (x: Value): Tensor =>
  activation('hardswish', core.hardswish, core.hardswishBackward, x, 'input')

/** min(max(x + 3, 0), 6) / 6. torch.nn.functional.hardsigmoid. */
export const hardsigmoid = (x: Value): Tensor =>
  activation('hardsigmoid', core.hardsigmoid, core.hardsigmoidBackward, x, 'input')

export interface SoftplusOptions {
  /** Default 1; above 0. */
  beta?: number | undefined
  /** Where beta x is above it, x itself is the result; default 20. */
  threshold?: number | undefined
}

/** The options in full, checked. */
export const checkSoftplus = (op: string, options: SoftplusOptions): Full<SoftplusOptions> =>
  settle(op, options, { beta: option(number(Number.MIN_VALUE), 1), threshold: 20 })

/** ln(1 + e^(beta x)) / beta. torch.nn.functional.softplus. */
export function softplus(x: Value, options: SoftplusOptions = {}): Tensor {
  const { beta, threshold } = checkSoftplus('softplus', options)
  return activation(
    'softplus',
    (y, a, n) => core.softplus(y, a, beta, threshold, n),
    (dx, dy, a, n) => core.softplusBackward(dx, dy, a, beta, threshold, n),
    x,
    'input',
  )
}

/** x where x > 0, else weight x.  x: [batch, channels, ...]; weight: [channels], or [1] for x of any shape.
 *  torch.nn.functional.prelu. */
export function prelu(x: Value, weight: Tensor): Tensor {
  const a = float('prelu', 'x', x)
  const w = float('prelu', 'weight', weight)
  const single = w.size === 1
  if (w.ndim > 1 || !(single || (a.ndim >= 2 && w.size === a.shape[1])))
    throw new RangeError(
      `prelu: weight has shape ${show(w.shape)} for x ${show(a.shape)}, expected [1], or one for each channel, the second axis of x`,
    )
  const outer = single ? 1 : (a.shape[0] as number)
  const inner = single ? a.size : sizeOf(a.shape.slice(2))
  const out = computed('prelu', a.shape, (out) => core.prelu(out, a, w, outer, w.size, inner))
  const { inputs, rules } = together([a, w], (dy, [, learns]) => {
    const dx = empty('prelu gradient', a.shape)
    if (!learns) {
      emit(core.preluBackward(dx, null, dy, a, w, outer, w.size, inner))
      return [dx, null]
    }
    const dweight = empty('prelu gradient', w.shape)
    // Sums of stretches of rows or elements: assembly/kernels/activation.ts.
    const rows = inner === 1 ? Math.ceil(outer / core.COLUMN_ROWS) : outer
    const stretches = Math.ceil(inner / core.SUMMED_ELEMENTS)
    withScratch(4 * rows * w.size * stretches, 'prelu gradient', (sums) => {
      emit(core.preluBackward(dx, sums, dy, a, w, outer, w.size, inner))
      emit(core.preluSums(dweight, sums, rows, w.size, stretches))
    })
    return [dx, dweight]
  })
  return record('prelu', out, inputs, rules)
}

/** a σ(b), a and b the halves of x along `axis`, by default the last. torch.nn.functional.glu. */
export function glu(x: Value, axis = -1): Tensor {
  const a = float('glu', 'x', x)
  const d = checkAxis('glu', axis, a.ndim)
  const size = a.shape[d] as number
  if (size % 2 !== 0)
    throw new RangeError(`glu: axis ${d} of x ${show(a.shape)} has size ${size}, expected an even size, to halve`)
  const rows = sizeOf(a.shape.slice(0, d))
  const half = (size / 2) * sizeOf(a.shape.slice(d + 1))
  const out = computed(
    'glu',
    a.shape.map((n, i) => (i === d ? n / 2 : n)),
    (out) => core.glu(out, a, rows, half),
  )
  return record(
    'glu',
    out,
    [a],
    [(dy) => computed('glu gradient', a.shape, (dx) => core.gluBackward(dx, dy, a, rows, half))],
  )
}
