// Ways to cut a command into parts: along an argument that counts rows or elements, along channels, along the first axis of
// strided operands, across the stretches of a flat block. A part is a command of the same kernel on parts of the operands.

import type { Command } from '../core/command.ts'
import type { Operand } from '../core/storage.ts'
import { type NumberName, signatures } from './signatures.ts'

type Arg = Command['args'][number]

/** How a command may be cut. */
export interface Cut {
  /** What can be counted off: rows, images, elements; cuts lie at multiples of `grain`. */
  readonly units: number
  readonly grain: number
  /** Nanoseconds of the whole on one thread, roughly. */
  readonly cost: number
  part(from: number, to: number): Command
}

export type Rule = (args: Args) => Cut | null

/** The numbers among a command's arguments, by name. */
export type Numbers = Readonly<Record<NumberName, number>>

const names = new Map<string, readonly string[]>()

/** A command whose arguments have names. */
export class Args {
  readonly command: Command
  readonly numbers = new Proxy({} as Numbers, { get: (_, name) => this.get(name as string) })
  readonly #names: readonly string[]

  constructor(command: Command) {
    const { name } = command.kernel
    this.command = command
    this.#names = names.get(name) ?? (signatures[name] as string).split(' ')
    names.set(name, this.#names)
  }

  has(name: string): boolean {
    return this.#names.includes(name)
  }

  get(name: string): Arg {
    const place = this.#names.indexOf(name)
    if (place < 0) throw new Error(`${this.command.kernel.name}: has no parameter ${name}`)
    return this.command.args[place] as Arg
  }

  list(name: string): readonly number[] {
    return this.get(name) as readonly number[]
  }

  /** Operands that are read or written, by name. */
  operands(): string[] {
    return this.#names.filter((_, i) => ['in', 'out', 'inout'].includes(this.command.kernel.roles[i] as string))
  }

  /** `size` elements (of 4 bytes) of an operand from element `start` on, and `before` that; null where it is absent. */
  span(name: string, start: number, size: number, before = 0): Operand | null {
    const operand = this.get(name) as Operand | null
    return (
      operand && {
        storage: operand.storage,
        offset: operand.offset + 4 * start,
        bytes: Math.ceil(4 * size),
        before: 4 * before,
      }
    )
  }

  /** The command with some arguments changed. `skipped`: how many positions, as it may refuse them, lie before. */
  with(changes: Readonly<Record<string, Arg>>, skipped = 0): Command {
    const { kernel, args, explain } = this.command
    for (const name of Object.keys(changes)) this.get(name)
    const changed = args.map((arg, i) => {
      const name = this.#names[i] as string
      return Object.hasOwn(changes, name) ? (changes[name] as Arg) : arg
    })
    return { kernel, args: changed, ...(explain ? { explain: (position) => explain(skipped + position) } : {}) }
  }
}

/** Elements of a line of the cache, times four: threads should not write to the same line. */
export const LINES = 64

/** Elements of operands in a unit, by name. */
type Steps = (numbers: Numbers) => Readonly<Record<string, number>>

interface Along {
  readonly grain?: number | undefined
  /** Positions that a kernel may refuse, in a unit; default 1. */
  readonly positions?: number | undefined
  /** Elements of operand `sums`, if there is one, in `grain` units. */
  readonly sums?: number | undefined
}

/** Cut along argument `unit`: each operand in `steps` has so many elements a unit, 0 where all parts need it whole, as
 *  those do that are not named. `ns`: of an element of the first operand named. */
export function along(unit: NumberName, ns: number, steps: Steps, how: (numbers: Numbers) => Along = () => ({})): Rule {
  return (args) => {
    const { numbers } = args
    const sizes = Object.entries(steps(numbers))
    const units = numbers[unit]
    const { grain = 1, positions = 1, sums = 0 } = how(numbers)
    return {
      units,
      grain,
      cost: ns * units * (sizes[0] as (typeof sizes)[number])[1],
      part(from, to) {
        const spans = sizes.map(([name, size]) => [
          name,
          size === 0 ? args.get(name) : args.span(name, from * size, (to - from) * size),
        ])
        const summed = args.has('sums')
          ? { sums: args.span('sums', (from / grain) * sums, Math.ceil((to - from) / grain) * sums) }
          : {}
        const drawn = args.has('first') ? { first: numbers.first + from } : {}
        const changes = { ...Object.fromEntries(spans), ...summed, ...drawn, [unit]: to - from }
        return args.with(changes, from * positions)
      },
    }
  }
}

/** Cut along the channels of [n, channels, inner], from sample to sample `stride`. `maps`: operands of this shape;
 *  `vectors`: [channels]; `doubles`: the same in f64. */
export const byChannel = (
  ns: number,
  maps: readonly string[],
  vectors: readonly string[],
  doubles: readonly string[],
): Rule => {
  return (args) => {
    const { n, channels, inner, stride } = args.numbers
    return {
      units: channels,
      // Where it is 1 the kernels take four channels at a time: lines of the cache.
      grain: inner === 1 ? LINES / 4 : 1,
      cost: ns * n * channels * inner,
      part(from, to) {
        const count = to - from
        return args.with({
          ...Object.fromEntries(
            maps.map((name) => [name, args.span(name, from * inner, (n - 1) * stride + count * inner)]),
          ),
          ...Object.fromEntries(vectors.map((name) => [name, args.span(name, from, count)])),
          ...Object.fromEntries(doubles.map((name) => [name, args.span(name, 2 * from, 2 * count)])),
          channels: count,
        })
      },
    }
  }
}

/** Element by element: every operand has n, but for those named here. */
export const each = (ns: number, steps: Steps = () => ({})): Rule => {
  return (args) => {
    const all = Object.fromEntries(args.operands().map((name) => [name, 1]))
    return along(
      'n',
      ns,
      (numbers) => ({ ...all, ...steps(numbers) }),
      () => ({ grain: LINES }),
    )(args)
  }
}

/** Elements from the first on, it included, that axes with these (size, stride) reach. */
export const reach = (axes: readonly (readonly [number, number])[]): number =>
  axes.reduce((sum, [size, stride]) => sum + (size - 1) * Math.max(0, stride), 1)

/** Those before the first: axes with a negative stride. */
const reachBack = (axes: readonly (readonly [number, number])[]): number =>
  axes.reduce((sum, [size, stride]) => sum + (size - 1) * Math.max(0, -stride), 0)

/** Cut along the first axis of `dims`: rank, then for each axis its size and its strides in `operands`; those in
 *  `contiguous` have none there. */
export function strided(ns: number, operands: readonly string[], contiguous: readonly string[]): Rule {
  return (args) => {
    const [rank, ...axes] = args.list('dims') as [number, ...number[]]
    const width = operands.length + 1
    const sizes = Array.from({ length: rank }, (_, axis) => axes[width * axis] as number)
    const [units, ...rest] = sizes as [number, ...number[]]
    const run = rest.reduce((product, size) => product * size, 1)
    const span = (name: string, o: number, from: number, to: number) => {
      const strides = sizes.map((_, axis) => axes[width * axis + 1 + o] as number)
      const first = strides[0] as number
      const reached = sizes.map((n, d) => [d ? n : to - from, strides[d] as number] as const)
      return args.span(name, from * first, reach(reached), reachBack(reached))
    }
    return {
      units,
      grain: Math.max(1, Math.ceil(LINES / run)),
      cost: ns * units * run,
      part: (from, to) =>
        args.with({
          ...Object.fromEntries(operands.map((name, o) => [name, span(name, o, from, to)])),
          ...Object.fromEntries(contiguous.map((name) => [name, args.span(name, from * run, (to - from) * run)])),
          dims: [rank, to - from, ...axes.slice(1)],
        }),
    }
  }
}

/** Bytes of a parameter's counters: assembly/update.ts. */
const COUNTERS = 24

/** Cut across the stretches of a flat block: `sizes` holds their number, then the elements of each, which begin at
 *  multiples of 16. */
export function flat(ns: number, ...operands: readonly string[]): Rule {
  return (args) => {
    const sizes = args.list('sizes').slice(1)
    const units = sizes.reduce((sum, n) => sum + blockOf(n), 0)
    return {
      units,
      grain: LINES,
      cost: ns * units,
      part(from, to) {
        let start = 0
        let before = 0
        const own: number[] = []
        for (const n of sizes) {
          const end = start + n
          const count = Math.min(end, to) - Math.max(start, from)
          // One without elements has counters, too.
          if (count > 0 || (n === 0 && own.length > 0)) own.push(count)
          else if (own.length === 0) before++
          start += blockOf(n)
        }
        const counters = args.has('counters') ? (args.get('counters') as Operand) : null
        return args.with({
          ...Object.fromEntries(operands.map((name) => [name, args.span(name, from, to - from)])),
          ...(counters ? { counters: { ...counters, offset: counters.offset + COUNTERS * before } } : {}),
          sizes: [own.length, ...own],
        })
      },
    }
  }
}

const blockOf = (n: number): number => 16 * Math.ceil(n / 16)
