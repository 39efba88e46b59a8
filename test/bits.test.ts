// The bits of trainings are those of test/bits/hashes.json, which `npm run bits` compares in every runtime.

import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { host, initializers, schedules } from './bits/app/host.mjs'
import { CHANGED, hashes, STEPS } from './bits/app/models.mjs'

const checkedIn = (): Record<string, string> => JSON.parse(readFileSync('test/bits/hashes.json', 'utf8'))

/** The hashes of a fresh core. Under test:threads parts are as small as can be. */
async function train(steps: number, tileColumns: 8 | 16, threads: number): Promise<Record<string, string>> {
  vi.resetModules()
  // Under test:threads and test:wide init is another.
  vi.doUnmock('../src/start.ts')
  const { dispose, initOn, threads: running } = await import('../src/start.ts')
  const machine = { tileColumns, ...(process.env.MODE === 'threads' ? { leastPart: 1 } : {}) }
  await initOn(machine, { threads })
  const found = await hashes(await import('../src/index.ts'), steps)
  expect(running().count).toBe(threads)
  await dispose()
  return found
}

test.each([1, 2])('trainings have the bits that are checked in, threads: %i', { timeout: 120_000 }, async (threads) => {
  const { mlp, cnn, gpt, mixed } = checkedIn()
  expect(await train(STEPS, 8, threads), CHANGED).toEqual({ mlp, cnn, gpt, mixed })
})

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

test('tiles of 8 and of 16 columns give the same bits', async () => {
  const narrow = await train(12, 8, 1)
  expect(Object.keys(narrow)).toEqual(['mlp', 'cnn', 'gpt', 'mixed'])
  expect(await train(12, 16, 1)).toEqual(narrow)
})
