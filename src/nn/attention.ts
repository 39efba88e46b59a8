import { checkAll, number, option, settle, unexpected, whole } from '../checks.ts'
import { currentTrace } from '../core/engine.ts'
import { cos, pow, sin } from '../math.ts'
import { additiveMask, attend, checkMask, dropoutOption, type Heads, rotary } from '../ops/attention.ts'
import { clone, reshape } from '../ops/copy.ts'
import { full, zeros } from '../ops/create.ts'
import { add } from '../ops/elementwise.ts'
import { linear } from '../ops/gemm.ts'
import { float, type Value } from '../ops/input.ts'
import { cat, slice, split, squeeze, triu, unsqueeze } from '../ops/part.ts'
import { drawn, type Generator, uniform } from '../ops/random.ts'
import { mean } from '../ops/reduce.ts'
import { keep } from '../tensor/scope.ts'
import { misshaped, show } from '../tensor/shape.ts'
import { recording } from '../tensor/tape.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { Linear } from './linear.ts'
import { Buffer, Module, Parameter } from './module.ts'

export interface MultiheadAttentionOptions {
  /** The share of attention probabilities that are dropped in training; default 0. */
  dropout?: number | undefined
  /** Whether the projections add learned biases; default true. */
  bias?: boolean | undefined
  /** Width of keys; default embedDim. */
  kdim?: number | undefined
  /** Width of values; default embedDim. */
  vdim?: number | undefined
  /** Inputs and output are [batch, steps, width], not [steps, batch, width]; default false. */
  batchFirst?: boolean | undefined
  /** Where the initial values and the drops come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

export interface MultiheadMasks {
  /** [batch, S]: in i32 or u8, 1 says that the key is padding and seen by no query; f32 is added to the scores. */
  keyPaddingMask?: Tensor | NDArray | undefined
  /** [T, S] or [batch numHeads, T, S]: in i32 or u8, 1 says that the query does not see the key; f32 is added. */
  attnMask?: Tensor | NDArray | undefined
  /** Query t sees keys 0 .. t only, without a mask of its own; default false. */
  isCausal?: boolean | undefined
  /** Whether to return the probabilities; default true. */
  needWeights?: boolean | undefined
  /** Keys and values of earlier steps, which queries see before those given; it takes the new ones in. */
  cache?: KeyValueCache | undefined
}

/** Keys and values that a MultiheadAttention has computed, so that writing goes on step by step: with `cache` and
 *  isCausal the forward of one step projects and attends for that step alone, copies the T steps held, and gives what the
 *  forward of all steps gives for it (in training only without dropout). Eager, without gradients. */
export class KeyValueCache {
  /** Projected, of all steps so far, as inputs are laid out. */
  #held: readonly [Tensor, Tensor] | null = null
  #axis = 0
  #owner: Module | null = null

  /** Steps held. */
  get length(): number {
    return this.#held?.[0].shape[this.#axis] ?? 0
  }

