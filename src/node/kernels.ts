// How the core arrives in Node, Deno and Bun: inside the script, as it is. Inflating it would save bytes that
// nobody downloads, and costs Node the loading of its streams.

import inlined from '../../build/kernels.wasm?inline'
import { decode } from '../kernels/base64.ts'

/** The bytes of the core. */
export const kernels = (): Uint8Array<ArrayBuffer> => decode(inlined.slice(inlined.indexOf(',') + 1))

/** The bytes of the core with relaxed SIMD: a file, which Deno reads under --allow-read. */
export async function relaxedKernels(): Promise<Uint8Array<ArrayBuffer>> {
  const { readFile } = await import('node:fs/promises')
  return Uint8Array.from(await readFile(new URL(/* @vite-ignore */ '../kernels-relaxed.wasm', import.meta.url)))
}
