// safetensors: u64 length of the header, little-endian; the header, JSON padded with spaces; the data.
// https://huggingface.co/docs/safetensors. The reader is strict: a file that two readers could
// understand differently is refused.

import { kind, option, settle, word, written } from '../checks.ts'
import { checkShape, show } from '../tensor/shape.ts'
import type { Bytes, NDArray } from '../tensor/types.ts'
import {
  type AnyNDArray,
  checkAnyNDArray,
  decode,
  encode,
  type StoredDType,
  storedBytes,
  storedDTypeOf,
} from './dtypes.ts'
import { type ByteSource, bytesFrom, plain, type Source, sourceOf } from './source.ts'

const MAX_HEADER = 100_000_000
const METADATA = '__metadata__'

/** Dtypes by their names in the format, F32, BOOL. */
const stored = new Map(Object.keys(storedBytes).map((dtype) => [dtype.toUpperCase(), dtype as StoredDType]))
/** Tensors are written in this order of dtypes, then of names, as the format's own library does. */
const order = ['u64', 'i64', 'f64', 'f32', 'u32', 'i32', 'bf16', 'f16', 'u16', 'i16', 'i8', 'u8', 'bool']

/** A tensor in a file. */
export interface SafetensorsEntry {
  readonly name: string
  /** Its name in the format, F32, and what that is here: null where it is none that can be read. */
  readonly format: string
  readonly dtype: StoredDType | null
  readonly shape: readonly number[]
  /** Where its bytes start and end among the data. */
  readonly begin: number
  readonly end: number
}

export interface SafetensorsFile {
  tensors: Record<string, NDArray>
  metadata: Record<string, string>
}

/** The bytes of a file with the given tensors, by dtype and name; data is aligned to 8. Typed arrays of all kinds are kept
 *  as they are; `dtype`: as what f32 values are stored, f16 and bf16 rounded to the nearest; default 'f32'. */
