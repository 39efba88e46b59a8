// What becomes of a column on its way into a network. A transform learns from the rows it is fitted on, and is plain JSON
// then: what it learnt is saved with the model and applied unchanged. All is made of +, -, *, / and src/math.ts, so that
// every engine gets the same bits.

import { flag, type Kind, kind, option, settle, whole, written } from '../checks.ts'
import type { Column, TextColumn } from '../io/columns.ts'
import { cos, log, sin } from '../math.ts'

/** What a transform is told and has learnt: JSON. */
export interface TransformState {
  readonly type: string
  readonly [key: string]: unknown
}

/** A transform of one column. */
export interface Transform {
  /** What it is told, and what it has learnt once it is fitted. */
  readonly state: TransformState
  /** Learns from a column; its error names rows. */
  fit(column: Column): Transform
  /** What its features are called, after the name of the column. */
  readonly features: readonly string[]
  /** Writes its features of all rows, the first one to `out[offset]`, rows `stride` apart. */
  apply(column: Column, out: Float32Array | Int32Array, offset: number, stride: number): void
  /** Numbers of categories, where its one feature is an index of them: for nn.Embedding. */
  readonly categories?: number
}

/** The numbers of a column; a column without any value may be of any kind. */
export function numbersOf(column: Column): Float64Array {
  if (column.kind !== 'text') return column.values
  const at = column.codes.findIndex((code) => code >= 0)
  if (at < 0) return new Float64Array(column.codes.length).fill(Number.NaN)
  throw new TypeError(
    `column ${written(column.name)} holds ${written(column.words[column.codes[at] as number])} in row ${at}, expected numbers as it was fitted on`,
  )
}

/** The words of a column; numbers as they are written in JavaScript. */
export function wordsOf(column: Column): TextColumn {
  if (column.kind === 'text') return column
  const words: string[] = []
  const known = new Map<number, number>()
  const codes = Int32Array.from(column.values, (value) => {
    if (Number.isNaN(value)) return -1
    const before = known.get(value)
    if (before !== undefined) return before
    known.set(value, words.length)
    const text =
      column.kind === 'boolean'
        ? String(value === 1)
        : column.kind === 'date'
          ? new Date(value).toISOString()
          : String(value)
    return words.push(text) - 1
  })
  return { name: column.name, kind: 'text', codes, words }
}

const unfitted = (type: string): never => {
  throw new Error(`${type}: not fitted yet; fit the pipeline on the rows to train on first`)
}

export interface NumberOptions {
  /** sign(x) ln(1 + |x|) before scaling: for amounts and counts; default false. */
  log?: boolean | undefined
  /** What stands in for missing values: the mean or the median of the others, or a number; default 'median'. */
  fill?: 'mean' | 'median' | number | undefined
  /** A feature more that is 1 where a value is missing: 'auto' (default) where some are in the rows that are fitted on. */
  indicator?: boolean | 'auto' | undefined
}

type Scale = 'standard' | 'minMax' | 'robust' | 'unscaled'

const fillKind: Kind<'mean' | 'median' | number> = {
  expected: "'mean', 'median' or a finite number",
  type: 'object',
  fits: (value): value is 'mean' | 'median' | number =>
    value === 'mean' || value === 'median' || Number.isFinite(value),
}
const indicatorKind: Kind<boolean | 'auto'> = {
  expected: "true, false or 'auto'",
  type: 'object',
  fits: (value): value is boolean | 'auto' => value === 'auto' || typeof value === 'boolean',
}

function numeric(type: Scale, options: NumberOptions): Transform {
  const settled = settle(type, options, {
    log: false,
    fill: option(fillKind, 'median'),
    indicator: option(indicatorKind, 'auto'),
  })
  return numericOf({ type, ...settled })
}

