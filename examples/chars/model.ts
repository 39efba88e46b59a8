// A GPT on characters: what comes next, given up to `block` characters before.

import { add, type NDArray, nn, normal, slice, type Tensor } from 'lanewise'

export interface Sizes {
  vocabulary: number
  /** Characters that the model sees at once. */
  block: number
  width: number
  heads: number
  layers: number
}

export class Gpt extends nn.Module {
  readonly tokens: nn.Embedding
  readonly positions: nn.Embedding
  readonly blocks: nn.TransformerDecoderBlock[]
  readonly norm: nn.LayerNorm
  readonly head: nn.Linear

  constructor({ vocabulary, block, width, heads, layers }: Sizes) {
    super()
    this.tokens = new nn.Embedding(vocabulary, width)
    this.positions = new nn.Embedding(block, width)
    this.blocks = Array.from({ length: layers }, () => new nn.TransformerDecoderBlock(width, heads, { dropout: 0 }))
    this.norm = new nn.LayerNorm(width)
    this.head = new nn.Linear(width, vocabulary, { bias: false })
    // As in GPT-2: embeddings start small, so that the blocks are heard.
    for (const { weight } of [this.tokens, this.positions])
      weight.copyFrom(normal(weight.shape, 0, 0.02).data() as Float32Array)
  }

  /** input: characters by number, i32 [batch, T]; result: logits [batch, T, vocabulary]. With caches, one for each block,
   *  the input goes on where they end. Up to `block` characters in all. */
  forward(input: Tensor | NDArray, caches?: nn.KeyValueCache[]): Tensor {
    const start = caches?.[0]?.length ?? 0
    const places = { start, end: start + (input.shape[1] as number) }
    let x = add(this.tokens.forward(input), slice(this.positions.weight, places))
    for (const [i, block] of this.blocks.entries())
      x = block.forward(x, caches && { cache: caches[i] as nn.KeyValueCache })
    return this.head.forward(this.norm.forward(x))
  }
}
