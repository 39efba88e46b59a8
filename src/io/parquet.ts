// Parquet, by hyparquet: a group of rows at a time.

import { option, settle, written } from '../checks.ts'
import { ColumnBuilder, type ColumnKind, type Columns, checkNames, namesKind } from './columns.ts'
import { appendValue } from './jsonl.ts'
import { at, type ByteSource, bytesFrom, MOST_BYTES, maxBytesKind, type Source, sourceOf } from './source.ts'

export interface ParquetOptions {
  /** Columns to read; default all. */
  columns?: readonly string[] | undefined
  /** Bytes that a group of rows may be once it is inflated; default 2^31. */
  maxBytes?: number | undefined
}

/** The tables of a Parquet file, one for each of its groups of rows. Whole numbers beyond 2^53 make a column text. Lists and
 *  structures are refused: name the other columns. */
export async function* streamParquet(
  caller: string,
  given: Source,
  options: ParquetOptions = {},
): AsyncGenerator<Columns> {
  const { columns, maxBytes } = settle(caller, options, {
    columns: option(namesKind),
    maxBytes: option(maxBytesKind, MOST_BYTES),
  })
  const source = await seekable(caller, await sourceOf(caller, given))
  const where = at(caller, source)
  const fail = (what: string): never => {
    throw new RangeError(`${where}: ${what}`)
  }
  const { parquetMetadataAsync, parquetRead } = await import('hyparquet')
  const { decompressBrotli, decompressGzip, decompressLz4, decompressLz4Raw, decompressZstd } = await import(
    'hyparquet-compressors'
  )
  const byteLength = source.byteLength as number
  const bounded =
    (inflate: (bytes: Uint8Array, length: number) => Uint8Array) =>
    (bytes: Uint8Array, length: number): Uint8Array => {
      if (!(length <= maxBytes)) fail(`a page claims ${length} bytes, expected at most maxBytes, ${maxBytes}`)
      return inflate(bytes, length)
    }
  // Snappy's is hyparquet's own: the other is wasm made from bytes, which edge runtimes refuse.
  const compressors = {
    GZIP: bounded(decompressGzip),
    BROTLI: bounded(decompressBrotli),
    ZSTD: bounded((bytes) => decompressZstd(bytes)),
    LZ4: bounded(decompressLz4),
    LZ4_RAW: bounded(decompressLz4Raw),
  }
  const file = {
    byteLength,
    async slice(start: number, end = byteLength): Promise<ArrayBuffer> {
      if (!(start >= 0 && end <= byteLength && start <= end))
        fail(`bytes ${start} to ${end} are named, but the file has ${byteLength}`)
      return (await source.slice(start, end)).slice().buffer as ArrayBuffer
    },
  }
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (cause) {
      const { message } = cause as Error
      if (message?.startsWith(where)) throw cause
      throw new Error(`${where}: the Parquet file cannot be read: ${String(message).slice(0, 200)}`, { cause })
    }
  }
  if (byteLength < 12) fail(`the file has ${byteLength} bytes, expected a Parquet file`)
  const metadata = await guarded(() => parquetMetadataAsync(file))
  const groups = metadata.row_groups ?? []
  const leaves = groups[0]?.columns.map(({ meta_data: meta }) => meta?.path_in_schema ?? []) ?? []
  const schema = metadata.schema.slice(1)
  const nested = new Set(leaves.filter((path) => path.length !== 1).map(([first]) => first as string))
  for (const { name, repetition_type: repetition } of schema) if (repetition === 'REPEATED') nested.add(name)
  const known = [
    ...new Set(leaves.length > 0 ? leaves.map(([first]) => first as string) : schema.map(({ name }) => name)),
  ]
  const names = columns ?? known
  checkNames(where, names)
  for (const name of names) {
    if (!known.includes(name)) fail(`columns names ${written(name)}, expected one of ${known.map(written).join(', ')}`)
    if (nested.has(name))
      fail(`column ${written(name)} holds lists or structures, expected single values; name the others by columns`)
  }
  const skipped = { count: 0, reasons: [] }
  let kinds: Map<string, ColumnKind> | null = null
  let first = 0
  for (const group of groups) {
    const rows = Number(group.num_rows)
    const inflated = group.columns.reduce(
      (sum, { meta_data: meta }) => sum + Number(meta?.total_uncompressed_size ?? 0),
      0,
    )
    if (!(rows >= 0 && rows <= 0x40000000 && inflated >= 0 && inflated <= maxBytes))
      fail(`a group claims ${rows} rows of ${inflated} bytes, expected at most maxBytes, ${maxBytes}`)
    for (const { meta_data: meta } of group.columns)
      if (!meta || Number(meta.num_values) !== rows)
        if (!nested.has(meta?.path_in_schema[0] ?? ''))
          fail(`a column claims ${meta?.num_values} values, expected ${rows}`)
    const parts = new Map<string, ArrayLike<unknown>[]>(names.map((name) => [name, []]))
    if (rows > 0)
      await guarded(() =>
        parquetRead({
          file,
          metadata,
          columns: [...names],
          rowStart: first,
          rowEnd: first + rows,
          compressors,
          onChunk: ({ columnName, columnData }) => {
            parts.get(columnName)?.push(columnData)
          },
        }),
      )
    const found = new Map<string, ColumnKind>()
    const table = names.map((name) => {
      const values = parts.get(name) as ArrayLike<unknown>[]
      const kind = kinds?.get(name) ?? kindOf(where, name, values)
      found.set(name, kind)
      const builder = new ColumnBuilder(name, kind)
      for (const part of values) {
        const { length } = part
        for (let i = 0; i < length; i++) {
          const value = plainValue(part[i], kind)
          if (!appendValue(builder, value))
            fail(
              `row ${first + builder.length + 1}, column ${written(name)} holds ${written(value)}, expected a ${kind}`,
            )
        }
      }
      if (builder.length !== rows) fail(`column ${written(name)} has ${builder.length} values, expected ${rows}`)
      return builder.take()
    })
    kinds ??= found
    first += rows
    yield { length: rows, columns: table, skipped }
  }
  if (groups.length === 0)
    yield { length: 0, columns: names.map((name) => new ColumnBuilder(name, 'text').take()), skipped }
}

