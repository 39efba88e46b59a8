// The core is an ordinary module of AssemblyScript: its loader takes it as it takes any other.

import { readFileSync } from 'node:fs'
import { instantiate } from '@assemblyscript/loader'
import { expect, test } from 'vitest'
import { ABI, fill } from '../src/core/commands.ts'

test('the loader of AssemblyScript instantiates the core, which runs a program on the memory it was given', async () => {
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 16 })
  const { exports } = await instantiate<{
    abi(): number
    heapBase(): number
    run(program: number, failure: number): number
  }>(readFileSync('build/kernels.wasm'), { env: { memory, tileColumns: 8 } as { memory: WebAssembly.Memory } })
  expect(exports.abi() >>> 0).toBe(ABI)
  const program = (exports.heapBase() + 63) & -64
  const out = program + 256
  // fill three elements with the bits of 1.5.
  const { kernel } = fill({ storage: {} as never, offset: 0 }, 0x3fc00000, 3)
  new Int32Array(memory.buffer, program).set([kernel.opcode | (4 << 16), out, 0x3fc00000, 3, 0])
  expect(exports.run(program, out + 64)).toBe(0)
  expect([...new Float32Array(memory.buffer, out, 4)]).toEqual([1.5, 1.5, 1.5, 0])
})
