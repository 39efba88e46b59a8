import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { tensor } from '../../src/index.ts'
import { check, numbers } from '../helpers/check.ts'
import { covers } from '../helpers/guard.ts'
import * as reference from '../reference/norm.ts'

beforeAll(() => lw.init())

covers('norm')

/** Rows of sizes around vectors, pairs of vectors and unrolled loops; rows around the 64 that share a partial sum. */
const rowShapes: [number[], number][] = [
  [[3, 1], 1],
  [[2, 2], 1],
  [[2, 3], 1],
  [[3, 4], 1],
  [[2, 5], 1],
  [[2, 7], 1],
  [[2, 8], 1],
  [[2, 9], 1],
  [[3, 15], 1],
  [[3, 16], 1],
  [[3, 17], 1],
  [[1, 33], 1],
  [[6], 1],
  [[2, 3, 4], 2],
  [[2, 2, 3], 3],
  [[0, 4], 1],
  [[3, 0], 1],
  [[65, 3], 1],
]

/** x̂ is a quotient of two sums: its error is that of a mean, divided by the deviation. */
const tolerance = { ulps: 8, absolute: 24, gradient: { ulps: 32, absolute: 512 } }

describe('layerNorm', () => {
  test.each(rowShapes)('%j over the last %i axes', (shape, axes) => {
    const last = shape.slice(shape.length - axes)
    const eps = 2 ** -7
    check({
      shapes: [shape, last, last],
      ours: (x, weight, bias) => lw.layerNorm(x, last, { weight, bias, eps }),
      reference: (x, w, b) => reference.layerNorm(x, axes, eps, w, b),
      tolerance,
    })
    check({
      shapes: [shape, last],
      ours: (x, weight) => lw.layerNorm(x, last, { weight, eps }),
      reference: (x, w) => reference.layerNorm(x, axes, eps, w),
      tolerance,
    })
    check({
      shapes: [shape, last],
      ours: (x, bias) => lw.layerNorm(x, last, { bias, eps }),
      reference: (x, b) => reference.layerNorm(x, axes, eps, undefined, b),
      tolerance,
    })
    check({
      shapes: [shape],
      ours: (x) => lw.layerNorm(x, last, { eps }),
      reference: (x) => reference.layerNorm(x, axes, eps),
      tolerance,
    })
  })

  test('rows longer than a chunk, far from 0', () => {
    const n = 2048 + 37
    const x = numbers(n, 5, 99, 101)
    const y = lw.layerNorm(tensor(x), [n]).data()
    const m = x.reduce((a, b) => a + b, 0) / n
    const deviation = Math.sqrt(x.reduce((s, v) => s + (v - m) ** 2, 0) / n + 1e-5)
    // The mean is rounded to f32: U · 100, over a deviation of 0.58.
    for (const [i, v] of y.entries()) expect(Math.abs(v - ((x[i] as number) - m) / deviation)).toBeLessThan(2e-5)
  })

  test('frozen parameters and inputs without gradient leave the others theirs', () => {
    const run = (wanted: boolean[]): (lw.Tensor | null)[] => {
      const given = [numbers(12, 1), numbers(4, 2), numbers(4, 3)].map((data, i) =>
        tensor(data, { shape: i === 0 ? [3, 4] : [4], requiresGrad: wanted[i] as boolean }),
      )
      const [x, weight, bias] = given as [lw.Tensor, lw.Tensor, lw.Tensor]
      lw.backward(
        lw
          .layerNorm(x, [4], { weight, bias })
          .mul(lw.layerNorm(x, [4]))
          .sum(),
      )
      return given.map(({ grad }) => grad)
    }
    const all = run([true, true, true])
    for (const wanted of [
      [true, false, false],
      [false, true, false],
      [false, false, true],
      [true, false, true],
    ])
      for (const [i, grad] of run(wanted).entries())
        expect(grad?.data(), `${wanted} ${i}`).toEqual(wanted[i] ? all[i]?.data() : undefined)
  })

  test('a graph that is kept gives its gradients again', () => {
    const x = tensor(numbers(8, 1), { shape: [2, 4], requiresGrad: true })
    const weight = tensor(numbers(4, 2), { requiresGrad: true })
    const y = lw.layerNorm(x, [4], { weight })
    const gradient = tensor(numbers(8, 3), { shape: [2, 4] })
    lw.backward(y, { gradient, retainGraph: true })
    const once = [x.grad?.data(), weight.grad?.data()]
    lw.backward(y, { gradient })
    expect([x.grad?.data(), weight.grad?.data()]).toEqual(once.map((g) => g?.map((v) => 2 * v)))
  })

  test('says what does not fit', () => {
    const x = lw.ones([2, 3])
    expect(() => lw.layerNorm(x, [4])).toThrow(
      'layerNorm: x has shape [2, 3], expected last dimensions [4] (normalizedShape)',
    )
    expect(() => lw.layerNorm(x, [])).toThrow('expected an array of at least one size')
    expect(() => lw.layerNorm(x, [3], { weight: lw.ones([2]) })).toThrow(
      'layerNorm: weight has shape [2], expected [3]',
    )
    expect(() => lw.layerNorm(x, [3], { eps: -1 })).toThrow('layerNorm: eps is -1, expected a number >= 0')
    expect(() => lw.layerNorm(x, [3], { epsilon: 1 } as lw.NormOptions)).toThrow('unknown option epsilon')
  })
})

describe('rmsNorm', () => {
  test.each(rowShapes)('%j over the last %i axes', (shape, axes) => {
    const last = shape.slice(shape.length - axes)
    check({
      shapes: [shape, last],
      ours: (x, weight) => lw.rmsNorm(x, last, { weight, eps: 2 ** -7 }),
      reference: (x, w) => reference.rmsNorm(x, axes, 2 ** -7, w),
      tolerance,
    })
    check({
      shapes: [shape],
      ours: (x) => lw.rmsNorm(x, last, { eps: 2 ** -7 }),
      reference: (x) => reference.rmsNorm(x, axes, 2 ** -7),
      tolerance,
    })
  })

  test('the default eps keeps rows of 0', () => {
    expect(lw.rmsNorm(lw.zeros([1, 3]), [3]).tolist()).toEqual([[0, 0, 0]])
  })
})
