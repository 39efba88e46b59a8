// How the core arrives in Vercel's edge runtime, which compiles nothing at run time: the import is the compiled
// module, with `?module` for its bundlers.

import module from '../kernels.wasm?module'

/** The compiled core. */
export const kernels = (): WebAssembly.Module => module

/** A second import would burden every worker, fast or not. */
export function relaxedKernels(): never {
  throw new Error('here it is a module that you import, lanewise/kernels-relaxed.wasm?module')
}
