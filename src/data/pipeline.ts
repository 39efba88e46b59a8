// From a table to the arrays that a network takes, and back from what it says.

import { kind, option, settle, word, written } from '../checks.ts'
import { type Column, type ColumnKind, namesKind } from '../io/columns.ts'
import type { NDArray } from '../tensor/types.ts'
import { TensorDataset } from './dataset.ts'
import { type Cell, isMissing, type Table } from './table.ts'
import {
  byCodeUnits,
  numbersOf,
  type Transform,
  type TransformState,
  transformOf,
  usual,
  wordsOf,
} from './transforms.ts'

export interface PipelineOptions {
  /** The column to predict. */
  target?: string | undefined
  /** What the target is: 'classes' (i32 from 0), 'scaled' (f32, of mean 0 and deviation 1), or 'number' (f32 as it is).
   *  Default: classes for text and booleans, scaled for numbers. */
  task?: 'classes' | 'scaled' | 'number' | undefined
  /** What becomes of columns by name; of the others see `usual`. */
  columns?: Readonly<Record<string, Transform>> | undefined
  /** Columns that are left out. */
  ignore?: readonly string[] | undefined
}

interface Part {
  readonly name: string
  readonly kind: ColumnKind
  readonly transform: Transform
}

interface Target {
  readonly name: string
  readonly task: 'classes' | 'scaled' | 'number'
  readonly classes: readonly Cell[]
  readonly mean: number
  readonly std: number
}

/** What a fitted pipeline is: JSON. */
export interface PipelineState {
  readonly version: 1
  readonly columns: readonly { readonly name: string; readonly kind: ColumnKind; readonly transform: TransformState }[]
  readonly target: Target | null
}

/** The way of a table into a network: fitted on the rows to train on alone, saved with the model, and applied unchanged to
 *  whatever is predicted.
 *
 *      const prepare = new Pipeline({ target: 'species' }).fit(train)
 *      for (const [x, y] of new DataLoader(prepare.dataset(train), { batchSize: 32, shuffle: true })) step(x, y)
 *      prepare.decode(model.forward(prepare.inputs(rows)[0]))
 */
export class Pipeline {
  readonly #target: string | undefined
  readonly #task: PipelineOptions['task']
  readonly #given: Readonly<Record<string, Transform>>
  readonly #ignore: readonly string[]
  #parts: readonly Part[] | null = null
  #fitted: Target | null = null

  constructor(options: PipelineOptions = {}) {
    const { target, task, columns, ignore } = settle('Pipeline', options, {
      target: option(kind<string>('string', 'the name of a column')),
      task: option(word('classes', 'scaled', 'number')),
      columns: option(
        kind<Readonly<Record<string, Transform>>>(
          'object',
          'an object of names and transforms, as { age: standard() }',
          (given) => given !== null && Object.values(given).every((each) => typeof each?.fit === 'function'),
        ),
      ),
      ignore: option(namesKind),
    })
    this.#target = target
    this.#task = task
    this.#given = columns ?? {}
    this.#ignore = ignore ?? []
  }

  /** A pipeline as `stateDict` has kept it. */
  static from(state: PipelineState): Pipeline {
    const pipeline = new Pipeline()
    pipeline.loadStateDict(state)
    return pipeline
  }

  /** Learns from the rows to train on: means, categories, words, classes. */
  fit(train: Table): this {
    for (const name of [
      ...Object.keys(this.#given),
      ...this.#ignore,
      ...(this.#target === undefined ? [] : [this.#target]),
    ])
      train.column(name)
    if (train.length === 0) throw new RangeError('Pipeline.fit: the table has no rows, expected those to train on')
    const parts = this.#guarded('fit', () =>
      train.columns.flatMap((column): Part[] => {
        const { name, kind } = column
        if (name === this.#target || this.#ignore.includes(name)) return []
        const transform = Object.hasOwn(this.#given, name) ? (this.#given[name] as Transform) : usual(column)
        return [{ name, kind, transform: transform.fit(column) }]
      }),
    )
    const fitted = this.#target === undefined ? null : targetOf(train.column(this.#target), this.#task)
    this.#parts = parts
    this.#fitted = fitted
    return this
  }

  #guarded<T>(method: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('column '))
        error.message = `Pipeline.${method}: ${error.message}`
      throw error
    }
  }

  #ready(method: string): readonly Part[] {
    if (!this.#parts) throw new Error(`Pipeline.${method}: not fitted yet; call fit with the rows to train on first`)
    return this.#parts
  }

  /** Names of the features of the first input, as `island=Dream`. */
  get featureNames(): string[] {
    return this.#ready('featureNames').flatMap(({ name, transform }) =>
      transform.categories === undefined ? transform.features.map((feature) => name + feature) : [],
    )
  }

