// Sequences of labels for inputs that are longer, and not aligned with them.

import { check, settle, whole } from '../checks.ts'
import * as core from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { misshaped, sameShape, show } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { elements, empty, type Tensor } from '../tensor/tensor.ts'
import { reshape, to } from './copy.ts'
import { clampMin, div, equal, where } from './elementwise.ts'
import { float, indices, type Value } from './input.ts'
import { type LossOptions, reduceBy, reductionOption, refuseOutside } from './loss.ts'

export interface CtcOptions extends LossOptions {
  /** The class that stands between labels, and for none; default 0. */
  blank?: number | undefined
  /** Whether sequences whose labels do not fit their steps, with an infinite loss, count 0; default false. They have no
   *  gradient in any case. */
  zeroInfinity?: boolean | undefined
}

/** -ln of the probability that a sequence of steps spells the labels of the target, summed over all ways to spread these over the
 *  steps with blanks between (Graves and others, 2006); a mean is that of the losses, each divided by its number of labels.
 *
 *  logProbabilities: [steps, batch, classes], as logSoftmax gives them; target: class indices (i32) [batch, labels], of which the
 *  first targetLengths count; inputLengths, targetLengths: i32 [batch], from 1 to steps, and from 0 to labels. Or without a batch:
 *  [steps, classes], [labels], [], []. Throws when a label that counts is the blank, or not in 0 .. classes - 1.
 *  torch.nn.functional.ctc_loss, with padded targets. */
export function ctc(
  logProbabilities: Value,
  target: Value,
  inputLengths: Value,
  targetLengths: Value,
  options: CtcOptions = {},
): Tensor {
  const op = 'ctc'
  const { blank, zeroInfinity, ...settled } = settle(op, options, {
    reduction: reductionOption,
    blank: 0,
    zeroInfinity: false,
  })
  const given = float(op, 'logProbabilities', logProbabilities)
  if (given.ndim !== 3 && given.ndim !== 2)
    throw misshaped(op, 'logProbabilities', given, '[steps, batch, classes] or [steps, classes]')
  const alone = given.ndim === 2
  const [steps, classes] = [given.shape[0] as number, given.shape.at(-1) as number]
  const batch = alone ? 1 : (given.shape[1] as number)
  const lead = alone ? [] : [batch]
  check(op, 'blank', blank, whole(0, classes - 1))
  const labels = indices(op, 'target', target)
  if (labels.ndim !== lead.length + 1 || !sameShape(labels.shape.slice(0, -1), lead))
    throw misshaped(op, 'target', labels, `${show([...lead, -1]).replace('-1', 'labels')}, padded at the end`)
  const S = labels.shape.at(-1) as number
  const lengthsOf = (name: string, value: Value, low: number, high: number): Tensor => {
    const n = indices(op, name, value)
    if (!sameShape(n.shape, lead)) throw misshaped(op, name, n, `${show(lead)}, one for each sequence`)
    refuseOutside(op, name, to(n, 'f32'), low, high)
    return n
  }
  const inputs = lengthsOf('inputLengths', inputLengths, 1, steps)
  const targets = lengthsOf('targetLengths', targetLengths, 0, S)
  const x = alone ? reshape(given, [steps, 1, classes]) : given
  const sizes = [blank, batch, steps, classes, S, batch * classes] as const
  const losses = empty(op, [batch])
  const width = 4 + 4 * Math.ceil((2 * S + 1) / 4)
  const alpha = empty(op, [batch, steps, width])
  emit(
    core.ctc(losses, alpha, x, labels, inputs, targets, ...sizes),
    (at) =>
      `${op}: target is ${elements(labels)[at]} at index ${at}, expected a class from 0 to ${classes - 1} that is not the blank, ${blank}`,
  )
  const gradient = (dy: Tensor): Tensor => {
    const dx = empty(`${op} gradient`, x.shape)
    withScratch(4 * 3 * (width + 4), `${op} gradient`, (buffer) =>
      emit(core.ctcBackward(dx, dy, losses, alpha, x, labels, inputs, targets, buffer, ...sizes)),
    )
    return dx
  }
  const recorded = record(op, losses, [x], [gradient])
  const kept = zeroInfinity ? where(equal(recorded, Infinity), 0, recorded) : recorded
  const each = settled.reduction === 'mean' ? div(kept, clampMin(to(targets, 'f32'), 1)) : kept
  return reduceBy(reshape(each, lead), settled)
}
