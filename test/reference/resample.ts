// Images of another size in f64, by definition.

import { build, type Ref } from './array.ts'

const at = (x: Ref, b: number, c: number, i: number, j: number): number => {
  const [, channels, height, width] = x.shape as [number, number, number, number]
  return x.data[((b * channels + c) * height + i) * width + j] as number
}

export function nearest(x: Ref, outs: readonly [number, number], steps: readonly [number, number]): Ref {
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  return build([batch, channels, ...outs], (to) => {
    const [b, c, y, z] = to as [number, number, number, number]
    const row = Math.min(height - 1, Math.floor(y * steps[0]))
    return at(x, b, c, row, Math.min(width - 1, Math.floor(z * steps[1])))
  })
}

/** `place`: where in the input an element of the output lies, by its index along an axis. */
export function bilinear(x: Ref, outs: readonly [number, number], place: (i: number, axis: number) => number): Ref {
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  return build([batch, channels, ...outs], (to) => {
    const [b, c, y, z] = to as [number, number, number, number]
    const [row, column] = [place(y, 0), place(z, 1)]
    let sum = 0
    // A hat function over each element; what lies outside counts as the border.
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) {
        const clamped = (v: number, n: number) => Math.min(Math.max(v, 0), n - 1)
        const down = Math.max(0, 1 - Math.abs(clamped(row, height) - i))
        const across = Math.max(0, 1 - Math.abs(clamped(column, width) - j))
        sum += down * across * at(x, b, c, i, j)
      }
    return sum
  })
}

export function pixelShuffle(x: Ref, r: number): Ref {
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  return build([batch, channels / (r * r), height * r, width * r], (to) => {
    const [b, c, y, z] = to as [number, number, number, number]
    return at(x, b, (c * r + (y % r)) * r + (z % r), Math.floor(y / r), Math.floor(z / r))
  })
}
