// Parameters of an optimizer lie in one flat block, their gradients and its state in more of the same
// layout: an update is one pass, whatever the number of layers.
//
//   parameters  │ weight 0     │pad│ bias 0 │pad│ weight 1   │ …     parts start on cache lines;
//   gradients   │ ∂ weight 0   │ 0 │ ∂ bias │ 0 │ …                  padding is 0 everywhere and stays 0

import { currentEngine, newHeldStorage } from '../core/engine.ts'
import { GRADIENTS, Storage } from '../core/storage.ts'
import { gradientOf, type Tensor } from '../tensor/tensor.ts'

const LINE = 64

/** Bytes that a parameter takes in a block. */
export const paddedBytes = ({ size }: Tensor): number => Math.ceil((4 * size) / LINE) * LINE

/** A zeroed block, and where in it each of the tensors has its place. */
export class Flat {
  readonly whole: Storage
  readonly #offsets: number[] = []

  constructor(like: readonly Tensor[], owner: string) {
    let bytes = 0
    for (const tensor of like) {
      this.#offsets.push(bytes)
      bytes += paddedBytes(tensor)
    }
    this.whole = newHeldStorage(bytes, owner)
    currentEngine(owner).memory.u8.fill(0, this.whole.address, this.whole.address + bytes)
  }

  offset(i: number): number {
    return this.#offsets[i] as number
  }

  part(i: number, tensor: Tensor): Storage {
    return Storage.part(this.whole, this.offset(i), 4 * tensor.size)
  }
}

/** Moves tensors, and the gradients they have, into flat blocks. */
export function flattenParameters(params: readonly Tensor[]): void {
  const values = new Flat(params, 'parameters')
  let gradients: Flat
  try {
    gradients = new Flat(params, GRADIENTS)
  } catch (error) {
    values.whole.release()
    throw error
  }
  const { memory } = currentEngine('optimizer')
  params.forEach((param, i) => {
    const place = values.part(i, param)
    const from = param.storage.address + param.offset
    memory.u8.copyWithin(place.address, from, from + 4 * param.size)
    param.moveTo(place)
    const gradient = gradients.part(i, param)
    const before = param.grad && param.gradStorage
    if (before) memory.u8.copyWithin(gradient.address, before.address, before.address + 4 * param.size)
    param.keepGradientIn(gradient)
    if (before) param.grad = gradientOf(param)
  })
  values.whole.release()
  gradients.whole.release()
}
