import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { type AvgPool2dOptions, type MaxPool2dOptions, nn } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { few, odd, both as run, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import { runs } from '../helpers/long.ts'
import { type Ref, ref } from '../reference/array.ts'
import * as reference from '../reference/pool.ts'

beforeAll(() => lw.init())

covers('pool')

const both = (n: lw.Pair): [number, number] => (typeof n === 'number' ? [n, n] : [n[0], n[1]])
const shapeOf = (o: MaxPool2dOptions): reference.PoolShape => ({
  kernel: both(o.kernelSize),
  stride: both(o.stride ?? o.kernelSize),
  padding: both(o.padding ?? 0),
  dilation: both(o.dilation ?? 1),
  ceil: o.ceilMode ?? false,
})

const shapes: [number[], MaxPool2dOptions][] = [
  [[0, 2, 4, 4], { kernelSize: 2 }],
  [[2, 3, 4, 4], { kernelSize: 2 }],
  [[1, 2, 6, 8], { kernelSize: 2 }],
  [[2, 2, 5, 9], { kernelSize: 2 }],
  [[1, 1, 7, 23], { kernelSize: 2 }],
  [[1, 1, 3, 2], { kernelSize: 2 }],
  [[1, 2, 5, 7], { kernelSize: 2, ceilMode: true }],
  [[1, 2, 7, 7], { kernelSize: 3, stride: 2, padding: 1 }],
  [[1, 2, 6, 5], { kernelSize: 3, stride: 2, ceilMode: true }],
  [[1, 2, 6, 5], { kernelSize: 3, stride: 2, padding: 1, ceilMode: true }],
  [[2, 1, 5, 6], { kernelSize: [3, 2], stride: 1 }],
  [[1, 1, 4, 5], { kernelSize: [2, 3], stride: [3, 1], padding: [1, 1] }],
  [[1, 1, 1, 1], { kernelSize: 1 }],
  [[1, 2, 4, 6], { kernelSize: 2, stride: 2, padding: 1 }],
  [[1, 1, 3, 12], { kernelSize: [1, 11], stride: 1 }],
  [[1, 1, 4, 4], { kernelSize: 2, stride: 3, ceilMode: true }],
]

/** maxPool2d of x / 64 + a permutation of 0, 1/8, 2/8 …: differences never step from one element to another. */
function checkMax(shape: number[], options: MaxPool2dOptions): void {
  check({
    shapes: [shape],
    ours: (a) => lw.maxPool2d(a, options),
    reference: (a) => reference.maxPool2d(a, shapeOf(options)),
  })
}

describe('maxPool2d', () => {
  test.each([
    ...shapes,
    [[1, 2, 7, 8], { kernelSize: 2, dilation: 2 }],
    [[1, 2, 7, 8], { kernelSize: 3, dilation: [1, 3], stride: 1, padding: 1 }],
  ] as typeof shapes)('%j %j', (x, options) => checkMax(x, options))

  test('the gradient of equals goes to the first, NaN wins, -Infinity is a value', () => {
    const rows = (n: number) => [NaN, 1, 5, 5, -Infinity, -Infinity, 0, -0, 2, 2].slice(0, n)
    for (const kernelSize of [2, [2, 2]] as const) {
      for (const stride of [2, 1]) {
        const x = lw.tensor([[[rows(10), [3, 4, 5, 1, -Infinity, -Infinity, 0, 0, NaN, 2]]]], { requiresGrad: true })
        const y = lw.maxPool2d(x, { kernelSize, stride })
        const values = Array.from(y.data()).filter((_, i) => stride === 2 || i % 2 === 0)
        expect(values).toEqual([NaN, 5, -Infinity, 0, NaN])
        if (stride === 1) continue
        y.backward({ gradient: lw.tensor([[[[1, 2, 3, 4, 5]]]]) })
        expect(Array.from((x.grad as lw.Tensor).data())).toEqual([
          1,
          0,
          2,
          0,
          3,
          0,
          4,
          0,
          0,
          0,
          ...[0, 0, 0, 0, 0, 0, 0, 0, 5, 0],
        ])
      }
    }
  })

  test('a window that is padding alone', () => {
    const x = lw.tensor([[[[1, 2, 3, 4]]]], { requiresGrad: true })
    const y = lw.maxPool2d(x, { kernelSize: [1, 2], stride: 1, padding: [0, 1], dilation: [1, 5] })
    expect(Array.from(y.data())).toEqual([-Infinity])
    y.backward({ gradient: lw.ones(y.shape) })
    expect(Array.from((x.grad as lw.Tensor).data())).toEqual([0, 0, 0, 0])
  })
})

describe('avgPool2d', () => {
  test.each(
    shapes.flatMap(([x, options]) => [
      [x, options],
      [x, { ...options, countIncludePad: false }],
    ]) as [number[], AvgPool2dOptions][],
  )('%j %j', (x, options) => {
    const { countIncludePad = true, ...rest } = options
    check({
      shapes: [x],
      ours: (a) => lw.avgPool2d(a, options),
      reference: (a) => reference.avgPool2d(a as Ref, shapeOf(rest), countIncludePad),
      // Sums of up to 11 numbers up to 2, over their count.
      tolerance: { absolute: 22 },
    })
  })
})

describe('along one axis', () => {
  const lift = (a: Ref): Ref => ref([a.shape[0] as number, a.shape[1] as number, 1, a.shape[2] as number], a.data)
  const lower = (a: Ref): Ref => ref([a.shape[0] as number, a.shape[1] as number, a.shape[3] as number], a.data)
  const flat = { kernel: [1, 3], stride: [1, 2], padding: [0, 1], dilation: [1, 1], ceil: true } as const
  const options = { kernelSize: 3, stride: 2, padding: 1, ceilMode: true }
  test.each([8, 9])('maxPool1d and avgPool1d of length %i', (n) => {
    check({
      shapes: [[2, 3, n]],
      ours: (a) => lw.maxPool1d(a, options),
      reference: (a) => lower(reference.maxPool2d(lift(a as Ref), flat)),
    })
    check({
      shapes: [[2, 3, n]],
      ours: (a) => lw.avgPool1d(a, options),
      reference: (a) => lower(reference.avgPool2d(lift(a as Ref), flat, true)),
      tolerance: { absolute: 6 },
    })
  })
})

describe('adaptiveAvgPool2d', () => {
  test.each([
    [[2, 3, 7, 9], 1],
    [
      [1, 2, 8, 6],
      [4, 3],
    ],
    [
      [1, 2, 7, 10],
      [3, 4],
    ],
    [
      [1, 2, 3, 5],
      [5, 7],
    ],
    [
      [1, 2, 5, 8],
      [null, 2],
    ],
    [
      [1, 2, 4, 4],
      [null, null],
    ],
    [[0, 2, 4, 4], 2],
  ] as [number[], lw.OutputSize][])('%j to %j', (x, size) => {
    const list = typeof size === 'number' ? [size, size] : size
    const outs = list.map((n, i) => n ?? (x[i + 2] as number)) as [number, number]
    check({
      shapes: [x],
      ours: (a) => lw.adaptiveAvgPool2d(a, size),
      reference: (a) => reference.adaptiveAvgPool2d(a as Ref, outs),
      tolerance: { absolute: 63 * 2 },
    })
  })
})

test('any window', () => {
  const number = (min: number, max: number) => fc.integer({ min, max })
  const pairs = (min: number, max: number) => fc.tuple(number(min, max), number(min, max))
  fc.assert(
    fc.property(
      fc.record({
        lead: pairs(1, 2),
        area: fc.tuple(number(1, 7), number(1, 12)),
        kernelSize: pairs(1, 3),
        stride: pairs(1, 3),
        share: pairs(0, 1),
        ceilMode: fc.boolean(),
        countIncludePad: fc.boolean(),
      }),
      ({ lead, area, kernelSize, stride, share, ceilMode, countIncludePad }) => {
        const padding = share.map((s, i) => Math.min(s, (kernelSize[i] as number) >> 1)) as [number, number]
        fc.pre(area.every((n, i) => n + 2 * (padding[i] as number) >= (kernelSize[i] as number)))
        const options = { kernelSize, stride, padding, ceilMode }
        const shape = shapeOf(options)
        checkMax([...lead, ...area], options)
        check({
          shapes: [[...lead, ...area]],
          ours: (a) => lw.avgPool2d(a, { ...options, countIncludePad }),
          reference: (a) => reference.avgPool2d(a as Ref, shape, countIncludePad),
          tolerance: { absolute: 18 },
        })
      },
    ),
    { numRuns: runs(20, 60), seed: 6 },
  )
})

test('errors name what came and what was expected', () => {
  const x = lw.ones([1, 2, 4, 4])
  expect(() => lw.maxPool2d(x, {} as MaxPool2dOptions)).toThrow(/maxPool2d: kernelSize is undefined, expected a whole/)
  expect(() => lw.maxPool2d(x, { kernelSize: 2, padding: 2 })).toThrow(
    /padding is 2, expected at most half of kernelSize 2/,
  )
  expect(() => lw.maxPool2d(x, { kernelSize: 5 })).toThrow(/kernelSize is \[5, 5\] for input \[1, 2, 4, 4\]/)
  expect(() => lw.avgPool2d(x, { kernelSize: 2, dilation: 2 } as AvgPool2dOptions)).toThrow(/unknown option dilation/)
  expect(() => lw.avgPool2d(lw.ones([2, 4, 4]), { kernelSize: 2 })).toThrow(
    /expected \[batch, channels, height, width\]/,
  )
  expect(() => lw.maxPool1d(x, { kernelSize: 2 })).toThrow(/expected \[batch, channels, length\]/)
  expect(() => lw.adaptiveAvgPool2d(x, 0)).toThrow(/outputSize is 0, expected/)
  expect(() => new nn.MaxPool2d(2, { ceilMode: 1 as unknown as boolean })).toThrow(
    'nn.MaxPool2d: ceilMode is 1, expected true or false',
  )
  expect(() => new nn.AvgPool1d(2, { stride: 0 })).toThrow(/nn.AvgPool1d: stride is 0/)
  expect(String(new nn.MaxPool2d(3, { stride: 2, padding: 1 }))).toBe('MaxPool2d(kernelSize=3, stride=2, padding=1)')
})

test('parts give the bits of the whole', () =>
  sizes([few, odd, odd], (n, c, s) => {
    for (const options of [{ kernelSize: 2 }, { kernelSize: 3, stride: 2, padding: 1 }]) {
      run(lw.maxPool2d(some([n, c, s + 3, s + 2]), options))
      run(lw.avgPool2d(some([n, c, s + 3, s + 2]), options))
    }
  }))
