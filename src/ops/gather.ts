// Elements at positions that a tensor of indices names.

import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { show } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { elements, empty, type Tensor } from '../tensor/tensor.ts'
import { float, indices, type Value } from './input.ts'

/** Says which index a kernel refused. `of`: what it points into, in words. */
const outOfRange =
  (op: string, index: Tensor, size: number, of: string) =>
  (position: number): string =>
    `${op}: index ${elements(index)[position]} at position ${position} is out of range, expected 0 to ${size - 1} (${of})`

/** weight[index]: one row for each index.  index: i32 [...]; weight: [count, dim]; out: [..., dim].
 *  The row `paddingIdx` gets no gradient; default none. Throws when an index is outside 0 .. count - 1.
 *  torch.nn.functional.embedding. */
export function embedding(index: Value, weight: Value, paddingIdx: number | null = null): Tensor {
  const positions = indices('embedding', 'index', index)
  const w = float('embedding', 'weight', weight)
  if (w.ndim !== 2) throw new RangeError(`embedding: weight has shape ${show(w.shape)}, expected [count, dim]`)
  const [count, dim] = w.shape as [number, number]
  const skip = paddingIdx === null ? -1 : checkPadding('embedding', paddingIdx, count)
  const refused = outOfRange('embedding', positions, count, `weight ${show(w.shape)}`)
  const out = empty('embedding', [...positions.shape, dim])
  emit(core.gatherRows(out, w, positions, 1, count, positions.size, dim), refused)
  return record(
    'embedding',
    out,
    [w],
    [
      (dy) => {
        const dw = empty('embedding gradient', w.shape)
        emit(core.gatherRowsBackward(dw, dy, positions, skip, 1, count, positions.size, dim), refused)
        return dw
      },
    ],
  )
}

/** The row that `paddingIdx` names, counted from the front; negative counts from the end. */
export function checkPadding(caller: string, paddingIdx: number, count: number): number {
  if (!Number.isInteger(paddingIdx) || paddingIdx < -count || paddingIdx >= count)
    throw new RangeError(
      `${caller}: paddingIdx is ${paddingIdx}, expected a whole number from ${-count} to ${count - 1}`,
    )
  return paddingIdx < 0 ? paddingIdx + count : paddingIdx
}
