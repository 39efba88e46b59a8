import { callback, check, kind, option, settle, whole, written } from '../checks.ts'
import { inspect, printed } from '../printed.ts'
import { arrayOf, dtypeOf, type NDArray } from '../tensor/types.ts'
import { checkDataset, type Dataset } from './dataset.ts'
import { permutation, seeded, seedOption } from './random.ts'

/** A data set whose batches have to be waited for. */
export interface AsyncDataset<Sample extends readonly NDArray[] = readonly NDArray[]> {
  readonly length: number
  gather(indices: ArrayLike<number>): Promise<Sample>
}

/** In which order samples come. */
export interface Sampler {
  /** Indices of an epoch, for a data set of so many samples; the same for the same seed. */
  indices(length: number, seed: number): ArrayLike<number>
}

/** Changes a batch, as to augment it; `below(n)` draws whole numbers from 0 to n - 1, the same ones when the batch comes again. */
export type BatchTransform<Sample> = (batch: Sample, below: (bound: number) => number) => Sample

export interface DataLoaderOptions<Sample extends readonly NDArray[] = readonly NDArray[]> {
  /** Samples in a batch; default 1. */
  batchSize?: number | undefined
  /** A new random order in each epoch; default false. */
  shuffle?: boolean | undefined
  /** Chooses the samples of each epoch, instead of shuffle. */
  sampler?: Sampler | undefined
  /** Where the orders come from; default 0. */
  seed?: number | undefined
  /** Leave out the last batch when it is short; default false. */
  dropLast?: boolean | undefined
  /** Changes each batch. */
  transform?: BatchTransform<Sample> | undefined
  /** Batches that `for await` asks for ahead; default 2. */
  prefetch?: number | undefined
}

/** Where a loader stands. JSON. */
export interface LoaderState {
  readonly epoch: number
  /** Batches of the epoch that were given. */
  readonly batch: number
  readonly batchSize: number
  readonly seed: number
  /** Samples of the data set; null for a stream. */
  readonly samples: number | null
}

const samplerKind = /* @__PURE__ */ kind<Sampler>(
  'object',
  'a sampler, as new WeightedSampler(weights)',
  (sampler) => typeof sampler?.indices === 'function',
)

/** Odd multipliers keep (seed, epoch) pairs apart. */
const mixed = (seed: number, epoch: number): number =>
  (Math.imul(seed, 0x85ebca6b) ^ Math.imul(epoch + 1, 0xc2b2ae35)) >>> 0

/** Where a loader stands, and stood when it was saved. */
class Position {
  readonly #caller: string
  readonly #fixed: { batchSize: number; seed: number; samples: number | null }
  #epoch = 0
  #batch = 0
  /** The number of the next epoch. */
  next = 0
  /** Batches of it that were given before. */
  #skip = 0

  constructor(caller: string, fixed: { batchSize: number; seed: number; samples: number | null }) {
    this.#caller = caller
    this.#fixed = fixed
  }

  /** Begins an epoch: its number, and how many of its batches are to be left out. */
  begin(): { epoch: number; first: number } {
    const { next: epoch } = this
    if (!Number.isInteger(epoch) || epoch < 0)
      throw new RangeError(`${this.#caller}: epoch is ${epoch}, expected a whole number >= 0`)
    const first = this.#skip
    this.next++
    this.#skip = 0
    this.at(epoch, first)
    return { epoch, first }
  }

  at(epoch: number, batch: number): void {
    this.#epoch = epoch
    this.#batch = batch
  }

  /** Forgets where it was to go on: somebody set the epoch. */
  reset(epoch: number): void {
    this.next = epoch
    this.#skip = 0
    this.at(epoch, 0)
  }

