import { kindOf } from '../checks.ts'
import type { Operand, Storage } from '../core/storage.ts'
import { Tensor } from '../tensor/tensor.ts'
import { paddedBytes } from './flat.ts'

/** Tensors that lie one after the other, padded to whole lines, in each of several blocks. */
export interface Stretch {
  /** Index of the first tensor. */
  readonly first: number
  /** Where the stretch begins in each block. */
  readonly starts: readonly Operand[]
  /** Number of tensors, then the elements of each, without padding. */
  readonly sizes: number[]
}

/** The longest stretches of tensors. `places`: where a tensor lies in each block; null leaves it out. */
export function stretchesOf(
  tensors: readonly Tensor[],
  places: (tensor: Tensor, i: number) => readonly (readonly [Storage, number])[] | null,
): Stretch[] {
  const found: (Omit<Stretch, 'starts'> & { places: readonly (readonly [Storage, number])[]; ends: number[] })[] = []
  tensors.forEach((tensor, i) => {
    const own = places(tensor, i)
    if (!own) return
    const addresses = own.map(([storage, offset]) => storage.address + offset)
    const ends = addresses.map((address) => address + paddedBytes(tensor))
    const last = found.at(-1)
    const [count = 0] = last?.sizes ?? []
    if (last && last.first + count === i && last.ends.every((end, k) => end === addresses[k])) {
      last.sizes.push(tensor.size)
      last.sizes[0] = count + 1
      last.ends = ends
    } else
      found.push({
        first: i,
        places: own,
        sizes: [1, tensor.size],
        ends,
      })
  })
  return found.map(({ first, sizes, places, ends }) => ({
    first,
    sizes,
    starts: places.map(([storage, offset], k) => ({
      storage,
      offset,
      bytes: (ends[k] as number) - storage.address - offset,
    })),
  }))
}

/** A list of leaves of f32, each once. */
export function leaves(caller: string, parameters: Iterable<Tensor> | Tensor): Tensor[] {
  const list = parameters instanceof Tensor ? [parameters] : parameters
  if (typeof (list as Iterable<Tensor> | null)?.[Symbol.iterator] !== 'function')
    throw new TypeError(`${caller}: parameters are ${kindOf(list)}, expected tensors, as model.parameters() gives`)
  const all = [...new Set(list as Iterable<Tensor>)]
  for (const [i, x] of all.entries()) {
    if (!(x instanceof Tensor)) throw new TypeError(`${caller}: parameter ${i} is ${kindOf(x)}, expected a Tensor`)
    x.check(caller)
  }
  return all
}
