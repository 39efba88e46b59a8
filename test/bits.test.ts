// The bits of trainings are those of test/bits/hashes.json, which `npm run bits` compares in every runtime.

import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import { CHANGED, hashes, STEPS } from './bits/app/models.mjs'

/** Under test:threads parts are as small as can be. */
const threads = process.env.MODE === 'threads' ? 3 : 1

/** The hashes of a fresh core with tiles of the given width. */
async function withTiles(tileColumns: 8 | 16, steps: number): Promise<Record<string, string>> {
  vi.resetModules()
  // Under test:threads and test:wide init is another.
  vi.doUnmock('../src/core/engine.ts')
  const { initOn } = await import('../src/core/engine.ts')
  await initOn({ tileColumns, ...(threads > 1 ? { leastPart: 1 } : {}) }, { threads })
  return hashes(await import('../src/index.ts'), steps)
}

test('trainings have the bits that are checked in', { timeout: 120_000 }, async () => {
  const found = await withTiles(8, STEPS)
  expect(found, CHANGED).toEqual(JSON.parse(readFileSync('test/bits/hashes.json', 'utf8')))
})

test('tiles of 8 and of 16 columns give the same bits', async () => {
  const narrow = await withTiles(8, 12)
  expect(Object.keys(narrow)).toEqual(['mlp', 'cnn', 'gpt', 'mixed'])
  expect(await withTiles(16, 12)).toEqual(narrow)
})
