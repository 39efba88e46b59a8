// Losses that tell what belongs together from the rest of a batch.

import { finite, option, settle } from '../checks.ts'
import { transpose } from '../ops/copy.ts'
import { arange, full } from '../ops/create.ts'
import { div, mul } from '../ops/elementwise.ts'
import { crossEntropy } from '../ops/entropy.ts'
import { matmul } from '../ops/gemm.ts'
import { float, type Value } from '../ops/input.ts'
import { type LossOptions, pairOf, reductionOption } from '../ops/loss.ts'
import { cat } from '../ops/part.ts'
import { normalize, sum } from '../ops/reduce.ts'
import { misshaped, show } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'

export interface InfoNCEOptions extends LossOptions {
  /** [count, features]: what no query belongs to; default: the keys of the other queries. */
  negatives?: Value | undefined
  /** By which similarities are divided; default 0.1. */
  temperature?: number | undefined
}

/** -ln of the share that its own key has of Σ exp(cos(query, key) / temperature) over its own and all others, reduced (van den
 *  Oord and others, 2018).  query, key: [batch, features], row by row what belongs together. Both are normalised here. */
export function infoNCE(query: Value, key: Value, options: InfoNCEOptions = {}): Tensor {
  const op = 'infoNCE'
  const { negatives, temperature, ...settled } = settle(op, options, {
    reduction: reductionOption,
    negatives: undefined,
    temperature: option(finite(Number.MIN_VALUE), 0.1),
  })
  const [q, k] = pairOf(op, query, key, ['query', 'key'])
  if (q.ndim !== 2) throw misshaped(op, 'query', q, '[batch, features]')
  const [batch, features] = q.shape as [number, number]
  const unit = (x: Tensor): Tensor => normalize(x, { axis: 1 })
  if (negatives === undefined) {
    const similar = div(matmul(unit(q), transpose(unit(k))), temperature)
    return crossEntropy(similar, arange(0, batch, 1, 'i32'), settled)
  }
  const others = float(op, 'negatives', negatives)
  if (others.ndim !== 2 || others.shape[1] !== features)
    throw misshaped(op, 'negatives', others, `[count, ${features}] for query ${show(q.shape)}`)
  const own = sum(mul(unit(q), unit(k)), { axis: 1, keepDim: true })
  const similar = div(cat([own, matmul(unit(q), transpose(unit(others)))], 1), temperature)
  return crossEntropy(similar, full([batch], 0, 'i32'), settled)
}
