// How the core arrives in Vercel's edge runtime, which compiles nothing at run time: the import is the compiled
// module, with `?module` for its bundlers.

import module from '../kernels.wasm?module'

/** The compiled core. */
export const kernels = (): WebAssembly.Module => module