export function writeSafetensors(
  tensors: Record<string, AnyNDArray>,
  metadata: Record<string, string> = {},
  options: { dtype?: 'f32' | 'f16' | 'bf16' | undefined } = {},
): Bytes {
  const caller = 'writeSafetensors'
  const { dtype: floats } = settle(caller, options, { dtype: option(word('f32', 'f16', 'bf16'), 'f32') })
  if (typeof tensors !== 'object' || tensors === null)
    throw new TypeError(`${caller}: tensors are ${written(tensors)}, expected an object of { data, shape } by name`)
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string')
      throw new TypeError(`${caller}: metadata ${brief(key)} is ${written(value)}, expected a string`)
    if (!isUnicode(key) || !isUnicode(value))
      throw new RangeError(`${caller}: metadata ${JSON.stringify(brief(key))} is not valid Unicode`)
  }
  const encoder = new TextEncoder()
  const entries = Object.entries(tensors).map(([name, array]) => {
    if (name === METADATA) throw new RangeError(`${caller}: a tensor cannot be named ${METADATA}`)
    if (!isUnicode(name))
      throw new RangeError(`${caller}: the name ${JSON.stringify(brief(name))} is not valid Unicode`)
    checkAnyNDArray(caller, brief(name), array)
    const own = storedDTypeOf(array.data) as StoredDType
    const dtype = own === 'f32' ? floats : own
    const bytes = encode(dtype, array.data, (at, value, expected) => {
      throw new RangeError(`${caller}: ${brief(name)} holds ${value} at ${at}, expected ${expected}`)
    })
    return { name, key: encoder.encode(name), dtype, shape: array.shape, bytes }
  })
  entries.sort((a, b) => order.indexOf(a.dtype) - order.indexOf(b.dtype) || compareBytes(a.key, b.key))
  // Joined by hand: objects of JavaScript put names like "10" first.
  const fields: string[] = []
  if (Object.keys(metadata).length > 0) fields.push(`"${METADATA}":${JSON.stringify(metadata)}`)
  let offset = 0
  for (const { name, dtype, shape, bytes } of entries) {
    const entry = { dtype: dtype.toUpperCase(), shape, data_offsets: [offset, offset + bytes.length] }
    fields.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`)
    offset += bytes.length
  }
  const json = encoder.encode(`{${fields.join(',')}}`)
  const length = Math.ceil(json.length / 8) * 8
  if (length > MAX_HEADER)
    throw new RangeError(`${caller}: the header has ${length} bytes, expected at most ${MAX_HEADER}`)
  const file = new Uint8Array(8 + length + offset).fill(0x20, 8, 8 + length)
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true)
  file.set(json, 8)
  let at = 8 + length
  for (const { bytes } of entries) {
    file.set(bytes, at)
    at += bytes.length
  }
  return file
}

const isUnicode = (text: string): boolean => !/\p{Surrogate}/u.test(text)

/** What Errors repeat of a file. */
const brief = (text: string): string => (text.length > 64 ? `${text.slice(0, 64)}…` : text)

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Which tensors of a file are read. */
export interface SafetensorsOptions {
  /** Only those of these names; all must be there. */
  only?: readonly string[] | undefined
  /** All but those of these names. */
  skip?: readonly string[] | undefined
}

/** Reads a file. F16, BF16 and F64 become f32, BOOL u8; other whole numbers become i32 and must fit. Throws when the file is
 *  cut off or longer than it says, when tensors overlap or leave holes, when sizes do not match shapes, when a name occurs
 *  twice, and for dtypes it does not know, but for tensors that are not asked for. */
export function readSafetensors(file: Uint8Array | ArrayBuffer, options: SafetensorsOptions = {}): SafetensorsFile {
  const bytes = plain('readSafetensors', file)
  if (bytes.length < 8) fail(`the file has ${bytes.length} bytes, expected at least 8`)
  const length = headerLength(bytes, bytes.length)
  const { entries, metadata } = parseHeader(bytes.subarray(8, 8 + length), bytes.length - 8 - length)
  const data = bytes.subarray(8 + length)
  // No prototype: a tensor may be named __proto__.
  const tensors: Record<string, NDArray> = Object.create(null)
  for (const entry of chosen('readSafetensors', entries, options)) {
    tensors[entry.name] = decodeEntry(entry, data.slice(entry.begin, entry.end))
  }
  return { tensors, metadata }
}

/** The entries that are asked for. */
export function chosen(
  caller: string,
  entries: readonly SafetensorsEntry[],
  options: SafetensorsOptions,
): readonly SafetensorsEntry[] {
  const { only, skip } = settle(caller, options, { only: option(names), skip: option(names) })
  const wanted = only && new Set(only)
  const left = new Set(skip)
  const there = new Set(entries.map(({ name }) => name))
  const missing = only?.find((name) => !there.has(name))
  if (missing !== undefined) throw new RangeError(`${caller}: only names ${written(missing)}, which the file has not`)
  return entries.filter(({ name }) => !left.has(name) && (!wanted || wanted.has(name)))
}

const names = /* @__PURE__ */ kind<readonly string[]>(
  'object',
  'a list of names',
  (list) => Array.isArray(list) && list.every((name) => typeof name === 'string'),
)

/** The array of an entry, whose bytes are a copy of its own. */
export function decodeEntry({ name, format, dtype, shape }: SafetensorsEntry, bytes: Uint8Array): NDArray {
  if (dtype === null)
    return fail(
      `${brief(name)} has dtype ${describe(format)}, expected one of ${[...stored.keys()].join(', ')}; leave it out by skip`,
    )
  checkShape(`readSafetensors: ${brief(name)}`, shape)
  const refuse = (value: string) => fail(`${brief(name)} holds ${value}, expected ${format} that fits in 32 bits`)
  return { shape, data: decode(dtype, bytes, refuse) }
}

/** The length of the header that a file's first 8 bytes claim. */
export function headerLength(first: Uint8Array, fileLength: number): number {
  const claimed = new DataView(first.buffer, first.byteOffset).getBigUint64(0, true)
  const most = Math.min(MAX_HEADER, fileLength - 8)
  if (claimed > BigInt(most)) fail(`the file claims a header of ${claimed} bytes, expected at most ${most}`)
  return Number(claimed)
}

/** The entries of a header, in the order of their bytes, and the metadata. */
export function parseHeader(
  bytes: Uint8Array,
  dataLength: number,
): { entries: SafetensorsEntry[]; metadata: Record<string, string> } {
  const header = parseJson(bytes)
  let metadata: Record<string, string> = {}
  const entries: SafetensorsEntry[] = []
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) metadata = checkMetadata(value)
    else entries.push(checkEntry(name, value))
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let at = 0
  for (const { name, begin, end } of entries) {
    if (begin !== at) {
      fail(
        `${brief(name)} starts at byte ${begin} of the data, expected ${at}: tensors ${begin < at ? 'overlap' : 'leave a hole'}`,
      )
    }
    at = end
  }
  if (at !== dataLength) fail(`the tensors have ${at} bytes, but the file has ${dataLength} after its header`)
  return { entries, metadata }
}

/** The header's object. */
function parseJson(bytes: Uint8Array): Record<string, unknown> {
  if (bytes[0] !== 0x7b) fail('the header does not start with {')
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
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
  if (twice !== null) fail(`the header names ${JSON.stringify(brief(twice))} twice`)
  return header as Record<string, unknown>
}

function fail(what: string): never {
  throw new Error(`readSafetensors: ${what}`)
}

/** A key that some object of this valid JSON text has twice, or null; JSON.parse would keep the last. */
export function repeatedKey(text: string): string | null {
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
  return nested ? 'a nested value' : brief(String(JSON.stringify(value)))
}

function checkEntry(key: string, value: unknown): SafetensorsEntry {
  const name = brief(key)
  const {
    dtype: format,
    shape,
    data_offsets: offsets,
    ...rest
  } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const whole = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0
  if (typeof format !== 'string')
    fail(`${name} has dtype ${describe(format)}, expected one of ${[...stored.keys()].join(', ')}`)
  if (!Array.isArray(shape) || !shape.every(whole))
    fail(`${name} has shape ${describe(shape)}, expected an array of whole numbers`)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(whole))
    fail(`${name} has data_offsets ${describe(offsets)}, expected [begin, end]`)
  if (Object.keys(rest).length > 0) fail(`${name} has unknown fields ${brief(Object.keys(rest).join(', '))}`)
  const [begin, end] = offsets as [number, number]
  const dtype = stored.get(format as string) ?? null
  if (dtype === null) {
    if (end < begin) fail(`${name} has ${end - begin} bytes, expected 0 or more`)
  } else {
    // Every factor on the way must fit, as if no later one were 0.
    const bytes = (shape as number[]).reduce(
      (product, size) => (Number.isSafeInteger(product) ? product * size : product),
      storedBytes[dtype] as number,
    )
    if (!Number.isSafeInteger(bytes) || end - begin !== bytes)
      fail(`${name} has ${end - begin} bytes, expected ${bytes} for ${format} ${brief(show(shape as number[]))}`)
  }
  return { name: key, format: format as string, dtype, shape: shape as number[], begin, end }
}

/** A file of which tensors are read one by one. */
export interface SafetensorsSource {
  readonly source: ByteSource
  readonly names: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
  read(name: string): Promise<NDArray>
}

/** Opens a file without reading its tensors, which may be more than fits in memory; where it is JSON and no safetensors file,
 *  as an index of several, that. */
export async function openSafetensors(
  given: Source,
): Promise<SafetensorsSource | { readonly source: ByteSource; readonly index: unknown }> {
  const caller = 'openSafetensors'
  let source = await sourceOf(caller, given)
  if (source.byteLength === null || (await isGzipped(source)))
    source = { ...(await sourceOf(caller, await bytesFrom(caller, source))), name: source.name }
  const size = source.byteLength as number
  const first = await source.slice(0, Math.min(8, size))
  if (first.length < 8) fail(`the file has ${first.length} bytes, expected at least 8`)
  if (first[0] === 0x7b && size < MAX_HEADER) {
    try {
      return { source, index: JSON.parse(new TextDecoder().decode(await source.slice(0, size))) }
    } catch {}
  }
  const length = headerLength(first, size)
  const { entries, metadata } = parseHeader(await source.slice(8, 8 + length), size - 8 - length)
  const byName = new Map(entries.map((entry) => [entry.name, entry]))
  return {
    source,
    names: entries.map(({ name }) => name),
    metadata,
    async read(name) {
      const entry = byName.get(name)
      if (!entry) throw new RangeError(`${caller}: there is no tensor ${written(name)}`)
      const bytes = await source.slice(8 + length + entry.begin, 8 + length + entry.end)
      return decodeEntry(entry, bytes.slice())
    },
  }
}

async function isGzipped(source: ByteSource): Promise<boolean> {
  const [a, b] = await source.slice(0, Math.min(2, source.byteLength ?? 0))
  return a === 0x1f && b === 0x8b
}
