// Setup of `npm run test:threads`: compiled programs are cut for three threads, however small, and eager commands are
// not, so that every test that compares the two compares parts with the whole, bit by bit. Eager commands are cut on one
// thread, see parts.ts.

import { vi } from 'vitest'
import type * as start from '../../src/start.ts'
import './parts.ts'

/** What is no object goes on as it is: it should be refused. */
const withThreads = (options: start.InitOptions): start.InitOptions =>
  typeof options === 'object' && options !== null ? { threads: 3, ...options } : options

vi.mock('../../src/start.ts', async (original) => {
  const real = await original<typeof start>()
  return {
    ...real,
    init: (options: start.InitOptions = {}) =>
      real.initOn({ tileColumns: 8, leastPart: 1, eagerAlone: true }, withThreads(options)),
  }
})
