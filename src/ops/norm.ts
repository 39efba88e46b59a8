// Normalisation with learned scales and shifts.

import * as core from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { checkOptions } from '../tensor/options.ts'
import { type Shape, sameShape, show, sizeOf } from '../tensor/shape.ts'
import { type GradientRule, record } from '../tensor/tape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { float, type Value } from './input.ts'

export interface NormOptions {
  /** Factors after the normalisation; default none. */
  weight?: Tensor | null
  /** Terms added last; default none. */
  bias?: Tensor | null
  /** Added to the variance; default 1e-5. */
  eps?: number
}

export type RmsNormOptions = Omit<NormOptions, 'bias'>

type Gradients = readonly (Tensor | null)[]

/** Rules for gradients that one command computes together: the first that a backward calls emits it. */
function together(inputs: readonly (Tensor | null)[], compute: (dy: Tensor, wanted: boolean[]) => Gradients) {
  let open: { dy: Tensor; gradients: Gradients; left: Set<number> } | null = null
  const rule =
    (i: number): GradientRule =>
    (dy) => {
      if (open?.dy !== dy || !open.left.has(i)) {
        const wanted = inputs.map((input) => input?.requiresGrad ?? false)
        open = { dy, gradients: compute(dy, wanted), left: new Set(wanted.flatMap((yes, j) => (yes ? [j] : []))) }
      }
      const gradient = open.gradients[i] as Tensor
      open.left.delete(i)
      // A backward asks once for each: the next one starts anew.
      if (open.left.size === 0) open = null
      return gradient
    }
  const present = inputs.flatMap((input, i) => (input ? [{ input, rule: rule(i) }] : []))
  return { inputs: present.map(({ input }) => input), rules: present.map((p) => p.rule) }
}

function checkEps(op: string, eps: unknown): asserts eps is number {
  if (!(typeof eps === 'number' && eps >= 0 && Number.isFinite(eps)))
    throw new RangeError(`${op}: eps is ${String(eps)}, expected a number >= 0`)
}

/** A weight or bias of exactly this shape, or null. */
function affine(op: string, name: string, value: Tensor | null | undefined, shape: Shape): Tensor | null {
  if (value === null || value === undefined) return null
  const given = float(op, name, value)
  if (!sameShape(given.shape, shape))
    throw new RangeError(`${op}: ${name} has shape ${show(given.shape)}, expected ${show(shape)}`)
  return given
}

/** A gradient of `like`'s shape when wanted. */
const gradientFor = (op: string, like: Tensor | null, wanted: boolean | undefined): Tensor | null =>
  like && wanted ? empty(`${op} gradient`, like.shape) : null

function normalizeRows(
  op: 'layerNorm' | 'rmsNorm',
  x: Value,
  normalizedShape: Shape,
  options: NormOptions,
  defaultEps: number,
): Tensor {
  const a = float(op, 'x', x)
  if (!Array.isArray(normalizedShape) || normalizedShape.length === 0)
    throw new TypeError(`${op}: normalizedShape is ${String(normalizedShape)}, expected an array of at least one size`)
  const { eps = defaultEps } = options
  checkEps(op, eps)
  const lead = a.ndim - normalizedShape.length
  if (lead < 0 || !sameShape(a.shape.slice(lead), normalizedShape))
    throw new RangeError(
      `${op}: x has shape ${show(a.shape)}, expected last dimensions ${show(normalizedShape)} (normalizedShape)`,
    )
  const weight = affine(op, 'weight', options.weight, normalizedShape)
  const bias = affine(op, 'bias', options.bias, normalizedShape)
  const width = sizeOf(normalizedShape)
  const rows = sizeOf(a.shape.slice(0, lead))
  const out = empty(op, a.shape)
  const mean = op === 'layerNorm' ? empty(op, [rows]) : null
  const rstd = empty(op, [rows])
  emit(core.layerNorm(out, mean, rstd, a, weight, bias, eps, rows, width))
  const { inputs, rules } = together([a, weight, bias], (dy, [, scales, shifts]) => {
    const dx = empty(`${op} gradient`, a.shape)
    const dweight = gradientFor(op, weight, scales)
    const dbias = gradientFor(op, bias, shifts)
    withScratch(8 * Math.ceil(width / 4) * 4, `${op} gradient`, (partial) =>
      emit(core.layerNormBackward(dx, dweight, dbias, partial, dy, a, mean, rstd, weight, rows, width)),
    )
    return [dx, dweight, dbias]
  })
  return record(op, out, inputs, rules)
}

/** (x - mean) / √(variance + eps) · weight + bias, mean and biased variance over the last axes.
 *  x, result: [..., ...normalizedShape]; weight, bias: normalizedShape. torch.nn.functional.layer_norm. */
export function layerNorm(x: Value, normalizedShape: Shape, options: NormOptions = {}): Tensor {
  checkOptions('layerNorm', options, ['weight', 'bias', 'eps'])
  return normalizeRows('layerNorm', x, normalizedShape, options, 1e-5)
}

/** x / √(mean(x²) + eps) · weight, the mean over the last axes; eps is 2^-23 by default.
 *  x, result: [..., ...normalizedShape]; weight: normalizedShape. torch.nn.functional.rms_norm. */
export function rmsNorm(x: Value, normalizedShape: Shape, options: RmsNormOptions = {}): Tensor {
  checkOptions('rmsNorm', options, ['weight', 'eps'])
  return normalizeRows('rmsNorm', x, normalizedShape, options, 2 ** -23)
}
