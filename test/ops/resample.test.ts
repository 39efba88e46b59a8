import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { type InterpolateOptions, nn } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { both, few, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import type { Ref } from '../reference/array.ts'
import * as reference from '../reference/resample.ts'

beforeAll(() => lw.init())

covers('resample')

const targets: [number[], { size?: [number, number]; scaleFactor?: [number, number] }][] = [
  [[2, 3, 3, 4], { scaleFactor: [2, 2] }],
  [[1, 2, 4, 5], { scaleFactor: [1.5, 0.6] }],
  [[1, 2, 3, 3], { scaleFactor: [2.7, 1] }],
  [[1, 2, 5, 4], { size: [7, 9] }],
  [[1, 1, 8, 8], { size: [3, 4] }],
  [[1, 2, 1, 1], { size: [2, 3] }],
  [[1, 2, 4, 4], { size: [1, 1] }],
  [[0, 2, 4, 4], { size: [2, 3] }],
]

const outsOf = (x: number[], { size, scaleFactor }: (typeof targets)[number][1]): [number, number] =>
  size ?? (x.slice(2).map((n, i) => Math.floor(n * (scaleFactor?.[i] as number))) as [number, number])
const stepsOf = (x: number[], { size, scaleFactor }: (typeof targets)[number][1]): [number, number] =>
  x.slice(2).map((n, i) => (size ? n / (size[i] as number) : 1 / (scaleFactor?.[i] as number))) as [number, number]

describe('interpolate', () => {
  test.each(targets)('nearest %j %j', (x, options) =>
    check({
      shapes: [x],
      ours: (a) => lw.interpolate(a, options),
      reference: (a) => reference.nearest(a as Ref, outsOf(x, options), stepsOf(x, options)),
      // A gradient is a sum of up to 9 numbers up to 2.
      tolerance: { gradient: { ulps: 4, absolute: 9 * 18 } },
    }),
  )
  test.each(targets)('bilinear %j %j', (x, options) => {
    const steps = stepsOf(x, options)
    check({
      shapes: [x],
      ours: (a) => lw.interpolate(a, { ...options, mode: 'bilinear' }),
      reference: (a) =>
        reference.bilinear(a as Ref, outsOf(x, options), (i, d) => Math.max(0, (i + 0.5) * (steps[d] as number) - 0.5)),
      // Four products of size 2 with three roundings each.
      tolerance: { absolute: 4 * 2 * 4 },
    })
  })
  test.each(targets)('bilinear, aligned corners %j %j', (x, options) => {
    const outs = outsOf(x, options)
    check({
      shapes: [x],
      ours: (a) => lw.interpolate(a, { ...options, mode: 'bilinear', alignCorners: true }),
      reference: (a) =>
        reference.bilinear(a as Ref, outs, (i, d) => {
          const n = outs[d] as number
          return n > 1 ? (i * ((x[d + 2] as number) - 1)) / (n - 1) : 0
        }),
      tolerance: { absolute: 4 * 2 * 4 },
    })
  })
})

test('pixelShuffle', () => {
  for (const [shape, r] of [
    [[2, 8, 3, 4], 2],
    [[1, 9, 2, 1], 3],
    [[1, 3, 2, 2], 1],
  ] as [number[], number][]) {
    check({
      shapes: [shape],
      ours: (a) => lw.pixelShuffle(a, r),
      reference: (a) => reference.pixelShuffle(a as Ref, r),
    })
  }
})

test('errors name what came and what was expected', () => {
  const x = lw.ones([1, 2, 4, 4])
  const wrong = (options: object) => () => lw.interpolate(x, options as InterpolateOptions)
  expect(wrong({})).toThrow('interpolate: got neither size nor scaleFactor, expected one of them')
  expect(wrong({ size: 2, scaleFactor: 2 })).toThrow(/got both size and scaleFactor/)
  expect(wrong({ size: 0 })).toThrow(/size is 0, expected a whole number >= 1/)
  expect(wrong({ scaleFactor: -1 })).toThrow(/scaleFactor is -1, expected a number > 0/)
  expect(wrong({ scaleFactor: 0.1 })).toThrow(/makes \[0, 0\] of input \[1, 2, 4, 4\]/)
  expect(wrong({ size: 2, mode: 'bicubic' })).toThrow(/mode is 'bicubic', expected 'nearest' or 'bilinear'/)
  expect(wrong({ size: 2, alignCorners: true })).toThrow(/true only for 'bilinear'/)
  expect(() => lw.interpolate(lw.ones([2, 4, 4]), { size: 2 })).toThrow(/input has shape \[2, 4, 4\], expected/)
  expect(() => lw.pixelShuffle(x, 2)).toThrow(/a multiple of 4 channels/)
  expect(() => new nn.PixelShuffle(0)).toThrow('nn.PixelShuffle: upscaleFactor is 0, expected a whole number >= 1')
  expect(() => new nn.ZeroPad2d([1, 2] as never)).toThrow(/padding is \[1, 2\], expected/)
  expect(() => new nn.ZeroPad2d(1).forward(lw.ones([3]))).toThrow(/expected \[..., height, width\]/)
  expect(String(new nn.Upsample({ scaleFactor: 2 }))).toBe('Upsample(scaleFactor=2, mode=nearest)')
})

test('bilinear with a factor that keeps a size keeps the elements, as in PyTorch', () => {
  const x = lw.tensor([
    [
      [
        [1, 5, 2],
        [7, 3, 4],
      ],
    ],
  ])
  expect(lw.interpolate(x, { scaleFactor: 1.1, mode: 'bilinear' }).tolist()).toEqual(x.tolist())
})

test('parts give the bits of the whole', () =>
  sizes([few, odd, odd], (n, c, s) => {
    for (const mode of ['nearest', 'bilinear'] as const)
      both(lw.interpolate(some([n, c, s + 1, s]), { scaleFactor: 2, mode }))
  }))
