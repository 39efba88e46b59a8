import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blockSize, Memory } from '../src/core/memory.ts'

const make = (limit = 2 ** 24) =>
  new Memory(new WebAssembly.Memory({ initial: 1, maximum: limit / 65536 }), limit, 1000)

describe('the allocator', () => {
  test('wastes at most a quarter of a block beyond its alignment', () => {
    for (let bytes = 0; bytes < 1e6; bytes += 1 + (bytes >> 4)) {
      const size = blockSize(bytes)
      expect(size).toBeGreaterThanOrEqual(bytes)
      expect(size % 64).toBe(0)
      expect(size).toBeLessThanOrEqual(Math.max(64, 1.25 * (bytes + 64)))
    }
  })
  test('gives aligned blocks that never overlap, and takes back all of them', () => {
    const request = fc.oneof(fc.nat(5000), fc.constant(-1))
    fc.assert(
      fc.property(fc.array(request, { maxLength: 200 }), (requests) => {
        const memory = make()
        const live: { at: number; bytes: number }[] = []
        for (const bytes of requests) {
          const freed = bytes < 0 ? live.shift() : undefined
          if (freed) memory.free(freed.at)
          if (bytes < 0) continue
          const at = memory.allocate(bytes, 'test')
          expect(at % 64).toBe(0)
          expect(at).toBeGreaterThanOrEqual(1000)
          expect(at + bytes + 64).toBeLessThanOrEqual(memory.u8.length)
          for (const other of live) expect(at + bytes <= other.at || other.at + other.bytes <= at).toBe(true)
          live.push({ at, bytes })
        }
        for (const { at } of live) memory.free(at)
        expect(memory.stats().used).toBe(0)
      }),
    )
  })
  test('uses freed blocks again instead of growing', () => {
    const memory = make()
    for (let i = 0; i < 1000; i++) memory.free(memory.allocate(50_000, 'test'))
    expect(memory.stats().reserved).toBeLessThan(200_000)
  })
  test('says who holds what when memory is exhausted, and goes on with what is left', () => {
    const memory = make(2 ** 20)
    const big = memory.allocate(700_000, 'weights')
    expect(() => memory.allocate(600_000, 'matmul')).toThrow(
      /^matmul: out of memory: asked for 0.66 MB, in use 0.79 MB, limit 1.05 MB \(init's maxMemory\). Biggest: weights 0.79 MB. Free values/,
    )
    expect(memory.stats().used).toBe(blockSize(700_000))
    memory.allocate(1000, 'small')
    memory.free(big)
    memory.allocate(650_000, 'again')
  })
  test('refuses to free what is no block', () => {
    const memory = make()
    const at = memory.allocate(10, 'test')
    memory.free(at)
    expect(() => memory.free(at)).toThrow(`Memory.free: no block starts at address ${at}`)
  })
})
