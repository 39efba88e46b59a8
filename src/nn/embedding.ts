import { checkAll, settle, whole } from '../checks.ts'
import { checkPadding, embedding } from '../ops/gather.ts'
import type { Value } from '../ops/input.ts'
import { drawn, type Generator, normal } from '../ops/random.ts'
import { elements, type Tensor } from '../tensor/tensor.ts'
import { Module, Parameter } from './module.ts'

export interface EmbeddingOptions {
  /** The row that starts as 0 and gets no gradient, negative counted from the end; default none. */
  paddingIdx?: number | null | undefined
  /** Where the initial values come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

/** A learnt row for each index: y = weight[input].  input: i32 [...], y: [..., embeddingDim]; weight:
 *  [numEmbeddings, embeddingDim] from N(0, 1), its row paddingIdx 0. Throws when an index is out of range.
 *  torch.nn.Embedding. */
export class Embedding extends Module {
  weight: Parameter
  readonly paddingIdx: number | null

  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingOptions = {}) {
    super()
    const { paddingIdx, generator } = settle('nn.Embedding', options, { paddingIdx: null, generator: drawn })
    checkAll('nn.Embedding', { numEmbeddings, embeddingDim }, whole(0))
    this.paddingIdx = paddingIdx === null ? null : checkPadding('nn.Embedding', paddingIdx, numEmbeddings)
    this.weight = new Parameter(normal([numEmbeddings, embeddingDim], 0, 1, generator))
    if (this.paddingIdx !== null)
      elements(this.weight).fill(0, this.paddingIdx * embeddingDim, (this.paddingIdx + 1) * embeddingDim)
  }

  forward(input: Value): Tensor {
    return embedding(input, this.weight, this.paddingIdx)
  }

  override extraRepr(): string {
    const padding = this.paddingIdx === null ? '' : `, paddingIdx=${this.paddingIdx}`
    return `${this.weight.shape.join(', ')}${padding}`
  }
}