/** (x - mean) / standard deviation.  sklearn.preprocessing.StandardScaler */
export const standard = (options: NumberOptions = {}): Transform => numeric('standard', options)
/** From the least number to the greatest, to 0 to 1.  sklearn.preprocessing.MinMaxScaler */
export const minMax = (options: NumberOptions = {}): Transform => numeric('minMax', options)
/** (x - median) / distance of the quartiles: outliers do not count.  sklearn.preprocessing.RobustScaler */
export const robust = (options: NumberOptions = {}): Transform => numeric('robust', options)
/** The numbers as they are. */
export const unscaled = (options: NumberOptions = {}): Transform => numeric('unscaled', options)

/** sign(x) ln(1 + |x|). */
const signedLog = (x: number): number => Math.sign(x) * log(1 + Math.abs(x))

/** The value at `q` of the way through sorted numbers, between two in proportion. */
export function quantile(sorted: Float64Array, q: number): number {
  const position = q * (sorted.length - 1)
  const below = Math.floor(position)
  const low = sorted[below] as number
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number
  return low + (position - below) * (high - low)
}

interface NumericState extends TransformState {
  readonly type: Scale
  readonly log: boolean
  readonly fill: 'mean' | 'median' | number
  readonly indicator: boolean | 'auto'
  /** (x - shift) / scale; what missing values become; whether there is an indicator. */
  readonly fitted?: { shift: number; scale: number; filled: number; indicated: boolean }
}

function numericOf(state: NumericState): Transform {
  const { type, fitted } = state
  return {
    state,
    get features() {
      return (fitted ?? unfitted(type)).indicated ? ['', '=missing'] : ['']
    },
    fit(column) {
      const all = numbersOf(column)
      const infinite = all.findIndex((x) => Math.abs(x) === Infinity)
      if (infinite >= 0)
        throw new RangeError(
          `column ${written(column.name)} holds ${all[infinite]} in row ${infinite}, expected finite numbers`,
        )
      const present = all.filter((x) => !Number.isNaN(x))
      const numbers = state.log ? present.map(signedLog) : present
      const sorted = numbers.slice().sort()
      const n = Math.max(1, numbers.length)
      const mean = numbers.reduce((a, b) => a + b, 0) / n
      const middle = numbers.length > 0 ? quantile(sorted, 0.5) : 0
      const spread: Record<Scale, () => [shift: number, scale: number]> = {
        standard: () => [mean, Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) * (x - mean), 0) / n)],
        minMax: () => [sorted[0] as number, (sorted.at(-1) as number) - (sorted[0] as number)],
        robust: () => [middle, quantile(sorted, 0.75) - quantile(sorted, 0.25)],
        unscaled: () => [0, 1],
      }
      const [shift, scale] = numbers.length > 0 ? spread[type]() : [0, 1]
      const given = typeof state.fill === 'number' ? (state.log ? signedLog(state.fill) : state.fill) : null
      const filled = given ?? (state.fill === 'mean' ? mean : middle)
      const indicated = state.indicator === 'auto' ? present.length < all.length : state.indicator
      // A column of one value says nothing: 0.
      return numericOf({ ...state, fitted: { shift, scale: scale > 0 ? scale : 1, filled, indicated } })
    },
    apply(column, out, offset, stride) {
      const { shift, scale, filled, indicated } = fitted ?? unfitted(type)
      const numbers = numbersOf(column)
      const fill = (filled - shift) / scale
      for (let i = 0, at = offset; i < numbers.length; i++, at += stride) {
        const x = numbers[i] as number
        const missing = Number.isNaN(x)
        out[at] = missing ? fill : ((state.log ? signedLog(x) : x) - shift) / scale
        if (indicated) out[at + 1] = Number(missing)
      }
    },
  }
}

export interface CategoryOptions {
  /** The most frequent so many categories are kept, the others are one; default 100. */
  maxCategories?: number | undefined
  /** Categories rarer than this count as others; default 1. */
  minCount?: number | undefined
}

