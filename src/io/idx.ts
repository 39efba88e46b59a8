// IDX, the format of MNIST: bytes 0, 0, type, rank; then u32 sizes; then elements. All big-endian.
// http://yann.lecun.com/exdb/mnist

import { checkShape, show } from '../tensor/shape.ts'
import type { NDArray } from '../tensor/types.ts'
import { bytesFrom, type Source } from './source.ts'

const types: Record<number, { name: string; bytes: number }> = {
  8: { name: 'u8', bytes: 1 },
  9: { name: 'i8', bytes: 1 },
  11: { name: 'i16', bytes: 2 },
  12: { name: 'i32', bytes: 4 },
  13: { name: 'f32', bytes: 4 },
  14: { name: 'f64', bytes: 8 },
}

/** Reads an IDX file, plain or gzipped, from bytes, a Blob, or a Response. u8 stays u8 (uncopied from plain
 *  bytes), smaller integers become i32, f64 becomes f32. Throws when the file is cut off, goes on after its
 *  last element, or claims sizes that its length cannot hold. */
export async function readIdx(source: Source): Promise<NDArray> {
  const bytes = await bytesFrom('readIdx', source)
  const fail = (what: string): never => {
    throw new RangeError(`readIdx: ${what}`)
  }
  if (bytes.length < 4) fail(`the file has ${bytes.length} bytes, expected at least 4; it is cut off`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const type = types[view.getUint8(2)]
  const rank = view.getUint8(3)
  if (view.getUint16(0) !== 0 || !type) {
    return fail(
      `the file starts with bytes ${show([...bytes.subarray(0, 4)])}, expected 0, 0, a type (8, 9, 11 to 14) and the number of axes`,
    )
  }
  const header = 4 + 4 * rank
  if (bytes.length < header)
    fail(`the file has ${bytes.length} bytes, expected ${header} for the header of ${rank} axes; it is cut off`)
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i))
  const count = shape.reduce((product, size) => product * size, 1)
  const expected = header + count * type.bytes
  if (bytes.length !== expected)
    fail(
      `the header claims shape ${show(shape)} of ${type.name}, ${expected} bytes in all, but the file has ${bytes.length}`,
    )
  checkShape('readIdx', shape)
  if (type.name === 'u8') return { shape, data: bytes.subarray(header) }
  const at = (i: number) => header + i * type.bytes
  const read: Record<string, (i: number) => number> = {
    i8: (i) => view.getInt8(at(i)),
    i16: (i) => view.getInt16(at(i)),
    i32: (i) => view.getInt32(at(i)),
    f32: (i) => view.getFloat32(at(i)),
    f64: (i) => view.getFloat64(at(i)),
  }
  const data = type.name.startsWith('f') ? new Float32Array(count) : new Int32Array(count)
  const element = read[type.name] as (i: number) => number
  for (let i = 0; i < count; i++) data[i] = element(i)
  return { shape, data }
}