  /** Features of the first input. */
  get features(): number {
    return this.featureNames.length
  }

  /** The columns that become indices for nn.Embedding, in the order of the second input, and how many rows each takes. */
  get embeddings(): { name: string; categories: number }[] {
    return this.#ready('embeddings').flatMap(({ name, transform }) =>
      transform.categories === undefined ? [] : [{ name, categories: transform.categories }],
    )
  }

  /** The classes of the target, in the order of their labels; empty where it is a number. */
  get classes(): readonly Cell[] {
    this.#ready('classes')
    return this.#fitted?.classes ?? []
  }

  /** What the target is, null where there is none. */
  get task(): 'classes' | 'scaled' | 'number' | null {
    this.#ready('task')
    return this.#fitted?.task ?? null
  }

  /** How many outputs a network needs: one for each class, or one. */
  get outputs(): number {
    return Math.max(1, this.classes.length)
  }

  /** What the network takes of these rows: features [rows, features] f32, and where columns are embedded indices
   *  [rows, columns] i32 besides; whichever has no column is left out. */
  inputs(table: Table): NDArray[] {
    const parts = this.#ready('inputs')
    const rows = table.length
    const { features } = this
    const embedded = this.embeddings.length
    const x = new Float32Array(rows * features)
    const indices = new Int32Array(rows * embedded)
    this.#guarded('inputs', () => {
      let [at, index] = [0, 0]
      for (const { name, transform } of parts) {
        const column = table.column(name)
        if (transform.categories === undefined) {
          transform.apply(column, x, at, features)
          at += transform.features.length
        } else transform.apply(column, indices, index++, embedded)
      }
    })
    return [
      ...(features > 0 ? [{ shape: [rows, features], data: x }] : []),
      ...(embedded > 0 ? [{ shape: [rows, embedded], data: indices }] : []),
    ]
  }

  /** The target of these rows: classes [rows] i32, or numbers [rows, 1] f32. */
  target(table: Table): NDArray {
    this.#ready('target')
    const fitted = this.#fitted
    if (!fitted) throw new Error('Pipeline.target: the pipeline has no target; new Pipeline({ target }) names one')
    const column = table.column(fitted.name)
    const rows = table.length
    for (let i = 0; i < rows; i++)
      if (isMissing(column, i))
        throw new RangeError(
          `Pipeline.target: column ${written(fitted.name)} has no value in row ${i}, expected one; table.dropMissing(${written(fitted.name)}) leaves such rows out`,
        )
    if (fitted.task === 'classes') {
      const { codes, words } = wordsOf(column)
      const place = new Map(fitted.classes.map((name, i) => [String(name), i]))
      const labels = words.map((name) => place.get(name) ?? -1)
      const data = new Int32Array(rows)
      for (let i = 0; i < rows; i++) {
        data[i] = labels[codes[i] as number] as number
        if ((data[i] as number) < 0)
          throw new RangeError(
            `Pipeline.target: column ${written(fitted.name)} holds ${written(words[codes[i] as number])} in row ${i}, expected one of ${fitted.classes.map(written).join(', ')}`,
          )
      }
      return { shape: [rows], data }
    }
    const { mean, std } = fitted
    return this.#guarded('target', () => ({
      shape: [rows, 1],
      data: Float32Array.from(numbersOf(column), (value) => (value - mean) / std),
    }))
  }

  /** Inputs and target of these rows, for a DataLoader: [features, target], or [features, indices, target]. */
  dataset<Sample extends readonly NDArray[] = [x: NDArray, y: NDArray]>(table: Table): TensorDataset<Sample> {
    const arrays: readonly NDArray[] = [...this.inputs(table), this.target(table)]
    return new TensorDataset<Sample>(...(arrays as Sample))
  }

  /** What a network's output says in the terms of the table: of logits or probabilities [rows, classes] the names of the
   *  greatest, of numbers [rows, 1] the numbers before scaling. */
  decode(output: NDArray | { readonly shape: readonly number[]; data(): ArrayLike<number> }): Cell[] {
    this.#ready('decode')
    const fitted = this.#fitted
    if (!fitted) throw new Error('Pipeline.decode: the pipeline has no target; new Pipeline({ target }) names one')
    const values: ArrayLike<number> =
      typeof output?.data === 'function' ? output.data() : (output?.data as ArrayLike<number>)
    const width = this.outputs
    if (
      typeof values?.length !== 'number' ||
      values.length % width !== 0 ||
      (fitted.task === 'classes' && output.shape.at(-1) !== width)
    )
      throw new RangeError(
        `Pipeline.decode: output has shape [${output?.shape?.join(', ')}], expected [rows, ${width}]`,
      )
    return Array.from({ length: values.length / width }, (_, row): Cell => {
      if (fitted.task !== 'classes') return (values[row] as number) * fitted.std + fitted.mean
      let best = 0
      for (let c = 1; c < width; c++)
        if ((values[row * width + c] as number) > (values[row * width + best] as number)) best = c
      return fitted.classes[best] as Cell
    })
  }

  /** All that was learnt, as JSON. */
  stateDict(): PipelineState {
    const columns = this.#ready('stateDict').map(({ name, kind, transform }) => ({
      name,
      kind,
      transform: transform.state,
    }))
    return { version: 1, columns, target: this.#fitted }
  }

  /** Takes what `stateDict` gave. */
  loadStateDict(state: PipelineState): void {
    const { version, columns, target } = (state ?? {}) as Partial<PipelineState>
    if (typeof version === 'number' && version > 1)
      throw new RangeError(
        `Pipeline.loadStateDict: the state has version ${version}, expected 1; a newer lanewise wrote it`,
      )
    if (version !== 1 || !Array.isArray(columns) || target === undefined)
      throw new TypeError(`Pipeline.loadStateDict: state is ${written(state)}, expected what stateDict gives`)
    const parts = columns.map(({ name, kind, transform }) => ({ name, kind, transform: transformOf(transform) }))
    this.#parts = parts
    this.#fitted = target
  }
}

