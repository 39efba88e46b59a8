// Columns of a table: what readers of CSV, JSON lines and Parquet give.

import { kind, written } from '../checks.ts'

/** Numbers; words and texts; true and false; points in time. */
export type ColumnKind = 'number' | 'text' | 'boolean' | 'date'

/** Numbers as they are, booleans as 0 and 1, dates as milliseconds since 1970 in UTC. NaN is a missing value. */
export interface NumericColumn {
  readonly name: string
  readonly kind: 'number' | 'boolean' | 'date'
  readonly values: Float64Array
}

/** Texts, each by its number among the different ones; -1 is a missing value. */
export interface TextColumn {
  readonly name: string
  readonly kind: 'text'
  readonly codes: Int32Array
  readonly words: readonly string[]
}

export type Column = NumericColumn | TextColumn

/** Rows that a reader was told to leave out: how many, and why the first of them. */
export interface Skipped {
  readonly count: number
  readonly reasons: readonly string[]
}

/** Columns of one length. */
export interface Columns {
  readonly length: number
  readonly columns: readonly Column[]
  readonly skipped: Skipped
}

export const kinds: readonly ColumnKind[] = ['number', 'text', 'boolean', 'date']

/** What names of columns are given as. */
export const namesKind = /* @__PURE__ */ kind<readonly string[]>(
  'object',
  'a list of texts',
  (list) => Array.isArray(list) && list.every((text) => typeof text === 'string'),
)

/** What kinds of columns are given as. */
export const kindsKind = /* @__PURE__ */ kind<Readonly<Record<string, ColumnKind>>>(
  'object',
  `an object of names and kinds, ${kinds.join(', ')}`,
  (given) => given !== null && Object.values(given).every((each) => kinds.includes(each)),
)

/** The number that a text is, NaN where it is none: no hexadecimal, no separators of thousands. Whole numbers that a double
 *  cannot hold are none: digits would be lost. */
export function toNumber(text: string): number {
  const value = Number(text)
  if (Number.isNaN(value)) return infinite.test(text) ? (text.trim().startsWith('-') ? -Infinity : Infinity) : value
  // 0x10, 0b1 and 0o7 are numbers of JavaScript alone; a blank is 0 there.
  if (value === 0 && text.trim() === '') return Number.NaN
  const second = text.charCodeAt(1) | 32
  if ((second === 120 || second === 98 || second === 111) && /^\s*0[xbo]/i.test(text)) return Number.NaN
  if ((second === 32 || text.charCodeAt(0) === 32) && /^\s+0[xbo]/i.test(text)) return Number.NaN
  if ((value > MOST || value < -MOST) && /^\s*[+-]?\d+\s*$/.test(text)) return Number.NaN
  return value
}

const MOST = Number.MAX_SAFE_INTEGER
const infinite = /^\s*[+-]?inf(inity)?\s*$/i
const iso =
  /^\s*(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d\d(?::?\d\d)?)?)?\s*$/

/** Milliseconds since 1970 of an ISO date, with a time or without, in UTC unless it names an offset; NaN for anything else. */
export function toDate(text: string): number {
  const match = iso.exec(text)
  if (!match) return Number.NaN
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as number[]
  const date = new Date(0)
  date.setUTCFullYear(year as number, (month as number) - 1, day)
  if (date.getUTCMonth() !== (month as number) - 1 || date.getUTCDate() !== day) return Number.NaN
  if ((hour as number) > 23 || (minute as number) > 59 || (second as number) > 59) return Number.NaN
  const [, sign, hours, minutes = 0] = /([+-])(\d\d):?(\d\d)?/.exec(match[8] ?? '') ?? []
  const offset = hours ? (sign === '-' ? -1 : 1) * (60 * Number(hours) + Number(minutes)) : 0
  const clock = ((hour as number) * 60 + (minute as number) - offset) * 60 + (second as number)
  return date.getTime() + 1000 * clock + Math.floor(Number(`0.${match[7] ?? 0}`) * 1000)
}

const booleans: Readonly<Record<string, number>> = { true: 1, false: 0, True: 1, False: 0, TRUE: 1, FALSE: 0 }
const toBoolean = (text: string): number => (Object.hasOwn(booleans, text) ? (booleans[text] as number) : Number.NaN)

/** The values of a kind as numbers; of numbers written with a decimal comma where `comma`. */
export const parserOf = (kind: 'number' | 'boolean' | 'date', comma: boolean): ((text: string) => number) => {
  if (kind === 'date') return toDate
  if (kind === 'boolean') return toBoolean
  return comma ? (text) => (text.includes('.') ? Number.NaN : toNumber(text.replace(',', '.'))) : toNumber
}

/** The kind that fits all of these texts; numbers with leading zeros are names of something, as are those of more digits
 *  than a double holds. Text where there are none. */
export function kindOfTexts(texts: readonly string[], comma: boolean): ColumnKind {
  if (texts.length === 0) return 'text'
  const fits = (kind: 'number' | 'boolean' | 'date') => {
    const parse = parserOf(kind, comma)
    return texts.every((text) => !Number.isNaN(parse(text)))
  }
  if (fits('number')) return texts.some((text) => /^\s*[+-]?0\d/.test(text)) ? 'text' : 'number'
  return fits('boolean') ? 'boolean' : fits('date') ? 'date' : 'text'
}

