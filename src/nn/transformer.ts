import { written } from '../core/options.ts'
import { gelu, relu } from '../ops/activation.ts'
import { add } from '../ops/elementwise.ts'
import { float, type Value } from '../ops/input.ts'
import type { Generator } from '../ops/random.ts'
import { checkWhole } from '../tensor/checks.ts'
import { checkOptions } from '../tensor/options.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { type KeyValueCache, MultiheadAttention } from './attention.ts'
import { Dropout } from './dropout.ts'
import { Linear } from './linear.ts'
import { Module } from './module.ts'
import { LayerNorm } from './norm.ts'

export interface TransformerLayerOptions {
  /** Width between the two linear layers; default 2048. */
  dimFeedforward?: number
  /** The share dropped in training after attention, within and after the linear layers; default 0.1. */
  dropout?: number
  /** Between the two linear layers: 'relu' (default), 'gelu', or a function of your own. */
  activation?: 'relu' | 'gelu' | ((x: Tensor) => Tensor)
  /** Default 1e-5. */
  layerNormEps?: number
  /** Input and output are [batch, steps, dModel], not [steps, batch, dModel]; default false. */
  batchFirst?: boolean
  /** Normalise what goes into attention and the linear layers, not what comes out; default false. */
  normFirst?: boolean
  /** Where the initial values and the drops come from; default the one of manualSeed. */
  generator?: Generator
}

export interface TransformerMasks {
  /** [T, T] or [batch nhead, T, T]: in i32 or u8, 1 says that the step does not see the other; f32 is added. */
  mask?: Tensor | NDArray
  /** [batch, T]: in i32 or u8, 1 says that the step is padding. */
  keyPaddingMask?: Tensor | NDArray
  /** Step t sees steps 0 .. t only; default false. */
  isCausal?: boolean
  /** Of this layer's attention: src continues the steps that it holds. */
  cache?: KeyValueCache
}

const layerNames = ['dimFeedforward', 'dropout', 'activation', 'layerNormEps', 'generator']

/** Self-attention and a feed-forward network, each with a residual and a LayerNorm: x = norm1(x + attention(x)), x =
 *  norm2(x + linear2(activation(linear1(x)))); with normFirst x = x + attention(norm1(x)), x = x + ff(norm2(x)).
 *  forward(src, masks): src [steps, batch, dModel], result as src. torch.nn.TransformerEncoderLayer. */
export class TransformerEncoderLayer extends Module {
  readonly selfAttn: MultiheadAttention
  readonly linear1: Linear
  readonly dropout: Dropout
  readonly linear2: Linear
  readonly norm1: LayerNorm
  readonly norm2: LayerNorm
  readonly dropout1: Dropout
  readonly dropout2: Dropout
  readonly normFirst: boolean
  readonly #activation: (x: Tensor) => Tensor

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super()
    const caller = 'nn.TransformerEncoderLayer'
    checkOptions(caller, options, layerNames, ['batchFirst', 'normFirst'])
    const { dimFeedforward = 2048, dropout = 0.1, activation = 'relu', layerNormEps = 1e-5 } = options
    const { batchFirst = false, normFirst = false } = options
    if (activation !== 'relu' && activation !== 'gelu' && typeof activation !== 'function')
      throw new TypeError(`${caller}: activation is ${written(activation)}, expected 'relu', 'gelu' or a function`)
    const source = options.generator ? { generator: options.generator } : {}
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
    checkOptions(op, masks, ['mask', 'keyPaddingMask', 'cache'], ['isCausal'])
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
  readonly norm: LayerNorm | null

  constructor(layer: () => TransformerEncoderLayer, numLayers: number, options: { norm?: LayerNorm } = {}) {
    super()
    checkOptions('nn.TransformerEncoder', options, ['norm'])
    if (typeof layer !== 'function')
      throw new TypeError(
        'nn.TransformerEncoder: layer is no function, expected () => new nn.TransformerEncoderLayer(…)',
      )
    checkWhole('nn.TransformerEncoder', 'numLayers', numLayers, 1)
    this.layers = Array.from({ length: numLayers }, () => layer())
    if (new Set(this.layers).size !== numLayers)
      throw new Error('nn.TransformerEncoder: layer gave the same layer twice, expected a new one at each call')
    this.norm = options.norm ?? null
  }

  forward(src: Value, masks: Omit<TransformerMasks, 'cache'> = {}): Tensor {
    const op = 'nn.TransformerEncoder.forward'
    checkOptions(op, masks, ['mask', 'keyPaddingMask', 'cache'], ['isCausal'])
    if ('cache' in masks && masks.cache !== undefined)
      throw new TypeError(`${op}: one cache came for ${this.layers.length} layers; call each of layers with its own`)
    let x = float(op, 'src', src)
    for (const layer of this.layers) x = layer.forward(x, masks)
    return this.norm ? this.norm.forward(x) : x
  }
}

export interface TransformerDecoderBlockOptions {
  /** Default 4 dModel. */
  dimFeedforward?: number
  /** Default 0.1. */
  dropout?: number
  /** Default 1e-5. */
  layerNormEps?: number
  /** Where the initial values and the drops come from; default the one of manualSeed. */
  generator?: Generator
}

/** A block of a decoder-only transformer, as in GPT-2: x = x + attention(norm1(x)), then x = x + linear2(gelu(linear1(
 *  norm2(x)))), where each step sees itself and those before.  forward(input): [batch, T, dModel], result as input.
 *  It is torch.nn.TransformerEncoderLayer(d_model, nhead, 4 * d_model, activation='gelu', batch_first=True,
 *  norm_first=True), with its state names, called with a causal mask. */
export class TransformerDecoderBlock extends TransformerEncoderLayer {
  constructor(dModel: number, nhead: number, options: TransformerDecoderBlockOptions = {}) {
    checkOptions('nn.TransformerDecoderBlock', options, ['dimFeedforward', 'dropout', 'layerNormEps', 'generator'])
    super(dModel, nhead, {
      dimFeedforward: 4 * dModel,
      ...options,
      activation: 'gelu',
      batchFirst: true,
      normFirst: true,
    })
  }

  /** keyPaddingMask: [batch, T], 1 where a step is padding (with a cache [batch, all steps]). cache: input continues the
   *  steps that it holds; a cache for each block. */
  override forward(input: Value, masks: Pick<TransformerMasks, 'keyPaddingMask' | 'cache'> = {}): Tensor {
    checkOptions('nn.TransformerDecoderBlock.forward', masks, ['keyPaddingMask', 'cache'])
    return super.forward(input, { ...masks, isCausal: true })
  }
}
