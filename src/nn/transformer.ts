import { anything, check, option, settle, whole, written } from '../checks.ts'
import { gelu, relu } from '../ops/activation.ts'
import { add } from '../ops/elementwise.ts'
import { float, type Value } from '../ops/input.ts'
import { drawn, type Generator } from '../ops/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { type KeyValueCache, MultiheadAttention } from './attention.ts'
import { Dropout } from './dropout.ts'
import { Linear } from './linear.ts'
import { Module } from './module.ts'
import { LayerNorm } from './norm.ts'

export interface TransformerLayerOptions {
  /** Width between the two linear layers; default 2048. */
  dimFeedforward?: number | undefined
  /** The share dropped in training after attention, within and after the linear layers; default 0.1. */
  dropout?: number | undefined
  /** Between the two linear layers: 'relu' (default), 'gelu', or a function of your own. */
  activation?: ('relu' | 'gelu' | ((x: Tensor) => Tensor)) | undefined
  /** Default 1e-5. */
  layerNormEps?: number | undefined
  /** Input and output are [batch, steps, dModel], not [steps, batch, dModel]; default false. */
  batchFirst?: boolean | undefined
  /** Normalise what goes into attention and the linear layers, not what comes out; default false. */
  normFirst?: boolean | undefined
  /** Where the initial values and the drops come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

export interface TransformerMasks {
  /** [T, T] or [batch nhead, T, T]: in i32 or u8, 1 says that the step does not see the other; f32 is added. */
  mask?: Tensor | NDArray | undefined
  /** [batch, T]: in i32 or u8, 1 says that the step is padding. */
  keyPaddingMask?: Tensor | NDArray | undefined
  /** Step t sees steps 0 .. t only; default false. */
  isCausal?: boolean | undefined
  /** Of this layer's attention: src continues the steps that it holds. */
  cache?: KeyValueCache | undefined
}

/** Linear, Dropout and LayerNorm look at what is theirs. */
const blockOptions = {
  dimFeedforward: /* @__PURE__ */ option(anything, 2048),
  dropout: /* @__PURE__ */ option(anything, 0.1),
  layerNormEps: /* @__PURE__ */ option(anything, 1e-5),
  generator: drawn,
}
const maskOptions = { mask: undefined, keyPaddingMask: undefined, cache: undefined, isCausal: false }

/** Self-attention and a feed-forward network, each with a residual and a LayerNorm: x = norm1(x + attention(x)), x =
 *  norm2(x + linear2(activation(linear1(x)))); with normFirst x = x + attention(norm1(x)), x = x + ff(norm2(x)).
 *  forward(src, masks): src [steps, batch, dModel], result as src. torch.nn.TransformerEncoderLayer. */
