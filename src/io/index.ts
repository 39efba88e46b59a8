// Formats: bytes in, bytes out.

export type { AnyNDArray, AnyTypedArray, StoredDType } from './dtypes.ts'
export { readIdx } from './idx.ts'
export { readNpy, readNpz, type StoredArray, writeNpy, writeNpz } from './npy.ts'
export {
  openSafetensors,
  readSafetensors,
  type SafetensorsFile,
  type SafetensorsOptions,
  type SafetensorsSource,
  writeSafetensors,
} from './safetensors.ts'
export { type ByteSource, openUrl, readBytes, type Source } from './source.ts'
