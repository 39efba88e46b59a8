import { checkAll, settle, whole } from '../checks.ts'
import { reshape } from '../ops/copy.ts'
import { add, mul } from '../ops/elementwise.ts'
import { linear } from '../ops/gemm.ts'
import { float, type Value } from '../ops/input.ts'
import { drawn, type Generator } from '../ops/random.ts'
import { sum } from '../ops/reduce.ts'
import { sameShape, show } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { uniformFan } from './init.ts'
import { Module, type Parameter } from './module.ts'

export interface BilinearOptions {
  /** Whether to add a learned bias; default true. */
  bias?: boolean | undefined
  /** Where the initial values come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

/** y[o] = x1ᵀ W[o] x2 + b[o].  x1: [..., in1Features], x2: [..., in2Features], y: [..., outFeatures]; weight:
 *  [outFeatures, in1Features, in2Features], bias: [outFeatures], both from U(±1/√in1Features). torch.nn.Bilinear. */
export class Bilinear extends Module {
  weight: Parameter
  bias: Parameter | null

  constructor(in1Features: number, in2Features: number, outFeatures: number, options: BilinearOptions = {}) {
    super()
    const { bias, generator } = settle('nn.Bilinear', options, { generator: drawn, bias: true })
    checkAll('nn.Bilinear', { in1Features, in2Features, outFeatures }, whole(0))
    this.weight = uniformFan([outFeatures, in1Features, in2Features], in1Features, generator)
    this.bias = bias ? uniformFan([outFeatures], in1Features, generator) : null
  }

  forward(input1: Value, input2: Value): Tensor {
    const x1 = float('nn.Bilinear', 'input1', input1)
    const x2 = float('nn.Bilinear', 'input2', input2)
    const [outputs, in1, in2] = this.weight.shape as [number, number, number]
    const lead = x1.shape.slice(0, -1)
    if (x1.shape.at(-1) !== in1 || x2.shape.at(-1) !== in2 || !sameShape(lead, x2.shape.slice(0, -1)))
      throw new RangeError(
        `nn.Bilinear: inputs have shapes ${show(x1.shape)} and ${show(x2.shape)}, expected [..., ${in1}] and [..., ${in2}] with the same leading axes`,
      )
    // All W[o] x2 in one matrix product, then the products with x1.
    const right = reshape(linear(x2, reshape(this.weight, [outputs * in1, in2])), [...lead, outputs, in1])
    const y = sum(mul(reshape(x1, [...lead, 1, in1]), right), { axis: -1 })
    return this.bias ? add(y, this.bias) : y
  }

  override extraRepr(): string {
    const [outputs, in1, in2] = this.weight.shape
    return `in1Features=${in1}, in2Features=${in2}, outFeatures=${outputs}, bias=${this.bias !== null}`
  }
}
