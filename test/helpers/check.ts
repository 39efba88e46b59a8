// One line of test an op: forward and every gradient against the f64 reference.

import { expect } from 'vitest'
import { backward, compile, type Tensor, tensor } from '../../src/index.ts'
import { type Ref, ref, size } from '../reference/array.ts'

/** Half the distance of 1 and the next float: the largest relative error of one rounding. */
export const U = 2 ** -24

/** Odd multiples of 2^-13 from a seed; the first 4096 are distinct (when the range is 1 or more), and none is whole,
 *  a half or 0, so that central differences never step over the kink of an abs, a round or a max. */
export function numbers(count: number, seed: number, low = -2, high = 2): Float32Array {
  // A Feistel network of two halves of six bits: a permutation of 0 .. 4095 without a pattern.
  const mix = (x: number, round: number) => (Math.imul(x + 64 * (4 * seed + round) + 1, 0x9e3779b1) >>> 17) & 63
  return Float32Array.from({ length: count }, (_, i) => {
    let left = (i >> 6) & 63
    let right = i & 63
    for (let round = 0; round < 4; round++) [left, right] = [right, left ^ mix(right, round)]
    const share = (64 * left + right) / 4096
    return (Math.round((low + (high - low) * share) * 4096) + 0.5) / 4096
  })
}

export interface Tolerance {
  /** Roundings that an element of the result goes through, as a multiple of its size; default 4. */
  ulps?: number
  /** Error that does not shrink with the element, as a multiple of U: for sums, the number of terms times
   *  their size (partial sums of n terms are up to that large, and each addition rounds one). */
  absolute?: number
  /** The same for gradients; default four times the forward ones. */
  gradient?: { ulps?: number; absolute?: number }
}

export interface Case {
  shapes: readonly (readonly number[])[]
  ours: (...inputs: Tensor[]) => Tensor
  reference: (...inputs: Ref[]) => Ref
  range?: readonly [number, number]
  tolerance?: Tolerance
  /** Which inputs have gradients; default all. */
  differentiable?: boolean
}

const H = 2 ** -17

export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  ulps: number,
  absolute: number,
  what: string,
): void {
  expect(actual.length, `${what}: number of elements`).toBe(expected.length)
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i] as number
    const e = expected[i] as number
    const same = a === e || (Number.isNaN(a) && Number.isNaN(e))
    if (!same && !(Math.abs(a - e) <= U * (ulps * Math.abs(e) + absolute) + 2 ** -149)) {
      throw new Error(`${what}: element ${i} is ${a}, expected ${e} ± ${U * (ulps * Math.abs(e) + absolute)}`)
    }
  }
}

/** Checks an op eagerly: value, shape, and gradients by central differences of the reference. Then compiled:
 *  the same bits. */
export function check({ shapes, ours, reference, range = [-2, 2], tolerance = {}, differentiable = true }: Case): void {
  const values = shapes.map((shape, i) => numbers(size(shape), 7 * i + size(shape) + 1, ...range))
  const inputs = shapes.map((shape, i) => tensor(values[i] as Float32Array, { shape, requiresGrad: differentiable }))
  const refs = shapes.map((shape, i) => ref(shape, values[i] as Float32Array))
  const { ulps = 4, absolute = 0, gradient = {} } = tolerance
  const what = `shapes ${JSON.stringify(shapes)}`

  const result = ours(...inputs)
  const expected = reference(...refs)
  expect(result.shape, what).toEqual(expected.shape)
  expectClose(result.data(), expected.data, ulps, absolute, `${what}: forward`)

  const weights = numbers(result.size, 99)
  const gradients = (run: () => void): Float32Array[] => {
    for (const input of inputs) input.grad = null
    run()
    return inputs.map((input) => input.grad?.data() as Float32Array)
  }
  const eager = differentiable
    ? gradients(() => backward(result, { gradient: tensor(weights, { shape: result.shape }) }))
    : []
  if (differentiable) {
    refs.forEach(({ data }, k) => {
      const slopes = data.map((x, i) => {
        data[i] = x + H
        const above = reference(...refs).data
        data[i] = x - H
        const below = reference(...refs).data
        data[i] = x
        // Differences of elements, then their sum: large elements that do not change cancel exactly.
        return above.reduce((sum, y, j) => sum + (y - (below[j] as number)) * (weights[j] as number), 0) / (2 * H)
      })
      // Central differences are off by H²/6 of the third derivative, below 2^-34 of these functions' size, times
      // the sum of weights; far below U.
      expectClose(
        eager[k] as Float32Array,
        slopes,
        gradient.ulps ?? 4 * ulps,
        gradient.absolute ?? 4 * absolute + 16,
        `${what}: gradient ${k}`,
      )
    })
  }

  const program = compile((...args: Tensor[]) => {
    const y = ours(...(differentiable ? inputs : args))
    if (differentiable) backward(y, { gradient: args[inputs.length] as Tensor })
    return y
  })
  let compiled: Tensor | undefined
  const again = gradients(() => {
    compiled = program(...inputs, tensor(weights, { shape: result.shape }))
  })
  expect(bits(compiled?.data()), `${what}: compiled forward`).toEqual(bits(result.data()))
  if (differentiable)
    for (const [k, g] of again.entries()) expect(bits(g), `${what}: compiled gradient ${k}`).toEqual(bits(eager[k]))
  program.dispose()
}

const bits = (data: ArrayLike<number> | undefined): number[] => {
  const floats = Float32Array.from(data ?? [])
  return [...new Uint32Array(floats.buffer)]
}
