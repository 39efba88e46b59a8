import type { Pair } from '../ops/conv.ts'
import type { Value } from '../ops/input.ts'
import {
  type AvgPool1dOptions,
  type AvgPool2dOptions,
  adaptiveAvgPool2d,
  avgPool1d,
  avgPool2d,
  type MaxPool1dOptions,
  type MaxPool2dOptions,
  maxPool1d,
  maxPool2d,
  type OutputSize,
  outputSizes,
  windows,
} from '../ops/pool.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module } from './module.ts'

/** What poolings share; `flat` for those along one axis. */
abstract class Pool<O extends { kernelSize: Pair; stride?: Pair | undefined }> extends Module {
  protected readonly options: O

  protected constructor(layer: string, options: O, flat: boolean) {
    super()
    windows(layer, options, flat)
    this.options = options
  }

  /** Sizes and those options that were given. */
  override extraRepr(): string {
    const { kernelSize, stride = kernelSize, ...rest } = this.options
    return Object.entries({ kernelSize, stride, ...rest })
      .map(([name, value]) => `${name}=${Array.isArray(value) ? `(${value.join(', ')})` : value}`)
      .join(', ')
  }
}

/** The largest of each window (see maxPool2d).  x: [batch, channels, height, width]; stride: kernelSize by default.
 *  torch.nn.MaxPool2d. */
export class MaxPool2d extends Pool<MaxPool2dOptions> {
  constructor(kernelSize: Pair, options: Omit<MaxPool2dOptions, 'kernelSize'> = {}) {
    super('nn.MaxPool2d', { ...options, kernelSize }, false)
  }

  forward(input: Value): Tensor {
    return maxPool2d(input, this.options)
  }
}

/** The largest of each window (see maxPool1d).  x: [batch, channels, length]; stride: kernelSize by default.
 *  torch.nn.MaxPool1d. */
export class MaxPool1d extends Pool<MaxPool1dOptions> {
  constructor(kernelSize: number, options: Omit<MaxPool1dOptions, 'kernelSize'> = {}) {
    super('nn.MaxPool1d', { ...options, kernelSize }, true)
  }

  forward(input: Value): Tensor {
    return maxPool1d(input, this.options)
  }
}

/** The mean of each window (see avgPool2d).  x: [batch, channels, height, width]; stride: kernelSize by default.
 *  torch.nn.AvgPool2d. */
export class AvgPool2d extends Pool<AvgPool2dOptions> {
  constructor(kernelSize: Pair, options: Omit<AvgPool2dOptions, 'kernelSize'> = {}) {
    super('nn.AvgPool2d', { ...options, kernelSize }, false)
  }

  forward(input: Value): Tensor {
    return avgPool2d(input, this.options)
  }
}

/** The mean of each window (see avgPool1d).  x: [batch, channels, length]; stride: kernelSize by default.
 *  torch.nn.AvgPool1d. */
export class AvgPool1d extends Pool<AvgPool1dOptions> {
  constructor(kernelSize: number, options: Omit<AvgPool1dOptions, 'kernelSize'> = {}) {
    super('nn.AvgPool1d', { ...options, kernelSize }, true)
  }

  forward(input: Value): Tensor {
    return avgPool1d(input, this.options)
  }
}

/** Means that give images of one size whatever came in (see adaptiveAvgPool2d).  x: [batch, channels, height, width], y:
 *  [batch, channels, ...outputSize]. torch.nn.AdaptiveAvgPool2d. */
export class AdaptiveAvgPool2d extends Module {
  readonly #size: OutputSize

  constructor(outputSize: OutputSize) {
    super()
    outputSizes('nn.AdaptiveAvgPool2d', outputSize)
    this.#size = outputSize
  }

  forward(input: Value): Tensor {
    return adaptiveAvgPool2d(input, this.#size)
  }

  override extraRepr(): string {
    return `outputSize=${typeof this.#size === 'number' ? this.#size : `(${this.#size.map(String).join(', ')})`}`
  }
}
