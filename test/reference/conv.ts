// Convolutions in f64, by their definitions.

import { build, type Ref } from './array.ts'

export interface ConvShape {
  stride: readonly [number, number]
  /** Zeros above and on the left, and in all. */
  before: readonly [number, number]
  total: readonly [number, number]
  dilation: readonly [number, number]
  groups: number
}

export const plain: ConvShape = { stride: [1, 1], before: [0, 0], total: [0, 0], dilation: [1, 1], groups: 1 }

export function conv2d(x: Ref, w: Ref, bias: Ref | null, options: Partial<ConvShape> = {}): Ref {
  const { stride, before, total, dilation, groups } = { ...plain, ...options }
  const [batch, , height, width] = x.shape as [number, number, number, number]
  const [out, part, kh, kw] = w.shape as [number, number, number, number]
  const h = Math.floor((height + total[0] - dilation[0] * (kh - 1) - 1) / stride[0]) + 1
  const v = Math.floor((width + total[1] - dilation[1] * (kw - 1) - 1) / stride[1]) + 1
  return build([batch, out, h, v], ([b, o, i, j]) => {
    const group = Math.floor((o as number) / (out / groups))
    let sum = bias ? (bias.data[o as number] as number) : 0
    for (let c = 0; c < part; c++)
      for (let y = 0; y < kh; y++)
        for (let z = 0; z < kw; z++) {
          const row = (i as number) * stride[0] + y * dilation[0] - before[0]
          const column = (j as number) * stride[1] + z * dilation[1] - before[1]
          if (row < 0 || row >= height || column < 0 || column >= width) continue
          const channel = group * part + c
          const at = (((b as number) * (x.shape[1] as number) + channel) * height + row) * width + column
          const weight = (((o as number) * part + c) * kh + y) * kw + z
          sum += (x.data[at] as number) * (w.data[weight] as number)
        }
    return sum
  })
}

export function convTranspose2d(
  x: Ref,
  w: Ref,
  bias: Ref | null,
  options: Partial<ConvShape> & { added?: readonly [number, number] } = {},
): Ref {
  const { stride, before, dilation, groups } = { ...plain, ...options }
  const added = options.added ?? [0, 0]
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  const [, part, kh, kw] = w.shape as [number, number, number, number]
  const h = (height - 1) * stride[0] - 2 * before[0] + dilation[0] * (kh - 1) + added[0] + 1
  const v = (width - 1) * stride[1] - 2 * before[1] + dilation[1] * (kw - 1) + added[1] + 1
  const out = build([batch, part * groups, h, v], ([, o]) => (bias ? (bias.data[o as number] as number) : 0))
  for (let b = 0; b < batch; b++)
    for (let c = 0; c < channels; c++)
      for (let o = 0; o < part; o++)
        for (let i = 0; i < height; i++)
          for (let j = 0; j < width; j++)
            for (let y = 0; y < kh; y++)
              for (let z = 0; z < kw; z++) {
                const row = i * stride[0] + y * dilation[0] - before[0]
                const column = j * stride[1] + z * dilation[1] - before[1]
                if (row < 0 || row >= h || column < 0 || column >= v) continue
                const target = Math.floor(c / (channels / groups)) * part + o
                const at = ((b * part * groups + target) * h + row) * v + column
                const product =
                  (x.data[((b * channels + c) * height + i) * width + j] as number) *
                  (w.data[((c * part + o) * kh + y) * kw + z] as number)
                out.data[at] = (out.data[at] as number) + product
              }
  return out
}