/** A column in the making. */
export class ColumnBuilder {
  readonly name: string
  readonly kind: ColumnKind
  length = 0
  #values = new Float64Array(0)
  #codes = new Int32Array(0)
  #words: string[] = []
  #known = new Map<string, number>()
  readonly #parse: (text: string) => number
  readonly #missing: ReadonlySet<string>
  /** Whether a missing value may look like a number. */
  readonly #early: boolean

  constructor(name: string, kind: ColumnKind, missing: ReadonlySet<string> = new Set(), comma = false) {
    this.name = name
    this.kind = kind
    this.#missing = missing
    this.#parse = kind === 'text' ? Number : parserOf(kind, comma)
    this.#early = [...missing].some((text) => !Number.isNaN(this.#parse(text)))
    this.#grow()
  }

  #grow(): void {
    if (this.kind === 'text') {
      const codes = new Int32Array(Math.max(1024, 2 * this.#codes.length))
      codes.set(this.#codes)
      this.#codes = codes
    } else {
      const values = new Float64Array(Math.max(1024, 2 * this.#values.length))
      values.set(this.#values)
      this.#values = values
    }
  }

  /** Takes the value that a text is; false where it is none of this kind. */
  append(text: string): boolean {
    if (this.kind === 'text') {
      this.appendText(this.#known.get(text) ?? (this.#missing.has(text) ? -1 : this.#add(text)))
      return true
    }
    let value = this.#early && this.#missing.has(text) ? Number.NaN : this.#parse(text)
    if (Number.isNaN(value)) {
      if (!this.#missing.has(text)) return false
      value = Number.NaN
    }
    this.appendNumber(value)
    return true
  }

  appendNumber(value: number): void {
    if (this.length === this.#values.length) this.#grow()
    this.#values[this.length++] = value
  }

  appendText(code: number): void {
    if (this.length === this.#codes.length) this.#grow()
    this.#codes[this.length++] = code
  }

  /** Takes a text as it is, whatever stands for a missing value. */
  appendWord(text: string): void {
    this.appendText(this.#known.get(text) ?? this.#add(text))
  }

  appendMissing(): void {
    if (this.kind === 'text') this.appendText(-1)
    else this.appendNumber(Number.NaN)
  }

  #add(text: string): number {
    const code = this.#words.length
    const own = detached(text)
    this.#words.push(own)
    this.#known.set(own, code)
    return code
  }

  /** The column so far; the builder starts anew. */
  take(): Column {
    const { name, kind, length } = this
    const column: Column =
      kind === 'text'
        ? { name, kind, codes: this.#codes.slice(0, length), words: this.#words }
        : { name, kind, values: this.#values.slice(0, length) }
    this.length = 0
    this.#words = []
    this.#known = new Map()
    return column
  }
}

const encoder = /* @__PURE__ */ new TextEncoder()
const decoder = /* @__PURE__ */ new TextDecoder('utf-8', { ignoreBOM: true })

/** A text that does not keep the larger one in memory of which it is a part: engines do not copy slices. */
function detached(text: string): string {
  if (text.length < 13) return text
  const copy = decoder.decode(encoder.encode(text))
  // Half a surrogate pair, which JSON may hold, would be lost.
  return copy === text ? copy : text
}

/** Columns of several readings one after the other. */
export function joinColumns(parts: readonly Columns[]): Columns {
  const first = parts[0] as Columns
  if (parts.length === 1) return first
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const columns = first.columns.map((column, i): Column => {
    const { name, kind } = column
    if (kind !== 'text') {
      const values = new Float64Array(length)
      let at = 0
      for (const part of parts) {
        const own = (part.columns[i] as NumericColumn).values
        values.set(own, at)
        at += own.length
      }
      return { name, kind, values }
    }
    const codes = new Int32Array(length)
    const words: string[] = []
    const known = new Map<string, number>()
    let at = 0
    for (const part of parts) {
      const own = part.columns[i] as TextColumn
      const numbers = own.words.map((word) => {
        const before = known.get(word)
        if (before !== undefined) return before
        known.set(word, words.length)
        return words.push(word) - 1
      })
      for (const code of own.codes) codes[at++] = code < 0 ? -1 : (numbers[code] as number)
    }
    return { name, kind, codes, words }
  })
  return { length, columns, skipped: parts.at(-1)?.skipped ?? first.skipped }
}

/** Rows that are left out, told by the first ten. */
export class Skips implements Skipped {
  count = 0
  readonly reasons: string[] = []
  add(reason: string): void {
    this.count++
    if (this.reasons.length < 10) this.reasons.push(reason)
  }
  /** As it is now. */
  copy(): Skipped {
    return { count: this.count, reasons: [...this.reasons] }
  }
}

/** Names of columns, which must differ. */
export function checkNames(where: string, names: readonly string[]): void {
  const seen = new Map<string, number>()
  names.forEach((name, i) => {
    const before = seen.get(name)
    if (before !== undefined)
      throw new RangeError(
        `${where}: columns ${before + 1} and ${i + 1} are both named ${written(name)}, expected different names; give your own by names`,
      )
    seen.set(name, i)
  })
}
