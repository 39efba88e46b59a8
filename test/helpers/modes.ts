// Setup of `npm run test:wide` (mode wide: tiles of 16 columns, and V8's 256-bit pass where this Node has it) and of `npm
// run test:fast` (modes fast and wide-fast: the fast core): every test runs so.

import { setFlagsFromString } from 'node:v8'
import { vi } from 'vitest'
import type { Precision } from '../../src/core/precision.ts'
import type * as start from '../../src/start.ts'

const { MODE } = (import.meta as unknown as { env: { MODE: string } }).env
const wide = MODE.startsWith('wide')
const precision: Precision = MODE.endsWith('fast') ? 'fast' : 'reproducible'

if (wide) setFlagsFromString('--experimental-wasm-revectorize')
vi.mock('../../src/start.ts', async (original) => {
  const real = await original<typeof start>()
  const init = (options: start.InitOptions = {}) => {
    // Tests that bring a core bring the reproducible one; some bring no options at all.
    const given = options?.wasm || typeof options !== 'object' || !options ? options : { precision, ...options }
    return real.initOn({ tileColumns: wide ? 16 : 8 }, given)
  }
  return { ...real, init }
})
