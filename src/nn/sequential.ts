import type { Value } from '../ops/input.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module } from './module.ts'

/** A module of one input and one output. */
export interface Layer extends Module {
  forward(input: Value): Tensor
}

/** Layers one after the other; their names are their indices. torch.nn.Sequential. */
export class Sequential extends Module {
  readonly layers: readonly Layer[]

  constructor(...layers: Layer[]) {
    super()
    const wrong = layers.findIndex((layer) => !(layer instanceof Module))
    if (wrong >= 0)
      throw new TypeError(`nn.Sequential: argument ${wrong} is ${typeof layers[wrong]}, expected a Module`)
    this.layers = layers
  }

  override *children(): Generator<[string, Module]> {
    for (const [i, layer] of this.layers.entries()) yield [String(i), layer]
  }

  forward(input: Value): Tensor {
    let x = input
    for (const layer of this.layers) x = layer.forward(x)
    return x as Tensor
  }
}
