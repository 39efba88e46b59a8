// NPY, numpy's file of one array: \x93NUMPY, version, length of the header, the header as a dict of Python, the data.
// NPZ: a zip file of them. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

import { settle } from '../checks.ts'
import { checkShape, show, sizeOf, stridesOf } from '../tensor/shape.ts'
import type { Bytes, NDArray, TypedArray } from '../tensor/types.ts'
import {
  type AnyNDArray,
  checkAnyNDArray,
  checkStored,
  decode,
  encode,
  type StoredDType,
  storedBytes,
  storedDTypeOf,
  swap,
} from './dtypes.ts'
import { bytesFrom, plain, type Source } from './source.ts'
import { readZip, writeZip } from './zip.ts'

/** An array from a file, with the type that it has there. */
export interface StoredArray extends NDArray {
  readonly dtype: StoredDType
}

/** numpy's names; `|b1` is bool. */
const names: Readonly<Record<string, StoredDType>> = {
  f8: 'f64',
  f4: 'f32',
  f2: 'f16',
  i8: 'i64',
  u8: 'u64',
  i4: 'i32',
  u4: 'u32',
  i2: 'i16',
  u2: 'u16',
  i1: 'i8',
  u1: 'u8',
  b1: 'bool',
}

/** Bytes before the header of version 1. */
const PREFIX = 10
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]

/** Reads an NPY file. Of its types f64 and f16 become f32, bool u8, other whole numbers i32, and must fit; `dtype` says
 *  what it was. Arrays in Fortran's order come out in C's. Throws for objects, texts, complex and structured types, and
 *  where the file is cut off or longer than its header says. numpy.load. */
export function readNpy(file: Uint8Array | ArrayBuffer): StoredArray {
  return parse('readNpy', plain('readNpy', file))
}

