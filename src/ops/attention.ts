// Attention of queries to keys, and the rotation of queries and keys by their positions.

import { finite, kind, option, settle } from '../checks.ts'
import * as core from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { panelFloats, productFloats } from '../core/scratch.ts'
import type { Operand } from '../core/storage.ts'
import { broadcastStrides, misshaped, type Shape, sameShape, show } from '../tensor/shape.ts'
import { noGrad, record, together } from '../tensor/tape.ts'
import { computed, empty, type Tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { reshape, to, transpose } from './copy.ts'
import { zeros } from './create.ts'
import { add, equal, mul, where } from './elementwise.ts'
import { matmul } from './gemm.ts'
import { checked, float, type Value } from './input.ts'
import { defaultGenerator, drawn, type Generator } from './random.ts'
import { max } from './reduce.ts'
import { softmax } from './softmax.ts'

/** Where queries, keys, values or results lie: in tensor number `input`, from element `offset` on, with strides of
 *  batch, head and row. */
export interface Heads {
  readonly input: number
  readonly offset: number
  readonly strides: readonly [number, number, number]
}

export interface Attention {
  readonly q: Heads
  readonly k: Heads
  readonly v: Heads
  /** Shape of the result, and its strides of batch, head and row. */
  readonly out: { readonly shape: Shape; readonly strides: readonly [number, number, number] }
  readonly batch: number
  readonly heads: number
  /** Queries, keys, width of queries and keys, width of values. */
  readonly sizes: readonly [T: number, S: number, D: number, Dv: number]
  /** Added to the scores; broadcasts to [batch, heads, T, S]. */
  readonly mask: Tensor | null
  readonly isCausal: boolean
  readonly scale: number
  readonly dropout: number
  readonly generator?: Generator | undefined
}

/** softmax(scale q kᵀ + mask) v for every head, and the probabilities [batch, heads, T, S]. The tensors of `inputs`
 *  are covered by q, k and v without overlap. */
export function attend(op: string, inputs: readonly Tensor[], a: Attention): { output: Tensor; weights: Tensor } {
  const { batch, heads, sizes, mask, dropout, scale } = a
  const [T, S, D, Dv] = sizes
  const lead = [batch, heads, T, S]
  const output = empty(op, a.out.shape)
  const weights = empty(op, lead)
  // The state of the generator, which the backward needs, too.
  const drawn = dropout > 0 ? empty(op, [4], 'i32') : null
  if (drawn) {
    const { operand } = a.generator ?? defaultGenerator()
    emit(core.copy(drawn, operand, 4))
    emit(core.nextDraw(operand))
  }
  const dims = [
    ...[batch, heads, ...sizes],
    ...[a.q, a.k, a.v, a.out].flatMap(({ strides }) => strides),
    ...(mask ? broadcastStrides(mask.shape, lead) : [0, 0, 0, 0]),
  ]
  const causal = Number(a.isCausal)
  const part = (tensors: readonly Tensor[], { input, offset }: Heads): Operand => {
    const tensor = tensors[input] as Tensor
    return { storage: tensor.storage, offset: tensor.offset + 4 * offset }
  }
  const [q, k, v] = [a.q, a.k, a.v].map((heads) => part(inputs, heads)) as [Operand, Operand, Operand]
  const dropped = dropout > 0 ? 1 : 0
  const floats =
    productFloats(core.QUERIES, Math.max(D, S)) +
    4 +
    panelFloats(D, S) +
    panelFloats(S, Dv) +
    dropped * core.QUERIES * S
  withScratch(4 * floats, op, (buffer) =>
    emit(core.attention(output, weights, drawn, q, k, v, mask, buffer, dims, 0, causal, scale, dropout)),
  )
  // Gradients that came to the weights wait here for those of the output, whose rule runs later.
  let dweights: Tensor | null = null
  const { rules } = together(inputs, (dy) => {
    const d = inputs.map((x) => empty(`${op} gradient`, x.shape))
    const [dq, dk, dv] = [a.q, a.k, a.v].map((heads) => part(d, heads)) as [Operand, Operand, Operand]
    const packed = Math.max(panelFloats(Dv, S), panelFloats(T, D)) + Math.max(panelFloats(S, D), panelFloats(T, Dv))
    const floats = productFloats(core.QUERIES, Math.max(T, S, Dv)) + 4 + packed + (1 + dropped) * T * S
    withScratch(4 * floats, op, (buffer) =>
      emit(
        core.attentionBackward(
          ...([dq, dk, dv, dy, dweights, q, k, v, weights, drawn, buffer, dims, 0, causal, scale, dropout] as const),
        ),
      ),
    )
    dweights = null
    return d
  })
  record(op, output, inputs, rules)
  record(
    `${op} weights`,
    weights,
    [output],
    [
      (dy) => {
        dweights = dy
        return zeros(output.shape)
      },
    ],
  )
  return { output, weights }
}

/** A mask as what is added to scores: f32 as it is; of i32 or u8, -Infinity where it is not `visible`. */
export function additiveMask(op: string, name: string, mask: Tensor | NDArray, visible: 'true' | 'false'): Tensor {
  const m = checked(op, name, mask)
  if (m.dtype === 'f32') return m
  const hidden = Number.NEGATIVE_INFINITY
  return visible === 'true' ? where(to(m, 'f32'), 0, hidden) : where(to(m, 'f32'), hidden, 0)
}

/** The option `dropout`: a probability below 1. */
export const dropoutOption = /* @__PURE__ */ option(
  /* @__PURE__ */ kind<number>('number', 'a number >= 0 and < 1', (p) => p >= 0 && p < 1),
  0,
)

export interface AttentionOptions {
  /** Broadcasts to [..., T, S]: f32 is added to the scores; in i32 or u8, 1 says that the key takes part, 0 that
   *  it does not. */
  mask?: Tensor | NDArray | undefined
  /** Query t sees keys 0 .. t only; default false. */
  isCausal?: boolean | undefined
  /** The share of probabilities that are dropped, the others scaled up; default 0. */
  dropout?: number | undefined
  /** Factor of the scores; default 1 / √D. */
  scale?: number | undefined
  /** Where the drops come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

/** softmax(scale q kᵀ + mask) v.  q: [..., T, D]; k: [..., S, D]; v: [..., S, Dv]; result: [..., T, Dv], with at most
 *  two leading axes (batch, heads), the same for all three. A query that sees no key gives 0.
 *  torch.nn.functional.scaled_dot_product_attention. */
export function scaledDotProductAttention(q: Value, k: Value, v: Value, options: AttentionOptions = {}): Tensor {
  const op = 'scaledDotProductAttention'
  const { isCausal, dropout, generator, ...given } = settle(op, options, {
    mask: undefined,
    dropout: dropoutOption,
    scale: option(finite()),
    generator: drawn,
    isCausal: false,
  })
  const [queries, keys, values] = [float(op, 'q', q), float(op, 'k', k), float(op, 'v', v)]
  const lead = queries.shape.slice(0, -2)
  if (queries.ndim < 2 || queries.ndim > 4)
    throw misshaped(op, 'q', queries, '[T, D] with up to two leading axes (batch, heads)')
  const [T, D] = queries.shape.slice(-2) as [number, number]
  const S = keys.shape.at(-2) ?? 0
  const Dv = values.shape.at(-1) ?? 0
  for (const [name, x, shape] of [
    ['k', keys, [...lead, S, D]],
    ['v', values, [...lead, S, Dv]],
  ] as const)
    if (!sameShape(x.shape, shape)) throw misshaped(op, name, x, `${show(shape)} (q ${show(queries.shape)})`)
  const scale = given.scale ?? (D > 0 ? 1 / Math.sqrt(D) : 1)
  const mask = given.mask === undefined ? null : additiveMask(op, 'mask', given.mask, 'true')
  if (mask) checkMask(op, 'mask', mask, [...lead, T, S])
  if (mask?.requiresGrad) {
    if (isCausal || dropout > 0)
      throw new Error(`${op}: mask requires a gradient, which goes neither with isCausal nor with dropout; detach() it`)
    const scores = add(mul(matmul(queries, transpose(keys)), scale), mask)
    if (S === 0) return matmul(scores, values)
    const hidden = noGrad(() => equal(max(scores, { axis: -1, keepDim: true }).values, Number.NEGATIVE_INFINITY))
    return matmul(where(hidden, 0, softmax(where(hidden, 0, scores))), values)
  }
  const [batch, heads] = [1, 1, ...lead].slice(-2) as [number, number]
  const dense = (rows: number, width: number) => [heads * rows * width, rows * width, width] as const
  const { output } = attend(op, [queries, keys, values], {
    q: { input: 0, offset: 0, strides: dense(T, D) },
    k: { input: 1, offset: 0, strides: dense(S, D) },
    v: { input: 2, offset: 0, strides: dense(S, Dv) },
    out: { shape: [...lead, T, Dv], strides: dense(T, Dv) },
    batch,
    heads,
    sizes: [T, S, D, Dv],
    mask: mask && reshape(mask, [...[1, 1, 1, 1].slice(mask.ndim), ...mask.shape]),
    isCausal,
    scale,
    dropout,
    generator,
  })
  return output
}

/** Throws unless `mask` broadcasts to `shape`. */
export function checkMask(op: string, name: string, mask: Tensor, shape: Shape): void {
  const fits = mask.ndim <= shape.length && mask.shape.every((n, i) => n === 1 || n === shape.at(i - mask.ndim))
  if (!fits) throw misshaped(op, name, mask, `one that broadcasts to ${show(shape)}`)
}

export interface RotaryOptions {
  /** Pairs are neighbours (x₀, x₁), (x₂, x₃) …; default false: pairs are halves, (x₀, x_{D/2}) …. */
  interleaved?: boolean | undefined
}

/** Each pair (a, b) of a row turned by an angle: (a cos - b sin, b cos + a sin).  x: [..., T, D]; cosines, sines:
 *  [T, D / 2]; result: as x. See nn.RotaryEmbedding. */
export function rotary(x: Value, cosines: Tensor, sines: Tensor, options: RotaryOptions = {}): Tensor {
  const { interleaved } = settle('rotary', options, { interleaved: false })
  const a = float('rotary', 'x', x)
  if (a.ndim < 2) throw misshaped('rotary', 'x', a, '[..., T, D]')
  const [T, D] = a.shape.slice(-2) as [number, number]
  if (D % 2 !== 0) throw misshaped('rotary', 'x', a, 'an even last axis')
  const tables = [float('rotary', 'cosines', cosines), float('rotary', 'sines', sines)] as const
  for (const [i, table] of tables.entries())
    if (!sameShape(table.shape, [T, D / 2]))
      throw new RangeError(
        `rotary: ${['cosines', 'sines'][i]} have shape ${show(table.shape)}, expected ${show([T, D / 2])} for x ${show(a.shape)}`,
      )
  const batch = T * D === 0 ? 0 : a.size / (T * D)
  const turn = (source: Tensor, sign: number): Tensor =>
    computed('rotary', a.shape, (out) => core.rotary(out, source, ...tables, batch, T, D, Number(interleaved), sign))
  return record('rotary', turn(a, 1), [a], [(dy) => turn(dy, -1)])
}
