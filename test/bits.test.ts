// The bits of trainings are those of test/bits/hashes.json, which `npm run bits` compares in every runtime.

import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import type { Machine } from '../src/start.ts'
import { host, initializers, schedules } from './bits/app/host.mjs'
import { CHANGED, hashes, STEPS } from './bits/app/models.mjs'
import { long } from './helpers/long.ts'

const checkedIn = (): Record<string, string> => JSON.parse(readFileSync('test/bits/hashes.json', 'utf8'))

/** The hashes of a fresh core. */
async function train(steps: number, machine: Machine, threads: number): Promise<Record<string, string>> {
  vi.resetModules()
  const { dispose, initOn, threads: running } = await import('../src/start.ts')
  await initOn(machine, { threads })
  const found = await hashes(await import('../src/index.ts'), steps)
  expect(running().count).toBe(threads)
  await dispose()
  return found
}

// With more threads, and elsewhere: `npm run bits`.
test.each(long ? [1, 2] : [1])(
  'trainings have the bits that are checked in, threads: %i',
  { timeout: 120_000 },
  async (threads) => {
    const { mlp, cnn, gpt, mixed } = checkedIn()
    expect(await train(STEPS, { tileColumns: 8 }, threads), CHANGED).toEqual({ mlp, cnn, gpt, mixed })
  },
)

test('what the host computes has the bits that are checked in', async () => {
  const { mlp, cnn, gpt, mixed, ...expected } = checkedIn()
  const lanewise = await import('../src/index.ts')
  await lanewise.init()
  expect(await host(lanewise, await import('../src/learn/index.ts')), CHANGED).toEqual(expected)
})

test('npm run bits leaves out no schedule and no initializer', async () => {
  const { nn, optim } = await import('../src/index.ts')
  expect(
    Object.keys(optim)
      .filter((name) => /LR|ChainedScheduler|Restarts/.test(name))
      .sort(),
  ).toEqual(Object.keys(schedules).sort())
  const none = ['calculateGain']
  expect(
    Object.keys(nn.init)
      .filter((name) => !none.includes(name))
      .sort(),
  ).toEqual(Object.keys(initializers).sort())
})

test('tiles of 16 columns, and parts as small as can be, change no bit', { timeout: 120_000 }, async () => {
  const steps = long ? STEPS : 12
  const narrow = await train(steps, { tileColumns: 8 }, 1)
  expect(Object.keys(narrow)).toEqual(['mlp', 'cnn', 'gpt', 'mixed'])
  expect(await train(steps, { tileColumns: 16 }, 1)).toEqual(narrow)
  expect(await train(steps, { tileColumns: 8, leastPart: 1 }, 2)).toEqual(narrow)
})
