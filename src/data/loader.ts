import { option, settle, whole } from '../checks.ts'
import { inspect, printed } from '../printed.ts'
import type { NDArray } from '../tensor/types.ts'
import { checkDataset, type Dataset } from './dataset.ts'
import { permutation, seedOption } from './random.ts'

export interface DataLoaderOptions {
  /** Samples in a batch; default 1. */
  batchSize?: number | undefined
  /** A new random order in each epoch; default false. */
  shuffle?: boolean | undefined
  /** Where the orders come from; default 0. */
  seed?: number | undefined
  /** Leave out the last batch when it is short; default false. */
  dropLast?: boolean | undefined
}

/** A data set in batches: iterate for one epoch, and again for the next. Each batch is a list of arrays, as
 *  the data set's `gather` gives it. The order of epoch e follows from (seed, e). torch.utils.data.DataLoader. */
export class DataLoader<Sample extends readonly NDArray[]> implements Iterable<Sample> {
  readonly dataset: Dataset<Sample>
  readonly batchSize: number
  readonly #shuffle: boolean
  readonly #seed: number
  readonly #dropLast: boolean
  /** The number of the next epoch; set it to replay or to resume. */
  epoch = 0

  constructor(dataset: Dataset<Sample>, options: DataLoaderOptions = {}) {
    const { batchSize, shuffle, seed, dropLast } = settle('DataLoader', options, {
      batchSize: option(whole(1), 1),
      seed: seedOption,
      shuffle: false,
      dropLast: false,
    })
    checkDataset('DataLoader', dataset)
    this.dataset = dataset
    this.batchSize = batchSize
    this.#shuffle = shuffle
    this.#seed = seed
    this.#dropLast = dropLast
  }

  /** Number of batches. */
  get length(): number {
    return Math[this.#dropLast ? 'floor' : 'ceil'](this.dataset.length / this.batchSize)
  }

  toString(): string {
    const { batchSize, length, epoch } = this
    const options = { shuffle: this.#shuffle, seed: this.#seed, dropLast: this.#dropLast }
    return printed('DataLoader', { batches: length, batchSize, ...options, epoch })
  }

  /** @internal */
  [inspect](): string {
    return this.toString()
  }

  *[Symbol.iterator](): Generator<Sample> {
    const { epoch } = this
    if (!Number.isInteger(epoch) || epoch < 0)
      throw new RangeError(`DataLoader: epoch is ${epoch}, expected a whole number >= 0`)
    this.epoch++
    const n = this.dataset.length
    // Odd multipliers keep (seed, epoch) pairs apart.
    const order = this.#shuffle
      ? permutation(n, (Math.imul(this.#seed, 0x85ebca6b) ^ Math.imul(epoch + 1, 0xc2b2ae35)) >>> 0)
      : Uint32Array.from({ length: n }, (_, i) => i)
    for (let batch = 0; batch < this.length; batch++) {
      yield this.dataset.gather(order.subarray(batch * this.batchSize, Math.min(n, (batch + 1) * this.batchSize)))
    }
  }
}
