import { kind, option, settle, written } from '../checks.ts'
import {
  type Column,
  ColumnBuilder,
  type ColumnKind,
  type Columns,
  checkNames,
  joinColumns,
  type NumericColumn,
  type Skipped,
  type TextColumn,
} from '../io/columns.ts'
import { type CsvOptions, streamCsv as csv } from '../io/csv.ts'
import { type JsonlOptions, streamJsonl as jsonl } from '../io/jsonl.ts'
import { type ParquetOptions, streamParquet as parquet } from '../io/parquet.ts'
import type { Source } from '../io/source.ts'
import { type SplitOptions, splitIndices } from './split.ts'

/** What a cell holds: null where a value is missing. */
export type Cell = number | string | boolean | Date | null
export type Row = Record<string, Cell>

/** Rows and named columns. Nothing in it changes: what selects or adds gives a new table, over the same columns. */
export class Table {
  readonly length: number
  readonly columns: readonly Column[]
  /** Rows of its file that were left out by onBadRow: 'skip'. */
  readonly skipped: Skipped

  /** From columns of one length; see `fromRows` and `fromColumns` for values as JavaScript has them. */
  constructor(columns: readonly Column[], skipped: Skipped = { count: 0, reasons: [] }, length = lengthOf(columns[0])) {
    checkNames(
      'Table',
      columns.map(({ name }) => name),
    )
    for (const column of columns)
      if (lengthOf(column) !== length)
        throw new RangeError(
          `Table: column ${written(column.name)} has ${lengthOf(column)} rows, expected ${length} as the first`,
        )
    this.columns = columns
    this.length = length
    this.skipped = skipped
  }

  /** From objects, a row each; keys that a row lacks, null and undefined are missing values. */
  static fromRows(rows: Iterable<Readonly<Record<string, unknown>>>): Table {
    const list = [...rows]
    const names = [...new Set(list.flatMap((row) => Object.keys(row ?? {})))]
    return Table.fromColumns(
      Object.fromEntries(names.map((name) => [name, list.map((row) => (Object.hasOwn(row, name) ? row[name] : null))])),
    )
  }

  /** From lists of values by the names of their columns; numbers may be typed arrays. */
  static fromColumns(columns: Readonly<Record<string, ArrayLike<unknown>>>): Table {
    return new Table(Object.entries(columns).map(([name, values]) => columnOf(name, values)))
  }

  get names(): string[] {
    return this.columns.map(({ name }) => name)
  }

  /** The column of this name. */
  column(name: string): Column {
    const found = this.columns.find((column) => column.name === name)
    if (!found)
      throw new RangeError(
        `Table: there is no column ${written(name)}, expected one of ${this.names.map(written).join(', ')}`,
      )
    return found
  }

  has(name: string): boolean {
    return this.columns.some((column) => column.name === name)
  }

  /** The values of a column, as JavaScript has them. */
  values(name: string): Cell[] {
    const column = this.column(name)
    return Array.from({ length: this.length }, (_, i) => cellOf(column, i))
  }

  row(index: number): Row {
    if (!Number.isInteger(index) || index < 0 || index >= this.length)
      throw new RangeError(`Table: row is ${written(index)}, expected a whole number from 0 to ${this.length - 1}`)
    return Object.fromEntries(this.columns.map((column) => [column.name, cellOf(column, index)]))
  }

  *rows(): Generator<Row> {
    for (let i = 0; i < this.length; i++) yield this.row(i)
  }

  /** These columns, in this order. */
  select(...names: string[]): Table {
    return new Table(
      names.map((name) => this.column(name)),
      this.skipped,
      this.length,
    )
  }

  /** All columns but these. */
  drop(...names: string[]): Table {
    for (const name of names) this.column(name)
    return new Table(
      this.columns.filter(({ name }) => !names.includes(name)),
      this.skipped,
      this.length,
    )
  }

  /** The table with a column more, or another in its place: values by row, or a function of the row. */
  with(name: string, values: ArrayLike<unknown> | ((row: Row, index: number) => Cell)): Table {
    const list =
      typeof values === 'function' ? Array.from({ length: this.length }, (_, i) => values(this.row(i), i)) : values
    const added = columnOf(name, list)
    const columns = this.has(name)
      ? this.columns.map((column) => (column.name === name ? added : column))
      : [...this.columns, added]
    return new Table(columns, this.skipped, this.length)
  }

