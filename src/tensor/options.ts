import { checkOptions, written } from '../core/options.ts'

export { checkOptions, written }

/** Options over their defaults, one for each name; undefined where there is none. Throws for other names, and for what
 *  is true or false by default and came as something else. */
export function settle<O extends object, const D extends { [K in keyof O]-?: O[K] | null | undefined }>(
  caller: string,
  options: O,
  defaults: D,
): { [K in keyof O]-?: Exclude<O[K], undefined> | D[K] } {
  const names = Object.keys(defaults) as (keyof D & string)[]
  const isSwitch = (name: keyof D): boolean => typeof defaults[name] === 'boolean'
  checkOptions(
    caller,
    options,
    names.filter((name) => !isSwitch(name)),
    names.filter(isSwitch),
  )
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...defaults, ...Object.fromEntries(given) } as { [K in keyof O]-?: Exclude<O[K], undefined> | D[K] }
}
