// Comma-separated values, RFC 4180 and what else goes by that name. papaparse cuts text into fields; here are the stream,
// the kinds of columns, the count of fields, and what Errors say: file, row, column. Rows are counted as spreadsheets do:
// the header is row 1.

import type { Parser } from 'papaparse'
import { flag, kind, option, settle, whole, word, written } from '../checks.ts'
import {
  ColumnBuilder,
  type ColumnKind,
  type Columns,
  checkNames,
  kindOfTexts,
  kindsKind,
  namesKind,
  Skips,
} from './columns.ts'
import { at, chunksOf, type Source, sourceOf } from './source.ts'

export interface CsvOptions {
  /** Between fields: one character. Default: found among , ; tab and |. */
  delimiter?: string | undefined
  /** Around fields that hold delimiters or line ends; default ". */
  quote?: string | undefined
  /** Whether the first row names the columns; default true. */
  header?: boolean | undefined
  /** Names of the columns, instead of those in the file. */
  names?: readonly string[] | undefined
  /** Columns to keep; default all. */
  columns?: readonly string[] | undefined
  /** Kinds of columns by name; those left out are found in the first rows. */
  kinds?: Readonly<Record<string, ColumnKind>> | undefined
  /** What stands for a missing value; default '', NA, N/A, #N/A, NaN, nan, null, NULL, None. */
  missing?: readonly string[] | undefined
  /** The mark before fractions; default '.'. */
  decimal?: '.' | ',' | undefined
  /** Rows that are looked at to find the kinds of columns; default 10 000. */
  sampleRows?: number | undefined
  /** What becomes of a row that does not fit: 'error' (default), or 'skip', which counts and tells it. */
  onBadRow?: 'error' | 'skip' | undefined
  /** Rows in each table that a stream gives; default 10 000. */
  batchRows?: number | undefined
  /** Default 'utf-8', or utf-16 where the file says so. */
  encoding?: string | undefined
}

export const MISSING = ['', 'NA', 'N/A', '#N/A', 'NaN', 'nan', 'null', 'NULL', 'None']
/** Characters of a row: beyond, a quote is missing somewhere. */
const LONGEST_ROW = 0x1000000

const character = /* @__PURE__ */ kind<string>(
  'string',
  'one character that ends no line',
  (text) => text.length === 1 && !'\r\n\ufeff'.includes(text),
)

