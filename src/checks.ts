// What arguments and options must be. One mechanism for both: a Kind says what a value must be, `check` holds an argument to
// it, `settle` all options of a call. Errors name the function, the argument, what came and what was expected.

/** A value as Errors tell it: strings in quotes, objects by their kind, arrays by their first items. */
export function written(value: unknown): string {
  if (typeof value === 'string') return `'${brief(value)}'`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return String(value)
  if (Array.isArray(value) && !value.some((item) => typeof item === 'object' && item !== null)) {
    return `[${value.slice(0, MOST).map(written).join(', ')}${value.length > MOST ? ', …' : ''}]`
  }
  return Object.prototype.toString.call(value).slice(8, -1)
}

/** Items of an array, and characters of a text, that an Error tells. */
const MOST = 16
const brief = (text: string): string => (text.length > 4 * MOST ? `${text.slice(0, 4 * MOST)}…` : text)

/** What came, in a word where the value itself says little. */
export const kindOf = (value: unknown): string => (value === null ? 'null' : typeof value)

/** What a value must be. */
export interface Kind<T> {
  /** In words, for Errors. */
  readonly expected: string
  readonly type: 'number' | 'string' | 'boolean' | 'function' | 'object'
  fits(value: unknown): value is T
}

/** A kind of one's own. */
export const kind = <T>(
  type: Kind<T>['type'],
  expected: string,
  fits: (value: T) => boolean = () => true,
): Kind<T> => ({
  expected,
  type,
  fits: (value): value is T => typeof value === type && fits(value as T),
})

function range(low: number, high: number): string {
  if (low === -Infinity) return high === Infinity ? '' : ` <= ${high}`
  if (high === Infinity) return low === Number.MIN_VALUE ? ' above 0' : ` >= ${low}`
  return ` from ${low} to ${high}`
}

/** A number from `low` to `high`, by default any but NaN. */
export const number = (low = -Infinity, high = Infinity): Kind<number> =>
  kind('number', `a number${range(low, high)}`, (x) => x >= low && x <= high)

/** A finite number from `low` to `high`. */
export const finite = (low = -Infinity, high = Infinity): Kind<number> =>
  kind('number', `a finite number${range(low, high)}`, (x) => Number.isFinite(x) && x >= low && x <= high)

/** A whole number from `least` to `most`. */
export const whole = (least = -Infinity, most = Infinity): Kind<number> =>
  kind('number', `a whole number${range(least, most)}`, (x) => Number.isInteger(x) && x >= least && x <= most)

/** A number from 0 to 1. */
export const probability: Kind<number> = /* @__PURE__ */ kind(
  'number',
  'a probability from 0 to 1',
  (x) => x >= 0 && x <= 1,
)

/** One of these words. */
export const word = <const Words extends readonly string[]>(...words: Words): Kind<Words[number]> =>
  kind(
    'string',
    words
      .map((word) => `'${word}'`)
      .join(', ')
      .replace(/, (?=[^,]*$)/, ' or '),
    (x) => words.includes(x),
  )

/** True or false: what else counts as true, 'false' too, must not turn anything on. */
export const flag: Kind<boolean> = /* @__PURE__ */ kind('boolean', 'true or false')

/** Any function. */
// biome-ignore lint/suspicious/noExplicitAny: whatever its signature
export const callback: Kind<(...args: any[]) => any> = /* @__PURE__ */ kind('function', 'a function')

/** Whatever its caller looks at itself. */
// biome-ignore lint/suspicious/noExplicitAny: it goes with every type
export const anything: Kind<any> = { expected: 'anything', type: 'object', fits: (_): _ is unknown => true }

/** An object of this class; `name`: 'a Generator'. */
export const instanceOf = <T>(Class: new (...args: never[]) => T, name: string): Kind<T> =>
  kind('object', name, (x) => x instanceof Class)

/** A value of this kind, or null. */
export const nullable = <T>({ expected, type, fits }: Kind<T>): Kind<T | null> => ({
  expected: `${expected}, or null`,
  type,
  fits: (value): value is T | null => value === null || fits(value),
})

/** The Error for an argument of another value than expected. */
export const unexpected = (caller: string, name: string, value: unknown, expected: string): RangeError =>
  new RangeError(`${caller}: ${name} is ${written(value)}, expected ${expected}`)

/** Throws unless an argument is what it must be. */
export function check<T>(caller: string, name: string, value: unknown, kind: Kind<T>): asserts value is T {
  if (kind.fits(value)) return
  const { message } = unexpected(caller, name, value, kind.expected)
  throw typeof value === kind.type && kind.type !== 'object' ? new RangeError(message) : new TypeError(message)
}

/** check, for several arguments. */
export function checkAll(caller: string, values: Record<string, unknown>, kind: Kind<unknown>): void {
  for (const [name, value] of Object.entries(values)) check(caller, name, value, kind)
}

/** An option of a kind. `fallback`: what it is when it is left out; it may be given, too, whatever its kind. */
export interface Option<T, D> {
  readonly kind: Kind<T>
  readonly fallback: D
  readonly required?: true
}

export function option<T>(kind: Kind<T>): Option<T, undefined>
export function option<T, const D>(kind: Kind<T>, fallback: D): Option<T, D>
export function option<T>(kind: Kind<T>, fallback?: unknown): Option<T, unknown> {
  return { kind, fallback }
}

/** An option that cannot be left out. */
export const required = <T>(kind: Kind<T>): Option<T, never> => ({
  kind,
  fallback: undefined as never,
  required: true,
})

/** Options of which none is left out. */
export type Full<O> = { [K in keyof O]-?: Exclude<O[K], undefined> }

/** What a call takes: for each name an Option; or, of those that are numbers (not NaN) or true and false, what it is when it
 *  is left out; or null or undefined, where the caller looks for itself. */
type Options<O> = { [K in keyof O]-?: Declared<Exclude<O[K], undefined>> }
type Declared<T> = Option<T, T | null | undefined> | ([T] extends [number] | [boolean] ? T : never) | null | undefined

export type Settled<O, S> = {
  [K in keyof O]-?: K extends keyof S
    ? Exclude<O[K], undefined> | (S[K] extends Option<unknown, infer D> ? D : S[K])
    : never
}

/** All options of a call, checked. Throws for other names, too: a misspelt option must not be lost. */
export function settle<O extends object, const S extends Options<O>>(
  caller: string,
  options: O,
  known: S,
): Settled<O, S> {
  const names = Object.keys(known)
  if (typeof options !== 'object' || options === null)
    throw new TypeError(`${caller}: options are ${written(options)}, expected an object with ${names.join(', ')}`)
  for (const name of Object.keys(options))
    if (!Object.hasOwn(known, name))
      throw new TypeError(`${caller}: unknown option ${name}, expected ${names.join(', ')}`)
  const settled: Record<string, unknown> = {}
  for (const name of names) {
    const value = (options as Record<string, unknown>)[name]
    const declared = known[name as keyof S] as Option<unknown, unknown> | Plain
    const { kind, fallback, required = false } = typeof declared === 'object' && declared ? declared : plain(declared)
    settled[name] = value === undefined ? fallback : value
    if (value === undefined ? required : value !== fallback) check(caller, name, value, kind)
  }
  return settled as Settled<O, S>
}

type Plain = number | boolean | null | undefined

const anyNumber = /* @__PURE__ */ number()
const plain = (fallback: Plain): Option<unknown, unknown> => ({
  kind: typeof fallback === 'boolean' ? flag : typeof fallback === 'number' ? anyNumber : anything,
  fallback,
})
