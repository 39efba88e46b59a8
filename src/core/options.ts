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

/** Throws unless `options` is an object with no other names than these: a misspelt option must not be lost. Those in
 *  `switches` are true or false: what else counts as true, 'false' too, must not turn one on. */
export function checkOptions(
  caller: string,
  options: unknown,
  names: readonly string[],
  switches: readonly string[] = [],
): void {
  const known = [...names, ...switches]
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${caller}: options are ${written(options)}, expected an object with ${known.join(', ')}`)
  }
  for (const [name, value] of Object.entries(options)) {
    if (!known.includes(name)) throw new TypeError(`${caller}: unknown option ${name}, expected ${known.join(', ')}`)
    if (switches.includes(name) && value !== undefined && typeof value !== 'boolean')
      throw new TypeError(`${caller}: ${name} is ${written(value)}, expected true or false`)
  }
}
