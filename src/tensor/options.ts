/** Throws unless `options` is an object with no other names than these: a misspelt option must not be lost. */
export function checkOptions(caller: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${caller}: options are ${String(options)}, expected an object with ${names.join(', ')}`)
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  if (unknown) throw new TypeError(`${caller}: unknown option ${unknown}, expected ${names.join(', ')}`)
}
