// The bits of a training do not depend on the width of tiles. `npm run bits` compares runtimes.

import { expect, test, vi } from 'vitest'
import { hashes } from './bits/models.mjs'

/** The hashes of a fresh core with tiles of the given width. */
async function withTiles(tileColumns: 8 | 16): Promise<Record<string, string>> {
  vi.resetModules()
  const { initOn } = await import('../src/core/engine.ts')
  await initOn({ tileColumns }, {})
  return hashes(await import('../src/index.ts'), 12)
}

test('tiles of 8 and of 16 columns give the same bits', async () => {
  const narrow = await withTiles(8)
  expect(Object.keys(narrow)).toEqual(['mlp', 'cnn', 'gpt'])
  expect(await withTiles(16)).toEqual(narrow)
})
