import { check, settle, unexpected, whole } from '../checks.ts'
import { FLOAT_EPSILON } from '../math.ts'
import { ones, zeros } from '../ops/create.ts'
import { float, type Value } from '../ops/input.ts'
import { batchNorm, epsOption, groupNorm, layerNorm, momentumOption, rmsNorm } from '../ops/norm.ts'
import { checkShape, misshaped, type Shape, show } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Buffer, Module, Parameter } from './module.ts'

function normalizedShapeOf(layer: string, value: number | Shape): Shape {
  const shape = typeof value === 'number' ? [value] : value
  checkShape(layer, shape)
  if (shape.length === 0) throw new RangeError(`${layer}: normalizedShape is [], expected at least one size`)
  return [...shape]
}

export interface LayerNormOptions {
  /** Added to the variance; default 1e-5. */
  eps?: number | undefined
  /** Whether to learn a weight, from 1; default true. */
  elementwiseAffine?: boolean | undefined
  /** Whether to learn a bias too, from 0; default true. */
  bias?: boolean | undefined
}

/** y = (x - mean) / √(variance + eps) · weight + bias, mean and biased variance over the last axes.
 *  x, y: [..., ...normalizedShape] (a number is one axis); weight (1), bias (0): normalizedShape. torch.nn.LayerNorm. */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape
  readonly eps: number
  weight: Parameter | null
  bias: Parameter | null

  constructor(normalizedShape: number | Shape, options: LayerNormOptions = {}) {
    super()
    const { eps, elementwiseAffine, bias } = settle('nn.LayerNorm', options, {
      eps: epsOption(1e-5),
      elementwiseAffine: true,
      bias: true,
    })
    this.normalizedShape = normalizedShapeOf('nn.LayerNorm', normalizedShape)
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
  eps?: number | undefined
  /** Whether to learn a weight, from 1; default true. */
  elementwiseAffine?: boolean | undefined
}

/** y = x / √(mean(x²) + eps) · weight, the mean over the last axes.
 *  x, y: [..., ...normalizedShape] (a number is one axis); weight (1): normalizedShape. torch.nn.RMSNorm. */
export class RMSNorm extends Module {
  readonly normalizedShape: Shape
  readonly eps: number
  weight: Parameter | null

