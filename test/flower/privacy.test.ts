import { describe, expect, test } from 'vitest'
import { epsilon } from '../../src/flower/index.ts'
import { clipUpdate, privatize, systemUniform, type Uniform } from '../../src/flower/privacy.ts'

/** Numbers that can be drawn again: for tests alone (mulberry32). */
function seeded(seed: number): Uniform {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32
  }
}

const norm = (...arrays: Float32Array[]): number =>
  Math.sqrt(arrays.reduce((sum, a) => sum + a.reduce((s, x) => s + x * x, 0), 0))
const difference = (a: Float32Array, b: Float32Array): Float32Array => a.map((x, i) => x - (b[i] as number))

describe('clipping', () => {
  test('scales a long update down to the clip, over all arrays together, and leaves a short one', () => {
    const base = [Float32Array.of(1, 2), Float32Array.of(3)]
    const long = [Float32Array.of(4, 6), Float32Array.of(15)]
    expect(clipUpdate(long, base, 6.5)).toBe(13)
    expect(long).toEqual([Float32Array.of(2.5, 4), Float32Array.of(9)])
    const short = [Float32Array.of(1.5, 2), Float32Array.of(3)]
    clipUpdate(short, base, 6.5)
    expect(short).toEqual([Float32Array.of(1.5, 2), Float32Array.of(3)])
  })
})

describe('noise', () => {
  const size = 200_000
  const base = Float32Array.from({ length: size }, (_, i) => Math.sin(i))

  test.each([
    ['the system', systemUniform()],
    ['a seed', seeded(7)],
  ])('of %s is normal with the stated deviation', (_, uniform) => {
    const values = base.slice()
    privatize([values], [base], { clip: 0.5, noise: 3 }, uniform)
    const noise = difference(values, base)
    // Of 200 000 draws the mean is off by σ/√n, variance and fourth moment by their own; five times that never happens.
    const mean = noise.reduce((a, b) => a + b) / size
    const variance = noise.reduce((a, b) => a + b * b, 0) / size
    const fourth = noise.reduce((a, b) => a + b ** 4, 0) / size
    expect(Math.abs(mean)).toBeLessThan((5 * 1.5) / Math.sqrt(size))
    expect(Math.abs(variance / 2.25 - 1)).toBeLessThan(5 * Math.sqrt(2 / size))
    expect(Math.abs(fourth / (3 * 2.25 ** 2) - 1)).toBeLessThan(5 * Math.sqrt(96 / 9 / size))
  })

  test('comes on top of an update that is clipped', () => {
    const update = Float32Array.from({ length: size }, (_, i) => Math.cos(i))
    const values = base.map((x, i) => x + (update[i] as number))
    privatize([values], [base], { clip: 1, noise: 1e-6 }, seeded(1))
    const moved = difference(values, base)
    // What rounding to f32 adds at these sizes is some 1e-7 a weight.
    expect(norm(moved)).toBeCloseTo(1, 3)
    const cosine = moved.reduce((sum, x, i) => sum + x * (update[i] as number), 0) / norm(moved) / norm(update)
    expect(cosine).toBeGreaterThan(0.999)
  })

  test('and update lie on one grid, so that low bits tell nothing of the update', () => {
    // From 0, the result is what leaves but for the rounding to f32, which 24 bits hold.
    const zero = new Float32Array(1000)
    const values = Float32Array.from({ length: 1000 }, (_, i) => Math.sin(i) / 1000)
    privatize([values], [zero], { clip: 1, noise: 1 }, systemUniform())
    for (const value of values) expect(Number.isInteger(value * 1024)).toBe(true)
  })

  test('is fresh at each time, and the same for the same seed', () => {
    const draw = (uniform: Uniform): Float32Array => {
      const values = base.slice(0, 100)
      privatize([values], [base.slice(0, 100)], { clip: 1, noise: 1 }, uniform)
      return values
    }
    expect(draw(systemUniform())).not.toEqual(draw(systemUniform()))
    expect(draw(seeded(3))).toEqual(draw(seeded(3)))
  })

  test('of 0 is clipping alone', () => {
    const values = Float32Array.of(3, 4)
    privatize([values], [new Float32Array(2)], { clip: 1, noise: 0 }, seeded(1))
    expect(values).toEqual(Float32Array.of(0.6, 0.8))
  })
})

describe('epsilon', () => {
  test('is that of zero-concentrated privacy, and the exact value of a Gaussian lies below', () => {
    expect(epsilon({ noise: 10, rounds: 10, delta: 1e-5 })).toBeCloseTo(0.2 + 2 * Math.sqrt(0.2 * Math.log(1e5)), 12)
    expect(epsilon({ noise: 1, rounds: 0, delta: 1e-5 })).toBe(0)
    expect(epsilon({ noise: 0, rounds: 1, delta: 1e-5 })).toBe(Infinity)
    for (const [noise, rounds] of [
      [4, 1],
      [10, 10],
      [30, 100],
    ] as const) {
      // δ(ε) of rounds Gaussian mechanisms of sensitivity 2 and deviation `noise` (Balle and Wang, 2018, theorem 8).
      const mu = (2 * Math.sqrt(rounds)) / noise
      const bound = epsilon({ noise, rounds, delta: 1e-5 })
      const exact = phi(mu / 2 - bound / mu) - Math.exp(bound) * phi(-mu / 2 - bound / mu)
      expect(exact).toBeLessThan(1e-5)
      expect(exact).toBeGreaterThan(0)
    }
  })

  test('refuses what it cannot mean', () => {
    expect(() => epsilon({ noise: -1, rounds: 1, delta: 1e-5 })).toThrow('epsilon: noise is -1')
    expect(() => epsilon({ noise: 1, rounds: 1.5, delta: 1e-5 })).toThrow('epsilon: rounds is 1.5')
    expect(() => epsilon({ noise: 1, rounds: 1, delta: 0 })).toThrow('epsilon: delta is 0')
  })
})

/** Distribution function of a standard normal, by its density's integral. */
function phi(x: number): number {
  const steps = 20_000
  const low = -14
  const width = (x - low) / steps
  let sum = 0
  for (let i = 0; i < steps; i++) sum += Math.exp(-((low + (i + 0.5) * width) ** 2) / 2)
  return (sum * width) / Math.sqrt(2 * Math.PI)
}
