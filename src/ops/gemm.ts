// Matrix products. Transposes are never made: each of the four products of a forward and a backward is
// one layout of the same kernel.

import * as core from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { gemmBytes } from '../core/scratch.ts'
import { broadcastShapes, broadcastStrides, misshaped, show, sizeOf } from '../tensor/shape.ts'
import { record, together } from '../tensor/tape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { sumTo } from './broadcast.ts'
import { reshape } from './copy.ts'
import { mul } from './elementwise.ts'
import { float, type Value } from './input.ts'
import { sum } from './reduce.ts'

interface Product {
  transposeA?: boolean | undefined
  transposeB?: boolean | undefined
  bias?: Tensor | null | undefined
  /** Takes the sums of the rows of A. */
  sums?: Tensor | null | undefined
}

/** The last two axes of A and B multiplied, leading axes broadcast. */
export function product(
  op: string,
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false, bias = null, sums = null }: Product = {},
): Tensor {
  const [rowsA, columnsA] = a.shape.slice(-2) as [number, number]
  const [rowsB, columnsB] = b.shape.slice(-2) as [number, number]
  const m = transposeA ? columnsA : rowsA
  const k = transposeA ? rowsA : columnsA
  const n = transposeB ? rowsB : columnsB
  const lead = broadcastShapes(op, a.shape.slice(0, -2), b.shape.slice(0, -2))
  const out = empty(op, [...lead, m, n])
  const batches = sizeOf(lead)
  const stepsA = broadcastStrides(a.shape.slice(0, -2), lead)
  const stepsB = broadcastStrides(b.shape.slice(0, -2), lead)
  const at = (x: Tensor, matrix: number, size: number) => ({ storage: x.storage, offset: x.offset + 4 * size * matrix })
  withScratch(gemmBytes(m, k), op, (buffer) => {
    for (let i = 0; i < batches; i++) {
      let matrixA = 0
      let matrixB = 0
      for (let d = lead.length - 1, rest = i; d >= 0; d--) {
        const size = lead[d] as number
        matrixA += (rest % size) * (stepsA[d] as number)
        matrixB += (rest % size) * (stepsB[d] as number)
        rest = Math.floor(rest / size)
      }
      emit(
        core.gemm(
          at(out, i, m * n),
          sums,
          at(a, matrixA, m * k),
          at(b, matrixB, k * n),
          bias,
          buffer,
          m,
          n,
          k,
          columnsA,
          columnsB,
          n,
          Number(transposeA),
          Number(transposeB),
          0,
        ),
      )
    }
  })
  return out
}

/** Matrix product of the last two axes, leading axes broadcast; a vector counts as one row (left) or one
 *  column (right), and its axis is dropped from the result. torch.matmul. */
export function matmul(a: Value, b: Value): Tensor {
  const x = float('matmul', 'a', a)
  const y = float('matmul', 'b', b)
  if (x.ndim === 0 || y.ndim === 0)
    throw new RangeError(
      `matmul: shapes ${show(x.shape)} and ${show(y.shape)}, expected at least one axis each; use mul for a number`,
    )
  if (x.ndim === 1) {
    const row = matmul(reshape(x, [1, x.size]), y)
    return reshape(
      row,
      row.shape.filter((_, i) => i !== row.ndim - (y.ndim === 1 ? 1 : 2)),
    )
  }
  if (y.ndim === 1) {
    const column = matmul(x, reshape(y, [y.size, 1]))
    return reshape(column, column.shape.slice(0, -1))
  }
  if (x.shape.at(-1) !== y.shape.at(-2)) {
    throw new RangeError(
      `matmul: shapes ${show(x.shape)} and ${show(y.shape)} do not fit: the last axis of a is ${x.shape.at(-1)}, expected ${y.shape.at(-2)}, the second to last of b`,
    )
  }
  if (y.ndim === 2 && x.ndim > 2) {
    const rows = matmul(
      reshape(
        x,
        [-1, x.shape.at(-1) as number].map((s) => (s === -1 ? sizeOf(x.shape.slice(0, -1)) : s)),
      ),
      y,
    )
    return reshape(rows, [...x.shape.slice(0, -1), y.shape[1] as number])
  }
  return record(
    'matmul',
    product('matmul', x, y),
    [x, y],
    [
      (dy) => sumTo(product('matmul gradient', dy, y, { transposeB: true }), x.shape),
      (dy) => sumTo(product('matmul gradient', x, dy, { transposeA: true }), y.shape),
    ],
  )
}

/** y = x Wᵀ + b.  x: [..., in]; weight: [out, in]; bias: [out], or null; y: [..., out].
 *  torch.nn.functional.linear. */
export function linear(input: Value, weight: Tensor, bias: Tensor | null = null): Tensor {
  const x = float('linear', 'input', input)
  const w = float('linear', 'weight', weight)
  const b = bias && float('linear', 'bias', bias)
  if (w.ndim !== 2) throw misshaped('linear', 'weight', w, '[out, in]')
  const [out, inputs] = w.shape as [number, number]
  if (x.ndim === 0 || x.shape.at(-1) !== inputs) throw misshaped('linear', 'input', x, `last dimension ${inputs}`)
  if (b && !(b.ndim === 1 && b.size === out)) throw misshaped('linear', 'bias', b, `[${out}]`)
  const rows = reshape(x, [sizeOf(x.shape.slice(0, -1)), inputs])
  const y = product('linear', rows, w, { transposeB: true, bias: b })
  const { inputs: given, rules } = together([rows, w, b], (dy, [ofInput, ofWeight, ofBias]) => {
    const sums = ofWeight && ofBias ? empty('linear gradient', [out]) : null
    return [
      ofInput ? product('linear gradient', dy, w) : null,
      ofWeight ? product('linear gradient', dy, rows, { transposeA: true, sums }) : null,
      sums ?? (ofBias ? sumTo(dy, [out]) : null),
    ]
  })
  record('linear', y, given, rules)
  return x.ndim === 2 ? y : reshape(y, [...x.shape.slice(0, -1), out])
}

/** Σ a b of two vectors.  a, b: [n]; out: []. torch.dot. */
export function dot(a: Value, b: Value): Tensor {
  const x = float('dot', 'a', a)
  const y = float('dot', 'b', b)
  if (x.ndim !== 1 || y.ndim !== 1 || x.size !== y.size)
    throw new RangeError(`dot: shapes ${show(x.shape)} and ${show(y.shape)}, expected two vectors of one length`)
  return sum(mul(x, y))
}

/** a bᵀ of two vectors.  a: [n]; b: [m]; out: [n, m]. torch.outer. */
export function outer(a: Value, b: Value): Tensor {
  const x = float('outer', 'a', a)
  const y = float('outer', 'b', b)
  if (x.ndim !== 1 || y.ndim !== 1)
    throw new RangeError(`outer: shapes ${show(x.shape)} and ${show(y.shape)}, expected two vectors`)
  return mul(reshape(x, [x.size, 1]), y)
}
