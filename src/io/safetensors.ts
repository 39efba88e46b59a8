// safetensors: u64 length of the header, little-endian; the header, JSON padded with spaces; the data.
// https://huggingface.co/docs/safetensors. The reader is strict: a file that two readers could
// understand differently is refused.

import { show, sizeOf } from '../tensor/shape.ts'
import { dtypeOf, type NDArray, type TypedArray } from '../tensor/types.ts'

const MAX_HEADER = 100_000_000
const METADATA = '__metadata__'

const sizes: Record<string, number> = { F32: 4, I32: 4, U8: 1, F16: 2, BF16: 2, I64: 8, F64: 8 }
const names = { f32: 'F32', i32: 'I32', u8: 'U8' } as const

export interface SafetensorsFile {
  tensors: Record<string, NDArray>
  metadata: Record<string, string>
}

/** The bytes of a file with the given tensors, largest dtype first, then by name; data is aligned to 8. */
export function writeSafetensors(
  tensors: Record<string, NDArray>,
  metadata: Record<string, string> = {},
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(tensors).sort(([a, x], [b, y]) => bytesPer(y) - bytesPer(x) || (a < b ? -1 : 1))
  const header: Record<string, unknown> = Object.create(null)
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string')
      throw new TypeError(`writeSafetensors: metadata ${key} is ${typeof value}, expected a string`)
  }
  if (Object.keys(metadata).length > 0) header[METADATA] = metadata
  let offset = 0
  for (const [name, { data, shape }] of entries) {
    if (name === METADATA) throw new RangeError(`writeSafetensors: a tensor cannot be named ${METADATA}`)
    if (sizeOf(shape) !== data.length)
      throw new RangeError(
        `writeSafetensors: ${name} has ${data.length} elements, expected ${sizeOf(shape)} for shape ${show(shape)}`,
      )
    header[name] = { dtype: names[dtypeOf(data)], shape, data_offsets: [offset, offset + data.byteLength] }
    offset += data.byteLength
  }
  const json = new TextEncoder().encode(JSON.stringify(header))
  const length = Math.ceil(json.length / 8) * 8
  if (length > MAX_HEADER)
    throw new RangeError(`writeSafetensors: the header has ${length} bytes, expected at most ${MAX_HEADER}`)
  const file = new Uint8Array(8 + length + offset).fill(0x20, 8, 8 + length)
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true)
  file.set(json, 8)
  let at = 8 + length
  for (const [, { data }] of entries) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at)
    at += data.byteLength
  }
  return file
}

const bytesPer = ({ data }: NDArray): number => data.BYTES_PER_ELEMENT

/** Reads a file. F16, BF16 and F64 become f32; I64 becomes i32 and must fit. Throws when the file is cut off
 *  or longer than it says, when tensors overlap or leave holes, when sizes do not match shapes, when a name
 *  occurs twice, and for dtypes it does not know. */
export function readSafetensors(file: Uint8Array | ArrayBuffer): SafetensorsFile {
  const bytes = file instanceof Uint8Array ? file : new Uint8Array(file)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < 8) fail(`the file has ${bytes.length} bytes, expected at least 8`)
  const claimed = view.getBigUint64(0, true)
  if (claimed > BigInt(Math.min(MAX_HEADER, bytes.length - 8))) {
    fail(
      `the file claims a header of ${claimed} bytes, expected at most ${Math.min(MAX_HEADER, bytes.length - 8)}, the bytes that follow`,
    )
  }
  const length = Number(claimed)
  if (bytes[8] !== 0x7b) fail('the header does not start with {')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, 8 + length))
  } catch {
    return fail('the header is not UTF-8')
  }
  const header = parseHeader(text)
  const data = bytes.subarray(8 + length)
  const tensors: Record<string, NDArray> = Object.create(null)
  let metadata: Record<string, string> = {}
  const entries: { name: string; dtype: string; shape: number[]; begin: number; end: number }[] = []
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) metadata = checkMetadata(value)
    else entries.push({ name, ...checkEntry(name, value) })
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let at = 0
  for (const { name, begin, end } of entries) {
    if (begin !== at)
      fail(
        `${name} starts at byte ${begin} of the data, expected ${at}: tensors ${begin < at ? 'overlap' : 'leave a hole'}`,
      )
    at = end
  }
  if (at !== data.length) fail(`the tensors have ${at} bytes, but the file has ${data.length} after its header`)
  for (const { name, dtype, shape, begin, end } of entries)
    tensors[name] = { shape, data: decode(name, dtype, data.slice(begin, end)) }
  return { tensors, metadata }
}

