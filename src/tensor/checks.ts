// What arguments must be: Errors name the function, the argument, what came and what was expected.

import { written } from '../core/options.ts'
import { type Shape, show } from './shape.ts'

/** What came, in a word where the value itself says little. */
export const kindOf = (value: unknown): string => (value === null ? 'null' : typeof value)

function range(low: number, high: number): string {
  if (low === -Infinity) return ''
  if (high === Infinity) return low === Number.MIN_VALUE ? ' above 0' : ` >= ${low}`
  return ` from ${low} to ${high}`
}

/** The Error for an argument of another value than expected. */
export const unexpected = (caller: string, name: string, value: unknown, expected: string): RangeError =>
  new RangeError(`${caller}: ${name} is ${written(value)}, expected ${expected}`)

/** The Error for an argument of another shape than expected. */
export const misshaped = (caller: string, name: string, { shape }: { shape: Shape }, expected: string): RangeError =>
  new RangeError(`${caller}: ${name} has shape ${show(shape)}, expected ${expected}`)

/** Throws unless `value` is a whole number from `least` to `most`. */
export function checkWhole(
  caller: string,
  name: string,
  value: unknown,
  least = -Infinity,
  most = Infinity,
): asserts value is number {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most)
    throw unexpected(caller, name, value, `a whole number${range(least, most)}`)
}

/** Throws unless all of the named values are whole numbers >= `least`. */
export function checkWholes(caller: string, values: Record<string, unknown>, least = 1): void {
  for (const [name, value] of Object.entries(values)) checkWhole(caller, name, value, least)
}

/** Throws unless `value` is a number from `low` to `high`, by default any but NaN. */
export function checkNumber(
  caller: string,
  name: string,
  value: unknown,
  low = -Infinity,
  high = Infinity,
): asserts value is number {
  if (!(typeof value === 'number' && value >= low && value <= high))
    throw unexpected(caller, name, value, `a number${range(low, high)}`)
}

/** Throws unless `p` is a probability. */
export function checkProbability(caller: string, name: string, p: unknown): asserts p is number {
  if (!(typeof p === 'number' && p >= 0 && p <= 1)) throw unexpected(caller, name, p, 'a probability from 0 to 1')
}

/** Throws unless `value` is a finite number >= `low`. */
export function checkFinite(caller: string, name: string, value: unknown, low = -Infinity): asserts value is number {
  if (!Number.isFinite(value) || (value as number) < low)
    throw unexpected(caller, name, value, low === -Infinity ? 'a finite number' : `a number${range(low, Infinity)}`)
}

/** Throws unless `value` is a function. */
export function checkFunction(caller: string, name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${caller}: ${name} is ${kindOf(value)}, expected a function`)
}

/** Throws unless `value` is one of these words. */
export function checkChoice<Word extends string>(
  caller: string,
  name: string,
  value: unknown,
  words: readonly Word[],
): asserts value is Word {
  if (!words.includes(value as Word))
    throw unexpected(
      caller,
      name,
      value,
      words
        .map((word) => `'${word}'`)
        .join(', ')
        .replace(/, (?=[^,]*$)/, ' or '),
    )
}
