// What the command lines of the examples share.

import { type ArgsDef, defineCommand, type ParsedArgs, runMain } from 'citty'

/** A number given as an option. Throws, with the option named, when it is none, below `min`, or not whole. */
export function number(name: string, text: string, { min = 0, whole = true } = {}): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= min) || value === Infinity || (whole && !Number.isInteger(value))) {
    throw new Error(`--${name} is ${text}, expected a ${whole ? 'whole ' : ''}number from ${min}`)
  }
  return value
}

/** Runs a program with its options; --help lists them. */
export function main<A extends ArgsDef>(
  meta: { name: string; description: string },
  args: A,
  run: (given: ParsedArgs<A>) => Promise<void>,
): Promise<void> {
  const command = defineCommand<A>({
    meta,
    args,
    async run({ args: given }) {
      try {
        const unknown = Object.keys(given).find((name) => name !== '_' && !Object.hasOwn(args, name)) ?? given._[0]
        if (unknown) throw new Error(`unknown option --${unknown}, expected one of --${Object.keys(args).join(', --')}`)
        await run(given)
      } catch (error) {
        // A wrong option or a missing file needs a sentence, not a stack.
        console.error(error instanceof Error ? error.message : error)
        process.exitCode = 1
      }
    },
  })
  return runMain(command)
}