/** A source that has a length: all of a stream otherwise. */
async function seekable(caller: string, source: ByteSource): Promise<ByteSource> {
  if (source.byteLength !== null) return source
  const bytes = await bytesFrom(caller, source)
  return { ...(await sourceOf(caller, bytes)), name: source.name }
}

/** bigint as number, where it is no text. */
function plainValue(value: unknown, kind: ColumnKind): unknown {
  if (typeof value === 'bigint') return kind === 'text' ? String(value) : Number(value)
  return value
}

function kindOf(where: string, name: string, parts: readonly ArrayLike<unknown>[]): ColumnKind {
  let kind: ColumnKind | null = null
  for (const part of parts) {
    if (ArrayBuffer.isView(part) && !(part instanceof BigInt64Array) && !(part instanceof BigUint64Array))
      return 'number'
    for (let i = 0; i < part.length; i++) {
      const value = part[i]
      if (value === null || value === undefined) continue
      const large = typeof value === 'bigint' && (value > Number.MAX_SAFE_INTEGER || value < -Number.MAX_SAFE_INTEGER)
      const own: ColumnKind | null =
        typeof value === 'string' || large
          ? 'text'
          : typeof value === 'number' || typeof value === 'bigint'
            ? 'number'
            : typeof value === 'boolean'
              ? 'boolean'
              : value instanceof Date
                ? 'date'
                : null
      if (own === null)
        throw new RangeError(
          `${where}: column ${written(name)} holds ${written(value)}, expected numbers, texts, booleans or dates; name the others by columns`,
        )
      // Only whole numbers tell something new later on.
      if (typeof value !== 'bigint') return own
      kind = own
      if (large) return 'text'
    }
  }
  return kind ?? 'text'
}
