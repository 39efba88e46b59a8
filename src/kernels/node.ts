// How the core arrives in Node, Deno and Bun: inside the script, as it is. Inflating it would save bytes that
// nobody downloads, and costs Node the loading of its streams.

import inlined from '../../build/kernels.wasm?inline'
import { decode } from './base64.ts'

/** The bytes of the core. */
export const kernels = (): Uint8Array<ArrayBuffer> => decode(inlined.slice(inlined.indexOf(',') + 1))
