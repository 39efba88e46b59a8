// Numbers as files store them, little-endian, and as arrays of ours: f32, i32 or u8.

import { unexpected, written } from '../checks.ts'
import { twoTo } from '../math.ts'
import { checkShape, show, sizeOf } from '../tensor/shape.ts'
import type { TypedArray } from '../tensor/types.ts'

/** Types of numbers that files store, and their bytes. */
export const storedBytes = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  u64: 8,
  i32: 4,
  u32: 4,
  i16: 2,
  u16: 2,
  i8: 1,
  u8: 1,
  bool: 1,
} as const

export type StoredDType = keyof typeof storedBytes

/** Every typed array that JavaScript has. */
export type AnyTypedArray = TypedArray | NumberArray | BigInt64Array | BigUint64Array

type NumberArray = Float64Array | Int8Array | Int16Array | Uint16Array | Uint32Array | Uint8ClampedArray

/** An array of any type: what files are written from. */
export interface AnyNDArray {
  readonly shape: readonly number[]
  readonly data: AnyTypedArray
}

const dtypes: Readonly<Record<string, StoredDType>> = {
  Float64Array: 'f64',
  Float32Array: 'f32',
  Float16Array: 'f16',
  BigInt64Array: 'i64',
  BigUint64Array: 'u64',
  Int32Array: 'i32',
  Uint32Array: 'u32',
  Int16Array: 'i16',
  Uint16Array: 'u16',
  Int8Array: 'i8',
  Uint8Array: 'u8',
  Uint8ClampedArray: 'u8',
}

/** The type of a typed array's numbers, null for anything else. By its tag: arrays of another realm, an iframe's or a
 *  test runner's, are no instances of ours. */
export function storedDTypeOf(data: unknown): StoredDType | null {
  if (!ArrayBuffer.isView(data)) return null
  return dtypes[Object.prototype.toString.call(data).slice(8, -1)] ?? null
}

export function checkStored(caller: string, dtype: unknown): asserts dtype is StoredDType {
  if (typeof dtype !== 'string' || !Object.hasOwn(storedBytes, dtype))
    throw unexpected(caller, 'dtype', dtype, `one of ${Object.keys(storedBytes).join(', ')}`)
}

/** Throws unless `array` is { data, shape } with a typed array of as many elements as its shape says. */
export function checkAnyNDArray(caller: string, name: string, array: unknown): asserts array is AnyNDArray {
  const { data, shape } = (array ?? {}) as Partial<AnyNDArray>
  if (!storedDTypeOf(data))
    throw new TypeError(`${caller}: ${name} is ${written(array)}, expected { data, shape } with a typed array`)
  checkShape(`${caller}: ${name}`, shape)
  if (sizeOf(shape) !== (data as AnyTypedArray).length)
    throw new RangeError(
      `${caller}: ${name} has ${(data as AnyTypedArray).length} elements, expected ${sizeOf(shape)} for shape ${show(shape)}`,
    )
}

/** Bytes of numbers, in a buffer of their own, as an array of ours: floats become f32, bool and u8 u8, all other whole
 *  numbers i32. `refuse` gets the first that does not fit in 32 bits. */
export function decode(dtype: StoredDType, bytes: Uint8Array, refuse: (value: string) => never): TypedArray {
  const { buffer } = bytes
  switch (dtype) {
    case 'f32':
      return new Float32Array(buffer)
    case 'f64':
      return new Float32Array(new Float64Array(buffer))
    case 'f16':
      return halvesToFloats(new Uint16Array(buffer))
    case 'bf16':
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer)
    case 'i32':
      return new Int32Array(buffer)
    case 'i64':
    case 'u64':
      return narrow(dtype, new Int32Array(buffer), refuse)
    case 'u32': {
      const unsigned = new Uint32Array(buffer)
      const bad = unsigned.findIndex((value) => value > 0x7fffffff)
      if (bad >= 0) refuse(String(unsigned[bad]))
      return new Int32Array(buffer)
    }
    case 'i16':
      return new Int32Array(new Int16Array(buffer))
    case 'u16':
      return new Int32Array(new Uint16Array(buffer))
    case 'i8':
      return new Int32Array(new Int8Array(buffer))
    case 'u8':
      return bytes
    case 'bool':
      return bytes.map((byte) => Number(byte !== 0))
  }
}

/** Turns the bytes of each number around: from big-endian to little-endian. */
export function swap(bytes: Uint8Array, size: number): void {
  if (size > 1) for (let i = 0; i < bytes.length; i += size) bytes.subarray(i, i + size).reverse()
}

