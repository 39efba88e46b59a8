// The lecture's data: small sets from scikit-learn (data/make.py), MNIST, and Moby-Dick.

import { readFile } from 'node:fs/promises'
import type { NDArray } from 'lanewise'
import { readSafetensors } from 'lanewise/io'
import { defaultFolder, mnist as readMnist } from '../mnist/data.ts'

export interface Samples {
  /** f32 [n, features] */
  x: NDArray
  /** Classes (u8) or values (f32), [n]. */
  y: NDArray
  features: string[]
  classes: string[]
}

/** iris: 150 flowers, lengths in cm, species; wine: 178 wines, 13 measurements, growers; diabetes: 442 patients, 10
 *  measurements, progression of the disease after a year; digits: 1797 images of 8 × 8 pixels from 0 to 16. */
export async function samples(name: 'iris' | 'wine' | 'diabetes' | 'digits'): Promise<Samples> {
  const bytes = await readFile(new URL(`data/${name}.safetensors`, import.meta.url))
  const { tensors, metadata = {} } = readSafetensors(bytes)
  const { x, y } = tensors as { x: NDArray; y: NDArray }
  const list = (text = '') => (text ? text.split(',') : [])
  return {
    x: { shape: x.shape, data: Float32Array.from(x.data) },
    y,
    features: list(metadata.features),
    classes: list(metadata.classes),
  }
}

/** The rows and columns that are named, in that order. */
export function part({ shape, data }: NDArray, rows: readonly number[], columns?: readonly number[]): NDArray {
  const width = shape[1] ?? 1
  const kept = columns ?? Array.from({ length: width }, (_, j) => j)
  const chosen = data.slice(0, rows.length * kept.length)
  rows.forEach((i, r) => {
    kept.forEach((j, c) => {
      chosen[r * kept.length + c] = data[i * width + j] as number
    })
  })
  return { shape: shape.length === 1 ? [rows.length] : [rows.length, kept.length], data: chosen }
}

/** Each column less its mean, over its standard deviation; those of `as`, by default x itself. */
export function standardized(x: NDArray, as: NDArray = x): NDArray {
  const [n, width] = as.shape as [number, number]
  const column = (j: number) => Array.from({ length: n }, (_, i) => as.data[i * width + j] as number)
  const mean = (list: number[]) => list.reduce((sum, value) => sum + value, 0) / list.length
  const scales = Array.from({ length: width }, (_, j) => {
    const middle = mean(column(j))
    return { middle, spread: Math.sqrt(mean(column(j).map((value) => (value - middle) ** 2))) || 1 }
  })
  const data = Float32Array.from(x.data, (value, at) => {
    const { middle, spread } = scales[at % width] as (typeof scales)[number]
    return (value - middle) / spread
  })
  return { shape: x.shape, data }
}

/** The first `count` images of MNIST, averaged over squares to `size` × `size` pixels from 0 to 1, and their labels. */
export async function mnist(
  partName: 'train' | 't10k',
  count: number,
  size: 28 | 14,
): Promise<{ x: NDArray; y: NDArray }> {
  const [images, labels] = (await readMnist(defaultFolder(), partName)).arrays
  const step = 28 / size
  const data = new Float32Array(count * size * size)
  for (let at = 0; at < count * 784; at++) {
    const [i, y, x] = [Math.floor(at / 784), Math.floor((at % 784) / 28), at % 28]
    const to = (i * size + Math.floor(y / step)) * size + Math.floor(x / step)
    data[to] = (data[to] as number) + (images.data[at] as number) / (255 * step * step)
  }
  return { x: { shape: [count, size * size], data }, y: { shape: [count], data: labels.data.slice(0, count) } }
}
