// Data in fewer dimensions: principal components.

import { check, whole } from '../checks.ts'
import { square } from '../math.ts'
import { add, sub } from '../ops/elementwise.ts'
import { linear, matmul } from '../ops/gemm.ts'
import { float, type Value } from '../ops/input.ts'
import { misshaped } from '../tensor/shape.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { centred, means, row, samples, singular } from './matrix.ts'

export interface Pca {
  /** Of the columns, [d]. */
  mean: Tensor
  /** Orthogonal unit vectors, that of the largest variance first, [components, d]; of each the largest element is > 0. */
  components: Tensor
  /** Variance of the samples along each component, σ² / (n - 1). */
  variances: number[]
  /** Their shares of the variance of all columns. */
  shares: number[]
  /** (x - mean) componentsᵀ.  x: [..., d]; result: [..., components]. */
  transform(x: Value): Tensor
  /** z components + mean, the nearest point to what z was made from.  z: [..., components]; result: [..., d]. */
  inverse(z: Value): Tensor
}

/** The directions of largest variance: right singular vectors of the centred samples.
 *
 *  x: [n, d]; components: from 1 to min(n, d). No linear map to as many numbers and back has a smaller squared error
 *  (Eckart, Young). QR and one-sided Jacobi in float64, O(n d² + d³). sklearn.decomposition.PCA. */
export function pca(x: Tensor | NDArray, components: number): Pca {
  const data = samples('pca', 'x', x)
  check('pca', 'components', components, whole(1, Math.min(data.rows, data.columns)))
  const mean = means(data)
  const { values, vectors } = singular(centred(data, mean))
  const variances = Array.from(values, (value) => square(value) / Math.max(1, data.rows - 1))
  const total = variances.reduce((sum, variance) => sum + variance, 0)
  const rows = Float32Array.from({ length: components * data.columns })
  for (let i = 0; i < components; i++) {
    const vector = row(vectors, i)
    const largest = vector.reduce((most, element) => (Math.abs(element) > Math.abs(most) ? element : most), 0)
    rows.set(largest < 0 ? vector.map((element) => -element) : vector, i * data.columns)
  }
  const directions = tensor(rows, { shape: [components, data.columns] })
  const middle = tensor(Float32Array.from(mean))
  return {
    mean: middle,
    components: directions,
    variances: variances.slice(0, components),
    shares: variances.slice(0, components).map((variance) => (total === 0 ? 0 : variance / total)),
    transform: (other) => linear(sub(wide('pca.transform', 'x', other, data.columns), middle), directions),
    inverse: (z) => add(matmul(wide('pca.inverse', 'z', z, components), directions), middle),
  }
}

function wide(op: string, name: string, value: Value, columns: number): Tensor {
  const x = float(op, name, value)
  if (x.shape.at(-1) !== columns) throw misshaped(op, name, x, `[..., ${columns}] as fitted`)
  return x
}
