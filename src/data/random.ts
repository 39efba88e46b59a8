// Shuffles on the host. Only the order of samples comes from here; all numbers that enter a computation
// are drawn by the core.

import { kind, option } from '../checks.ts'

/** Whole numbers below `bound`, from a seed: splitmix32 steps, with the biased remainder rejected. */
export function seeded(seed: number): (bound: number) => number {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
  return (bound) => {
    const limit = 0x100000000 - (0x100000000 % bound)
    let draw = next()
    while (draw >= limit) draw = next()
    return draw % bound
  }
}

/** The numbers 0 .. n-1 in an order that follows from the seed (Fisher and Yates). */
export function permutation(n: number, seed: number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, i) => i)
  const below = seeded(seed)
  for (let i = n - 1; i > 0; i--) {
    const j = below(i + 1)
    const held = order[i] as number
    order[i] = order[j] as number
    order[j] = held
  }
  return order
}

/** The option of what is shuffled. */
export const seedOption = /* @__PURE__ */ option(
  /* @__PURE__ */ kind<number>(
    'number',
    'a whole number from 0 to 2^32 - 1',
    (seed) => Number.isInteger(seed) && seed >= 0 && seed < 0x100000000,
  ),
  0,
)
