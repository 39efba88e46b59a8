// init({ precision }): which core runs, and what is said where it cannot. What the fast core computes: `npm run test:fast`.

import { readFileSync } from 'node:fs'
import { beforeEach, expect, test, vi } from 'vitest'
import type * as lanewise from '../src/index.ts'

let lw: typeof lanewise
beforeEach(async () => {
  vi.resetModules()
  vi.restoreAllMocks()
  vi.doUnmock('#kernels')
  // Under test:fast init is another: here it is what is tested.
  vi.doUnmock('../src/start.ts')
  lw = await import('../src/index.ts')
})

const relaxed = readFileSync('build/kernels-relaxed.wasm')
const plain = readFileSync('build/kernels.wasm')
/** Node 20 refuses relaxed SIMD: npm run test:fast runs what needs it, on Node 24. */
const able = WebAssembly.validate(relaxed)

/** (1 + 2^-12)² - 1, in a product of matrices: 2^-11 + 2^-24, of which the last digit is lost where the square is rounded. */
function squareLessOne(): number {
  const x = 1 + 2 ** -12
  return lw.matmul(lw.tensor([[-1, x]]), lw.tensor([[1], [x]])).item()
}
const ROUNDED = 2 ** -11
const FUSED = 2 ** -11 + 2 ** -24

test('reproducible unless asked', async () => {
  expect(() => lw.precision()).toThrow('precision: Lanewise is not ready; await init() first')
  await expect(lw.init({ precision: 'quick' as never })).rejects.toThrow(
    "init: precision is 'quick', expected 'reproducible', 'fast' or 'auto'",
  )
  await lw.init()
  expect(lw.precision()).toBe('reproducible')
  expect(squareLessOne()).toBe(ROUNDED)
})

test('fast where the engine can, an Error where it cannot', async () => {
  if (able) {
    await lw.init({ precision: 'fast' })
    expect(lw.precision()).toBe('fast')
    expect(squareLessOne()).toBe(FUSED)
  } else {
    await expect(lw.init({ precision: 'fast' })).rejects.toThrow(
      /^init: precision is 'fast', but this engine has no relaxed SIMD/,
    )
    await lw.init()
    expect(squareLessOne()).toBe(ROUNDED)
  }
})

test('auto takes what there is', async () => {
  await lw.init({ precision: 'auto' })
  expect(lw.precision()).toBe(able ? 'fast' : 'reproducible')
  expect(squareLessOne()).toBe(able ? FUSED : ROUNDED)
})

test('an engine without relaxed SIMD', async () => {
  vi.spyOn(WebAssembly, 'validate').mockReturnValue(false)
  await expect(lw.init({ precision: 'fast' })).rejects.toThrow(
    /no relaxed SIMD.*precision: 'auto' takes the reproducible/,
  )
  await lw.init({ precision: 'auto' })
  expect(lw.precision()).toBe('reproducible')
})

// Needs an engine that can: npm run test:fast runs it on Node 24.
test.skipIf(!able)('a core that is not there', async () => {
  vi.doMock('#kernels', () => ({
    kernels: () => plain,
    relaxedKernels: () => new URL('file:///nowhere/kernels-relaxed.wasm'),
  }))
  vi.resetModules()
  lw = await import('../src/index.ts')
  await expect(lw.init({ precision: 'fast' })).rejects.toThrow(
    /^init: precision is 'fast', but its core, kernels-relaxed.wasm .* is not to be had here \(.+\); pass it: init/,
  )
  await lw.init({ precision: 'auto' })
  expect(lw.precision()).toBe('reproducible')
})

test.skipIf(!able)('a core that is passed is the one that was asked for', async () => {
  await expect(lw.init({ wasm: relaxed })).rejects.toThrow(
    "init: wasm is the fast core, but precision is 'reproducible'; pass kernels.wasm, or precision: 'fast'",
  )
  await expect(lw.init({ wasm: plain, precision: 'fast' })).rejects.toThrow(
    "init: wasm is the reproducible core, but precision is 'fast'; pass kernels-relaxed.wasm, or precision: 'reproducible'",
  )
  await lw.init({ wasm: relaxed, precision: 'auto' })
  expect(lw.precision()).toBe('fast')
})

test('in an edge runtime the core is passed', async () => {
  for (const [runtime, file] of [
    ['workerd', 'kernels-relaxed.wasm'],
    ['edge-light', 'kernels-relaxed.wasm?module'],
  ])
    expect(readFileSync(`dist/kernels/${runtime}.js`, 'utf8')).toContain(
      `here it is a module that you import, lanewise/${file}`,
    )
})
