// safetensors: u64 length of the header, little-endian; the header, JSON padded with spaces; the data.
// https://huggingface.co/docs/safetensors. The reader is strict: a file that two readers could
// understand differently is refused.

import { checkShape, show, sizeOf } from '../tensor/shape.ts'
import { dtypeOf, isNDArray, type NDArray } from '../tensor/types.ts'
import { decode, type StoredDType, storedBytes } from './dtypes.ts'
import { plain } from './source.ts'

const MAX_HEADER = 100_000_000
const METADATA = '__metadata__'

/** Dtypes by their names in the format, F32, BOOL. */
const stored = new Map(Object.keys(storedBytes).map((dtype) => [dtype.toUpperCase(), dtype as StoredDType]))
const names = { f32: 'F32', i32: 'I32', u8: 'U8' } as const
/** Tensors are written in this order of dtypes, then of names, as the format's own library does. */
const order = ['F32', 'I32', 'U8']

export interface SafetensorsFile {
  tensors: Record<string, NDArray>
  metadata: Record<string, string>
}

/** The bytes of a file with the given tensors, by dtype and name; data is aligned to 8. */
export function writeSafetensors(
  tensors: Record<string, NDArray>,
  metadata: Record<string, string> = {},
): Uint8Array<ArrayBuffer> {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string')
      throw new TypeError(`writeSafetensors: metadata ${key} is ${typeof value}, expected a string`)
  }
  const encoder = new TextEncoder()
  const entries = Object.entries(tensors).map(([name, array]) => {
    if (name === METADATA) throw new RangeError(`writeSafetensors: a tensor cannot be named ${METADATA}`)
    if (/\p{Surrogate}/u.test(name))
      throw new RangeError(`writeSafetensors: the name ${JSON.stringify(name)} is not valid Unicode`)
    checkArray(name, array)
    return { name, key: encoder.encode(name), dtype: names[dtypeOf(array.data)], ...array }
  })
  entries.sort((a, b) => order.indexOf(a.dtype) - order.indexOf(b.dtype) || compareBytes(a.key, b.key))
  // Joined by hand: objects of JavaScript put names like "10" first.
  const fields: string[] = []
  if (Object.keys(metadata).length > 0) fields.push(`"${METADATA}":${JSON.stringify(metadata)}`)
  let offset = 0
  for (const { name, dtype, shape, data } of entries) {
    const entry = { dtype, shape, data_offsets: [offset, offset + data.byteLength] }
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`)
    offset += data.byteLength
  }
  const json = encoder.encode(`{${fields.join(',')}}`)
  const length = Math.ceil(json.length / 8) * 8
  if (length > MAX_HEADER)
    throw new RangeError(`writeSafetensors: the header has ${length} bytes, expected at most ${MAX_HEADER}`)
  const file = new Uint8Array(8 + length + offset).fill(0x20, 8, 8 + length)
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true)
  file.set(json, 8)
  let at = 8 + length
  for (const { data } of entries) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at)
    at += data.byteLength
  }
  return file
}

function checkArray(name: string, array: NDArray): void {
  if (!isNDArray(array)) {
    throw new TypeError(
      `writeSafetensors: ${name} is ${array === null ? 'null' : typeof array}, expected { data, shape } with a Float32Array, Int32Array or Uint8Array`,
    )
  }
  checkShape(`writeSafetensors: ${name}`, array.shape)
  if (sizeOf(array.shape) !== array.data.length) {
    throw new RangeError(
      `writeSafetensors: ${name} has ${array.data.length} elements, expected ${sizeOf(array.shape)} for shape ${show(array.shape)}`,
    )
  }
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Reads a file. F16, BF16 and F64 become f32, BOOL u8; other whole numbers become i32 and must fit. Throws when the file is cut off
 *  or longer than it says, when tensors overlap or leave holes, when sizes do not match shapes, when a name
 *  occurs twice, and for dtypes it does not know. */
export function readSafetensors(file: Uint8Array | ArrayBuffer): SafetensorsFile {
  const bytes = plain('readSafetensors', file)
  const { header, start } = readHeader(bytes)
  const data = bytes.subarray(start)
  let metadata: Record<string, string> = {}
  const entries: { name: string; dtype: string; shape: number[]; begin: number; end: number }[] = []
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) metadata = checkMetadata(value)
    else entries.push({ name, ...checkEntry(name, value) })
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let at = 0
  for (const { name, begin, end } of entries) {
    if (begin !== at) {
      fail(
        `${name} starts at byte ${begin} of the data, expected ${at}: tensors ${begin < at ? 'overlap' : 'leave a hole'}`,
      )
    }
    at = end
  }
  if (at !== data.length) fail(`the tensors have ${at} bytes, but the file has ${data.length} after its header`)
  // No prototype: a tensor may be named __proto__.
  const tensors: Record<string, NDArray> = Object.create(null)
  for (const { name, dtype, shape, begin, end } of entries) {
    const refuse = (value: string) => fail(`${name} holds ${value}, expected ${dtype} that fits in 32 bits`)
    tensors[name] = { shape, data: decode(stored.get(dtype) as StoredDType, data.slice(begin, end), refuse) }
  }
  return { tensors, metadata }
}

/** The header's object, and where the data starts. */
function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; start: number } {
  if (bytes.length < 8) fail(`the file has ${bytes.length} bytes, expected at least 8`)
  const claimed = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true)
  const most = Math.min(MAX_HEADER, bytes.length - 8)
  if (claimed > BigInt(most)) fail(`the file claims a header of ${claimed} bytes, expected at most ${most}`)
  const start = 8 + Number(claimed)
  if (bytes[8] !== 0x7b || start === 8) fail('the header does not start with {')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, start))
  } catch {
    return fail('the header is not UTF-8')
  }
  let header: unknown
  try {
    header = JSON.parse(text)
  } catch (cause) {
    throw new Error('readSafetensors: the header is not JSON', { cause })
  }
  if (typeof header !== 'object' || header === null) fail('the header is not an object')
  const twice = repeatedKey(text)
  if (twice !== null) fail(`the header names ${JSON.stringify(twice)} twice`)
  return { header: header as Record<string, unknown>, start }
}

function fail(what: string): never {
  throw new Error(`readSafetensors: ${what}`)
}

/** A key that some object of this valid JSON text has twice, or null; JSON.parse would keep the last. */
function repeatedKey(text: string): string | null {
  // The keys of each open object, null for an open array.
  const open: (Set<string> | null)[] = []
  let isKey = false
  for (let i = 0; i < text.length; i++) {
    const character = text[i]
    if (character === '{') open.push(new Set())
    else if (character === '[') open.push(null)
    else if (character === '}' || character === ']') open.pop()
    else if (character === '"') {
      const start = i
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++
      if (!isKey) continue
      const keys = open.at(-1) as Set<string>
      const key = JSON.parse(text.slice(start, i + 1)) as string
      if (keys.has(key)) return key
      keys.add(key)
    } else if (character !== ',') continue
    isKey = (character === '{' || character === ',') && open.at(-1) !== null
  }
  return null
}

function checkMetadata(value: unknown): Record<string, string> {
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    Object.values(value).some((v) => typeof v !== 'string')
  ) {
    fail(`${METADATA} is not an object of strings`)
  }
  return value as Record<string, string>
}

/** A value of the header for an Error; nested ones are not walked, they may be deeper than the stack. */
function describe(value: unknown): string {
  const nested =
    typeof value === 'object' && Object.values(value ?? {}).some((item) => item !== null && typeof item === 'object')
  return nested ? 'a nested value' : String(JSON.stringify(value))
}

function checkEntry(name: string, value: unknown): { dtype: string; shape: number[]; begin: number; end: number } {
  const {
    dtype,
    shape,
    data_offsets: offsets,
    ...rest
  } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const whole = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0
  if (typeof dtype !== 'string' || !stored.has(dtype))
    fail(`${name} has dtype ${describe(dtype)}, expected one of ${[...stored.keys()].join(', ')}`)
  if (!Array.isArray(shape) || !shape.every(whole))
    fail(`${name} has shape ${describe(shape)}, expected an array of whole numbers`)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole))
    fail(`${name} has data_offsets ${describe(offsets)}, expected [begin, end]`)
  if (Object.keys(rest).length > 0) fail(`${name} has unknown fields ${Object.keys(rest).join(', ')}`)
  const [begin, end] = offsets as [number, number]
  // Every factor on the way must fit, as if no later one were 0.
  const bytes = (shape as number[]).reduce(
    (product, size) => (Number.isSafeInteger(product) ? product * size : product),
    storedBytes[stored.get(dtype as string) as StoredDType],
  )
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes)
    fail(`${name} has ${end - begin} bytes, expected ${bytes} for ${dtype} ${show(shape)}`)
  return { dtype, shape, begin, end }
}
