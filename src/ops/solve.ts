// Least squares by the normal equations.

import * as core from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { show } from '../tensor/shape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { float, type Value } from './input.ts'

/** The W, b of least Σ ‖y - x W - b‖² + ridge ‖W‖², by Cholesky's factors of XᵀX + ridge I in f64, and the least share
 *  of a column's squares that the columns before it leave over: 0 or less where there is no unique answer (weight and
 *  bias are 0 then), small where there hardly is one.
 *  x: [n, d]; y: [n, k]; weight: [d, k]; bias: [k], or null where none is wanted; unexplained: []. */
export function normalEquations(
  x: Value,
  y: Value,
  wantsBias: boolean,
  ridge: number,
): { weight: Tensor; bias: Tensor | null; unexplained: Tensor } {
  const op = 'normalEquations'
  const a = float(op, 'x', x)
  const b = float(op, 'y', y)
  if (a.ndim !== 2 || b.ndim !== 2 || a.shape[0] !== b.shape[0])
    throw new RangeError(`${op}: x and y have shapes ${show(a.shape)} and ${show(b.shape)}, expected [n, d] and [n, k]`)
  const [n, d] = a.shape as [number, number]
  const k = b.shape[1] as number
  const weight = empty(op, [d, k])
  const bias = wantsBias ? empty(op, [k]) : null
  const unexplained = empty(op, [])
  withScratch(8 * (d + 5) * (d + k + 1), op, (buffer) =>
    emit(core.leastSquares(weight, bias, unexplained, buffer, a, b, ridge, n, d, k)),
  )
  return { weight, bias, unexplained }
}
