// Where the time of a program goes: each command is run by itself, between two readings of the clock.

import { type Command, operands, reads, writes } from './command.ts'
import { conv2dArgs, conv2dInputArgs, conv2dWeightArgs, Geometry, gemmArgs } from './commands.ts'

/** All calls of one kernel with equal sizes, summed over the runs of a program. */
export interface ProfileRow {
  readonly kernel: string
  /** What is computed, where the kernel has a size worth naming: [m, k] · [k, n]. */
  readonly size: string
  /** Calls in one run of the program. */
  readonly calls: number
  /** Milliseconds in one run, on average; with the reading of the clock, some 0.0005 a call. */
  readonly ms: number
  /** Share of the whole run, 0 to 1. */
  readonly share: number
  /** Billions of additions and multiplications a second, of matrix products and what is made of them; else 0. */
  readonly gflops: number
  /** Bytes that operands have, of one run; what is read twice counts once. */
  readonly bytes: number
}

/** A convolution, from what assembly/gemm/patches.ts calls its geometry. */
function convolution(list: Command['args'][number] | undefined): { flops: number; size: string } {
  const of = (field: keyof typeof Geometry) => (list as readonly number[])[Geometry[field]] as number
  const kernel = of('kernelHeight') * of('kernelWidth')
  return {
    flops:
      2 * of('batch') * of('outChannels') * of('outHeight') * of('outWidth') * (of('channels') / of('groups')) * kernel,
    size: `${of('batch')}×${of('channels')}×${of('height')}×${of('width')} → ${of('outChannels')}, ${of('kernelHeight')}×${of('kernelWidth')}`,
  }
}

/** Work of the kernels that count: multiplications and additions, and a name for their size. */
const work: Record<string, (args: Command['args']) => { flops: number; size: string }> = {
  conv2d: (args) => convolution(args[conv2dArgs.geometry]),
  conv2dInput: (args) => convolution(args[conv2dInputArgs.geometry]),
  conv2dWeight: (args) => convolution(args[conv2dWeightArgs.geometry]),
  gemm(args) {
    const [m, n, k] = [gemmArgs.m, gemmArgs.n, gemmArgs.k].map((i) => args[i] as number) as [number, number, number]
    const layout = `${args[gemmArgs.transposeA] ? 'T' : 'N'}${args[gemmArgs.transposeB] ? 'T' : 'N'}`
    return { flops: 2 * m * n * k, size: `${m}×${k}×${n} ${layout}` }
  },
}

interface Entry {
  readonly kernel: string
  readonly size: string
  readonly flops: number
  readonly bytes: number
  ms: number
}

/** Times of the commands of a program, over its runs. */
export class Profile {
  /** Runs measured. */
  runs = 0
  readonly #entries: readonly Entry[]

  constructor(commands: readonly Command[]) {
    this.#entries = commands.map((command) => {
      const { flops = 0, size = '' } = work[command.kernel.name]?.(command.args) ?? {}
      const used = operands(command).filter(({ role }) => reads(role) || writes(role))
      const storages = new Set(used.map(({ operand }) => operand.storage))
      const bytes = [...storages].reduce((sum, storage) => sum + storage.bytes, 0)
      return { kernel: command.kernel.name, size, flops, bytes, ms: 0 }
    })
  }

  /** Adds the time of the command at `index`. */
  add(index: number, ms: number): void {
    const entry = this.#entries[index] as Entry
    entry.ms += ms
  }

  /** The kernels, the most expensive first. */
  rows(): ProfileRow[] {
    const whole = this.#entries.reduce((sum, { ms }) => sum + ms, 0)
    const groups = new Map<string, Entry[]>()
    for (const entry of this.#entries) {
      const key = `${entry.kernel} ${entry.size}`
      groups.set(key, [...(groups.get(key) ?? []), entry])
    }
    return [...groups.values()]
      .map((entries) => {
        const total = (of: (entry: Entry) => number): number => entries.reduce((sum, entry) => sum + of(entry), 0)
        const { kernel, size } = entries[0] as Entry
        const sum = total(({ ms }) => ms)
        const ms = this.runs === 0 ? 0 : sum / this.runs
        const flops = total((entry) => entry.flops)
        return {
          kernel,
          size,
          calls: entries.length,
          ms,
          share: whole === 0 ? 0 : sum / whole,
          gflops: ms === 0 ? 0 : flops / ms / 1e6,
          bytes: total((entry) => entry.bytes),
        }
      })
      .sort((a, b) => b.ms - a.ms)
  }

  /** The rows as a table. */
  toString(): string {
    const rows = this.rows()
    const sum = rows.reduce((total, { ms }) => total + ms, 0)
    const table = [
      ['kernel', 'size', 'calls', 'ms', 'share', 'GFLOP/s', 'MB'],
      ...rows.map(({ kernel, size, calls, ms, share, gflops, bytes }) => [
        kernel,
        size,
        String(calls),
        ms.toFixed(4),
        `${(100 * share).toFixed(1)} %`,
        gflops === 0 ? '' : gflops.toFixed(1),
        (bytes / 1e6).toFixed(2),
      ]),
      ['all', '', String(this.#entries.length), sum.toFixed(4), '', '', ''],
    ]
    const widths = (table[0] as string[]).map((_, i) => Math.max(...table.map((row) => (row[i] as string).length)))
    const lines = table.map((row) =>
      row
        .map((cell, i) => (i < 2 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
        .join('  ')
        .trimEnd(),
    )
    return `${lines.join('\n')}\nmean of ${this.runs} runs`
  }
}
