import { sameShape, show, sizeOf } from './shape.ts'
import { type DType, dtypeOf, isNDArray, type NDArray } from './types.ts'

/** What keeps `state` from holding these arrays and no others, each named. */
export function faultsOf(
  state: Record<string, NDArray>,
  expected: readonly { name: string; shape: readonly number[]; dtype: DType }[],
): string[] {
  const faults = expected.flatMap(({ name, shape, dtype }) => {
    const value = Object.hasOwn(state, name) ? state[name] : undefined
    if (value === undefined) return [`missing ${name} ${show(shape)}`]
    if (!isNDArray(value) || dtypeOf(value.data) !== dtype) return [`${name} is no array of ${dtype} { shape, data }`]
    if (!sameShape(value.shape, shape)) return [`${name} has shape ${show(value.shape)}, expected ${show(shape)}`]
    if (value.data.length !== sizeOf(shape))
      return [`${name} has ${value.data.length} elements, expected ${sizeOf(shape)}`]
    return []
  })
  const known = new Set(expected.map(({ name }) => name))
  return [...faults, ...Object.keys(state).flatMap((name) => (known.has(name) ? [] : [`unexpected ${name}`]))]
}
