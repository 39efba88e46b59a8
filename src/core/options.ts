/** A value as Errors tell it: strings in quotes, objects without a text of their own by their kind. */
export function written(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return `[${value.map(written).join(', ')}]`
  const kind = Object.prototype.toString.call(value)
  const silent = typeof value === 'object' && value !== null && (!value.toString || String(value) === kind)
  return silent ? kind.slice(8, -1) : String(value)
}

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
