import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { normalEquations } from '../../src/ops/solve.ts'
import { numbers, U } from '../helpers/check.ts'
import { covers } from '../helpers/guard.ts'

beforeAll(() => lw.init())

covers('solve')

/** Samples around the four that are added at a time, columns around vectors of two. */
const cases = [1, 2, 3, 4, 5, 9].flatMap((n) =>
  [1, 2, 3, 5].flatMap((d) => [1, 2, 3].map((k) => [n + d + 1, d, k] as const)),
)

describe.each([false, true])('least squares, bias %s', (bias) => {
  test.each(cases)('%i samples, %i columns, %i targets: the residual is orthogonal to x', (n, d, k) => {
    const x = numbers(n * d, 3)
    const y = numbers(n * k, 4)
    const fit = normalEquations({ shape: [n, d], data: x }, { shape: [n, k], data: y }, bias, 0)
    const w = fit.weight.data()
    const b = fit.bias?.data() ?? new Float32Array(k)
    expect(fit.unexplained.item()).toBeGreaterThan(1e-3)
    for (let c = 0; c < k; c++) {
      // W and b are rounded: each residual is off by U Σ |x w|, so is each sum of products with it.
      const residual = new Float64Array(n)
      let off = 0
      for (let i = 0; i < n; i++) {
        let sum = y[i * k + c]! - b[c]!
        let size = Math.abs(b[c]!)
        for (let j = 0; j < d; j++) {
          sum -= x[i * d + j]! * w[j * k + c]!
          size += Math.abs(x[i * d + j]! * w[j * k + c]!)
        }
        residual[i] = sum
        off += size * U
      }
      for (let j = 0; j < d; j++) {
        const product = residual.reduce((sum, r, i) => sum + r * x[i * d + j]!, 0)
        expect(Math.abs(product)).toBeLessThanOrEqual(2 * off)
      }
      if (bias) expect(Math.abs(residual.reduce((sum, r) => sum + r, 0))).toBeLessThanOrEqual(off)
    }
  })
})

test('a ridge adds to the diagonal, and not to that of the bias', () => {
  // Centred: x = -1, 1 and y = -3, 3, so W = 6 / (2 + ridge), and b = 5 - 2 W.
  const fit = normalEquations(
    { shape: [2, 1], data: new Float32Array([1, 3]) },
    { shape: [2, 1], data: new Float32Array([2, 8]) },
    true,
    4,
  )
  expect(fit.weight.tolist()).toEqual([[1]])
  expect(fit.bias?.tolist()).toEqual([3])
})

test('columns that others give leave nothing over, and no answer', () => {
  const x = { shape: [4, 2], data: new Float32Array([1, 2, 2, 4, 3, 6, 4, 8]) }
  const y = { shape: [4, 1], data: new Float32Array([1, 2, 3, 5]) }
  const fit = normalEquations(x, y, false, 0)
  expect(fit.unexplained.item()).toBeLessThanOrEqual(1e-15)
  const zero = normalEquations(
    { shape: [2, 1], data: new Float32Array(2) },
    { shape: [2, 1], data: new Float32Array([1, 2]) },
    true,
    0,
  )
  expect([zero.unexplained.item(), zero.weight.item(), zero.bias?.item()]).toEqual([0, 0, 0])
})

test('compiled gives the same bits', () => {
  const x = { shape: [9, 3], data: numbers(27, 5) }
  const y = { shape: [9, 2], data: numbers(18, 6) }
  const run = (a: lw.Tensor, b: lw.Tensor) => normalEquations(a, b, true, 0.5).weight
  expect(lw.compile(run)(x, y).data()).toEqual(run(lw.tensor(x), lw.tensor(y)).data())
})

test('shapes that do not fit are refused', () => {
  const a = { shape: [3, 2], data: new Float32Array(6) }
  expect(() => normalEquations(a, { shape: [2, 3], data: new Float32Array(6) }, false, 0)).toThrow(
    'normalEquations: x and y have shapes [3, 2] and [2, 3], expected [n, d] and [n, k]',
  )
})
