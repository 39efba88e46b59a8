// Dropout.

import { check, probability } from '../checks.ts'
import * as core from '../core/commands.ts'
import { misshaped } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { computed, empty, type Tensor } from '../tensor/tensor.ts'
import { ones } from './create.ts'
import { mul } from './elementwise.ts'
import { float, type Value } from './input.ts'
import { defaultGenerator, draw, type Generator } from './random.ts'

/** Each element 0 with probability p, else x / (1 - p); a fresh draw at each call, and at each run of a compiled
 *  program.  p: from 0 to 1, default 0.5. torch.nn.functional.dropout. */
export function dropout(x: Value, p = 0.5, generator: Generator = defaultGenerator()): Tensor {
  check('dropout', 'p', p, probability)
  const a = float('dropout', 'x', x)
  const out = empty('dropout', a.shape)
  const kept = empty('dropout', [Math.ceil(a.size / 4)], 'u8')
  // With p = 1 nothing is kept that could be scaled.
  const factor = p === 1 ? 0 : 1 / (1 - p)
  draw('dropout', generator, (state, block) => core.dropout(out, kept, state, block, a, p, factor, 0, a.size))
  return record(
    'dropout',
    out,
    [a],
    [(dy) => computed('dropout gradient', a.shape, (dx) => core.dropoutBackward(dx, dy, kept, factor, a.size))],
  )
}

/** Each channel 0 with probability p, else x / (1 - p).  x: [batch, channels, height, width] or [batch, channels,
 *  length]; p: from 0 to 1, default 0.5. torch.nn.functional.dropout2d. */
export function dropout2d(x: Value, p = 0.5, generator: Generator = defaultGenerator()): Tensor {
  check('dropout2d', 'p', p, probability)
  const a = float('dropout2d', 'x', x)
  if (a.ndim !== 3 && a.ndim !== 4) throw misshaped('dropout2d', 'x', a, '[batch, channels, height, width]')
  const channels = a.shape.map((size, i) => (i < 2 ? size : 1))
  return mul(a, dropout(ones(channels), p, generator))
}
