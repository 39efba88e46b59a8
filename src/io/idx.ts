// IDX, the format of MNIST: bytes 0, 0, type, rank; then u32 sizes; then elements. All big-endian.
// http://yann.lecun.com/exdb/mnist

import { checkShape, show } from '../tensor/shape.ts'
import type { NDArray } from '../tensor/types.ts'
import { decode, type StoredDType, storedBytes, swap } from './dtypes.ts'
import { at, chunksOf, type Source, sourceOf } from './source.ts'

const types: Record<number, StoredDType> = { 8: 'u8', 9: 'i8', 11: 'i16', 12: 'i32', 13: 'f32', 14: 'f64' }

/** Reads an IDX file, plain or gzipped. u8 stays u8 (uncopied from plain bytes), smaller integers become i32, f64 becomes
 *  f32. Throws when the file is cut off, goes on after its last element, or claims sizes that its length cannot hold; no
 *  more of it is read, or inflated, than its header says. */
export async function readIdx(source: Source): Promise<NDArray> {
  const open = await sourceOf('readIdx', source)
  const fail = (what: string): never => {
    throw new RangeError(`${at('readIdx', open)}: ${what}`)
  }
  const chunks = chunksOf('readIdx', open)
  try {
    let bytes: Uint8Array = new Uint8Array()
    /** Reads on until there are so many bytes, or no more. */
    const until = async (length: number): Promise<void> => {
      const parts = [bytes]
      let have = bytes.length
      while (have < length) {
        const { done, value } = await chunks.next()
        if (done) break
        parts.push(value)
        have += value.length
      }
      const filled = parts.filter((part) => part.length > 0)
      if (filled.length === 1) bytes = filled[0] as Uint8Array
      else if (filled.length > 1) {
        const all = new Uint8Array(have)
        let start = 0
        for (const part of filled) {
          all.set(part, start)
          start += part.length
        }
        bytes = all
      }
    }
    await until(4)
    if (bytes.length < 4) fail(`the file has ${bytes.length} bytes, expected at least 4; it is cut off`)
    const type = types[bytes[2] as number]
    const rank = bytes[3] as number
    if (bytes[0] !== 0 || bytes[1] !== 0 || !type) {
      return fail(
        `the file starts with bytes ${show([...bytes.subarray(0, 4)])}, expected 0, 0, a type (8, 9, 11 to 14) and the number of axes`,
      )
    }
    // As many as numpy's arrays have.
    if (rank > 32) fail(`the header claims ${rank} axes, expected at most 32`)
    const header = 4 + 4 * rank
    await until(header)
    if (bytes.length < header)
      fail(`the file has ${bytes.length} bytes, expected ${header} for the header of ${rank} axes; it is cut off`)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i))
    const count = shape.reduce((product, size) => product * size, 1)
    const expected = header + count * storedBytes[type]
    const claim = `the header claims shape ${show(shape)} of ${type}, ${expected} bytes in all`
    const { byteLength } = open
    // What is not gzipped has a length to compare, and nothing is gained by reading it first.
    const plain = byteLength !== null && byteLength === bytes.length
    if (plain && byteLength !== expected) fail(`${claim}, but the file has ${byteLength}`)
    checkShape('readIdx', shape)
    // One byte more, to see whether there is one.
    await until(expected + 1)
    if (bytes.length > expected) fail(`${claim}, but the file has ${plain ? bytes.length : 'more'}`)
    if (bytes.length < expected) fail(`${claim}, but the file has ${bytes.length}`)
    const data = bytes.subarray(header)
    if (type === 'u8') return { shape, data }
    const own = data.slice()
    swap(own, storedBytes[type])
    return { shape, data: decode(type, own, fail) }
  } finally {
    await chunks.return(undefined)
  }
}