/** The tables of a CSV or TSV file, `batchRows` rows at a time; all have the kinds that were found in the first rows. */
export async function* streamCsv(caller: string, given: Source, options: CsvOptions = {}): AsyncGenerator<Columns> {
  const settled = settle(caller, options, {
    delimiter: option(character),
    quote: option(character, '"'),
    header: option(flag, true),
    names: option(namesKind),
    columns: option(namesKind),
    kinds: option(kindsKind),
    missing: option(namesKind, MISSING),
    decimal: option(word('.', ','), '.'),
    sampleRows: option(whole(1), 10_000),
    onBadRow: option(word('error', 'skip'), 'error'),
    batchRows: option(whole(1), 10_000),
    encoding: option(kind<string>('string', 'the name of an encoding')),
  })
  const source = await sourceOf(caller, given)
  const where = at(caller, source)
  const comma = settled.decimal === ','
  const missing = new Set(settled.missing)
  const skipped = new Skips()
  const { default: papa } = await import('papaparse')
  let parser: Parser | null = null
  /** Rows of the file so far, whatever became of them. */
  let row = 0
  let fileNames: readonly string[] | null = settled.names ?? null
  let builders: (ColumnBuilder | null)[] | null = null
  let sample: { fields: string[]; row: number }[] = []
  let rows = 0

  const refuse = (reason: string): void => {
    if (settled.onBadRow === 'error') throw new RangeError(`${where}: ${reason}; onBadRow: 'skip' leaves such rows out`)
    skipped.add(reason)
  }

  const start = (): void => {
    if (!fileNames) throw new RangeError(`${where}: the file is empty, expected a header and rows`)
    const names = fileNames
    checkNames(where, names)
    for (const [option, keys] of [
      ['columns', settled.columns ?? []],
      ['kinds', Object.keys(settled.kinds ?? {})],
    ] as const)
      for (const name of keys)
        if (!names.includes(name))
          throw new RangeError(
            `${where}: ${option} names ${written(name)}, expected one of ${names.map(written).join(', ')}`,
          )
    builders = names.map((name, i) => {
      if (settled.columns && !settled.columns.includes(name)) return null
      const texts = sample.flatMap(({ fields }) => (missing.has(fields[i] as string) ? [] : [fields[i] as string]))
      const kind = settled.kinds && Object.hasOwn(settled.kinds, name) ? settled.kinds[name] : undefined
      return new ColumnBuilder(name, kind ?? kindOfTexts(texts, comma), missing, comma)
    })
  }

  const append = (fields: string[], row: number) => {
    const all = builders as (ColumnBuilder | null)[]
    for (let i = 0; i < all.length; i++) {
      const builder = all[i]
      if (!builder || builder.append(fields[i] as string)) continue
      // What the row gave to the columns before is taken back.
      for (const each of all.slice(0, i)) if (each) each.length = rows
      const mend =
        builder.kind === 'number' && Number.isFinite(Number(fields[i])) && Number(fields[i]) > 2e15
          ? '; larger whole numbers are kept as text'
          : ''
      refuse(
        `row ${row}, column ${written(builder.name)} holds ${written(fields[i])}, expected a ${builder.kind}${mend}; kinds: { ${JSON.stringify(builder.name)}: 'text' } keeps what is there, missing names what stands for no value`,
      )
      return
    }
    rows++
  }

  const take = (fields: string[], odd: string | undefined) => {
    row++
    // A blank line.
    if (fields.length === 1 && fields[0] === '' && (fileNames?.length ?? 2) > 1) return
    if (!fileNames || (settled.header && row === firstRow)) {
      const found = settled.header
        ? fields.map((name, i) => name.trim() || `column_${i + 1}`)
        : fields.map((_, i) => `column_${i + 1}`)
      if (settled.names && settled.names.length !== found.length)
        throw new RangeError(
          `${where}: names has ${settled.names.length} names, expected ${found.length} as the file has columns`,
        )
      fileNames ??= found
      if (settled.header) return
    }
    if (odd) return refuse(`row ${row}: ${odd}`)
    if (fields.length !== fileNames.length)
      return refuse(
        `row ${row} has ${fields.length} fields, expected ${fileNames.length} as the ${settled.header ? 'header' : 'first row'}`,
      )
    if (builders) append(fields, row)
    else sample.push({ fields, row })
  }
  let firstRow = 1

  const result = (): Columns => {
    const columns = (builders ?? []).flatMap((builder) => builder?.take() ?? [])
    const length = rows
    rows = 0
    return { length, columns, skipped: skipped.copy() }
  }

  /** Finds the kinds of columns, and takes the rows that were looked at for it. */
  function* begin(): Generator<Columns> {
    start()
    for (const { fields, row } of sample) {
      append(fields, row)
      if (rows >= settled.batchRows) yield result()
    }
    sample = []
  }

  let text = ''
  let gave = false
  let patience = 0
  for await (const piece of texts(where, chunksOf(caller, source), settled.encoding)) {
    text += piece.text
    if (!parser && (piece.last || text.length >= 0x10000)) {
      const config = found(text, settled.delimiter, settled.quote, comma, piece.last)
      parser = new papa.Parser(config)
    }
    // A row that is not at its end yet is not looked at again before there is twice as much.
    if (!parser || (!piece.last && text.length < patience)) continue
    const { data, errors, meta } = parser.parse(text, 0, !piece.last)
    // The first of a row's.
    const odd = new Map(errors.reverse().map(({ row, message }) => [row, message]))
    // papaparse counts a line end at the end of a file as a row.
    if (piece.last && data.at(-1)?.length === 1 && data.at(-1)?.[0] === '' && /[\r\n]$/.test(text)) data.pop()
    for (let i = 0; i < data.length; i++) {
      if (row === 0 && data[i]?.length === 1 && data[i]?.[0] === '') firstRow = row + 2
      take(data[i] as string[], odd.get(i))
      if (builders && rows >= settled.batchRows) {
        gave = true
        yield result()
      } else if (!builders && sample.length >= settled.sampleRows)
        for (const part of begin()) {
          gave = true
          yield part
        }
    }
    text = piece.last ? '' : text.slice(meta.cursor)
    patience = 2 * text.length
    if (text.length > LONGEST_ROW)
      throw new RangeError(
        `${where}: row ${row + 1} has more than ${LONGEST_ROW} characters; a closing quote may be missing`,
      )
  }
  if (!builders)
    for (const part of begin()) {
      gave = true
      yield part
    }
  if (rows > 0 || !gave) yield result()
}