  /** The rows at `indices`, in this order. */
  take(indices: ArrayLike<number>): Table {
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i] as number
      if (!Number.isInteger(index) || index < 0 || index >= this.length)
        throw new RangeError(`Table.take: index ${index} at ${i}, expected a whole number from 0 to ${this.length - 1}`)
    }
    const columns = this.columns.map((column): Column => {
      if (column.kind === 'text') {
        const codes = new Int32Array(indices.length)
        for (let i = 0; i < codes.length; i++) codes[i] = column.codes[indices[i] as number] as number
        return { ...column, codes }
      }
      const values = new Float64Array(indices.length)
      for (let i = 0; i < values.length; i++) values[i] = column.values[indices[i] as number] as number
      return { ...column, values }
    })
    return new Table(columns, this.skipped, indices.length)
  }

  /** The rows from `start` to before `end`; negative ones count from the end. */
  slice(start = 0, end = this.length): Table {
    const all = Uint32Array.from({ length: this.length }, (_, i) => i)
    return this.take(all.subarray(start, end))
  }

  /** The rows of which `keep` holds. */
  filter(keep: (row: Row, index: number) => boolean): Table {
    const indices: number[] = []
    for (let i = 0; i < this.length; i++) if (keep(this.row(i), i)) indices.push(i)
    return this.take(indices)
  }

  /** The rows that miss no value in these columns; default all. */
  dropMissing(...names: string[]): Table {
    const columns = names.length > 0 ? names.map((name) => this.column(name)) : this.columns
    const indices: number[] = []
    for (let i = 0; i < this.length; i++) if (columns.every((column) => !isMissing(column, i))) indices.push(i)
    return this.take(indices)
  }

  /** Parts that share no row: see splitIndices. `stratify`, `group` and `time` name columns. */
  split<const Parts extends readonly number[] = readonly [number, number, number]>(
    parts: Parts = [0.8, 0.1, 0.1] as readonly number[] as Parts,
    options: TableSplitOptions = {},
  ): { -readonly [I in keyof Parts]: Table } {
    const name = option(kind<string>('string', 'the name of a column'))
    const { seed, stratify, group, time } = settle('Table.split', options, {
      seed: 0,
      stratify: name,
      group: name,
      time: name,
    })
    const by: SplitOptions = { seed }
    if (stratify !== undefined) by.stratify = keysOf(this.column(stratify))
    if (group !== undefined) by.group = keysOf(this.column(group))
    if (time !== undefined) by.time = timesOf(this.column(time))
    return splitIndices('Table.split', this.length, parts, by).map((indices) => this.take(indices)) as never
  }

  /** The first rows as text, and how many there are. */
  toString(): string {
    const head = [
      this.names,
      ...Array.from({ length: Math.min(10, this.length) }, (_, i) =>
        this.columns.map((column) => show(cellOf(column, i))),
      ),
    ]
    const widths = this.names.map((_, c) => Math.max(...head.map((row) => (row[c] as string).length)))
    const lines = head.map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c] as number))
        .join('  ')
        .trimEnd(),
    )
    return [...lines, `${this.length} rows, ${this.columns.length} columns`].join('\n')
  }

  /** Node prints tables by this. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

export interface TableSplitOptions {
  seed?: number | undefined
  /** Column whose values are as frequent in each part as in all. */
  stratify?: string | undefined
  /** Column whose equal values stay together, as a patient's. */
  group?: string | undefined
  /** Column by which the first rows are trained on, the last ones tested on. */
  time?: string | undefined
}

const show = (cell: Cell): string => {
  const text =
    cell === null ? '' : cell instanceof Date ? cell.toISOString().replace('T00:00:00.000Z', '') : String(cell)
  return text.length > 24 ? `${text.slice(0, 23).replaceAll(/\s/g, ' ')}…` : text.replaceAll(/\s/g, ' ')
}

const lengthOf = (column: Column | undefined): number =>
  column === undefined ? 0 : column.kind === 'text' ? column.codes.length : column.values.length

export const isMissing = (column: Column, i: number): boolean =>
  column.kind === 'text' ? (column.codes[i] as number) < 0 : Number.isNaN(column.values[i])

