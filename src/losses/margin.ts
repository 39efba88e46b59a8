// Losses that ask for a distance between scores, and nothing beyond it.

import { finite, kind, number, option, settle } from '../checks.ts'
import { relu } from '../ops/activation.ts'
import { reshape } from '../ops/copy.ts'
import { add, div, equal, minimum, mul, sqrt, sub, where } from '../ops/elementwise.ts'
import { hot } from '../ops/gather.ts'
import { float, indices, numbers, type Value } from '../ops/input.ts'
import { type LossOptions, pairOf, reduceBy, reductionOption, refuseUnsigned } from '../ops/loss.ts'
import { norm, sum } from '../ops/reduce.ts'
import { misshaped, sameShape, show } from '../tensor/shape.ts'
import { noGrad } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'

export interface MarginOptions extends LossOptions {
  /** The distance beyond which nothing is lost. */
  margin?: number | undefined
}

/** The options of a loss with a margin. */
const marginOptions = (margin: number) => ({ reduction: reductionOption, margin: option(finite(), margin) })

/** max(0, 1 - target input), reduced.  input: scores, any shape; target: 1 or -1, the same shape; throws when it
 *  is anything else. The loss of a support vector machine; PyTorch has none of this form. */
export function hinge(input: Value, target: Value, options: LossOptions = {}): Tensor {
  const settled = settle('hinge', options, { reduction: reductionOption })
  const [x, y] = pairOf('hinge', input, target)
  refuseUnsigned('hinge', 'target', y)
  return reduceBy(relu(sub(1, mul(x, y))), settled)
}

/** input where target is 1, max(0, margin - input) where it is -1; reduced.  input: distances, any shape;
 *  target: 1 or -1, the same shape; throws when it is anything else. margin: default 1.
 *  torch.nn.functional.hinge_embedding_loss. */
export function hingeEmbedding(input: Value, target: Value, options: MarginOptions = {}): Tensor {
  const { margin, ...settled } = settle('hingeEmbedding', options, marginOptions(1))
  const [x, y] = pairOf('hingeEmbedding', input, target)
  refuseUnsigned('hingeEmbedding', 'target', y)
  return reduceBy(where(isPositive(y), x, relu(sub(margin, x))), settled)
}

const isPositive = (target: Tensor): Tensor => noGrad(() => equal(target, 1))

/** max(0, margin - target (input1 - input2)), reduced: input1 should be the larger where target is 1, the
 *  smaller where it is -1.  All of the same shape; throws when a target is anything else. margin: default 0.
 *  torch.nn.functional.margin_ranking_loss. */
export function marginRanking(input1: Value, input2: Value, target: Value, options: MarginOptions = {}): Tensor {
  const { margin, ...settled } = settle('marginRanking', options, marginOptions(0))
  const [a, b] = pairOf('marginRanking', input1, input2, ['input1', 'input2'])
  const [, y] = pairOf('marginRanking', a, target, ['input1', 'target'])
  refuseUnsigned('marginRanking', 'target', y)
  return reduceBy(relu(sub(margin, mul(y, sub(a, b)))), settled)
}

/** 1 - cos where target is 1, max(0, cos - margin) where it is -1, cos of the angle between input1 and input2;
 *  reduced.  input1, input2: [batch, features], target: [batch]; or [features] and []. Throws when a target is
 *  neither. margin: default 0. torch.nn.functional.cosine_embedding_loss. */
export function cosineEmbedding(input1: Value, input2: Value, target: Value, options: MarginOptions = {}): Tensor {
  const { margin, ...settled } = settle('cosineEmbedding', options, marginOptions(0))
  const [a, b] = pairOf('cosineEmbedding', input1, input2, ['input1', 'input2'])
  if (a.ndim !== 1 && a.ndim !== 2) throw misshaped('cosineEmbedding', 'input1', a, '[batch, features] or [features]')
  const y = numbers('cosineEmbedding', 'target', target)
  const batch = a.shape.slice(0, -1)
  if (!sameShape(y.shape, batch)) {
    throw misshaped('cosineEmbedding', 'target', y, `${show(batch)}, one for each row of input1 ${show(a.shape)}`)
  }
  refuseUnsigned('cosineEmbedding', 'target', y)
  const dot = (p: Tensor, q: Tensor): Tensor => sum(mul(p, q), { axis: -1 })
  // PyTorch's 1e-12 under each root.
  const lengths = mul(sqrt(add(dot(a, a), 1e-12)), sqrt(add(dot(b, b), 1e-12)))
  const cosine = div(dot(a, b), lengths)
  return reduceBy(where(isPositive(y), sub(1, cosine), relu(sub(cosine, margin))), settled)
}

