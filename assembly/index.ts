import { ABI } from './dispatch'

export { run } from './program'

/** The first byte that the host may use: constant tables of the library lie below. */
export function heapBase(): usize {
  return __heap_base
}

/** Tells whose commands these are: the version of the package, and the signatures of all kernels. */
export function abi(): u32 {
  return ABI
}