interface CategoryState extends TransformState {
  readonly type: 'oneHot' | 'embedding' | 'ordinal'
  readonly maxCategories: number
  readonly minCount: number
  readonly order: readonly string[] | null
  readonly categories?: readonly string[]
}

const categorical = (type: CategoryState['type'], options: CategoryOptions, order: readonly string[] | null = null) => {
  const { maxCategories, minCount } = settle(type, options, {
    maxCategories: option(whole(1), type === 'ordinal' ? 0x40000000 : type === 'embedding' ? 10_000 : 100),
    minCount: option(whole(1), 1),
  })
  return categoryOf({ type, maxCategories, minCount, order })
}

/** A feature for each category, one for all others, known or not, and one for missing values.
 *  sklearn.preprocessing.OneHotEncoder */
export const oneHot = (options: CategoryOptions = {}): Transform => categorical('oneHot', options)

/** An index for nn.Embedding: 0 is for missing values, 1 for categories that are not known, others follow. */
export const embedding = (options: CategoryOptions = {}): Transform => categorical('embedding', options)

/** The place of a category in an order, from 0 to 1: of words as small, medium, large. -1 for missing values and for what the
 *  order does not have.  sklearn.preprocessing.OrdinalEncoder */
export function ordinal(order: readonly string[]): Transform {
  if (!Array.isArray(order) || order.length < 2 || new Set(order).size !== order.length)
    throw new TypeError(`ordinal: order is ${written(order)}, expected a list of two or more different words`)
  return categorical('ordinal', {}, [...order])
}

/** Compared by code units: the same on every engine. */
export const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Words by how often they occur, then by code units. */
function frequent(counts: ReadonlyMap<string, number>, most: number, minCount: number): string[] {
  return [...counts]
    .filter(([, count]) => count >= minCount)
    .sort(([a, n], [b, m]) => m - n || byCodeUnits(a, b))
    .slice(0, most)
    .map(([name]) => name)
    .sort(byCodeUnits)
}

function categoryOf(state: CategoryState): Transform {
  const { type, categories } = state
  return {
    state,
    get features() {
      const names = categories ?? unfitted(type)
      return type === 'oneHot' ? [...names.map((name) => `=${name}`), '=other', '=missing'] : ['']
    },
    ...(type === 'embedding' ? { categories: (categories?.length ?? 0) + 2 } : {}),
    fit(column) {
      if (state.order) return categoryOf({ ...state, categories: state.order })
      const { codes, words } = wordsOf(column)
      const counts = new Map<string, number>()
      for (const code of codes)
        if (code >= 0) counts.set(words[code] as string, (counts.get(words[code] as string) ?? 0) + 1)
      return categoryOf({ ...state, categories: frequent(counts, state.maxCategories, state.minCount) })
    },
    apply(column, out, offset, stride) {
      const names = categories ?? unfitted(type)
      const { codes, words } = wordsOf(column)
      const place = new Map(names.map((name, i) => [name, i]))
      const places = words.map((name) => place.get(name) ?? -1)
      for (let i = 0, at = offset; i < codes.length; i++, at += stride) {
        const code = codes[i] as number
        const known = code < 0 ? -1 : (places[code] as number)
        if (type === 'oneHot') out[at + (code < 0 ? names.length + 1 : known < 0 ? names.length : known)] = 1
        else if (type === 'embedding') out[at] = code < 0 ? 0 : known + 2 || 1
        else out[at] = known < 0 ? -1 : known / (names.length - 1)
      }
    },
  }
}

const parts = ['year', 'month', 'day', 'weekday', 'hour', 'minute'] as const
export type DatePart = (typeof parts)[number]

interface DateState extends TransformState {
  readonly type: 'dateParts'
  readonly parts: readonly DatePart[]
  readonly cycles: boolean
  /** Mean and deviation of the time in days. */
  readonly fitted?: { shift: number; scale: number }
}