export interface TripletMarginOptions extends MarginOptions {
  /** Which norm measures distances; default 2. */
  p?: number | undefined
  /** Added to each difference before the norm; default 1e-6. */
  eps?: number | undefined
  /** Whether the distance of positive and negative counts instead where it is smaller; default false. */
  swap?: boolean | undefined
}

/** max(0, margin + d(anchor, positive) - d(anchor, negative)), d(a, b) = ‖a - b + eps‖_p over the last axis;
 *  reduced.  All [batch, features] or [features]. margin: default 1. torch.nn.functional.triplet_margin_loss. */
export function tripletMargin(
  anchor: Value,
  positive: Value,
  negative: Value,
  options: TripletMarginOptions = {},
): Tensor {
  const op = 'tripletMargin'
  const { margin, p, eps, swap, ...settled } = settle(op, options, {
    ...marginOptions(1),
    p: option(number(Number.MIN_VALUE), 2),
    eps: option(finite(0), 1e-6),
    swap: false,
  })
  const [a, near] = pairOf(op, anchor, positive, ['anchor', 'positive'])
  const [, far] = pairOf(op, a, negative, ['anchor', 'negative'])
  if (a.ndim === 0) throw new RangeError(`${op}: anchor has no axis, expected [batch, features] or [features]`)
  const distance = (x: Tensor, y: Tensor): Tensor => norm(add(sub(x, y), eps), { axis: -1, p })
  const apart = swap ? minimum(distance(a, far), distance(near, far)) : distance(a, far)
  return reduceBy(relu(add(sub(distance(a, near), apart), margin)), settled)
}

export interface MultiMarginOptions extends MarginOptions {
  /** The power of what is missing of the margin: 1 (default) or 2. */
  p?: 1 | 2 | undefined
  /** A factor for each class, [classes]; it has no gradient. Default 1. */
  weight?: Value | undefined
}

/** w_y Σ_{c ≠ y} max(0, margin - input_y + input_c)^p / classes, reduced: the class y of the target should lead all others by
 *  the margin.  input: scores [batch, classes], target: class indices [batch]; or [classes] and []. Throws when an index is
 *  not in 0 .. classes - 1. margin: default 1. torch.nn.functional.multi_margin_loss. */
export function multiMargin(input: Value, target: Value, options: MultiMarginOptions = {}): Tensor {
  const op = 'multiMargin'
  const { margin, p, weight, ...settled } = settle(op, options, {
    ...marginOptions(1),
    p: option(
      kind<1 | 2>('number', '1 or 2', (p) => p === 1 || p === 2),
      1,
    ),
    weight: null,
  })
  const x = float(op, 'input', input)
  if ((x.ndim !== 1 && x.ndim !== 2) || x.shape.at(-1) === 0)
    throw misshaped(op, 'input', x, '[batch, classes] or [classes]')
  const y = indices(op, 'target', target)
  const batch = x.shape.slice(0, -1)
  if (!sameShape(y.shape, batch))
    throw misshaped(op, 'target', y, `${show(batch)}, one class index for each row of input ${show(x.shape)}`)
  const classes = x.shape.at(-1) as number
  const w = weight === null ? null : float(op, 'weight', weight).detach()
  if (w && !sameShape(w.shape, [classes])) throw misshaped(op, 'weight', w, `[${classes}], a factor for each class`)
  const own = hot(op, y, classes)
  const ofTarget = (t: Tensor): Tensor => sum(where(own, t, 0), { axis: -1, keepDim: true })
  const missing = relu(add(sub(margin, ofTarget(x)), x))
  const others = sum(where(own, 0, p === 2 ? mul(missing, missing) : missing), { axis: -1 })
  const each = div(others, classes)
  return reduceBy(w ? mul(each, reshape(ofTarget(w), batch)) : each, settled)
}
