import { ABI } from './dispatch'

export { run } from './program'

/** The first byte that the host may use: constant tables of the library lie below. */
export function heapBase(): usize {
  return __heap_base
}

/** Whether this is the fast core, in which a product that is added is not rounded first. */
export function fused(): bool {
  return ASC_FEATURE_RELAXED_SIMD
}

/** Tells whose commands these are: the version of the package, and the signatures of all kernels. */
export function abi(): u32 {
  return ABI
}
