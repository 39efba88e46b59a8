// Bytes by which it shows that nobody wrote them: a quiet NaN that no computation gives, over and over.

import type { Memory } from '../../src/core/memory.ts'

const CANARY = 0x7fc0dead

type Views = Pick<Memory, 'i32' | 'u8'>

const byteOf = (address: number): number => (CANARY >>> (8 * (address % 4))) & 255

/** The whole words between two addresses. */
function words(from: number, to: number): readonly [first: number, last: number] {
  const first = Math.min(Math.ceil(from / 4) * 4, to)
  return [first, Math.max(Math.floor(to / 4) * 4, first)]
}

/** Fills the bytes from one address to another. */
export function fillCanary({ i32, u8 }: Views, from: number, to: number): void {
  const [first, last] = words(from, to)
  for (let at = from; at < first; at++) u8[at] = byteOf(at)
  i32.fill(CANARY, first / 4, last / 4)
  for (let at = last; at < to; at++) u8[at] = byteOf(at)
}

/** Whether all of these bytes are as fillCanary left them. */
export function isCanary({ i32, u8 }: Views, from: number, to: number): boolean {
  const [first, last] = words(from, to)
  for (let at = from; at < first; at++) if (u8[at] !== byteOf(at)) return false
  for (let word = first / 4; word < last / 4; word++) if (i32[word] !== CANARY) return false
  for (let at = last; at < to; at++) if (u8[at] !== byteOf(at)) return false
  return true
}
