// Setup of `npm run test:wide`: every test runs with tiles of 16 columns, and V8's 256-bit pass where this Node has it.

import { setFlagsFromString } from 'node:v8'
import { vi } from 'vitest'
import type * as engine from '../../src/core/engine.ts'

setFlagsFromString('--experimental-wasm-revectorize')
vi.mock('../../src/core/engine.ts', async (original) => {
  const real = await original<typeof engine>()
  return { ...real, init: (options: engine.InitOptions = {}) => real.initOn({ tileColumns: 16 }, options) }
})
