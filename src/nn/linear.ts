import { checkAll, settle, whole } from '../checks.ts'
import { linear } from '../ops/gemm.ts'
import type { Value } from '../ops/input.ts'
import { drawn, type Generator } from '../ops/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { uniformFan } from './init.ts'
import { Module, type Parameter } from './module.ts'

export interface LinearOptions {
  /** Whether to add a learned bias; default true. */
  bias?: boolean | undefined
  /** Where the initial values come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

/** y = x Wᵀ + b.  x: [..., inFeatures], y: [..., outFeatures]; weight: [outFeatures, inFeatures], bias:
 *  [outFeatures], both from U(±1/√inFeatures). torch.nn.Linear. */
export class Linear extends Module {
  weight: Parameter
  bias: Parameter | null

  constructor(inFeatures: number, outFeatures: number, options: LinearOptions = {}) {
    super()
    const { bias, generator } = settle('nn.Linear', options, { generator: drawn, bias: true })
    checkAll('nn.Linear', { inFeatures, outFeatures }, whole(0))
    this.weight = uniformFan([outFeatures, inFeatures], inFeatures, generator)
    this.bias = bias ? uniformFan([outFeatures], inFeatures, generator) : null
  }

  override extraRepr(): string {
    const [outFeatures, inFeatures] = this.weight.shape
    return `inFeatures=${inFeatures}, outFeatures=${outFeatures}, bias=${this.bias !== null}`
  }

  forward(input: Value): Tensor {
    return linear(input, this.weight, this.bias)
  }
}
