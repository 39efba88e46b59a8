// The guards of other tests see every byte.

import { beforeAll, expect, test } from 'vitest'
import { fill } from '../src/core/commands.ts'
import { currentEngine, newHeldStorage } from '../src/core/engine.ts'
import * as lw from '../src/index.ts'
import { fillCanary, isCanary } from './helpers/canary.ts'
import { checkGuards } from './helpers/guard.ts'

beforeAll(() => lw.init())

test('a canary is of any bytes, and of no others', () => {
  const i32 = new Int32Array(8)
  const views = { i32, u8: new Uint8Array(i32.buffer) }
  for (let from = 0; from <= 12; from++)
    for (let to = from; to <= from + 13; to++) {
      views.u8.fill(1)
      fillCanary(views, from, to)
      expect(isCanary(views, from, to)).toBe(true)
      expect(views.u8.every((byte, at) => (byte === 1) === (at < from || at >= to))).toBe(true)
      for (let at = from; at < to; at++) {
        views.u8[at] = (views.u8[at] as number) ^ 16
        expect(isCanary(views, from, to)).toBe(false)
        views.u8[at] = (views.u8[at] as number) ^ 16
      }
    }
})

test('a kernel that writes beside its output is found', () => {
  const engine = currentEngine('test')
  const storage = newHeldStorage(20, 'nn.Linear')
  expect(checkGuards).not.toThrow()
  const at = storage.address
  for (const [offset, message] of [
    [-4, 'guard: bytes before a block of nn.Linear were written'],
    [20, 'guard: bytes after a block of nn.Linear (20 bytes) were written'],
    [124, 'guard: bytes after a block of nn.Linear (20 bytes) were written'],
  ] as const) {
    const was = engine.memory.i32[(at + offset) >> 2] as number
    engine.runNow(fill({ storage, offset }, 0, 1))
    expect(checkGuards).toThrow(message)
    engine.memory.i32[(at + offset) >> 2] = was
    expect(checkGuards).not.toThrow()
  }
})