export class TransformerEncoderLayer extends Module {
  selfAttn: MultiheadAttention
  linear1: Linear
  dropout: Dropout
  linear2: Linear
  norm1: LayerNorm
  norm2: LayerNorm
  dropout1: Dropout
  dropout2: Dropout
  readonly normFirst: boolean
  readonly #activation: (x: Tensor) => Tensor

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super()
    const caller = 'nn.TransformerEncoderLayer'
    const { dimFeedforward, dropout, activation, layerNormEps, batchFirst, normFirst, ...source } = settle(
      caller,
      options,
      { ...blockOptions, activation: option(anything, 'relu'), batchFirst: false, normFirst: false },
    )
    if (activation !== 'relu' && activation !== 'gelu' && typeof activation !== 'function')
      throw new TypeError(`${caller}: activation is ${written(activation)}, expected 'relu', 'gelu' or a function`)
    this.selfAttn = new MultiheadAttention(dModel, nhead, { dropout, batchFirst, ...source })
    this.linear1 = new Linear(dModel, dimFeedforward, source)
    this.dropout = new Dropout(dropout, source)
    this.linear2 = new Linear(dimFeedforward, dModel, source)
    this.norm1 = new LayerNorm(dModel, { eps: layerNormEps })
    this.norm2 = new LayerNorm(dModel, { eps: layerNormEps })
    this.dropout1 = new Dropout(dropout, source)
    this.dropout2 = new Dropout(dropout, source)
    this.normFirst = normFirst
    this.#activation = activation === 'relu' ? relu : activation === 'gelu' ? (x) => gelu(x) : activation
  }

  forward(src: Value, masks: TransformerMasks = {}): Tensor {
    const op = 'nn.TransformerEncoderLayer.forward'
    settle(op, masks, maskOptions)
    let x = float(op, 'src', src)
    if (this.normFirst) {
      x = add(x, this.#attend(this.norm1.forward(x), masks))
      return add(x, this.#feedForward(this.norm2.forward(x)))
    }
    x = this.norm1.forward(add(x, this.#attend(x, masks)))
    return this.norm2.forward(add(x, this.#feedForward(x)))
  }

  #attend(x: Tensor, { mask, keyPaddingMask, isCausal = false, cache }: TransformerMasks): Tensor {
    const { output } = this.selfAttn.forward(x, x, x, {
      ...(mask && { attnMask: mask }),
      ...(keyPaddingMask && { keyPaddingMask }),
      ...(cache && { cache }),
      isCausal,
      needWeights: false,
    })
    return this.dropout1.forward(output)
  }

  #feedForward(x: Tensor): Tensor {
    const wide = this.dropout.forward(this.#activation(this.linear1.forward(x)))
    return this.dropout2.forward(this.linear2.forward(wide))
  }
}

/** Layers one after the other, then `norm` if given.  layer: makes one layer at each call, so that each draws initial
 *  values of its own. State names layers.0 …, norm. forward(src, masks): as the layers, without a cache. torch.nn.TransformerEncoder. */
export class TransformerEncoder extends Module {
  readonly layers: readonly TransformerEncoderLayer[]
  norm: LayerNorm | null

  constructor(layer: () => TransformerEncoderLayer, numLayers: number, options: { norm?: LayerNorm | undefined } = {}) {
    super()
    const { norm } = settle('nn.TransformerEncoder', options, { norm: null })
    if (typeof layer !== 'function')
      throw new TypeError(
        'nn.TransformerEncoder: layer is no function, expected () => new nn.TransformerEncoderLayer(…)',
      )
    check('nn.TransformerEncoder', 'numLayers', numLayers, whole(1))
    this.layers = Array.from({ length: numLayers }, () => layer())
    if (new Set(this.layers).size !== numLayers)
      throw new Error('nn.TransformerEncoder: layer gave the same layer twice, expected a new one at each call')
    this.norm = norm
  }

  forward(src: Value, masks: Omit<TransformerMasks, 'cache'> = {}): Tensor {
    const op = 'nn.TransformerEncoder.forward'
    settle(op, masks as TransformerMasks, maskOptions)
    if ('cache' in masks && masks.cache !== undefined)
      throw new TypeError(`${op}: one cache came for ${this.layers.length} layers; call each of layers with its own`)
    let x = float(op, 'src', src)
    for (const layer of this.layers) x = layer.forward(x, masks)
    return this.norm ? this.norm.forward(x) : x
  }
}

export interface TransformerDecoderBlockOptions {
  /** Default 4 dModel. */
  dimFeedforward?: number | undefined
  /** Default 0.1. */
  dropout?: number | undefined
  /** Default 1e-5. */
  layerNormEps?: number | undefined
  /** Where the initial values and the drops come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

/** A block of a decoder-only transformer, as in GPT-2: x = x + attention(norm1(x)), then x = x + linear2(gelu(linear1(
 *  norm2(x)))), where each step sees itself and those before.  forward(input): [batch, T, dModel], result as input.
 *  It is torch.nn.TransformerEncoderLayer(d_model, nhead, 4 * d_model, activation='gelu', batch_first=True,
 *  norm_first=True), with its state names, called with a causal mask. */
export class TransformerDecoderBlock extends TransformerEncoderLayer {
  constructor(dModel: number, nhead: number, options: TransformerDecoderBlockOptions = {}) {
    const settled = settle('nn.TransformerDecoderBlock', options, {
      ...blockOptions,
      dimFeedforward: option(anything, 4 * dModel),
    })
    super(dModel, nhead, {
      ...settled,
      activation: 'gelu',
      batchFirst: true,
      normFirst: true,
    })
  }

  /** keyPaddingMask: [batch, T], 1 where a step is padding (with a cache [batch, all steps]). cache: input continues the
   *  steps that it holds; a cache for each block. */
  override forward(input: Value, masks: Pick<TransformerMasks, 'keyPaddingMask' | 'cache'> = {}): Tensor {
    settle('nn.TransformerDecoderBlock.forward', masks, { keyPaddingMask: undefined, cache: undefined })
    return super.forward(input, { ...masks, isCausal: true })
  }
}
