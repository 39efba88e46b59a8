// Setup of `npm run test:threads`: compiled programs are cut for three threads, however small, and eager commands are
// not, so that every test that compares the two compares parts with the whole, bit by bit.

import { vi } from 'vitest'
import type * as engine from '../../src/core/engine.ts'

vi.mock('../../src/core/engine.ts', async (original) => {
  const real = await original<typeof engine>()
  return {
    ...real,
    init: (options: engine.InitOptions = {}) =>
      real.initOn({ tileColumns: 8, leastPart: 1, eagerAlone: true }, { threads: 3, ...options }),
  }
})
