// Guard bands around every block of linear memory, and NaN in what nobody has written yet: a kernel that
// writes outside its output, or lets memory that is not its input into a result, fails the test that ran it.

import { afterAll, afterEach, expect } from 'vitest'
import type { Command } from '../../src/core/command.ts'
import { families as kernels } from '../../src/core/commands.ts'
import { Engine } from '../../src/core/engine.ts'
import { Memory } from '../../src/core/memory.ts'
import { rules } from '../../src/threads/rules.ts'
import { fillCanary, isCanary } from './canary.ts'
import { cut } from './parts.ts'

const BAND = 64

const guarded = new Map<Memory, Map<number, { bytes: number; owner: string }>>()
const { allocate, free } = Memory.prototype

Memory.prototype.allocate = function (bytes, owner) {
  const padded = Math.ceil(bytes / BAND) * BAND
  const base = allocate.call(this, padded + 2 * BAND, owner)
  fillCanary(this, base, base + padded + 2 * BAND)
  const blocks = guarded.get(this) ?? new Map()
  guarded.set(this, blocks.set(base + BAND, { bytes, owner }))
  return base + BAND
}

Memory.prototype.free = function (address) {
  checkBlock(this, address)
  guarded.get(this)?.delete(address)
  free.call(this, address - BAND)
}

function checkBlock(memory: Memory, address: number): void {
  const block = guarded.get(memory)?.get(address)
  if (!block) throw new Error(`guard: no block at ${address}`)
  const { bytes, owner } = block
  const end = address + Math.ceil(bytes / BAND) * BAND
  if (!isCanary(memory, address - BAND, address))
    throw new Error(`guard: bytes before a block of ${owner} were written`)
  if (!isCanary(memory, address + bytes, end + BAND))
    throw new Error(`guard: bytes after a block of ${owner} (${bytes} bytes) were written`)
}

/** Throws when any guard band was written to. */
export function checkGuards(): void {
  for (const [memory, blocks] of guarded) for (const address of blocks.keys()) checkBlock(memory, address)
}

afterEach(() => {
  expect(checkGuards).not.toThrow()
})

const ran = new Set<string>()
const { runNow } = Engine.prototype
Engine.prototype.runNow = function (command: Command) {
  ran.add(command.kernel.name)
  runNow.call(this, command)
}

/** Says that the tests of this file run every kernel of these families (files of assembly/kernels), in 2, 3 and 7 parts
 *  too where threads have a rule for it, and fails the file when they do not. test/structure.test.ts asks that each
 *  family is covered by one file. */
export function covers(...families: string[]): void {
  afterAll(() => {
    const own = families.flatMap((family) => kernels[family] ?? [`no family ${family}`])
    const idle = own.filter((kernel) => !ran.has(kernel))
    expect(idle, 'kernels that no test of this file ran').toEqual([])
    // stridedWrite is never cut; its rule tells what it touches.
    const whole = own.filter(
      (kernel) =>
        typeof rules[kernel] === 'function' &&
        kernel !== 'stridedWrite' &&
        ![2, 3, 7].every((parts) => cut.get(kernel)?.has(parts)),
    )
    expect(whole, 'kernels that no test of this file cut into 2, 3 and 7 parts').toEqual([])
  })
}