  /** Frees what is held: the next step is the first again. */
  clear(): void {
    for (const tensor of this.#held ?? []) tensor.dispose()
    this.#held = null
    this.#owner = null
  }

  /** Appends keys and values of `owner` along the axis of steps, and gives those of all steps. */
  append(op: string, owner: Module, keys: Tensor, values: Tensor, axis: number): readonly [Tensor, Tensor] {
    if (this.#owner !== null && this.#owner !== owner)
      throw new Error(`${op}: cache holds keys of another layer; make one for each layer`)
    if (currentTrace())
      throw new Error(`${op}: cache grows at each call, which a program cannot; call it outside of compile`)
    if (recording() && (keys.requiresGrad || values.requiresGrad))
      throw new Error(`${op}: cache keeps no gradients; call it inside noGrad`)
    const before = this.#held
    const fits = (x: Tensor, i: number) =>
      before === null ||
      (axis === this.#axis && x.shape.every((size, d) => d === axis || size === before[i as 0 | 1].shape[d]))
    if (!fits(keys, 0) || !fits(values, 1))
      throw new RangeError(
        `${op}: cache holds keys ${show((before as [Tensor, Tensor])[0].shape)}, which ${show(keys.shape)} do not continue; clear() it for other inputs`,
      )
    const joined = before
      ? [cat([before[0], keys], axis), cat([before[1], values], axis)]
      : [clone(keys), clone(values)]
    this.clear()
    this.#owner = owner
    this.#axis = axis
    this.#held = [keep(joined[0] as Tensor), keep(joined[1] as Tensor)]
    return this.#held
  }
}

/** U(±√(6 / (fanIn + fanOut))): Xavier's and Glorot's. */
function xavierUniform(rows: number, columns: number, generator?: Generator): Parameter {
  const bound = Math.sqrt(6 / (rows + columns))
  return new Parameter(uniform([rows, columns], -bound, bound, generator))
}

/** Heads that attend side by side: output = concat_h(softmax(Q_h K_hᵀ / √D) V_h) W_outᵀ + b, where Q, K, V are
 *  projections of query, key and value, D = embedDim / numHeads wide in each head.
 *
 *  forward(query, key, value, masks): query [T, batch, embedDim], key [S, batch, kdim], value [S, batch, vdim]; with
 *  batchFirst [batch, T, …]; or without a batch. Gives output, as query, and weights [batch, T, S], the mean of the
 *  heads' probabilities before dropout, or null with needWeights false. A query that sees no key attends to nothing.
 *  Weights in_proj_weight [3 embedDim, embedDim] (with kdim or vdim q_proj_weight, k_proj_weight, v_proj_weight) from
 *  Xavier's uniform distribution, biases 0. torch.nn.MultiheadAttention. */
export class MultiheadAttention extends Module {
  readonly embedDim: number
  readonly numHeads: number
  readonly dropout: number
  readonly batchFirst: boolean
  inProjWeight: Parameter | null
  qProjWeight: Parameter | null
  kProjWeight: Parameter | null
  vProjWeight: Parameter | null
  inProjBias: Parameter | null
  outProj: Linear
  readonly #widths: readonly [number, number, number]
  readonly #generator: Generator | undefined

  constructor(embedDim: number, numHeads: number, options: MultiheadAttentionOptions = {}) {
    super()
    const caller = 'nn.MultiheadAttention'
    const { dropout, bias, kdim, vdim, batchFirst, generator } = settle(caller, options, {
      dropout: dropoutOption,
      kdim: option(whole(1), embedDim),
      vdim: option(whole(1), embedDim),
      generator: drawn,
      bias: true,
      batchFirst: false,
    })
    checkAll(caller, { embedDim, numHeads }, whole(1))
    if (embedDim % numHeads !== 0) throw unexpected(caller, 'embedDim', embedDim, `a multiple of numHeads, ${numHeads}`)
    this.embedDim = embedDim
    this.numHeads = numHeads
    this.dropout = dropout
    this.batchFirst = batchFirst
    this.#widths = [embedDim, kdim, vdim]
    this.#generator = generator
    const together = kdim === embedDim && vdim === embedDim
    const apart = (width: number) => (together ? null : xavierUniform(embedDim, width, generator))
    this.inProjWeight = together ? xavierUniform(3 * embedDim, embedDim, generator) : null
    this.qProjWeight = apart(embedDim)
    this.kProjWeight = apart(kdim)
    this.vProjWeight = apart(vdim)
    this.inProjBias = bias ? new Parameter(zeros([3 * embedDim])) : null
    this.outProj = new Linear(embedDim, embedDim, { bias, ...(generator && { generator }) })
    if (this.outProj.bias) this.outProj.bias.copyFrom(new Float32Array(embedDim))
  }

  forward(
    query: Value,
    key: Value,
    value: Value,
    masks: MultiheadMasks = {},
  ): { output: Tensor; weights: Tensor | null } {
    const op = 'nn.MultiheadAttention.forward'
    const { isCausal, needWeights, cache } = settle(op, masks, {
      keyPaddingMask: undefined,
      attnMask: undefined,
      isCausal: false,
      needWeights: true,
      cache: undefined,
    })
    if (cache !== undefined && !(cache instanceof KeyValueCache))
      throw new TypeError(`${op}: cache is ${typeof cache}, expected a nn.KeyValueCache`)
    const { embedDim: E, numHeads, batchFirst } = this
    const same = query === key && key === value
    const given = same
      ? [float(op, 'query', query)]
      : [float(op, 'query', query), float(op, 'key', key), float(op, 'value', value)]
    const alone = (given[0] as Tensor).ndim === 2
    const batchAxis = batchFirst ? 0 : 1
    const sources = given.map((x, i) => {
      const name = ['query', 'key', 'value'][i] as string
      const layout = alone ? `[${i === 0 ? 'T' : 'S'}, ` : batchFirst ? '[batch, steps, ' : '[steps, batch, '
      if (x.ndim !== (alone ? 2 : 3) || x.shape.at(-1) !== this.#widths[i])
        throw misshaped(op, name, x, `${layout}${this.#widths[i]}]`)
      return alone ? unsqueeze(x, batchAxis) : x
    })
    const [q, k, v] = (same ? [sources[0], sources[0], sources[0]] : sources) as [Tensor, Tensor, Tensor]
    const size = (x: Tensor, axis: 'batch' | 'steps') => x.shape[axis === 'batch' ? batchAxis : 1 - batchAxis] as number
    const [batch, T] = [size(q, 'batch'), size(q, 'steps')]
    if (size(k, 'batch') !== batch || size(v, 'batch') !== batch || size(v, 'steps') !== size(k, 'steps'))
      throw new RangeError(
        `${op}: query, key and value have shapes ${[query, key, value].map((x) => show((x as Tensor).shape)).join(', ')}, expected the same batch, and as many values as keys`,
      )

    const together = same && this.inProjWeight !== null
    const projected = together ? [linear(q, this.inProjWeight as Parameter, this.inProjBias)] : this.#project([q, k, v])
    // Steps before those given.
    const past = cache?.length ?? 0
    const S = past + size(k, 'steps')
    // Before the cache takes anything in: masks that do not fit leave it as it was.
    const mask = this.#mask(op, masks, batch, T, S, isCausal ? past : 0)
    const inputs = cache ? this.#continued(op, cache, projected, 1 - batchAxis) : projected
    const packed = inputs.length === 1
    const D = E / numHeads
    const strides = (steps: number, width: number) =>
      (batchFirst ? [steps * width, D, width] : [width, D, batch * width]) as [number, number, number]
    const heads = (i: number, steps: number): Heads =>
      packed
        ? { input: 0, offset: i * E, strides: strides(steps, 3 * E) }
        : { input: i, offset: 0, strides: strides(steps, E) }
    const { output, weights } = attend(op, inputs, {
      q: heads(0, T),
      k: heads(1, S),
      v: heads(2, S),
      out: { shape: q.shape, strides: strides(T, E) },
      batch,
      heads: numHeads,
      sizes: [T, S, D, D],
      mask,
      isCausal: isCausal && past === 0,
      scale: 1 / Math.sqrt(D),
      dropout: this.training ? this.dropout : 0,
      generator: this.#generator,
    })
    const y = this.outProj.forward(output)
    const shares = needWeights ? mean(weights, { axis: 1 }) : null
    return {
      output: alone ? squeeze(y, batchAxis) : y,
      weights: alone && shares ? squeeze(shares, 0) : shares,
    }
  }

  /** Queries of the steps given, keys and values of all so far. */
  #continued(op: string, cache: KeyValueCache, projected: readonly Tensor[], axis: number): Tensor[] {
    const [q, k, v] = (projected.length === 1 ? split(projected[0] as Tensor, this.embedDim, -1) : projected) as [
      Tensor,
      Tensor,
      Tensor,
    ]
    return [q, ...cache.append(op, this, k, v, axis)]
  }

  #project(sources: readonly Tensor[]): Tensor[] {
    const E = this.embedDim
    return sources.map((x, i) => {
      const rows = { start: i * E, end: (i + 1) * E }
      const own = [this.qProjWeight, this.kProjWeight, this.vProjWeight][i]
      const weight = own ?? slice(this.inProjWeight as Parameter, rows)
      return linear(x, weight, this.inProjBias && slice(this.inProjBias, rows))
    })
  }

  /** Both masks as one that is added to the scores, of shape [batch or 1, heads or 1, T or 1, S]; with `past` also what
   *  query t, at step past + t, must not see of the steps after it. */
  #mask(
    op: string,
    { keyPaddingMask, attnMask }: MultiheadMasks,
    batch: number,
    T: number,
    S: number,
    past: number,
  ): Tensor | null {
    let padding: Tensor | null = null
    let mask: Tensor | null = null
    if (keyPaddingMask !== undefined) {
      padding = additiveMask(op, 'keyPaddingMask', keyPaddingMask, 'false')
      checkMask(op, 'keyPaddingMask', padding, [batch, S])
      padding = reshape(padding, [
        padding.ndim === 2 ? (padding.shape[0] as number) : 1,
        1,
        1,
        padding.shape.at(-1) as number,
      ])
    }
    if (attnMask !== undefined) {
      mask = additiveMask(op, 'attnMask', attnMask, 'false')
      const perHead = mask.ndim === 3
      checkMask(op, 'attnMask', mask, perHead ? [batch * this.numHeads, T, S] : [T, S])
      if (perHead && mask.shape[0] !== batch * this.numHeads && mask.shape[0] !== 1)
        throw misshaped(op, 'attnMask', mask, show([batch * this.numHeads, T, S]))
      const lead = perHead && mask.shape[0] !== 1 ? [batch, this.numHeads] : [1, 1]
      const rest = [1, 1, ...mask.shape].slice(-2)
      mask = reshape(mask, [...lead, ...rest])
    }
    const later =
      past > 0 && T > 1 ? reshape(triu(full([T, S], Number.NEGATIVE_INFINITY), past + 1), [1, 1, T, S]) : null
    const given = [padding, mask, later].filter((x) => x !== null)
    const both = given.length === 0 ? null : given.reduce((sum, x) => add(sum, x))
    if (both?.requiresGrad)
      throw new Error(`${op}: a mask requires a gradient, which only scaledDotProductAttention gives; detach() it`)
    return both
  }

  override extraRepr(): string {
    return `${this.embedDim}, ${this.numHeads}${this.dropout ? `, dropout=${this.dropout}` : ''}${this.batchFirst ? ', batchFirst=true' : ''}`
  }
}

export interface RotaryEmbeddingOptions {
  /** The slowest pair turns by position / base^((dim - 2) / dim); default 10000. */
  base?: number | undefined
  /** Pairs are neighbours; default false: pairs are halves, as in GPT-NeoX and Llama. */
  interleaved?: boolean | undefined
  /** Positions 0 .. maxLength - 1 can be turned; default 2048. */
  maxLength?: number | undefined
}

/** Positions as rotations of queries and keys: pair i of a row at position t is turned by t base^(-2i / dim), so that
 *  the product of a query and a key depends on their distance.  forward(x, offset): x [..., T, dim], its first row at
 *  position `offset`, default 0; result as x. */
export class RotaryEmbedding extends Module {
  readonly dim: number
  readonly base: number
  readonly interleaved: boolean
  readonly maxLength: number
  cosines: Buffer
  sines: Buffer

