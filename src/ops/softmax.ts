// Softmax.

import * as core from '../core/commands.ts'
import { checkAxis } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { computed, type Tensor } from '../tensor/tensor.ts'
import { transpose } from './copy.ts'
import { float, type Value } from './input.ts'

/** exp(x) / Σ exp(x) along `axis`, by default the last. */
export function softmax(x: Value, axis = -1): Tensor {
  const a = float('softmax', 'x', x)
  const d = checkAxis('softmax', axis, a.ndim)
  if (d !== a.ndim - 1) return transpose(softmax(transpose(a, d, -1)), d, -1)
  const width = a.shape[d] as number
  const rows = width === 0 ? 0 : a.size / width
  const y = computed('softmax', a.shape, (y) => core.softmax(y, a, rows, width))
  return record(
    'softmax',
    y,
    [a],
    [(dy) => computed('softmax gradient', a.shape, (dx) => core.softmaxBackward(dx, dy, y, rows, width))],
  )
}

/** x - ln Σ exp(x) along `axis`, by default the last. torch.nn.functional.log_softmax. */
export function logSoftmax(x: Value, axis = -1): Tensor {
  const a = float('logSoftmax', 'x', x)
  const d = checkAxis('logSoftmax', axis, a.ndim)
  if (d !== a.ndim - 1) return transpose(logSoftmax(transpose(a, d, -1)), d, -1)
  const width = a.shape[d] as number
  const rows = width === 0 ? 0 : a.size / width
  const y = computed('logSoftmax', a.shape, (y) => core.logSoftmax(y, a, rows, width))
  return record(
    'logSoftmax',
    y,
    [a],
    [(dy) => computed('logSoftmax gradient', a.shape, (dx) => core.logSoftmaxBackward(dx, dy, y, rows, width))],
  )
}
