// Formats: bytes in, bytes out.

export type { AnyNDArray, AnyTypedArray, StoredDType } from './dtypes.ts'
export { readIdx } from './idx.ts'
export { readNpy, readNpz, type StoredArray, writeNpy, writeNpz } from './npy.ts'
export { readSafetensors, type SafetensorsFile, writeSafetensors } from './safetensors.ts'
export type { Source } from './source.ts'
