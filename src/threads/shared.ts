// What threads need of a place before there are any: cores, memory that is shared, a core that takes it.

import { cores, obstacle } from '#workers'
import { written } from '../checks.ts'
import { newMemory } from '../core/module.ts'
import { MAX_THREADS } from './walk.ts'

/** How many threads there will be where so many are asked for, and why. */
export function available(asked: number | 'auto'): { threads: number; reason: string } {
  if (asked !== 'auto' && !(Number.isInteger(asked) && asked >= 1 && asked <= MAX_THREADS)) {
    throw new RangeError(
      `init: threads is ${written(asked)}, expected a whole number from 1 to ${MAX_THREADS}, or 'auto'`,
    )
  }
  const place = obstacle()
  if (place !== null) return { threads: 1, reason: place }
  const present = cores()
  const all = `${present} core${present === 1 ? '' : 's'}`
  if (asked === 'auto') return { threads: Math.min(present, MAX_THREADS), reason: `one for each of ${all}` }
  return { threads: asked, reason: `as asked, on ${all}` }
}

const LEAST_PAGES = 4096

/** Shared memory of so many pages; where nobody wished for them, and they are not to be had at once, half, and so on. */
export function reserve(pages: number, yielding: boolean): WebAssembly.Memory {
  try {
    return newMemory(pages, pages, true)
  } catch (error) {
    if (!yielding || pages <= LEAST_PAGES) throw error
    return reserve(pages / 2, yielding)
  }
}

/** The core with its memory import marked as shared, one bit: nothing else sets a core for threads apart from one
 *  without. Bytes that are no core come back as they are: compiling them tells. */
export function share(source: WebAssembly.Module | BufferSource): BufferSource {
  if (source instanceof WebAssembly.Module) {
    throw new TypeError(
      'init: wasm is a compiled WebAssembly.Module, for one thread; with threads pass bytes, a URL or a Response',
    )
  }
  const bytes = ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength).slice()
    : new Uint8Array(source).slice()
  const memory = [3, ...'env'].concat(6, ...'memory', 2).map((x) => (typeof x === 'string' ? x.charCodeAt(0) : x))
  const at = bytes.findIndex((_, i) => memory.every((byte, j) => bytes[i + j] === byte))
  const limits = at + memory.length
  // 1: it may grow, to a given size; 3: it is shared besides.
  if (at >= 0 && bytes[limits] === 1) bytes[limits] = 3
  return bytes
}