  stateDict(): LoaderState {
    return { epoch: this.#epoch, batch: this.#batch, ...this.#fixed }
  }

  loadStateDict(state: LoaderState): void {
    const { epoch, batch, ...fixed } = (state ?? {}) as LoaderState
    for (const [name, value] of Object.entries({ epoch, batch }))
      check(`${this.#caller}.loadStateDict`, name, value, whole(0))
    for (const [name, value] of Object.entries(this.#fixed))
      if ((fixed as Record<string, unknown>)[name] !== value)
        throw new RangeError(
          `${this.#caller}.loadStateDict: ${name} is ${written((fixed as Record<string, unknown>)[name])}, expected ${value}; make the loader as it was, or its batches are others`,
        )
    this.next = epoch
    this.#skip = batch
    this.at(epoch, batch)
  }
}

/** A data set in batches: iterate for one epoch, and again for the next. Each batch is a list of arrays, as
 *  the data set's `gather` gives it; where that is a promise, by `for await`. The order of epoch e follows from (seed, e), and a
 *  loader that takes the state of another goes on with its next batch. torch.utils.data.DataLoader. */
export class DataLoader<Sample extends readonly NDArray[]> implements Iterable<Sample>, AsyncIterable<Sample> {
  readonly dataset: Dataset<Sample> | AsyncDataset<Sample>
  readonly batchSize: number
  readonly #shuffle: boolean
  readonly #sampler: Sampler | undefined
  readonly #seed: number
  readonly #dropLast: boolean
  readonly #transform: BatchTransform<Sample> | undefined
  readonly #prefetch: number
  readonly #position: Position

  constructor(dataset: Dataset<Sample> | AsyncDataset<Sample>, options: DataLoaderOptions<Sample> = {}) {
    const { batchSize, shuffle, sampler, seed, dropLast, transform, prefetch } = settle('DataLoader', options, {
      batchSize: option(whole(1), 1),
      seed: seedOption,
      shuffle: false,
      sampler: option(samplerKind),
      dropLast: false,
      transform: option(callback),
      prefetch: option(whole(1), 2),
    })
    checkDataset('DataLoader', dataset)
    if (shuffle && sampler) throw new TypeError('DataLoader: got shuffle and sampler, expected one of them')
    this.dataset = dataset
    this.batchSize = batchSize
    this.#shuffle = shuffle
    this.#sampler = sampler
    this.#seed = seed
    this.#dropLast = dropLast
    this.#transform = transform
    this.#prefetch = prefetch
    this.#position = new Position('DataLoader', { batchSize, seed, samples: dataset.length })
  }

  /** The number of the next epoch; set it to replay one from its beginning. */
  get epoch(): number {
    return this.#position.next
  }

  set epoch(value: number) {
    this.#position.reset(value)
  }

  /** Number of batches, where all samples come once. */
  get length(): number {
    return this.#batches(this.dataset.length)
  }

  #batches(samples: number): number {
    return Math[this.#dropLast ? 'floor' : 'ceil'](samples / this.batchSize)
  }

  /** Where the loader stands: after the batch that it gave last. */
  stateDict(): LoaderState {
    return this.#position.stateDict()
  }

  /** Takes what `stateDict` gave, of a loader made with the same options: the next iteration goes on with the batch after. */
  loadStateDict(state: LoaderState): void {
    this.#position.loadStateDict(state)
  }

  /** Indices of each batch of an epoch that is still to come, and what its transform draws from. */
  *#plan(): Generator<{ epoch: number; batch: number; indices: ArrayLike<number>; seed: number }> {
    const { epoch, first } = this.#position.begin()
    const n = this.dataset.length
    const seed = mixed(this.#seed, epoch)
    const chosen = this.#sampler?.indices(n, seed)
    const order = chosen
      ? Uint32Array.from(chosen)
      : this.#shuffle
        ? permutation(n, seed)
        : Uint32Array.from({ length: n }, (_, i) => i)
    const batches = this.#batches(order.length)
    for (let batch = first; batch < batches; batch++)
      yield {
        epoch,
        batch,
        indices: order.subarray(batch * this.batchSize, (batch + 1) * this.batchSize),
        seed: mixed(seed, batch),
      }
    this.#position.at(epoch + 1, 0)
  }

  #finish(sample: Sample, seed: number): Sample {
    return this.#transform ? this.#transform(sample, seeded(seed)) : sample
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
    for (const { epoch, batch, indices, seed } of this.#plan()) {
      const sample = this.dataset.gather(indices)
      if (sample instanceof Promise)
        throw new TypeError('DataLoader: gather of the data set gives a promise, expected arrays; iterate by for await')
      this.#position.at(epoch, batch + 1)
      yield this.#finish(sample, seed)
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Sample> {
    const ahead: { epoch: number; batch: number; seed: number; sample: Promise<Sample> }[] = []
    const plan = this.#plan()
    let done = false
    for (;;) {
      while (!done && ahead.length < this.#prefetch) {
        const next = plan.next()
        done = next.done === true
        if (next.done) break
        const { indices, ...rest } = next.value
        const sample = Promise.resolve(this.dataset.gather(indices))
        // What fails is told when its turn comes.
        sample.catch(() => {})
        ahead.push({ ...rest, sample })
      }
      const first = ahead.shift()
      if (!first) return
      const sample = await first.sample
      // Not what was asked for ahead, but what was given.
      this.#position.at(first.epoch, first.batch + 1)
      yield this.#finish(sample, first.seed)
      if (done && ahead.length === 0) {
        this.#position.at(first.epoch + 1, 0)
        return
      }
    }
  }
}

/** Draws samples with replacement, each as often as its weight says. torch.utils.data.WeightedRandomSampler */
export class WeightedSampler implements Sampler {
  readonly #sums: Float64Array
  readonly #count: number

  /** `count`: samples of an epoch, default as many as there are weights. */
  constructor(weights: ArrayLike<number>, options: { count?: number | undefined } = {}) {
    const { count } = settle('WeightedSampler', options, { count: option(whole(0)) })
    let sum = 0
    this.#sums = Float64Array.from(weights, (weight, i) => {
      if (!(weight >= 0 && weight < Infinity))
        throw new RangeError(`WeightedSampler: weight ${weight} at ${i}, expected a finite number >= 0`)
      sum += weight
      return sum
    })
    if (!(sum > 0)) throw new RangeError(`WeightedSampler: the weights sum to ${sum}, expected more than 0`)
    this.#count = count ?? weights.length
  }

  indices(length: number, seed: number): Uint32Array {
    const sums = this.#sums
    if (length !== sums.length)
      throw new RangeError(`WeightedSampler: got ${sums.length} weights, expected ${length}, one for each sample`)
    const below = seeded(seed)
    const total = sums.at(-1) as number
    return Uint32Array.from({ length: this.#count }, () => {
      // 53 bits from 0 to 1.
      const at = ((below(0x4000000) * 0x8000000 + below(0x8000000)) / 0x20000000000000) * total
      let [low, high] = [0, length - 1]
      while (low < high) {
        const middle = (low + high) >>> 1
        if ((sums[middle] as number) > at) high = middle
        else low = middle + 1
      }
      return low
    })
  }
}

/** A sampler by which each class comes as often as any other. */
export function balanced(
  labels: ArrayLike<number> | NDArray,
  options: { count?: number | undefined } = {},
): WeightedSampler {
  const list = 'data' in labels ? labels.data : labels
  const counts = new Map<number, number>()
  for (let i = 0; i < list.length; i++) counts.set(list[i] as number, (counts.get(list[i] as number) ?? 0) + 1)
  return new WeightedSampler(
    Float64Array.from(list, (label) => 1 / (counts.get(label) as number)),
    options,
  )
}

export interface StreamLoaderOptions<Sample extends readonly NDArray[] = readonly NDArray[]> {
  /** Samples in a batch; default 1. */
  batchSize?: number | undefined
  /** Samples among which the next one is chosen; 0 (default) leaves them in their order. */
  shuffleBuffer?: number | undefined
  /** Default 0. */
  seed?: number | undefined
  /** Leave out the last batch when it is short; default false. */
  dropLast?: boolean | undefined
  /** Changes each batch. */
  transform?: BatchTransform<Sample> | undefined
}

/** A stream in batches, larger than memory: `open` starts it anew for each epoch, in chunks of any number of samples.
 *  Iterate by `for await`. A loader that takes the state of another reads the stream again up to there.
 *
 *      new StreamLoader(async function* () {
 *        for await (const table of streamCsv(file)) yield prepare.dataset(table).arrays
 *      }, { batchSize: 256, shuffleBuffer: 10_000 }) */
export class StreamLoader<Sample extends readonly NDArray[]> implements AsyncIterable<Sample> {
  readonly batchSize: number
  readonly #open: () => AsyncIterable<Sample> | Iterable<Sample>
  readonly #buffer: number
  readonly #seed: number
  readonly #dropLast: boolean
  readonly #transform: BatchTransform<Sample> | undefined
  readonly #position: Position

  constructor(open: () => AsyncIterable<Sample> | Iterable<Sample>, options: StreamLoaderOptions<Sample> = {}) {
    const { batchSize, shuffleBuffer, seed, dropLast, transform } = settle('StreamLoader', options, {
      batchSize: option(whole(1), 1),
      shuffleBuffer: option(whole(0), 0),
      seed: seedOption,
      dropLast: false,
      transform: option(callback),
    })
    check('StreamLoader', 'open', open, callback)
    this.batchSize = batchSize
    this.#open = open
    this.#buffer = shuffleBuffer
    this.#seed = seed
    this.#dropLast = dropLast
    this.#transform = transform
    this.#position = new Position('StreamLoader', { batchSize, seed, samples: null })
  }

  /** The number of the next epoch; set it to replay one from its beginning. */
  get epoch(): number {
    return this.#position.next
  }

  set epoch(value: number) {
    this.#position.reset(value)
  }

  /** Where the loader stands: after the batch that it gave last. */
  stateDict(): LoaderState {
    return this.#position.stateDict()
  }

  /** Takes what `stateDict` gave, of a loader made with the same options. */
  loadStateDict(state: LoaderState): void {
    this.#position.loadStateDict(state)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Sample> {
    const { epoch, first } = this.#position.begin()
    const seed = mixed(this.#seed, epoch)
    const below = seeded(seed)
    let batch = 0
    let rows: Rows | null = null
    let pool: Rows | null = null
    const give = (out: Rows): Sample | null => {
      const sample = out.take() as readonly NDArray[] as Sample
      const number = batch++
      if (number < first) return null
      this.#position.at(epoch, number + 1)
      return this.#transform ? this.#transform(sample, seeded(mixed(seed, number))) : sample
    }
    for await (const chunk of this.#open()) {
      if (!Array.isArray(chunk) || chunk.length === 0)
        throw new TypeError(
          `StreamLoader: the stream gave ${written(chunk)}, expected a list of arrays { data, shape }`,
        )
      rows ??= new Rows(chunk, this.batchSize)
      if (this.#buffer > 0) pool ??= new Rows(chunk, this.#buffer)
      const count = rows.check(chunk)
      for (let i = 0; i < count; i++) {
        if (!pool) rows.push(chunk, i)
        else if (pool.length < this.#buffer) {
          pool.push(chunk, i)
          continue
        } else {
          // One of the pool goes, this one comes in its place.
          const slot = below(this.#buffer)
          rows.push(pool.arrays, slot)
          pool.set(slot, chunk, i)
        }
        if (rows.length === this.batchSize) {
          const sample = give(rows)
          if (sample) yield sample
        }
      }
    }
    if (pool && rows)
      for (const slot of permutation(pool.length, mixed(seed, -2))) {
        rows.push(pool.arrays, slot)
        if (rows.length === this.batchSize) {
          const sample = give(rows)
          if (sample) yield sample
        }
      }
    if (rows && rows.length > 0 && !this.#dropLast) {
      const sample = give(rows)
      if (sample) yield sample
    }
    this.#position.at(epoch + 1, 0)
  }
}

/** Room for some samples. */
class Rows {
  length = 0
  readonly arrays: readonly NDArray[]
  readonly #sizes: readonly number[]

  constructor(like: readonly NDArray[], room: number) {
    this.#sizes = like.map(({ shape }) => shape.slice(1).reduce((a, b) => a * b, 1))
    this.arrays = like.map(({ data, shape }, k) => ({
      data: new arrayOf[dtypeOf(data)](room * (this.#sizes[k] as number)),
      shape: [room, ...shape.slice(1)],
    }))
  }

  /** How many samples a chunk has, which must be of the same kind. */
  check(chunk: readonly NDArray[]): number {
    const count = chunk[0]?.shape[0] as number
    this.arrays.forEach(({ data, shape }, k) => {
      const other = chunk[k]
      if (
        other?.shape[0] !== count ||
        String(other.shape.slice(1)) !== String(shape.slice(1)) ||
        dtypeOf(other.data) !== dtypeOf(data)
      )
        throw new RangeError(
          `StreamLoader: array ${k} of a chunk has shape [${other?.shape.join(', ')}], expected [${[count, ...shape.slice(1)].join(', ')}] of the same type as before`,
        )
    })
    return count
  }

  set(slot: number, from: readonly NDArray[], row: number): void {
    for (const [k, { data }] of this.arrays.entries()) {
      const size = this.#sizes[k] as number
      const source = (from[k] as NDArray).data
      for (let i = 0; i < size; i++) data[slot * size + i] = source[row * size + i] as number
    }
  }

  push(from: readonly NDArray[], row: number): void {
    this.set(this.length++, from, row)
  }

  /** Copies of the samples so far; the room is empty again. */
  take(): NDArray[] {
    const { length } = this
    this.length = 0
    return this.arrays.map(({ data, shape }, k) => ({
      data: data.slice(0, length * (this.#sizes[k] as number)),
      shape: [length, ...shape.slice(1)],
    }))
  }
}
