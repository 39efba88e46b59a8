// Pooling in f64, by its definition.

import { build, type Ref } from './array.ts'

export interface PoolShape {
  kernel: readonly [number, number]
  stride: readonly [number, number]
  padding: readonly [number, number]
  dilation: readonly [number, number]
  ceil: boolean
}

const at = (x: Ref, b: number, c: number, i: number, j: number): number => {
  const [, channels, height, width] = x.shape as [number, number, number, number]
  return x.data[((b * channels + c) * height + i) * width + j] as number
}

function pool(
  x: Ref,
  { kernel, stride, padding, dilation, ceil }: PoolShape,
  of: (values: number[], all: number) => number,
) {
  const [batch, channels, ...sizes] = x.shape as [number, number, number, number]
  const outs = sizes.map((n, d) => {
    const round = ceil ? Math.ceil : Math.floor
    const count =
      round(
        (n + 2 * (padding[d] as number) - (dilation[d] as number) * ((kernel[d] as number) - 1) - 1) /
          (stride[d] as number),
      ) + 1
    return ceil && (count - 1) * (stride[d] as number) >= n + (padding[d] as number) ? count - 1 : count
  })
  return build([batch, channels, ...outs], ([b, c, y, z]) => {
    const values: number[] = []
    let all = 0
    for (let u = 0; u < kernel[0]; u++)
      for (let v = 0; v < kernel[1]; v++) {
        const i = (y as number) * stride[0] - padding[0] + u * dilation[0]
        const j = (z as number) * stride[1] - padding[1] + v * dilation[1]
        if (i < (sizes[0] as number) + padding[0] && j < (sizes[1] as number) + padding[1]) all++
        if (i >= 0 && j >= 0 && i < (sizes[0] as number) && j < (sizes[1] as number))
          values.push(at(x, b as number, c as number, i, j))
      }
    return of(values, all)
  })
}

const total = (list: readonly number[]): number => list.reduce((s, x) => s + x, 0)

export const maxPool2d = (x: Ref, shape: PoolShape): Ref => pool(x, shape, (values) => Math.max(...values))

export const avgPool2d = (x: Ref, shape: PoolShape, includePad: boolean): Ref =>
  pool(x, shape, (values, all) => total(values) / (includePad ? all : values.length))

export function adaptiveAvgPool2d(x: Ref, outs: readonly [number, number]): Ref {
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  return build([batch, channels, ...outs], ([b, c, y, z]) => {
    const values: number[] = []
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) {
        const inside = (k: number, at: number, size: number, n: number) =>
          k >= Math.floor((at * size) / n) && k < Math.ceil(((at + 1) * size) / n)
        if (inside(i, y as number, height, outs[0]) && inside(j, z as number, width, outs[1]))
          values.push(at(x, b as number, c as number, i, j))
      }
    return total(values) / values.length
  })
}
