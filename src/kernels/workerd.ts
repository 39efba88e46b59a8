// How the core arrives in Cloudflare's workerd, which compiles nothing at run time: an import of a file is the
// compiled module.

import module from '../kernels.wasm'

/** The compiled core. */
export const kernels = (): WebAssembly.Module => module
