import { check, unexpected, whole } from '../checks.ts'
import { float, type Value } from '../ops/input.ts'
import { pad } from '../ops/part.ts'
import { type InterpolateOptions, interpolate, pixelShuffle, target } from '../ops/resample.ts'
import { misshaped } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module } from './module.ts'

/** Images of another size (see interpolate).  x: [batch, channels, height, width]; takes size or scaleFactor; mode
 *  'nearest' by default, or 'bilinear'. torch.nn.Upsample. */
export class Upsample extends Module {
  readonly #options: InterpolateOptions

  constructor(options: InterpolateOptions) {
    super()
    target('nn.Upsample', options)
    this.#options = { ...options }
  }

  forward(input: Value): Tensor {
    return interpolate(input, this.#options)
  }

  override extraRepr(): string {
    const { size, scaleFactor, mode = 'nearest', alignCorners } = this.#options
    const text = (value: unknown): string => (Array.isArray(value) ? `(${value.join(', ')})` : String(value))
    const sized = size === undefined ? `scaleFactor=${text(scaleFactor)}` : `size=${text(size)}`
    return `${sized}, mode=${mode}${alignCorners ? ', alignCorners=true' : ''}`
  }
}

/** Channels become pixels (see pixelShuffle).  x: [batch, channels r², height, width], y: [batch, channels, height r, width
 *  r], r = upscaleFactor. torch.nn.PixelShuffle. */
export class PixelShuffle extends Module {
  readonly #factor: number

  constructor(upscaleFactor: number) {
    super()
    check('nn.PixelShuffle', 'upscaleFactor', upscaleFactor, whole(1))
    this.#factor = upscaleFactor
  }

  forward(input: Value): Tensor {
    return pixelShuffle(input, this.#factor)
  }

  override extraRepr(): string {
    return `upscaleFactor=${this.#factor}`
  }
}

/** Zeros around images.  x: [..., height, width], y: [..., height + top + bottom, width + left + right]; padding: one number
 *  for all sides, or [left, right, top, bottom]. torch.nn.ZeroPad2d. */
export class ZeroPad2d extends Module {
  readonly #padding: readonly [number, number, number, number]

  constructor(padding: number | readonly [number, number, number, number]) {
    super()
    const list = typeof padding === 'number' ? [padding, padding, padding, padding] : padding
    if (!Array.isArray(list) || list.length !== 4 || list.some((n) => !Number.isInteger(n) || n < 0)) {
      throw unexpected(
        'nn.ZeroPad2d',
        'padding',
        padding,
        'a whole number >= 0 or four of them, [left, right, top, bottom]',
      )
    }
    this.#padding = [...list] as [number, number, number, number]
  }

  forward(input: Value): Tensor {
    const x = float('nn.ZeroPad2d', 'input', input)
    if (x.ndim < 2) throw misshaped('nn.ZeroPad2d', 'input', x, '[..., height, width]')
    const [left, right, top, bottom] = this.#padding
    return pad(x, [...x.shape.slice(2).map((): [number, number] => [0, 0]), [top, bottom], [left, right]])
  }

  override extraRepr(): string {
    return `(${this.#padding.join(', ')})`
  }
}
