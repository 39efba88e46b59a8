import { show, sizeOf } from '../tensor/shape.ts'
import { arrayOf, dtypeOf, isNDArray, type NDArray } from '../tensor/types.ts'
import { checkSeed, permutation } from './random.ts'

/** Rows of samples, in JavaScript's memory: several arrays of one length. */
export interface Dataset<Sample extends readonly NDArray[] = readonly NDArray[]> {
  readonly length: number
  /** The samples at `indices`, stacked: one array for each of the data set's, [indices.length, ...]. */
  gather(indices: ArrayLike<number>): Sample
}

/** Arrays whose first axes run over the same samples. torch.utils.data.TensorDataset. */
export class TensorDataset<Sample extends readonly NDArray[]> implements Dataset<Sample> {
  readonly length: number
  readonly arrays: Sample

  constructor(...arrays: Sample) {
    if (arrays.length === 0) throw new RangeError('TensorDataset: got no arrays, expected at least one')
    arrays.forEach((array, i) => {
      if (!isNDArray(array))
        throw new TypeError(`TensorDataset: argument ${i} is ${typeof array}, expected { data, shape } with typed data`)
      if (array.shape.length === 0)
        throw new RangeError(`TensorDataset: argument ${i} has no axes, expected samples along the first`)
      if (sizeOf(array.shape) !== array.data.length)
        throw new RangeError(
          `TensorDataset: argument ${i} has ${array.data.length} elements, expected ${sizeOf(array.shape)} for its shape ${show(array.shape)}`,
        )
      if (array.shape[0] !== arrays[0]?.shape[0])
        throw new RangeError(
          `TensorDataset: argument ${i} has ${array.shape[0]} samples, expected ${arrays[0]?.shape[0]} as in the first`,
        )
    })
    this.arrays = arrays
    this.length = (arrays[0] as NDArray).shape[0] as number
  }

  gather(indices: ArrayLike<number>): Sample {
    const rows = ({ data, shape }: NDArray): NDArray => {
      const row = sizeOf(shape.slice(1))
      const out = new arrayOf[dtypeOf(data)](indices.length * row)
      for (let i = 0; i < indices.length; i++) {
        const index = indices[i] as number
        if (!(index >= 0 && index < this.length))
          throw new RangeError(`TensorDataset.gather: index ${index} at ${i}, expected 0 to ${this.length - 1}`)
        if (row === 1) out[i] = data[index] as number
        else out.set(data.subarray(index * row, (index + 1) * row), i * row)
      }
      return { data: out, shape: [indices.length, ...shape.slice(1)] }
    }
    return this.arrays.map(rows) as readonly NDArray[] as Sample
  }
}

/** Some samples of a data set. torch.utils.data.Subset. */
export class Subset<Sample extends readonly NDArray[] = readonly NDArray[]> implements Dataset<Sample> {
  readonly dataset: Dataset<Sample>
  readonly indices: Uint32Array

  constructor(dataset: Dataset<Sample>, indices: ArrayLike<number>) {
    this.dataset = dataset
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i] as number
      if (!Number.isInteger(index) || index < 0 || index >= dataset.length)
        throw new RangeError(`Subset: index ${index} at ${i}, expected a whole number from 0 to ${dataset.length - 1}`)
    }
    this.indices = Uint32Array.from(indices)
  }

  get length(): number {
    return this.indices.length
  }

  gather(indices: ArrayLike<number>): Sample {
    return this.dataset.gather(Uint32Array.from(indices, (i) => this.indices[i] as number))
  }
}

/** Splits a data set at random into parts that share no sample.
 *  `parts`: fractions that sum to 1 (default 80 % train, 10 % validation, 10 % test), or counts that sum to
 *  the length. `seed`: default 0. torch.utils.data.random_split. */
export function randomSplit<
  Sample extends readonly NDArray[],
  const Parts extends readonly number[] = readonly [number, number, number],
>(
  dataset: Dataset<Sample>,
  parts: Parts = [0.8, 0.1, 0.1] as readonly number[] as Parts,
  { seed = 0 }: { seed?: number } = {},
): { -readonly [I in keyof Parts]: Subset<Sample> } {
  checkSeed('randomSplit', seed)
  const total = parts.reduce((a, b) => a + b, 0)
  const fractions = Math.abs(total - 1) < 1e-9
  if (
    parts.some((part) => !(part >= 0) || (!fractions && !Number.isInteger(part))) ||
    !(fractions || total === dataset.length)
  ) {
    throw new RangeError(
      `randomSplit: parts ${show(parts)} sum to ${total}, expected fractions that sum to 1, or counts that sum to ${dataset.length}`,
    )
  }
  // Cut points are rounded, so that the parts always add up to the whole.
  const order = permutation(dataset.length, seed)
  let sum = 0
  let start = 0
  const subsets = parts.map((part) => {
    sum += part
    const end = fractions ? Math.round(sum * dataset.length) : sum
    const subset = new Subset(dataset, order.subarray(start, end))
    start = end
    return subset
  })
  return subsets as { -readonly [I in keyof Parts]: Subset<Sample> }
}
