import { written } from '../checks.ts'

/** f32 for values, i32 for indices, u8 for raw data (every op widens it to f32 first). */
export type DType = 'f32' | 'i32' | 'u8'

/** Bytes in a buffer of their own: Uint8Array<ArrayBuffer>, in words that TypeScript before 5.7 knows. */
export type Bytes = ReturnType<typeof Uint8Array.of>

export type TypedArray = Float32Array | Int32Array | Uint8Array

/** An array in JavaScript's memory: what data sets hold, loaders yield and compiled functions take. */
export interface NDArray {
  readonly shape: readonly number[]
  readonly data: TypedArray
}

export const bytesOf: Record<DType, number> = { f32: 4, i32: 4, u8: 1 }

export function checkDType(caller: string, dtype: unknown): asserts dtype is DType {
  if (typeof dtype !== 'string' || !Object.hasOwn(bytesOf, dtype)) {
    throw new TypeError(`${caller}: dtype is ${written(dtype)}, expected ${Object.keys(bytesOf).join(', ')}`)
  }
}

export const arrayOf = { f32: Float32Array, i32: Int32Array, u8: Uint8Array } as const

export function dtypeOf(data: TypedArray): DType {
  if (data instanceof Float32Array) return 'f32'
  return data instanceof Int32Array ? 'i32' : 'u8'
}

export const isTypedArray = (value: unknown): value is TypedArray =>
  value instanceof Float32Array || value instanceof Int32Array || value instanceof Uint8Array

export const isNDArray = (value: unknown): value is NDArray =>
  typeof value === 'object' &&
  value !== null &&
  Array.isArray((value as NDArray).shape) &&
  isTypedArray((value as NDArray).data)