/** The text of a stream, a chunk at a time, the last one marked. */
export async function* texts(
  where: string,
  chunks: AsyncIterable<Uint8Array>,
  encoding?: string,
): AsyncGenerator<{ text: string; last: boolean }> {
  let decoder: TextDecoder | null = null
  const decode = (bytes: Uint8Array | undefined, stream: boolean): string => {
    try {
      return (decoder as TextDecoder).decode(bytes, { stream })
    } catch (cause) {
      const name = (decoder as TextDecoder).encoding
      throw new RangeError(`${where}: the file is no ${name}; name another by encoding, as 'windows-1252'`, { cause })
    }
  }
  const make = (bytes: Uint8Array): TextDecoder => {
    const wide =
      bytes[0] === 0xff && bytes[1] === 0xfe
        ? 'utf-16le'
        : bytes[0] === 0xfe && bytes[1] === 0xff
          ? 'utf-16be'
          : 'utf-8'
    try {
      return new TextDecoder(encoding ?? wide, { fatal: true })
    } catch (cause) {
      throw new RangeError(`${where}: encoding is ${written(encoding)}, which this runtime has not`, { cause })
    }
  }
  for await (const bytes of chunks) {
    decoder ??= make(bytes)
    // Chunks of any size, but what becomes of them is handled at a time.
    for (let start = 0; start < bytes.length; start += 0x80000)
      yield { text: decode(bytes.subarray(start, start + 0x80000), true), last: false }
  }
  decoder ??= make(new Uint8Array())
  yield { text: decode(undefined, false), last: true }
}

/** What papaparse needs to know: the delimiter that cuts the first lines most evenly, and how lines end. */
function found(
  text: string,
  delimiter: string | undefined,
  quote: string,
  comma: boolean,
  last: boolean,
): { delimiter: string; newline: string; quoteChar: string; escapeChar: string } {
  // Without what stands in quotes, where both may be. Unfinished quotes go on to the end.
  const double = quote === '"' ? /"(?:[^"]|"")*(?:"|$)/g : null
  let bare = text.slice(0, 0x10000)
  if (double) bare = bare.replace(double, '')
  const crlf = bare.split('\r\n').length - 1
  const newline =
    crlf > 0 && crlf >= bare.split('\n').length - 1 - crlf
      ? '\r\n'
      : bare.includes('\n') || !bare.includes('\r')
        ? '\n'
        : '\r'
  const lines = bare.split(newline).filter((line) => line !== '')
  if (!last && lines.length > 1) lines.pop()
  const counts = (comma ? ';\t|' : ',;\t|').split('').map((mark) => {
    const each = lines.slice(0, 100).map((line) => line.split(mark).length - 1)
    const first = each[0] ?? 0
    return { mark, even: each.filter((count) => count === first && count > 0).length, first }
  })
  counts.sort((a, b) => b.even - a.even || b.first - a.first)
  const best = counts[0]
  return {
    delimiter: delimiter ?? (best && best.even > 0 ? best.mark : comma ? ';' : ','),
    newline,
    quoteChar: quote,
    escapeChar: quote,
  }
}
