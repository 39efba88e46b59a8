// Inputs of sizes that are drawn anew, large enough to be cut into seven parts: helpers/parts.ts runs every command in
// parts, too, which must give the bits of the whole.

import fc from 'fast-check'
import * as lw from '../../src/index.ts'
import { type Tensor, tensor } from '../../src/index.ts'
import { numbers } from './check.ts'
import { runs } from './long.ts'

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)

/** A leaf of random numbers. */
export const some = (shape: number[], low = -2, high = 2): Tensor =>
  tensor(numbers(size(shape), size(shape) + 1, low, high), { shape, requiresGrad: true })

/** Indices below `limit`. */
export const classes = (shape: number[], limit: number): Tensor =>
  tensor(
    Int32Array.from({ length: size(shape) }, (_, i) => (7 * i) % limit),
    { shape },
  )

/** Forward, and backward from gradients that differ. */
export const both = (y: Tensor): void => {
  if (y.requiresGrad) lw.backward(y, { gradient: some(y.shape as number[]).detach() })
}

/** Seven rows, images or planes at least, or seven times 64 elements, and up to 30 more. */
export const length = fc.integer({ min: 400, max: 500 })
export const few = fc.integer({ min: 7, max: 10 })
export const odd = fc.integer({ min: 1, max: 9 })

/** Runs `body` on sizes that are drawn anew. */
export const sizes = <T extends readonly unknown[]>(
  arbitrary: { [K in keyof T]: fc.Arbitrary<T[K]> },
  body: (...values: T) => void,
): void =>
  fc.assert(
    fc.property(fc.tuple(...arbitrary), (values) => {
      lw.scope(() => {
        body(...(values as unknown as T))
        return null
      })
    }),
    { numRuns: runs(4, 20) },
  )