/** Parts of a date in UTC: the time since the mean date in standard deviations, and of each part the sine and cosine of its
 *  cycle (of a year none), or with `cycles: false` the part itself. Default: month, day, weekday; and hour, where there are any.
 *  Missing dates are 0 everywhere. */
export function dateParts(
  options: { parts?: readonly DatePart[] | undefined; cycles?: boolean | undefined } = {},
): Transform {
  const settled = settle('dateParts', options, {
    parts: option(
      kind<readonly DatePart[]>(
        'object',
        `a list of ${parts.join(', ')}`,
        (list) => Array.isArray(list) && list.every((part) => parts.includes(part)),
      ),
    ),
    cycles: option(flag, true),
  })
  return dateOf({ type: 'dateParts', parts: settled.parts ?? [], cycles: settled.cycles })
}

const DAY = 86_400_000
const periods: Readonly<Record<DatePart, number>> = { year: 0, month: 12, day: 31, weekday: 7, hour: 24, minute: 60 }
const TURN = 6.283185307179586

function partOf(date: Date, part: DatePart): number {
  if (part === 'year') return date.getUTCFullYear()
  if (part === 'month') return date.getUTCMonth()
  if (part === 'day') return date.getUTCDate() - 1
  if (part === 'weekday') return date.getUTCDay()
  return part === 'hour' ? date.getUTCHours() : date.getUTCMinutes()
}

function dateOf(state: DateState): Transform {
  const features = [
    '=time',
    ...state.parts.flatMap((part) =>
      state.cycles && periods[part] > 0 ? [`=sin ${part}`, `=cos ${part}`] : [`=${part}`],
    ),
  ]
  return {
    state,
    features,
    fit(column) {
      const days = numbersOf(column)
        .filter((time) => !Number.isNaN(time))
        .map((time) => time / DAY)
      const n = Math.max(1, days.length)
      const shift = days.reduce((a, b) => a + b, 0) / n
      const scale = Math.sqrt(days.reduce((sum, x) => sum + (x - shift) * (x - shift), 0) / n)
      const times: readonly DatePart[] = days.some((day) => !Number.isInteger(day))
        ? ['month', 'day', 'weekday', 'hour']
        : ['month', 'day', 'weekday']
      return dateOf({
        ...state,
        parts: state.parts.length > 0 ? state.parts : times,
        fitted: { shift, scale: scale > 0 ? scale : 1 },
      })
    },
    apply(column, out, offset, stride) {
      const { shift, scale } = state.fitted ?? unfitted(state.type)
      const times = numbersOf(column)
      for (let i = 0, row = offset; i < times.length; i++, row += stride) {
        const time = times[i] as number
        if (Number.isNaN(time)) continue
        const date = new Date(time)
        let at = row
        out[at++] = (time / DAY - shift) / scale
        for (const part of state.parts) {
          const value = partOf(date, part)
          if (state.cycles && periods[part] > 0) {
            const angle = (TURN * value) / periods[part]
            out[at++] = sin(angle)
            out[at++] = cos(angle)
          } else out[at++] = value
        }
      }
    },
  }
}

interface WordState extends TransformState {
  readonly type: 'hashedWords' | 'countedWords'
  readonly size: number
  readonly minCount: number
  readonly vocabulary?: readonly string[]
  /** ln((1 + texts) / (1 + texts with the word)) + 1 for each of the vocabulary. */
  readonly idf?: readonly number[]
}

