// init: what it takes, refuses and says; an Error leaves nothing behind.

import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'
import './helpers/guard.ts'
import * as lw from '../src/index.ts'
import { nn, tensor } from '../src/index.ts'

test('init not awaited', () => {
  expect(() => tensor([1])).toThrow('tensor: Lanewise is not ready; await init() first')
  expect(() => lw.zeros([2])).toThrow('full: Lanewise is not ready; await init() first')
  expect(() => new nn.Linear(2, 2)).toThrow(/await init\(\) first/)
  expect(() => lw.compile(() => lw.zeros([1]))()).toThrow('compile: Lanewise is not ready; await init() first')
})

test('init refuses what are no options', async () => {
  for (const options of [null, 5])
    await expect(lw.init(options as never)).rejects.toThrow(
      `init: options are ${options}, expected an object with threads, precision, maxMemory, wasm`,
    )
  await expect(lw.init({ memory: 1 } as never)).rejects.toThrow(
    'init: unknown option memory, expected threads, precision, maxMemory, wasm',
  )
})

test('init tells what the engine lacks from what it forbids', async () => {
  vi.stubGlobal('WebAssembly', undefined)
  await expect(lw.init()).rejects.toThrow(/^init: this engine has no WebAssembly; Node has it without --jitless/)
  vi.unstubAllGlobals()

  class Refused {
    constructor() {
      throw new RangeError('could not allocate memory')
    }
  }
  const reserved = vi.spyOn(WebAssembly, 'Memory').mockImplementation(Refused as never)
  await expect(lw.init({ maxMemory: 2 ** 32 })).rejects.toThrow(
    /^init: maxMemory, 4294967296 bytes, could not be reserved \(could not allocate memory\); pass a smaller one/,
  )
  reserved.mockRestore()

  const started = vi.spyOn(WebAssembly, 'instantiate')
  started.mockRejectedValueOnce(new RangeError('out of memory') as never)
  await expect(lw.init()).rejects.toThrow(/^init: this engine could not start the core \(out of memory\)$/)
  for (const kind of [WebAssembly.CompileError, EvalError]) {
    started.mockRejectedValueOnce(new kind('disallowed') as never)
    await expect(lw.init()).rejects.toThrow(/^init: this place compiles no WebAssembly at run time.* \(disallowed\)$/)
  }
  started.mockRestore()
})

test('init names an address that brings nothing', async () => {
  const wasm = new URL('file:///nowhere/kernels.wasm')
  const error = await lw.init({ wasm }).catch((error) => error)
  expect(error.message).toMatch(
    /^init: file:\/\/\/nowhere\/kernels.wasm could not be fetched \(.+\); in Node pass the bytes of the file$/,
  )
  expect(error.cause).toBeInstanceOf(Error)
})

test.each<[string, string, readonly (readonly [unknown, string])[]]>([
  [
    'threads',
    "a whole number from 1 to 16, or 'auto'",
    [
      ['2', "'2'"],
      [2n, '2n'],
      [true, 'true'],
      [[2], '[2]'],
      [{}, 'Object'],
      [() => 2, 'a function'],
      [Symbol('two'), 'Symbol(two)'],
    ],
  ],
  [
    'precision',
    "'reproducible', 'fast' or 'auto'",
    [
      ['Fast', "'Fast'"],
      ['', "''"],
      [null, 'null'],
      [1, '1'],
      [['fast'], "['fast']"],
    ],
  ],
  [
    'maxMemory',
    'bytes from 1048576 to 4294967296',
    [
      ['1e9', "'1e9'"],
      [Number.NaN, 'NaN'],
      [2 ** 33, '8589934592'],
      [null, 'null'],
      [2n ** 30n, '1073741824n'],
      [Object.create(null), 'Object'],
    ],
  ],
  [
    'wasm',
    'a WebAssembly.Module, bytes, a URL, a Response',
    [
      ['k.wasm', "'k.wasm'"],
      [null, 'null'],
      [[0, 97], '[0, 97]'],
      [new Map(), 'Map'],
    ],
  ],
])('init: %s of another kind', async (name, expected, values) => {
  for (const [value, text] of values)
    await expect(lw.init({ [name]: value })).rejects.toThrow(`init: ${name} is ${text}, expected ${expected}`)
})

test('init refuses what is no core, and can be called again', async () => {
  await expect(lw.init({ maxMemory: 10 })).rejects.toThrow(/init: maxMemory is 10, expected bytes from/)
  await expect(lw.init({ wasm: new Uint8Array([1, 2, 3]) })).rejects.toThrow()
  const empty = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0])
  await expect(lw.init({ wasm: empty })).rejects.toThrow(
    'init: wasm is not a Lanewise core: it exports nothing, expected run',
  )
  await expect(lw.init({ wasm: 'kernels.wasm' as never })).rejects.toThrow(
    "init: wasm is 'kernels.wasm', expected a WebAssembly.Module, bytes, a URL, a Response, or a promise of one of them",
  )
  await expect(lw.init({ wasm: new Response('', { status: 404 }) })).rejects.toThrow(
    'init: the response for wasm came with status 404, expected kernels.wasm',
  )
  await expect(lw.init({ wasm: Promise.resolve(new Response('<!doctype html>')) })).rejects.toThrow(
    'init: wasm is not a WebAssembly module that this engine knows; does its URL lead to kernels.wasm, or to a page?',
  )
  // (module (import "env" "later" (func)) (func (export "run"))), then without the import.
  const run = [3, 2, 1, 0, 7, 7, 1, 3, 0x72, 0x75, 0x6e, 0]
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0]
  const later = [2, 13, 1, 3, 0x65, 0x6e, 0x76, 5, 0x6c, 0x61, 0x74, 0x65, 0x72, 0, 0]
  const body = [10, 4, 1, 2, 0, 0x0b]
  await expect(lw.init({ wasm: Uint8Array.of(...head, ...later, ...run, 1, ...body) })).rejects.toThrow(
    'init: wasm is the core of another version; use kernels.wasm of the same version',
  )
  await expect(lw.init({ wasm: Uint8Array.of(...head, ...run, 0, ...body) })).rejects.toThrow(
    /^init: wasm is the core of another version \(abi 0x0, expected 0x[0-9a-f]+\); use kernels.wasm/,
  )
  const core = Promise.resolve(
    new Response(readFileSync('build/kernels.wasm'), { headers: { 'content-type': 'text/plain' } }),
  )
  await lw.init({ maxMemory: 2 ** 24, wasm: core })
})