/** 64-bit whole numbers, given as low and high words, that must fit in 32. */
function narrow(dtype: 'i64' | 'u64', words: Int32Array, refuse: (value: string) => never): Int32Array {
  const out = new Int32Array(words.length / 2)
  for (let i = 0; i < out.length; i++) {
    const low = words[2 * i] as number
    if (words[2 * i + 1] !== (dtype === 'i64' ? low >> 31 : 0) || (dtype === 'u64' && low < 0)) {
      const all = dtype === 'i64' ? BigInt64Array : BigUint64Array
      refuse(String(new all(words.buffer as ArrayBuffer)[i]))
    }
    out[i] = low
  }
  return out
}

function halvesToFloats(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (bits) => {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    if (exponent === 0) return sign * fraction * twoTo(-24)
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
    return sign * (1 + fraction / 1024) * twoTo(exponent - 15)
  })
}

/** Smallest and largest of each type of whole numbers. */
const ranges: Partial<Record<StoredDType, readonly [low: number, high: number]>> = {
  i64: [-twoTo(63), twoTo(63)],
  u64: [0, twoTo(64)],
  i32: [-0x80000000, 0x7fffffff],
  u32: [0, 0xffffffff],
  i16: [-0x8000, 0x7fff],
  u16: [0, 0xffff],
  i8: [-0x80, 0x7f],
  u8: [0, 0xff],
  bool: [0, 1],
}

const views = {
  f64: Float64Array,
  f32: Float32Array,
  i32: Int32Array,
  u32: Uint32Array,
  i16: Int16Array,
  u16: Uint16Array,
  i8: Int8Array,
  u8: Uint8Array,
  bool: Uint8Array,
} as const

/** Numbers as bytes of a type; a view of `data` where they are of this type already. Floats are rounded to the nearest,
 *  ties to even; `refuse` gets the first number that the type cannot hold: whole numbers must be the same afterwards,
 *  finite ones finite. */
export function encode(
  dtype: StoredDType,
  data: AnyTypedArray,
  refuse: (at: number, value: string, expected: string) => never,
): Uint8Array {
  const own = storedDTypeOf(data)
  const bytesOf = (view: ArrayBufferView): Uint8Array =>
    new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength)
  if (own === dtype) return bytesOf(data)
  const values = data as ArrayLike<number | bigint>
  const range = ranges[dtype]
  if (range) {
    const [low, high] = range
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number | bigint
      // 2^63 and 2^64 themselves are no members of their types.
      const fits = value >= low && (high < twoTo(63) ? value <= high : value < high)
      if (!fits || (typeof value === 'number' && !Number.isInteger(value)))
        refuse(i, String(value), `a whole number of ${dtype}`)
    }
    if (dtype === 'i64') return bytesOf(BigInt64Array.from(values, BigInt))
    if (dtype === 'u64') return bytesOf(BigUint64Array.from(values, BigInt))
  } else if (dtype !== 'f64') {
    const most = dtype === 'f16' ? MOST_F16 : dtype === 'bf16' ? MOST_BF16 : MOST_F32
    for (let i = 0; i < values.length; i++) {
      const value = Number(values[i])
      if (Math.abs(dtype === 'bf16' ? Math.fround(value) : value) >= most && Number.isFinite(value))
        refuse(i, String(value), `a number that ${dtype} can hold`)
    }
    if (dtype === 'f16') return bytesOf(Uint16Array.from(values, (value) => floatToHalf(Number(value))))
    if (dtype === 'bf16') return bytesOf(floatsToBrain(Float32Array.from(values, Number)))
  }
  const view = new views[dtype as keyof typeof views](values.length)
  for (let i = 0; i < values.length; i++) view[i] = Number(values[i])
  return bytesOf(view)
}

/** What rounds to infinity: the largest number and half a step. */
const MOST_F16 = 65520
const MOST_F32 = twoTo(128) - twoTo(103)
const MOST_BF16 = twoTo(128) - twoTo(119)

const float = new Float64Array(1)
const floatBits = new Int32Array(float.buffer)

function floatToHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const size = Math.abs(value)
  if (Number.isNaN(value)) return 0x7e00
  if (size === Infinity) return sign | 0x7c00
  float[0] = size
  // Below 2^-14 steps are as wide as there.
  const exponent = Math.max(-14, ((floatBits[1] as number) >> 20) - 1023)
  const steps = roundHalfEven(size / twoTo(exponent - 10))
  // A fraction of 1024 and more is the leading one, which adds to the exponent: 2048 of them are the next.
  return sign | (steps < 1024 ? steps : ((exponent + 14) << 10) + steps)
}

/** `value` >= 0, below 2^52. */
function roundHalfEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  return below + Number(rest > 0.5 || (rest === 0.5 && below % 2 === 1))
}

function floatsToBrain(floats: Float32Array): Uint16Array {
  return Uint16Array.from(new Uint32Array(floats.buffer), (bits) => {
    const isNaN = (bits & 0x7fffffff) > 0x7f800000
    return isNaN ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
  })
}