  constructor(normalizedShape: number | Shape, options: RMSNormOptions = {}) {
    super()
    const { eps, elementwiseAffine } = settle('nn.RMSNorm', options, {
      eps: epsOption(FLOAT_EPSILON),
      elementwiseAffine: true,
    })
    this.normalizedShape = normalizedShapeOf('nn.RMSNorm', normalizedShape)
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

export interface GroupNormOptions {
  /** Added to the variance; default 1e-5. */
  eps?: number | undefined
  /** Whether to learn a weight, from 1, and a bias, from 0; default true. */
  affine?: boolean | undefined
}

/** y = (x - mean) / √(variance + eps) · weight + bias, mean and biased variance over each of `numGroups` groups of
 *  neighbouring channels.  x, y: [batch, numChannels, ...]; weight (1), bias (0): [numChannels]. torch.nn.GroupNorm. */
export class GroupNorm extends Module {
  readonly numGroups: number
  readonly numChannels: number
  readonly eps: number
  weight: Parameter | null
  bias: Parameter | null

  constructor(numGroups: number, numChannels: number, options: GroupNormOptions = {}) {
    super()
    const { eps, affine } = settle('nn.GroupNorm', options, { eps: epsOption(1e-5), affine: true })
    check('nn.GroupNorm', 'numGroups', numGroups, whole(1))
    check('nn.GroupNorm', 'numChannels', numChannels, whole(0))
    if (numChannels % numGroups !== 0)
      throw unexpected('nn.GroupNorm', 'numChannels', numChannels, `a multiple of numGroups, ${numGroups}`)
    this.numGroups = numGroups
    this.numChannels = numChannels
    this.eps = eps
    this.weight = affine ? new Parameter(ones([numChannels])) : null
    this.bias = affine ? new Parameter(zeros([numChannels])) : null
  }

  forward(input: Value): Tensor {
    const { weight, bias, eps } = this
    const x = float('nn.GroupNorm', 'input', input)
    if (x.shape[1] !== this.numChannels)
      throw misshaped('nn.GroupNorm', 'input', x, `[batch, ${this.numChannels}] or [batch, ${this.numChannels}, ...]`)
    return groupNorm(x, this.numGroups, { weight, bias, eps })
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}, affine=${this.weight !== null}`
  }
}

export interface BatchNormLayerOptions {
  /** Added to the variance; default 1e-5. */
  eps?: number | undefined
  /** Share of a new batch in the running statistics, default 0.1; null: the average over all batches. */
  momentum?: number | null | undefined
  /** Whether to learn a weight, from 1, and a bias, from 0; default true. */
  affine?: boolean | undefined
  /** Whether to keep running statistics for evaluation; default true. Without, batches are always normalised by
   *  their own. */
  trackRunningStats?: boolean | undefined
}

/** What the batch normalisations share; `ranks` says which inputs a layer takes. */
abstract class BatchNorm extends Module {
  readonly numFeatures: number
  readonly eps: number
  readonly momentum: number | null
  weight: Parameter | null
  bias: Parameter | null
  runningMean: Buffer | null
  runningVar: Buffer | null
  numBatchesTracked: Buffer | null
  readonly #name: string
  readonly #inner: readonly string[]

  /** `inner`: the axes after [batch, channels] that inputs may have, in words. */
  protected constructor(
    name: string,
    inner: readonly string[],
    numFeatures: number,
    options: BatchNormLayerOptions = {},
  ) {
    super()
    const { eps, momentum, affine, trackRunningStats } = settle(name, options, {
      eps: epsOption(1e-5),
      momentum: momentumOption,
      affine: true,
      trackRunningStats: true,
    })
    check(name, 'numFeatures', numFeatures, whole(0))
    this.#name = name
    this.#inner = inner
    this.numFeatures = numFeatures
    this.eps = eps
    this.momentum = momentum
    this.weight = affine ? new Parameter(ones([numFeatures])) : null
    this.bias = affine ? new Parameter(zeros([numFeatures])) : null
    this.runningMean = trackRunningStats ? new Buffer(zeros([numFeatures])) : null
    this.runningVar = trackRunningStats ? new Buffer(ones([numFeatures])) : null
    this.numBatchesTracked = trackRunningStats ? new Buffer(zeros([], 'i32')) : null
  }

  forward(input: Value): Tensor {
    const { weight, bias, eps, momentum, runningMean, runningVar, numFeatures } = this
    const x = float(this.#name, 'input', input)
    const ranks = this.#inner.map((axes) => 2 + (axes === '' ? 0 : axes.split(', ').length))
    if (!ranks.includes(x.ndim) || x.shape[1] !== numFeatures) {
      const expected = this.#inner.map((axes) => `[batch, ${numFeatures}${axes && `, ${axes}`}]`)
      throw misshaped(this.#name, 'input', x, expected.join(' or '))
    }
    const training = this.training || runningMean === null
    const batchesTracked = training ? this.numBatchesTracked : null
    return batchNorm(x, { weight, bias, eps, momentum, runningMean, runningVar, batchesTracked, training })
  }

  override extraRepr(): string {
    const { numFeatures, eps, momentum, weight, runningMean } = this
    return `${numFeatures}, eps=${eps}, momentum=${momentum}, affine=${weight !== null}, trackRunningStats=${runningMean !== null}`
  }
}

/** y = (x - mean) / √(variance + eps) · weight + bias for each channel: in training by mean and biased variance of
 *  the batch, in evaluation by their running averages (the variance unbiased).  x, y: [batch, numFeatures] or
 *  [batch, numFeatures, length]; weight (1), bias (0), runningMean (0), runningVar (1): [numFeatures];
 *  numBatchesTracked: i32. Throws for fewer than two values a channel in training. torch.nn.BatchNorm1d. */
export class BatchNorm1d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super('nn.BatchNorm1d', ['', 'length'], numFeatures, options)
  }
}

/** As BatchNorm1d, for x, y: [batch, numFeatures, height, width]. torch.nn.BatchNorm2d. */
export class BatchNorm2d extends BatchNorm {
  constructor(numFeatures: number, options: BatchNormLayerOptions = {}) {
    super('nn.BatchNorm2d', ['height, width'], numFeatures, options)
  }
}
