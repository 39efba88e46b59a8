import type { Storage } from '../core/storage.ts'
import { Tensor } from '../tensor/tensor.ts'
import { paddedBytes } from './flat.ts'

/** The longest stretches of tensors that lie one after the other, padded to whole lines, in each of the blocks
 *  that `places` names. sizes: number of tensors, then the elements of each, without padding. */
export function stretchesOf(
  tensors: readonly Tensor[],
  places: (tensor: Tensor, i: number) => readonly (readonly [Storage, number])[],
): { sizes: number[]; first: number; starts: { storage: Storage; offset: number }[] }[] {
  const found: { sizes: number[]; first: number; starts: { storage: Storage; offset: number }[]; ends: number[] }[] = []
  tensors.forEach((tensor, i) => {
    const own = places(tensor, i)
    const addresses = own.map(([storage, offset]) => storage.address + offset)
    const ends = addresses.map((address) => address + paddedBytes(tensor))
    const last = found.at(-1)
    if (last?.ends.every((end, k) => end === addresses[k])) {
      last.sizes.push(tensor.size)
      last.sizes[0] = last.sizes.length - 1
      last.ends = ends
    } else
      found.push({
        sizes: [1, tensor.size],
        first: i,
        starts: own.map(([storage, offset]) => ({ storage, offset })),
        ends,
      })
  })
  return found
}

/** A list of leaves of f32, each once. */
export function leaves(caller: string, parameters: Iterable<Tensor> | Tensor): Tensor[] {
  const list = parameters instanceof Tensor ? [parameters] : parameters
  if (typeof (list as Iterable<Tensor> | null)?.[Symbol.iterator] !== 'function')
    throw new TypeError(`${caller}: parameters are ${typeof list}, expected tensors, as model.parameters() gives`)
  const all = [...new Set(list as Iterable<Tensor>)]
  for (const [i, x] of all.entries()) {
    if (!(x instanceof Tensor)) throw new TypeError(`${caller}: parameter ${i} is ${typeof x}, expected a Tensor`)
    x.check(caller)
  }
  return all
}
