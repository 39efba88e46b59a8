import { ones, zeros } from '../ops/create.ts'
import type { Value } from '../ops/input.ts'
import { layerNorm, rmsNorm } from '../ops/norm.ts'
import { checkOptions } from '../tensor/options.ts'
import { checkShape, type Shape, show } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module, Parameter } from './module.ts'

function checkEps(layer: string, eps: unknown): void {
  if (!(typeof eps === 'number' && eps >= 0 && Number.isFinite(eps)))
    throw new RangeError(`${layer}: eps is ${String(eps)}, expected a number >= 0`)
}

function normalizedShapeOf(layer: string, value: number | Shape): Shape {
  const shape = typeof value === 'number' ? [value] : value
  checkShape(layer, shape)
  if (shape.length === 0) throw new RangeError(`${layer}: normalizedShape is [], expected at least one size`)
  return [...shape]
}

export interface LayerNormOptions {
  /** Added to the variance; default 1e-5. */
  eps?: number
  /** Whether to learn a weight, from 1; default true. */
  elementwiseAffine?: boolean
  /** Whether to learn a bias too, from 0; default true. */
  bias?: boolean
}

/** y = (x - mean) / √(variance + eps) · weight + bias, mean and biased variance over the last axes.
 *  x, y: [..., ...normalizedShape] (a number is one axis); weight (1), bias (0): normalizedShape. torch.nn.LayerNorm. */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape
  readonly eps: number
  readonly weight: Parameter | null
  readonly bias: Parameter | null

  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    super()
    checkOptions('nn.LayerNorm', options, ['eps', 'elementwiseAffine', 'bias'])
    const { eps = 1e-5, elementwiseAffine = true, bias = true } = options
    this.normalizedShape = normalizedShapeOf('nn.LayerNorm', normalizedShape)
    checkEps('nn.LayerNorm', eps)
    this.eps = eps
    this.weight = elementwiseAffine ? new Parameter(ones(this.normalizedShape)) : null
    this.bias = elementwiseAffine && bias ? new Parameter(zeros(this.normalizedShape)) : null
  }

  forward(input: Value): Tensor {
    const { weight, bias, eps } = this
    return layerNorm(input, this.normalizedShape, { weight, bias, eps })
  }

  override extraRepr(): string {
    return `${show(this.normalizedShape)}, eps=${this.eps}, elementwiseAffine=${this.weight !== null}`
  }
}

export interface RMSNormOptions {
  /** Added to the mean of squares; default 2^-23. */
  eps?: number
  /** Whether to learn a weight, from 1; default true. */
  elementwiseAffine?: boolean
}

/** y = x / √(mean(x²) + eps) · weight, the mean over the last axes.
 *  x, y: [..., ...normalizedShape] (a number is one axis); weight (1): normalizedShape. torch.nn.RMSNorm. */
export class RMSNorm extends Module {
  readonly normalizedShape: Shape
  readonly eps: number
  readonly weight: Parameter | null

  constructor(normalizedShape: number | Shape, options: RMSNormOptions = {}) {
    super()
    checkOptions('nn.RMSNorm', options, ['eps', 'elementwiseAffine'])
    const { eps = 2 ** -23, elementwiseAffine = true } = options
    this.normalizedShape = normalizedShapeOf('nn.RMSNorm', normalizedShape)
    checkEps('nn.RMSNorm', eps)
    this.eps = eps
    this.weight = elementwiseAffine ? new Parameter(ones(this.normalizedShape)) : null
  }

  forward(input: Value): Tensor {
    return rmsNorm(input, this.normalizedShape, { weight: this.weight, eps: this.eps })
  }

  override extraRepr(): string {
    return `${show(this.normalizedShape)}, eps=${this.eps}, elementwiseAffine=${this.weight !== null}`
  }
}
