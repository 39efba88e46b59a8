// docs/accuracy.md has a figure for whatever must be compared with PyTorch.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { losses, nn, optim } from '../src/index.ts'

const text = readFileSync('docs/accuracy.md', 'utf8')

/** Names in the tables of some sections, of rows that have a figure. */
const rows = (...sections: string[]): string[] =>
  sections.flatMap((section) => {
    const [, table = ''] = text.match(new RegExp(`\n## ${section}\n([^]*?)(?=\n## |$)`)) ?? []
    return [...table.matchAll(/^\| (\w+) \|(.*\d.*)$/gm)].map(([, name]) => name as string)
  })

const functions = (exported: object, ...without: unknown[]): string[] =>
  Object.entries(exported).flatMap(([name, value]) =>
    typeof value === 'function' && !without.includes(value) ? [name] : [],
  )

const layers = functions(nn, nn.Module, nn.Sequential, nn.ModuleList, nn.ModuleDict).filter(
  (name) => nn[name as 'Linear'].prototype instanceof nn.Module,
)

test.each([
  ['layer', layers, rows('Layers')],
  ['loss', functions(losses), rows('Losses')],
  [
    'optimizer, schedule and function of optim',
    functions(optim, optim.Optimizer, optim.ParameterGroups, optim.Schedule),
    rows('Optimizers', 'Schedules'),
  ],
])(
  'every %s has a figure in docs/accuracy.md; else add a case to test/pytorch, run that and scripts/accuracy.mjs',
  (_, names, found) => {
    expect(names.length).toBeGreaterThan(10)
    expect(names.filter((name) => !found.includes(name))).toEqual([])
  },
)
