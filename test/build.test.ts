// A build does what changed, and no more.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { build, type Step } from '../scripts/build.mjs'

const root = mkdtempSync(join(tmpdir(), 'lanewise-build-'))
afterAll(() => rmSync(root, { recursive: true }))

const file = (name: string) => join(root, name)
const put = (name: string, text: string) => writeFileSync(file(name), text)

/** Joins a.txt with what all.txt is made of. */
const second: Step = { command: 'cat all.txt a.txt > both.txt', reads: ['a.txt', 'all.txt'], writes: ['both.txt'] }
const stages = [
  { first: { command: 'cat ?.txt > all.txt', reads: ['a.txt', 'b.txt'], writes: ['all.txt'] } },
  { second },
]

beforeEach(async () => {
  put('a.txt', 'a')
  put('b.txt', 'b')
  await build(root, stages)
})

test('nothing is done twice', async () => {
  expect(await build(root, stages)).toEqual([])
  expect(readFileSync(file('both.txt'), 'utf8')).toBe('aba')
})

test.each([
  ['a file that is read is another', () => put('b.txt', 'c'), ['first', 'second'], 'aca'],
  ['a file that is read is gone', () => rmSync(file('b.txt')), ['first', 'second'], 'aa'],
  ['a file that was written is another', () => put('both.txt', 'abx'), ['second'], 'aba'],
  ['a file that was written is gone', () => rmSync(file('all.txt')), ['first'], 'aba'],
  ['nobody remembers', () => rmSync(file('build/steps.json')), ['first', 'second'], 'aba'],
  ['memory is broken', () => put('build/steps.json', '{'), ['first', 'second'], 'aba'],
] as const)('what depends on it is done again: %s', async (_, change, done, text) => {
  change()
  expect(await build(root, stages)).toEqual(done)
  expect(readFileSync(file('both.txt'), 'utf8')).toBe(text)
  expect(await build(root, stages)).toEqual([])
})

test('another command is another step', async () => {
  const other = { ...second, command: 'cat a.txt all.txt > both.txt' }
  expect(await build(root, [{ second: other }])).toEqual(['second'])
  expect(readFileSync(file('both.txt'), 'utf8')).toBe('aab')
})

test('of a folder those files are removed that the step writes', async () => {
  const made: Step = { command: 'mkdir -p out && touch out/x.js', reads: ['a.txt'], writes: [['out', /\.js$/]] }
  await build(root, [{ made }])
  put('out/old.js', '')
  put('out/other.txt', '')
  expect(await build(root, [{ made }])).toEqual(['made'])
  expect(await build(root, [{ made: { ...made, command: 'ls out > out/list.js' } }])).toEqual(['made'])
  expect(readFileSync(file('out/list.js'), 'utf8')).toBe('list.js\nother.txt\n')
})

test('a step that fails, or writes nothing, fails the build, this one and the next', async () => {
  for (const [command, message] of [
    ['exit 3', 'exit 3 ended with exit code 3'],
    ['true', 'true wrote no both.txt'],
  ] as const)
    for (let i = 0; i < 2; i++) await expect(build(root, [{ second: { ...second, command } }])).rejects.toThrow(message)
  expect(await build(root, stages)).toEqual(['second'])
})
