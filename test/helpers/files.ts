// Which files of tests a mode of Vitest runs, by what is written in them: no list to forget a file in.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const all = (): string[] =>
  readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
    .map((file) => join('test', file))
    .sort()

const having = (words: RegExp): string[] => all().filter((file) => words.test(readFileSync(file, 'utf8')))

/** Those that run kernels in this process, on the core that `init()` gives: it is the first that they do, and what the
 *  modes of wide, fast and threads replace. Others are the same in these modes. */
export const filesOfKernels = (): string[] => having(/^beforeAll\((async )?\(\) => (\{\s+await )?[\w.]*\binit\(/m)

/** Those with a long form. */
export const filesOfFuzz = (): string[] => having(/'(\.\.?\/)*helpers\/(long|drawn)\.ts'/)