function targetOf(column: Column, given: PipelineOptions['task']): Target {
  const { name } = column
  const task = given ?? (column.kind === 'text' || column.kind === 'boolean' ? 'classes' : 'scaled')
  if (task === 'classes') {
    const { codes, words } = wordsOf(column)
    const used = [...new Set(codes)].filter((code) => code >= 0).map((code) => words[code] as string)
    if (used.length < 2)
      throw new RangeError(`Pipeline.fit: column ${written(name)} holds ${used.length} classes, expected 2 or more`)
    const numbers = column.kind === 'number'
    const classes = numbers ? used.map(Number).sort((a, b) => a - b) : used.sort(byCodeUnits)
    return {
      name,
      task,
      classes: column.kind === 'boolean' ? classes.map((each) => each === 'true') : classes,
      mean: 0,
      std: 1,
    }
  }
  let numbers: Float64Array
  try {
    numbers = numbersOf(column)
  } catch (cause) {
    throw new TypeError(
      `Pipeline.fit: column ${written(name)} is text, expected numbers for the task ${written(task)}`,
      { cause },
    )
  }
  const bad = numbers.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0)
    throw new RangeError(
      `Pipeline.fit: column ${written(name)} holds ${Number.isNaN(numbers[bad]) ? 'no value' : numbers[bad]} in row ${bad}, expected finite numbers; table.dropMissing(${written(name)}) leaves such rows out`,
    )
  if (task === 'number') return { name, task, classes: [], mean: 0, std: 1 }
  const mean = numbers.reduce((a, b) => a + b, 0) / numbers.length
  const std = Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) * (x - mean), 0) / numbers.length)
  return { name, task, classes: [], mean, std: std > 0 ? std : 1 }
}
