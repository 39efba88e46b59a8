// ZIP files in memory. The directory is read here and the data inflated by fflate, whose own reader looks at no checksum,
// takes entries that overlap, and allocates what a header claims.
// https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

import { check, whole } from '../checks.ts'
import type { Bytes } from '../tensor/types.ts'

/** Deflate makes a byte of at most 1032. */
const MOST_RATIO = 1032

interface Entry {
  name: string
  method: number
  crc: number
  packed: number
  size: number
  /** Where its data starts and ends in the file. */
  start: number
  end: number
}

/** The files inside by name, each a function that inflates it. Throws where the file is cut off or contradicts itself,
 *  where entries overlap, and where they claim more than `maxBytes` together. */
export async function readZip(
  caller: string,
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Map<string, () => Uint8Array>> {
  check(caller, 'maxBytes', maxBytes, whole(0))
  const { inflateSync } = await import('fflate')
  const fail = (what: string): never => {
    throw new Error(`${caller}: ${what}`)
  }
  const entries = directory(bytes, fail)
  const total = entries.reduce((sum, { size }) => sum + size, 0)
  if (total > maxBytes)
    fail(`the files inside claim ${total} bytes, expected at most maxBytes, ${maxBytes}; raise it where this is meant`)
  const files = new Map<string, () => Uint8Array>()
  for (const { name, method, crc, size, start, end } of entries) {
    if (files.has(name)) fail(`the file names ${quoted(name)} twice`)
    files.set(name, () => {
      let data = bytes.subarray(start, end)
      if (method === 8) {
        try {
          // One byte more, to see whether there is more than claimed.
          data = inflateSync(data, { out: new Uint8Array(size + 1) })
        } catch (cause) {
          throw new Error(`${caller}: ${quoted(name)} does not inflate, it is damaged`, { cause })
        }
      }
      if (data.length !== size || crc32(data) !== crc)
        fail(`${quoted(name)} does not match its size or checksum, it is damaged`)
      return data
    })
  }
  return files
}

const quoted = (name: string): string => JSON.stringify(name.length > 64 ? `${name.slice(0, 64)}…` : name)

function directory(bytes: Uint8Array, fail: (what: string) => never): Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const u16 = (at: number) => view.getUint16(at, true)
  const u32 = (at: number) => view.getUint32(at, true)
  const u64 = (at: number) => Number(view.getBigUint64(at, true))
  const damaged = (): never => fail(`the ZIP file of ${bytes.length} bytes is cut off or damaged`)
  const within = (at: number, length: number): number => (at >= 0 && at + length <= bytes.length ? at : damaged())
  // The end of the directory is at the end of the file, but for a comment of up to 65535 bytes.
  let last = bytes.length - 22
  while (last >= 0 && !(u32(last) === 0x06054b50 && last + 22 + u16(last + 20) === bytes.length)) {
    last--
    if (last < bytes.length - 22 - 65535) break
  }
  if (last < 0 || u32(last) !== 0x06054b50) fail(`the ${bytes.length} bytes are no ZIP file, or it is cut off`)
  let [count, length, at] = [u16(last + 10), u32(last + 12), u32(last + 16)]
  let first = last
  if (count === 0xffff || length === 0xffffffff || at === 0xffffffff) {
    if (u32(within(last - 20, 20)) !== 0x07064b50) damaged()
    first = within(u64(last - 20 + 8), 56)
    if (u32(first) !== 0x06064b50) damaged()
    ;[count, length, at] = [u64(first + 32), u64(first + 40), u64(first + 48)]
  }
  if (u16(last + 4) !== 0 || at + length !== first) damaged()
  const entries: Entry[] = []
  for (let i = 0; i < count; i++) {
    if (at + 46 > first || u32(at) !== 0x02014b50) damaged()
    const [flags, method, crc] = [u16(at + 8), u16(at + 10), u32(at + 16)]
    const [nameLength, extraLength, commentLength] = [u16(at + 28), u16(at + 30), u16(at + 32)]
    const next = at + 46 + nameLength + extraLength + commentLength
    if (next > first) damaged()
    const rawName = bytes.subarray(at + 46, at + 46 + nameLength)
    const name = new TextDecoder().decode(rawName)
    if (flags & 1) fail(`${quoted(name)} is encrypted`)
    if (method !== 0 && method !== 8)
      fail(`${quoted(name)} is compressed by method ${method}, expected 0 (stored) or 8 (deflated)`)
    let [packed, size, local] = [u32(at + 20), u32(at + 24), u32(at + 42)]
    // The sizes that do not fit in 32 bits stand in an extra field, in this order.
    const large = extra(at + 46 + nameLength, extraLength)
    if (size === 0xffffffff) size = large()
    if (packed === 0xffffffff) packed = large()
    if (local === 0xffffffff) local = large()
    within(local, 30)
    if (u32(local) !== 0x04034b50 || u16(local + 26) !== nameLength) damaged()
    if (rawName.some((byte, k) => bytes[within(local + 30 + k, 1)] !== byte)) damaged()
    const start = local + 30 + nameLength + u16(local + 28)
    if (start + packed > first) damaged()
    if (method === 0 ? size !== packed : size > packed * MOST_RATIO)
      fail(`${quoted(name)} claims ${size} bytes out of ${packed}, which cannot be`)
    entries.push({ name, method, crc, packed, size, start, end: start + packed })
    at = next
  }
  if (at !== first) damaged()
  let end = 0
  for (const entry of [...entries].sort((a, b) => a.start - b.start)) {
    if (entry.start < end) fail(`${quoted(entry.name)} overlaps the one before it`)
    end = entry.end
  }
  return entries

  /** Reads the numbers of the extra field 1, one after the other. */
  function extra(from: number, length: number): () => number {
    let field = from
    while (field + 4 <= from + length && u16(field) !== 1) field += 4 + u16(field + 2)
    let number = field + 4
    const stop = Math.min(number + (field + 4 <= from + length ? u16(field + 2) : 0), from + length)
    return () => {
      if (number + 8 > stop) damaged()
      number += 8
      return u64(number - 8)
    }
  }
}

const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

function crc32(bytes: Uint8Array): number {
  let crc = -1
  for (let i = 0; i < bytes.length; i++) crc = (table[(crc ^ (bytes[i] as number)) & 255] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** The bytes of a ZIP file; `compress`: deflate what is in it. The same files give the same bytes. */
export async function writeZip(
  caller: string,
  files: readonly (readonly [name: string, bytes: Uint8Array])[],
  compress: boolean,
): Promise<Bytes> {
  const { zipSync } = await import('fflate')
  const total = files.reduce((sum, [, bytes]) => sum + bytes.length, 0)
  if (total > 0xff000000 || files.length >= 0xffff)
    throw new RangeError(
      `${caller}: ${files.length} files of ${total} bytes, expected less than 65535 of 4 GB together`,
    )
  const tree = Object.fromEntries(files.map(([name, bytes]) => [name, bytes]))
  // The first day that the format knows.
  return zipSync(tree, { level: compress ? 6 : 0, mtime: new Date(1980, 0, 1) }) as Bytes
}
