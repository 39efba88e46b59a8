import { beforeAll, describe, expect, test } from 'vitest'
import type { Tensor } from '../../src/index.ts'
import * as lw from '../../src/index.ts'
import { length, sizes } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'

beforeAll(() => lw.init())

covers('random')

describe('random', () => {
  test('philox gives the numbers of its authors', () => {
    // Random123's known answers: key and counter all ones give the first word 0x408f276d; zeros 0x6627e8d5.
    const generator = new lw.Generator(0)
    const [first] = lw.uniform([4], 0, 1, generator).data()
    expect(first).toBe((0x6627e8d5 >>> 8) * 2 ** -24)
  })
  test('draws follow from seed and draw alone', () => {
    const generator = new lw.Generator(7)
    const one = lw.normal([5], 0, 1, generator).tolist()
    const two = lw.normal([5], 0, 1, generator).tolist()
    expect(two).not.toEqual(one)
    expect(generator.draw).toBe(2)
    generator.seed(7, 1)
    expect(lw.normal([5], 0, 1, generator).tolist()).toEqual(two)
    generator.seed(7)
    expect(lw.normal([3], 0, 1, generator).tolist()).toEqual((one as number[]).slice(0, 3))
  })
  test('uniform and normal have the moments they should', () => {
    const n = 100_003
    const moments = (x: Tensor) => [lw.mean(x).item(), lw.mean(lw.mul(x, x)).item()] as [number, number]
    const [u1, u2] = moments(lw.uniform([n], -1, 3, new lw.Generator(3)))
    const [z1, z2] = moments(lw.normal([n], 2, 0.5, new lw.Generator(4)))
    // Five standard errors: √(var / n) of each moment.
    expect(Math.abs(u1 - 1)).toBeLessThan(5 * Math.sqrt(4 / 3 / n))
    expect(Math.abs(u2 - 7 / 3)).toBeLessThan(5 * Math.sqrt(6 / n))
    expect(Math.abs(z1 - 2)).toBeLessThan(5 * Math.sqrt(0.25 / n))
    expect(Math.abs(z2 - 4.25)).toBeLessThan(5 * Math.sqrt(4.125 / n))
  })
  test('a compiled program draws anew at each run', () => {
    lw.manualSeed(5)
    const draw = lw.compile(() => lw.uniform([3]))
    const compiled = [draw().tolist(), draw().tolist()]
    lw.manualSeed(5)
    expect([lw.uniform([3]).tolist(), lw.uniform([3]).tolist()]).toEqual(compiled)
  })
})

test('parts of draws give the bits of the whole', () =>
  sizes([length], (n) => {
    for (const x of [lw.uniform([n]), lw.normal([n])]) x.sum()
  }))