function parse(caller: string, bytes: Uint8Array): StoredArray {
  const fail = (what: string): never => {
    throw new Error(`${caller}: ${what}`)
  }
  if (bytes.length < PREFIX || MAGIC.some((byte, i) => bytes[i] !== byte))
    fail(`the ${bytes.length} bytes do not start as an NPY file, with \\x93NUMPY and a version`)
  const version = bytes[6] as number
  if (version < 1 || version > 3 || bytes[7] !== 0)
    fail(`the file has version ${version}.${bytes[7]}, expected 1.0, 2.0 or 3.0`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (version > 1 && bytes.length < PREFIX + 2) fail(`the file has ${bytes.length} bytes, it is cut off`)
  const start = version === 1 ? PREFIX : PREFIX + 2
  const end = start + (version === 1 ? view.getUint16(8, true) : view.getUint32(8, true))
  if (end > bytes.length) fail(`the header ends at byte ${end}, but the file has ${bytes.length}; it is cut off`)
  // numpy itself takes no longer ones.
  if (end - start > MAX_HEADER) fail(`the header has ${end - start} bytes, expected at most ${MAX_HEADER}`)
  const { descr, fortran, shape } = parseHeader(bytes.subarray(start, end), fail)
  const dtype = Object.hasOwn(names, descr.slice(1)) ? (names[descr.slice(1)] as StoredDType) : undefined
  if (!dtype || !'<>|='.includes(descr[0] as string))
    return fail(
      `the array has numpy's type ${JSON.stringify(brief(descr))}, expected one of ${Object.keys(names).join(', ')} after < or >`,
    )
  checkShape(`${caller}: the array`, shape)
  const size = sizeOf(shape)
  const expected = end + size * storedBytes[dtype]
  if (bytes.length !== expected)
    fail(`the header claims ${dtype} ${show(shape)}, ${expected} bytes in all, but the file has ${bytes.length}`)
  const own = bytes.slice(end)
  if (descr[0] === '>') swap(own, storedBytes[dtype])
  const data = decode(dtype, own, (value) => fail(`the array holds ${value}, expected ${dtype} that fits in 32 bits`))
  return { shape, data: fortran ? fromFortran(data, shape) : data, dtype }
}

const MAX_HEADER = 10_000

const brief = (text: string): string => (text.length > 64 ? `${text.slice(0, 64)}…` : text)

/** The dict {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }: these keys in any order, no others. */
function parseHeader(
  bytes: Uint8Array,
  fail: (what: string) => never,
): { descr: string; fortran: boolean; shape: number[] } {
  const text = new TextDecoder().decode(bytes)
  const wrong = (): never =>
    fail(
      `the header is ${JSON.stringify(brief(text))}, expected {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`,
    )
  const dict = /^\s*\{(.*)\}\s*$/s.exec(text)?.[1] ?? wrong()
  const found = new Map<string, string>()
  // Each item is a key, a value and a comma, which the last may lack. Longs of Python 2 end in L.
  const item =
    /\s*(['"])(descr|fortran_order|shape)\1\s*:\s*('[^']*'|"[^"]*"|True|False|\(\s*(?:\d{1,15}L?\s*,\s*)*(?:\d{1,15}L?\s*)?\)|\[[^\]]*\])\s*(,|$)/y
  while (item.lastIndex < dict.trimEnd().length) {
    const [, , key, value] = item.exec(dict) ?? wrong()
    if (found.has(key as string)) wrong()
    found.set(key as string, value as string)
  }
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map((key) => found.get(key) ?? wrong())
  if (descr?.startsWith('[')) fail(`the array has the structured type ${brief(descr)}, expected numbers of one type`)
  if (!/^['"]/.test(descr as string) || !/^[TF]/.test(order as string) || !shape?.startsWith('(')) wrong()
  const sizes = shape?.match(/\d+/g) ?? []
  // (3) is a number in Python, (3,) a shape.
  if (sizes.length === 1 && !shape?.includes(',')) wrong()
  return { descr: (descr as string).slice(1, -1), fortran: order === 'True', shape: sizes.map(Number) }
}

/** Elements whose first axis runs fastest, in the order in which the last does. */
function fromFortran(data: TypedArray, shape: readonly number[]): TypedArray {
  const out = data.slice()
  const strides = stridesOf([...shape].reverse()).reverse()
  const index = new Array<number>(shape.length).fill(0)
  let from = 0
  for (let i = 0; i < out.length; i++) {
    out[i] = data[from] as number
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number
      from += stride
      if (++(index[axis] as number) < (shape[axis] as number)) break
      from -= stride * (shape[axis] as number)
      index[axis] = 0
    }
  }
  return out
}

/** The bytes of an NPY file. `dtype`: as what the numbers are stored; default: as they are. bf16 is none of numpy's.
 *  Throws for numbers that the type cannot hold. numpy.save. */
export function writeNpy(array: AnyNDArray, options: { dtype?: StoredDType | undefined } = {}): Bytes {
  const { dtype } = settle('writeNpy', options, { dtype: null })
  return format('writeNpy', 'array', array, dtype)
}

function format(caller: string, name: string, array: AnyNDArray, wanted: StoredDType | null): Bytes {
  checkAnyNDArray(caller, name, array)
  if (wanted !== null) checkStored(caller, wanted)
  const dtype = wanted ?? (storedDTypeOf(array.data) as StoredDType)
  const numpys = Object.keys(names).find((key) => names[key] === dtype)
  if (!numpys)
    throw new RangeError(
      `${caller}: dtype is '${dtype}', which numpy has not; expected one of ${Object.values(names).join(', ')}`,
    )
  const data = encode(dtype, array.data, (at, value, expected) => {
    throw new RangeError(`${caller}: ${name} holds ${value} at ${at}, expected ${expected}`)
  })
  const { shape } = array
  const tuple = `(${shape.join(', ')}${shape.length === 1 ? ',' : ''})`
  const order = storedBytes[dtype] === 1 ? '|' : '<'
  const header = `{'descr': '${order}${numpys}', 'fortran_order': False, 'shape': ${tuple}, }`
  // Data starts at a multiple of 64, after a line end.
  const start = Math.ceil((PREFIX + header.length + 1) / 64) * 64
  const file = new Uint8Array(start + data.length).fill(0x20, PREFIX, start - 1)
  file.set([...MAGIC, 1, 0, (start - PREFIX) & 255, (start - PREFIX) >> 8])
  file.set(new TextEncoder().encode(header), PREFIX)
  file[start - 1] = 0x0a
  file.set(data, start)
  return file
}

/** Reads an NPZ file, plain or compressed: its arrays by name, as readNpy gives them. Checksums are verified.
 *  `maxBytes`: of all arrays together, before anything is inflated; default 2^30. numpy.load. */
export async function readNpz(
  source: Source,
  options: { maxBytes?: number | undefined } = {},
): Promise<Record<string, StoredArray>> {
  const caller = 'readNpz'
  const { maxBytes } = settle(caller, options, { maxBytes: 0x40000000 })
  const files = await readZip(caller, await bytesFrom(caller, source), maxBytes)
  // No prototype: an array may be named __proto__.
  const arrays: Record<string, StoredArray> = Object.create(null)
  for (const [name, bytes] of files) {
    if (!name.endsWith('.npy'))
      throw new Error(`${caller}: the file holds ${JSON.stringify(brief(name))}, expected names that end in .npy`)
    arrays[name.slice(0, -4)] = parse(`${caller}: ${brief(name)}`, bytes())
  }
  return arrays
}

/** The bytes of an NPZ file of arrays by name. `dtype`: as in writeNpy, for all. `compress`: deflate them; default false.
 *  numpy.savez, numpy.savez_compressed. */
export async function writeNpz(
  arrays: Readonly<Record<string, AnyNDArray>>,
  options: { dtype?: StoredDType | undefined; compress?: boolean | undefined } = {},
): Promise<Bytes> {
  const caller = 'writeNpz'
  const { dtype, compress } = settle(caller, options, { dtype: null, compress: false })
  const files = Object.entries(arrays).map(
    ([name, array]) => [`${name}.npy`, format(caller, name, array, dtype)] as const,
  )
  return writeZip(caller, files, compress)
}