/** A value as JavaScript has it. */
export function cellOf(column: Column, i: number): Cell {
  if (isMissing(column, i)) return null
  if (column.kind === 'text') return column.words[column.codes[i] as number] as string
  const value = column.values[i] as number
  return column.kind === 'boolean' ? value === 1 : column.kind === 'date' ? new Date(value) : value
}

/** For each row a number that is the same for equal values; missing ones are a value of their own. */
export function keysOf(column: Column): Int32Array {
  if (column.kind === 'text') return column.codes
  const known = new Map<number, number>()
  return Int32Array.from(column.values, (value) => {
    const key = Number.isNaN(value) ? Infinity : value
    if (!known.has(key)) known.set(key, known.size)
    return known.get(key) as number
  })
}

export function timesOf(column: Column): Float64Array {
  if (column.kind === 'text')
    throw new TypeError(`Table: column ${written(column.name)} is text, expected dates or numbers to order rows by`)
  const bad = column.values.findIndex((value) => Number.isNaN(value))
  if (bad >= 0)
    throw new RangeError(
      `Table: column ${written(column.name)} has no value in row ${bad}, expected one to order rows by`,
    )
  return column.values
}

function columnOf(name: string, values: ArrayLike<unknown>): Column {
  if (typeof values?.length !== 'number')
    throw new TypeError(`Table: column ${written(name)} is ${written(values)}, expected a list of values`)
  const list = Array.from(values, (value) =>
    value === undefined ? null : typeof value === 'bigint' ? Number(value) : value,
  )
  const first = list.find((value) => value !== null)
  const kind: ColumnKind =
    typeof first === 'number' ? 'number' : typeof first === 'boolean' ? 'boolean' : isDate(first) ? 'date' : 'text'
  const builder = new ColumnBuilder(name, kind)
  list.forEach((value, i) => {
    const fits =
      value === null || (kind === 'date' ? isDate(value) : typeof value === (kind === 'text' ? 'string' : kind))
    if (!fits)
      throw new TypeError(
        `Table: column ${written(name)} holds ${written(value)} in row ${i}, expected a ${kind} as above`,
      )
    if (value === null) builder.appendMissing()
    else if (kind === 'text') builder.appendWord(value as string)
    else builder.appendNumber(Number(value))
  })
  return builder.take()
}

const isDate = (value: unknown): boolean => Object.prototype.toString.call(value) === '[object Date]'

const tableOf = ({ columns, skipped, length }: Columns): Table => new Table(columns, skipped, length)

async function whole(parts: AsyncIterable<Columns>): Promise<Table> {
  const all: Columns[] = []
  for await (const part of parts) all.push(part)
  return tableOf(joinColumns(all))
}

async function* tables(parts: AsyncIterable<Columns>): AsyncGenerator<Table> {
  for await (const part of parts) yield tableOf(part)
}

/** Reads a CSV or TSV file. Delimiter, line ends and kinds of columns are found in the first rows, and held to: what does not
 *  fit later is an Error with file, row and column. pandas.read_csv. */
export const readCsv = (source: Source, options: Omit<CsvOptions, 'batchRows'> = {}): Promise<Table> =>
  whole(csv('readCsv', source, options))

/** As readCsv, a table of `batchRows` rows after the other: for files larger than memory. */
export const streamCsv = (source: Source, options: CsvOptions = {}): AsyncGenerator<Table> =>
  tables(csv('streamCsv', source, options))

/** Reads a file of JSON lines, an object each. */
export const readJsonl = (source: Source, options: Omit<JsonlOptions, 'batchRows'> = {}): Promise<Table> =>
  whole(jsonl('readJsonl', source, options))

/** As readJsonl, a table of `batchRows` rows after the other. */
export const streamJsonl = (source: Source, options: JsonlOptions = {}): AsyncGenerator<Table> =>
  tables(jsonl('streamJsonl', source, options))

/** Reads a Parquet file. pandas.read_parquet. */
export const readParquet = (source: Source, options: ParquetOptions = {}): Promise<Table> =>
  whole(parquet('readParquet', source, options))

/** As readParquet, a table for each of the file's groups of rows. */
export const streamParquet = (source: Source, options: ParquetOptions = {}): AsyncGenerator<Table> =>
  tables(parquet('streamParquet', source, options))

export type { Column, NumericColumn, TextColumn }
