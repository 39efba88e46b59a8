// Softmax, and the cross-entropy of logits with class indices.

import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { checkAxis, show } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { elements, empty, type Tensor } from '../tensor/tensor.ts'
import { transpose } from './copy.ts'
import { float, indices, type Value } from './input.ts'
import { type LossOptions, reduceLoss } from './loss.ts'

/** exp(x) / Σ exp(x) along `axis`, by default the last. */
export function softmax(x: Value, axis = -1): Tensor {
  const a = float('softmax', 'x', x)
  const d = checkAxis('softmax', axis, a.ndim)
  if (d !== a.ndim - 1) return transpose(softmax(transpose(a, d, -1)), d, -1)
  const width = a.shape[d] as number
  const rows = width === 0 ? 0 : a.size / width
  const y = empty('softmax', a.shape)
  emit(core.softmax(y, a, rows, width))
  return record(
    'softmax',
    y,
    [a],
    [
      (dy) => {
        const dx = empty('softmax gradient', a.shape)
        emit(core.softmaxBackward(dx, dy, y, rows, width))
        return dx
      },
    ],
  )
}

/** x - ln Σ exp(x) along `axis`, by default the last. torch.nn.functional.log_softmax. */
export function logSoftmax(x: Value, axis = -1): Tensor {
  const a = float('logSoftmax', 'x', x)
  const d = checkAxis('logSoftmax', axis, a.ndim)
  if (d !== a.ndim - 1) return transpose(logSoftmax(transpose(a, d, -1)), d, -1)
  const width = a.shape[d] as number
  const rows = width === 0 ? 0 : a.size / width
  const y = empty('logSoftmax', a.shape)
  emit(core.logSoftmax(y, a, rows, width))
  return record(
    'logSoftmax',
    y,
    [a],
    [
      (dy) => {
        const dx = empty('logSoftmax gradient', a.shape)
        emit(core.logSoftmaxBackward(dx, dy, y, rows, width))
        return dx
      },
    ],
  )
}

/** -log softmax(logits)[target], reduced.  logits: [batch, classes]; target: class indices [batch].
 *  Throws when a target is outside 0 .. classes - 1. torch.nn.functional.cross_entropy. */
export function crossEntropy(logits: Value, target: Value, options: LossOptions = {}): Tensor {
  const x = float('crossEntropy', 'logits', logits)
  const labels = indices('crossEntropy', 'target', target)
  if (x.ndim !== 2) throw new RangeError(`crossEntropy: logits have shape ${show(x.shape)}, expected [batch, classes]`)
  const [rows, classes] = x.shape as [number, number]
  if (labels.ndim !== 1 || labels.size !== rows)
    throw new RangeError(
      `crossEntropy: target has shape ${show(labels.shape)}, expected [${rows}], one class index for each row of logits ${show(x.shape)}`,
    )
  const losses = empty('crossEntropy', [rows])
  const probabilities = empty('crossEntropy', x.shape)
  emit(
    core.crossEntropy(losses, probabilities, x, labels, rows, classes),
    (row) =>
      `crossEntropy: target ${elements(labels)[row]} at index ${row} is out of range, expected a class index from 0 to ${classes - 1} (logits ${show(x.shape)})`,
  )
  return reduceLoss('crossEntropy', losses, options, x, (dy, each, factor) => {
    const dx = empty('crossEntropy gradient', x.shape)
    emit(core.crossEntropyBackward(dx, probabilities, labels, dy, each, factor, rows, classes))
    return dx
  })
}