/** Words of a text, in small letters. */
const tokens = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+(?:'\p{L}+)?/gu) ?? []

/** Counts of words in `features` places that a hash of the word names, of length 1: no vocabulary, so that nothing is
 *  unknown.  sklearn.feature_extraction.text.HashingVectorizer */
export function hashedWords(options: { features?: number | undefined } = {}): Transform {
  const { features } = settle('hashedWords', options, { features: option(whole(1, 0x100000), 1024) })
  return wordOf({ type: 'hashedWords', size: features, minCount: 1 })
}

/** Counts of the most frequent words, each times ln((1 + texts) / (1 + texts with it)) + 1, of length 1.
 *  sklearn.feature_extraction.text.TfidfVectorizer */
export function countedWords(
  options: { maxWords?: number | undefined; minCount?: number | undefined } = {},
): Transform {
  const { maxWords, minCount } = settle('countedWords', options, {
    maxWords: option(whole(1, 0x100000), 1000),
    minCount: option(whole(1), 2),
  })
  return wordOf({ type: 'countedWords', size: maxWords, minCount })
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return (h ^ (h >>> 15)) >>> 0
}

function wordOf(state: WordState): Transform {
  const { type } = state
  return {
    state,
    get features() {
      if (type === 'hashedWords') return Array.from({ length: state.size }, (_, i) => `#${i}`)
      return (state.vocabulary ?? unfitted(type)).map((name) => `:${name}`)
    },
    fit(column) {
      if (type === 'hashedWords') return wordOf(state)
      const { codes, words } = wordsOf(column)
      const each = words.map((text) => new Set(tokens(text)))
      const counts = new Map<string, number>()
      let texts = 0
      for (const code of codes) {
        if (code < 0) continue
        texts++
        for (const token of each[code] as Set<string>) counts.set(token, (counts.get(token) ?? 0) + 1)
      }
      const vocabulary = frequent(counts, state.size, state.minCount)
      const idf = vocabulary.map((name) => log((1 + texts) / (1 + (counts.get(name) as number))) + 1)
      return wordOf({ ...state, vocabulary, idf })
    },
    apply(column, out, offset, stride) {
      const { codes, words } = wordsOf(column)
      const place =
        type === 'countedWords' ? new Map((state.vocabulary ?? unfitted(type)).map((name, i) => [name, i])) : null
      const known = words.map((text) => {
        const counts = new Map<number, number>()
        for (const token of tokens(text)) {
          const at = place ? place.get(token) : hash(token) % state.size
          if (at !== undefined) counts.set(at, (counts.get(at) ?? 0) + 1)
        }
        const list = [...counts].map(([at, count]): [number, number] => [
          at,
          place ? count * (state.idf?.[at] ?? 1) : count,
        ])
        const length = Math.sqrt(list.reduce((sum, [, count]) => sum + count * count, 0))
        return list.map(([at, count]): [number, number] => [at, count / length])
      })
      for (let i = 0, row = offset; i < codes.length; i++, row += stride) {
        if ((codes[i] as number) < 0) continue
        for (const [at, value] of known[codes[i] as number] as [number, number][]) out[row + at] = value
      }
    },
  }
}

/** The transform that a state is of. */
export function transformOf(state: TransformState): Transform {
  const type = (state as Partial<TransformState> | null)?.type
  if (type === 'standard' || type === 'minMax' || type === 'robust' || type === 'unscaled')
    return numericOf(state as NumericState)
  if (type === 'oneHot' || type === 'embedding' || type === 'ordinal') return categoryOf(state as CategoryState)
  if (type === 'dateParts') return dateOf(state as DateState)
  if (type === 'hashedWords' || type === 'countedWords') return wordOf(state as WordState)
  throw new RangeError(`Pipeline: the state has a transform ${written(type)}, which this version does not know`)
}

/** What a column becomes where nobody says: numbers are standard, dates parts, words one-hot, texts counted words. */
export function usual(column: Column): Transform {
  if (column.kind === 'number') return standard()
  if (column.kind === 'boolean') return unscaled()
  if (column.kind === 'date') return dateParts()
  const { words, codes } = column as TextColumn
  const long = words.reduce((sum, text) => sum + tokens(text).length, 0) / Math.max(1, words.length)
  const present = codes.reduce((count, code) => count + Number(code >= 0), 0)
  return long > 3 && words.length > present / 2 ? countedWords() : oneHot()
}