function fail(what: string): never {
  throw new Error(`readSafetensors: ${what}`)
}

/** JSON.parse, with names that occur twice refused (it would silently keep the last). */
function parseHeader(text: string): Record<string, unknown> {
  let header: unknown
  try {
    header = JSON.parse(text)
  } catch (cause) {
    throw new Error('readSafetensors: the header is not JSON', { cause })
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) fail('the header is not an object')
  const twice = repeatedKey(text)
  if (twice !== null) fail(`the header names ${JSON.stringify(twice)} twice`)
  return header as Record<string, unknown>
}

/** A key that some object of this valid JSON text has twice, or null. */
function repeatedKey(text: string): string | null {
  const open: (Set<string> | null)[] = []
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(null)
    else if (token === '}' || token === ']') open.pop()
    else {
      const keys = open.at(-1)
      if (!keys || !/^\s*:/.test(text.slice(index + token.length, index + token.length + 64).padEnd(1))) continue
      const key = JSON.parse(token) as string
      if (keys.has(key)) return key
      keys.add(key)
    }
  }
  return null
}

function checkMetadata(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null || Object.values(value).some((v) => typeof v !== 'string')) {
    fail(`${METADATA} is not an object of strings`)
  }
  return value as Record<string, string>
}

function checkEntry(name: string, value: unknown): { dtype: string; shape: number[]; begin: number; end: number } {
  const {
    dtype,
    shape,
    data_offsets: offsets,
    ...rest
  } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const whole = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0
  if (typeof dtype !== 'string' || !Object.hasOwn(sizes, dtype))
    fail(`${name} has dtype ${JSON.stringify(dtype)}, expected one of ${Object.keys(sizes).join(', ')}`)
  if (!Array.isArray(shape) || !shape.every(whole))
    fail(`${name} has shape ${JSON.stringify(shape)}, expected an array of whole numbers`)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole))
    fail(`${name} has data_offsets ${JSON.stringify(offsets)}, expected [begin, end]`)
  if (Object.keys(rest).length > 0) fail(`${name} has unknown fields ${Object.keys(rest).join(', ')}`)
  const [begin, end] = offsets as [number, number]
  const bytes = sizeOf(shape) * (sizes[dtype] as number)
  if (!Number.isSafeInteger(bytes) || end - begin !== bytes)
    fail(`${name} has ${end - begin} bytes, expected ${bytes} for ${dtype} ${show(shape)}`)
  return { dtype, shape, begin, end }
}

/** `bytes` is a copy of its own, so views of it are aligned. */
function decode(name: string, dtype: string, bytes: Uint8Array): TypedArray {
  const { buffer } = bytes
  if (dtype === 'F32') return new Float32Array(buffer)
  if (dtype === 'I32') return new Int32Array(buffer)
  if (dtype === 'F64') return Float32Array.from(new Float64Array(buffer))
  if (dtype === 'F16') return Float32Array.from(new Uint16Array(buffer), halfToFloat)
  if (dtype === 'BF16') return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer)
  if (dtype === 'I64') {
    return Int32Array.from(new BigInt64Array(buffer as ArrayBuffer), (value) => {
      if (value !== BigInt.asIntN(32, value)) fail(`${name} holds ${value}, expected 64-bit integers that fit in 32`)
      return Number(value)
    })
  }
  return bytes
}

function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
