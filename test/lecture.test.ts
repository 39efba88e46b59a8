// The lecture runs, short, and finds what it says: the figures of the whole runs are in examples/lecture/README.md.

import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { looks, methods, type Proof, proofs } from '../examples/lecture/proofs.ts'
import { install } from '../scripts/install.mjs'
import { long } from './helpers/long.ts'

const lessons = readdirSync('examples/lecture').filter((file) => /^\d\d[a-z]?-.*\.ts$/.test(file))
/** Those with this in their names are run: a process each, 40 s in all. */
const only = long ? '' : '02'
const out = mkdtempSync(join(tmpdir(), 'lanewise-lecture-'))
afterAll(() => rmSync(out, { recursive: true }))

const printed = (lesson: string): string => readFileSync(join(out, `${lesson}.txt`), 'utf8')
/** The number after some words of what a lesson prints. */
const number = (lesson: string, words: RegExp): number => Number(printed(lesson).match(words)?.[1])

const run = (...options: string[]) =>
  promisify(execFile)(process.execPath, ['--import', 'tsx', 'examples/lecture/run.ts', ...options])

beforeAll(async () => {
  // Two of them read Moby-Dick.
  if (long) await install('examples/chars/text')
  await run('--quick', '--out', out, ...(only ? ['--only', only] : []))
}, 240_000)

test('each lesson has fewer than a hundred lines, and a place in the README', () => {
  const readme = readFileSync('examples/lecture/README.md', 'utf8')
  expect(new Set(lessons.map((file) => file.slice(0, 2))).size).toBe(10)
  for (const file of lessons) {
    expect(readFileSync(join('examples/lecture', file), 'utf8').trimEnd().split('\n').length, file).toBeLessThan(100)
    expect(readme, file).toContain(`(${file})`)
  }
})

test.each(lessons.filter((file) => file.includes(only)))('%s prints and draws numbers', (file) => {
  const lesson = file.replace('.ts', '')
  const figure = readFileSync(join(out, `${lesson}.svg`), 'utf8')
  expect(figure).toMatch(/^<svg [\s\S]*<\/svg>\n$/)
  for (const text of [figure, printed(lesson)]) expect(text).not.toMatch(/NaN|undefined|Infinity/)
  expect(printed(lesson)).not.toMatch(/Warning/)
})

test('closed form, gradient and descent agree', () => {
  expect(number('02a-linear-regression', /gradient descent is ([\d.e-]+) from/)).toBeLessThan(1e-4)
  expect(number('02a-linear-regression', /differ by ([\d.e+-]+)/)).toBeLessThan(1e-6)
  expect(printed('02a-linear-regression')).toContain('x [442, 11] has rank 10')
  if (!long) return
  expect(number('08-backpropagation', /tape's \(f32\) by ([\d.e-]+)/)).toBeLessThan(1e-5)
  expect(number('08-backpropagation', /quotients \(f64\) by ([\d.e-]+)/)).toBeLessThan(1e-8)
  expect(number('06-losses', /apart by ([\d.e-]+)/)).toBeLessThan(1e-6)
})

test('no key word of a test proof stood with its claim, or in its sentence, in training', () => {
  const { train, test: unseen } = proofs()
  const pairs = ({ text }: Proof): string[] => {
    const [claim, sentence] = text.split('; ') as [string, string]
    const key = [...methods, ...looks].find((words) => sentence.includes(words)) as string
    return [`${claim} + ${key}`, `${sentence.replace(key, '…')} + ${key}`]
  }
  const seen = new Set(train.flatMap(pairs))
  expect(unseen.length).toBeGreaterThan(50)
  expect(unseen.flatMap(pairs).filter((pair) => seen.has(pair))).toEqual([])
  // Both kinds, about as often.
  for (const list of [train, unseen]) expect(list.filter(({ label }) => label).length / list.length).toBeCloseTo(0.5, 1)
})

test.runIf(long)('models do as well as the lecture says', () => {
  for (const kind of ['ReLU', 'tanh'])
    expect(number('04-approximation', new RegExp(`${kind} neurons \\((\\d\\.\\d+)\\)`)), kind).toBeLessThan(0.01)
  expect(number('05-representations', /\n([\d.]+) % of 64 unseen proofs right/)).toBeGreaterThanOrEqual(90)
  expect(printed('05-representations')).toMatch(/hears [\w, -]*obvious|hears [\w, -]*well-known/)
  const [autoencoder, pca] = [/autoencoder ([\d.]+), PCA/, /, PCA ([\d.]+)/].map((words) =>
    number('09b-components', words),
  )
  expect(autoencoder).toBeLessThan(pca as number)
  // Sixty steps of a small GPT know more than how often characters occur.
  const [bits, singles] = [/\n([\d.]+) bits/, /single characters ([\d.]+)/].map((words) => number('10d-gpt', words))
  expect(bits).toBeLessThan(singles as number)
})

test('a lesson that is not there, or fails, is said so', async () => {
  await expect(run('--only', 'quantum')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('--only quantum names no lesson'),
  })
})
