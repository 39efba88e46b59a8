// Setup of `npm run test:threads`: compiled programs are cut for three threads, however small, and eager commands are
// not, so that every test that compares the two compares parts with the whole, bit by bit. Eager commands are cut on one
// thread, see parts.ts.

import { vi } from 'vitest'
import type * as engine from '../../src/core/engine.ts'
import './parts.ts'

/** What is no object goes on as it is: it should be refused. */
const withThreads = (options: engine.InitOptions): engine.InitOptions =>
  typeof options === 'object' && options !== null ? { threads: 3, ...options } : options

vi.mock('../../src/core/engine.ts', async (original) => {
  const real = await original<typeof engine>()
  return {
    ...real,
    init: (options: engine.InitOptions = {}) =>
      real.initOn({ tileColumns: 8, leastPart: 1, eagerAlone: true }, withThreads(options)),
  }
})
