export { run } from './program'

/** The first byte that the host may use: constant tables of the library lie below. */
export function heapBase(): usize {
  return __heap_base
}
