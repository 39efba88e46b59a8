// The bits of trainings are those of test/bits/hashes.json, which `npm run bits` compares in every runtime.

import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { CHANGED, hashes, STEPS } from './bits/app/models.mjs'

/** The hashes of a fresh core. Under test:threads parts are as small as can be. */
async function train(steps: number, tileColumns: 8 | 16, threads: number): Promise<Record<string, string>> {
  vi.resetModules()
  // Under test:threads and test:wide init is another.
  vi.doUnmock('../src/core/engine.ts')
  const { dispose, initOn, threads: running } = await import('../src/core/engine.ts')
  const machine = { tileColumns, ...(process.env.MODE === 'threads' ? { leastPart: 1 } : {}) }
  await initOn(machine, { threads })
  const found = await hashes(await import('../src/index.ts'), steps)
  expect(running().count).toBe(threads)
  await dispose()
  return found
}

test.each([1, 2])('trainings have the bits that are checked in, threads: %i', { timeout: 120_000 }, async (threads) => {
  const found = await train(STEPS, 8, threads)
  expect(found, CHANGED).toEqual(JSON.parse(readFileSync('test/bits/hashes.json', 'utf8')))
})

test('tiles of 8 and of 16 columns give the same bits', async () => {
  const narrow = await train(12, 8, 1)
  expect(Object.keys(narrow)).toEqual(['mlp', 'cnn', 'gpt', 'mixed'])
  expect(await train(12, 16, 1)).toEqual(narrow)
})