  constructor(dim: number, options: RotaryEmbeddingOptions = {}) {
    super()
    const { base, interleaved, maxLength } = settle('nn.RotaryEmbedding', options, {
      base: option(number(Number.MIN_VALUE), 10000),
      maxLength: option(whole(1), 2048),
      interleaved: false,
    })
    if (!Number.isInteger(dim) || dim < 2 || dim % 2 !== 0)
      throw unexpected('nn.RotaryEmbedding', 'dim', dim, 'an even number >= 2')
    this.dim = dim
    this.base = base
    this.interleaved = interleaved
    this.maxLength = maxLength
    const half = dim / 2
    const table = (f: (angle: number) => number) => {
      const values = Float32Array.from({ length: maxLength * half }, (_, i) =>
        f(Math.floor(i / half) * pow(base, -(i % half) / half)),
      )
      return new Buffer(tensor(values, { shape: [maxLength, half] }), { persistent: false })
    }
    this.cosines = table(cos)
    this.sines = table(sin)
  }

  forward(input: Value, offset = 0): Tensor {
    const x = float('nn.RotaryEmbedding.forward', 'input', input)
    if (x.ndim < 2 || x.shape.at(-1) !== this.dim)
      throw misshaped('nn.RotaryEmbedding.forward', 'input', x, `[..., T, ${this.dim}]`)
    const end = offset + (x.shape.at(-2) as number)
    if (!Number.isInteger(offset) || offset < 0 || end > this.maxLength)
      throw new RangeError(
        `nn.RotaryEmbedding.forward: positions are ${offset} to ${end - 1}, expected 0 to ${this.maxLength - 1}; raise maxLength`,
      )
    const rows = { start: offset, end }
    return rotary(x, slice(this.cosines, rows), slice(this.sines, rows), { interleaved: this.interleaved })
  }

  override extraRepr(): string {
    return `${this.dim}, base=${this.base}${this.interleaved ? ', interleaved=true' : ''}`
  }
}
