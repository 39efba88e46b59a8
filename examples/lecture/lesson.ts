// What the lessons share besides data and drawing: the command line, and tables.

import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { init, manualSeed, type Tensor } from 'lanewise'
import { main } from '../command.ts'
import { figure, type Panel } from './figure.ts'

export interface Lesson {
  /** Fewer steps and samples, for a look and for tests: its figures say less. */
  quick: boolean
  /** Writes an SVG next to those of the other lessons. The title says what is to be seen. */
  draw(title: string, ...panels: Panel[]): void
}

/** Runs a lesson as a program of its own. `run` returns the finding, which is printed last. */
export function lesson(description: string, run: (lesson: Lesson) => string | Promise<string>): Promise<void> {
  const name = basename(process.argv[1] as string, '.ts')
  const args = {
    quick: { type: 'boolean', default: false, description: 'fewer steps and samples, in a few seconds' },
    out: {
      type: 'string',
      default: relative('.', fileURLToPath(new URL('out', import.meta.url))),
      description: 'folder of the figures',
    },
  } as const
  return main({ name: `npx tsx examples/lecture/${name}.ts`, description }, args, async ({ quick, out }) => {
    await init()
    manualSeed(1)
    console.log(`${description}\n`)
    const file = join(out, `${name}.svg`)
    const finding = await run({
      quick,
      draw: (title, ...panels) => {
        mkdirSync(out, { recursive: true })
        writeFileSync(file, figure(title, panels))
      },
    })
    console.log(`\nfigure: ${file}\n${finding}`)
  })
}

/** Prints rows under the names of the first one's fields; numbers with four digits. */
export function table(rows: Record<string, string | number>[]): void {
  const text = (value: string | number): string =>
    typeof value === 'string' ? value : Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)))
  const names = Object.keys(rows[0] ?? {})
  const cells = [names, ...rows.map((row) => names.map((name) => text(row[name] ?? '')))]
  const widths = names.map((_, i) => Math.max(...cells.map((line) => (line[i] as string).length)))
  const numeric = names.map((name) => rows.every((row) => typeof row[name] !== 'string'))
  for (const line of cells)
    console.log(
      line
        .map((cell, i) => (numeric[i] ? cell.padStart(widths[i] as number) : cell.padEnd(widths[i] as number)))
        .join('  ')
        .trimEnd(),
    )
}

export const percent = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)} %`

/** The share of rows of scores [n, classes] whose largest stands at the label. */
export function accuracy(scores: Tensor, labels: ArrayLike<number>): number {
  const classes = scores.argmax({ axis: 1 }).data()
  return classes.filter((label, i) => label === labels[i]).length / classes.length
}
