// init of lanewise/node. What the pass does to bits: `npm run test:wide`.

import { beforeEach, expect, test, vi } from 'vitest'
import type * as node from '../src/node/index.ts'

let lw: typeof node
beforeEach(async () => {
  vi.resetModules()
  // Under test:wide init is another: here it is what is tested.
  vi.doUnmock('../src/start.ts')
  lw = await import('../src/node/index.ts')
})

const major = Number(process.versions.node.split('.')[0])
const built = (process.config as { variables: Record<string, unknown> }).variables.v8_enable_wasm_simd256_revec === 1
const able = process.arch === 'x64' && [24, 26].includes(major) && built

test('wide: true works where this Node can, and says why where it cannot', async () => {
  if (able) await lw.init({ wide: true })
  else await expect(lw.init({ wide: true })).rejects.toThrow(/init: wide is true, but .* not to be had: .*Node/)
  await lw.init({ wide: 'auto' })
  expect(lw.tensor([1, 2]).add(1).tolist()).toEqual([2, 3])
})

// Needs a Node that can: npm run test:wide runs it on Node 24 and 26.
test.skipIf(!able)('wide after an init of lanewise is refused too, and a failed one leaves no trace', async () => {
  await expect(lw.init({ wide: true, maxMemory: 1 })).rejects.toThrow('maxMemory is 1')
  const { init, runningOn } = await import('../src/start.ts')
  await init()
  expect(runningOn()).toEqual({ tileColumns: 8 })
  await expect(lw.init({ wide: true })).rejects.toThrow(/already runs without it/)
})

test('wide after an init without it is refused, and the core goes on', async () => {
  await lw.init()
  await expect(lw.init({ wide: true })).rejects.toThrow(able ? /already runs without it/ : /not to be had/)
  expect(lw.tensor([1, 2]).add(1).tolist()).toEqual([2, 3])
})

test('wrong options are named', async () => {
  await expect(lw.init({ wide: 'yes' as never })).rejects.toThrow("init: wide is 'yes', expected true, false or 'auto'")
  await expect(lw.init({ width: 2 } as never)).rejects.toThrow(
    'init: unknown option width, expected wide, threads, precision, maxMemory, wasm',
  )
  for (const options of [null, 5])
    await expect(lw.init(options as never)).rejects.toThrow(
      `init: options are ${options}, expected an object with wide, threads, precision, maxMemory, wasm`,
    )
  await lw.init({ maxMemory: 2 ** 26 })
})
