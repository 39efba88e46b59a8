// How the core arrives in a page: inside the script, deflated, since base64 of the plain bytes hides from the
// server's gzip what they have in common (49 KB instead of 35). No second request, no path to configure.

import deflated from '../../build/kernels.wasm?deflated'
import { decode } from './base64.ts'

/** The bytes of the core. */
export async function kernels(): Promise<ArrayBuffer> {
  if (typeof DecompressionStream !== 'function') {
    throw new Error(
      'init: this engine has no DecompressionStream; pass the core: init({ wasm: fetch(URL of kernels.wasm) })',
    )
  }
  const inflated = new Blob([decode(deflated)]).stream().pipeThrough(new DecompressionStream('deflate'))
  return new Response(inflated).arrayBuffer()
}

/** Where the core with relaxed SIMD lies: a file, which nobody fetches unless asked. An import of it would be in every
 *  bundle of bundlers that write one file. */
export const relaxedKernels = (): URL => new URL(/* @vite-ignore */ '../kernels-relaxed.wasm', import.meta.url)
