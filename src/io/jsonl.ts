// JSON lines: an object a line, its keys the names of columns. https://jsonlines.org

import { option, settle, whole, word, written } from '../checks.ts'
import {
  ColumnBuilder,
  type ColumnKind,
  type Columns,
  kindOfTexts,
  kindsKind,
  namesKind,
  parserOf,
  Skips,
} from './columns.ts'
import { texts } from './csv.ts'
import { repeatedKey } from './safetensors.ts'
import { at, chunksOf, type Source, sourceOf } from './source.ts'

export interface JsonlOptions {
  /** Columns to keep; default all. Others may hold anything. */
  columns?: readonly string[] | undefined
  /** Kinds of columns by name; those left out are found in the first rows. */
  kinds?: Readonly<Record<string, ColumnKind>> | undefined
  /** Rows that are looked at to find columns and kinds; default 10 000. */
  sampleRows?: number | undefined
  /** What becomes of a row that does not fit: 'error' (default), or 'skip', which counts and tells it. */
  onBadRow?: 'error' | 'skip' | undefined
  /** Rows in each table that a stream gives; default 10 000. */
  batchRows?: number | undefined
}

type Row = Record<string, unknown>

const LONGEST_LINE = 0x1000000

/** The tables of a file of JSON lines, `batchRows` rows at a time. Keys that a row lacks, and null, are missing values. */
export async function* streamJsonl(caller: string, given: Source, options: JsonlOptions = {}): AsyncGenerator<Columns> {
  const settled = settle(caller, options, {
    columns: option(namesKind),
    kinds: option(kindsKind),
    sampleRows: option(whole(1), 10_000),
    onBadRow: option(word('error', 'skip'), 'error'),
    batchRows: option(whole(1), 10_000),
  })
  const source = await sourceOf(caller, given)
  const where = at(caller, source)
  const skipped = new Skips()
  let builders: Map<string, ColumnBuilder> | null = null
  let sample: { value: Row; row: number }[] = []
  let rows = 0
  let line = 0

  const refuse = (reason: string): void => {
    if (settled.onBadRow === 'error') throw new RangeError(`${where}: ${reason}; onBadRow: 'skip' leaves such rows out`)
    skipped.add(reason)
  }
  const kept = (name: string): boolean => !settled.columns || settled.columns.includes(name)

  const start = (): void => {
    const names = new Set(sample.flatMap(({ value }) => Object.keys(value).filter(kept)))
    for (const name of settled.columns ?? [])
      if (!names.has(name))
        throw new RangeError(`${where}: columns names ${written(name)}, which no row of the first ${sample.length} has`)
    builders = new Map(
      [...names].map((name) => {
        const own = settled.kinds && Object.hasOwn(settled.kinds, name) ? settled.kinds[name] : undefined
        return [name, new ColumnBuilder(name, own ?? kindOfValues(sample.map(({ value }) => valueOf(value, name))))]
      }),
    )
  }

  const append = (value: Row, row: number) => {
    const all = builders as Map<string, ColumnBuilder>
    for (const name of Object.keys(value))
      if (kept(name) && !all.has(name))
        return refuse(`row ${row} has ${written(name)}, expected one of ${[...all.keys()].map(written).join(', ')}`)
    for (const [name, builder] of all) {
      const item = valueOf(value, name)
      if (appendValue(builder, item)) continue
      for (const each of all.values()) each.length = rows
      return refuse(
        `row ${row}, column ${written(name)} holds ${typeof item === 'object' ? 'a nested value' : written(item)}, expected a ${builder.kind}`,
      )
    }
    rows++
  }

  const take = (text: string) => {
    line++
    if (text.trim() === '') return
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (cause) {
      return refuse(`row ${line} is no JSON: ${(cause as Error).message.slice(0, 100)}`)
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return refuse(`row ${line} is ${written(value)}, expected an object`)
    const twice = repeatedKey(text)
    if (twice !== null) return refuse(`row ${line} names ${written(twice)} twice`)
    const large = Object.entries(value).find(
      ([, item]) => typeof item === 'number' && Math.abs(item) > Number.MAX_SAFE_INTEGER,
    )
    if (large && /[:[\s,]-?\d{16,}\s*[,}\]]/.test(text))
      return refuse(
        `row ${line}, column ${written(large[0])} holds ${large[1]}, expected whole numbers up to 2^53; write it as a text`,
      )
    if (builders) append(value as Row, line)
    else sample.push({ value: value as Row, row: line })
  }

  const result = (): Columns => {
    const columns = [...(builders as Map<string, ColumnBuilder>).values()].map((builder) => builder.take())
    const length = rows
    rows = 0
    return { length, columns, skipped: skipped.copy() }
  }

  /** Finds columns and their kinds, and takes the rows that were looked at for it. */
  function* begin(): Generator<Columns> {
    start()
    for (const { value, row } of sample) {
      append(value, row)
      if (rows >= settled.batchRows) yield result()
    }
    sample = []
  }

  let rest = ''
  let gave = false
  for await (const { text, last } of texts(where, chunksOf(caller, source))) {
    const lines = (rest + text).split('\n')
    rest = last ? '' : (lines.pop() as string)
    if (rest.length > LONGEST_LINE)
      throw new RangeError(
        `${where}: row ${line + 1} has more than ${LONGEST_LINE} characters, expected an object a line`,
      )
    for (const each of lines) {
      take(each)
      if (builders && rows >= settled.batchRows) {
        gave = true
        yield result()
      } else if (!builders && sample.length >= settled.sampleRows)
        for (const part of begin()) {
          gave = true
          yield part
        }
    }
  }
  if (!builders && sample.length === 0)
    throw new RangeError(
      `${where}: the file has no rows${skipped.count ? ` but ${skipped.count} that do not fit: ${skipped.reasons[0]}` : ''}`,
    )
  if (!builders)
    for (const part of begin()) {
      gave = true
      yield part
    }
  if (rows > 0 || !gave) yield result()
}

const valueOf = (row: Row, name: string): unknown => (Object.hasOwn(row, name) ? row[name] : null)

function kindOfValues(values: readonly unknown[]): ColumnKind {
  const known = values.filter((value) => value !== null && value !== undefined)
  if (known.length > 0 && known.every((value) => typeof value === 'number')) return 'number'
  if (known.length > 0 && known.every((value) => typeof value === 'boolean')) return 'boolean'
  const words = known.filter((value) => typeof value === 'string')
  // A text that is a number was written as a text on purpose.
  return words.length > 0 && words.length === known.length && kindOfTexts(words, false) === 'date' ? 'date' : 'text'
}

const dateOf = parserOf('date', false)

/** Takes a value as JSON and Parquet have it; false where it is none of the column's kind. */
export function appendValue(builder: ColumnBuilder, value: unknown): boolean {
  if (value === null || value === undefined) builder.appendMissing()
  else if (builder.kind === 'text') {
    if (typeof value === 'object') return false
    builder.appendWord(String(value))
  } else if (builder.kind === 'boolean') {
    if (typeof value !== 'boolean') return false
    builder.appendNumber(Number(value))
  } else if (builder.kind === 'number') {
    if (typeof value !== 'number') return false
    builder.appendNumber(value)
  } else {
    const time = typeof value === 'string' ? dateOf(value) : value instanceof Date ? value.getTime() : Number.NaN
    if (Number.isNaN(time)) return false
    builder.appendNumber(time)
  }
  return true
}
