// How the core arrives in Cloudflare's workerd, which compiles nothing at run time: an import of a file is the
// compiled module.

import module from '../kernels.wasm'

/** The compiled core. */
export const kernels = (): WebAssembly.Module => module

/** A second import would burden every worker, fast or not. */
export function relaxedKernels(): never {
  throw new Error('here it is a module that you import, lanewise/kernels-relaxed.wasm')
}
