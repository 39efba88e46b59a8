// Formats: bytes in, bytes out.

export { readIdx } from './idx.ts'
export { readSafetensors, type SafetensorsFile, writeSafetensors } from './safetensors.ts'
export type { Source } from './source.ts'
