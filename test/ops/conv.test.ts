import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { ROWS } from '../../src/core/commands.ts'
import * as lw from '../../src/index.ts'
import { type ConvOptions, nn } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { few, odd, both as run, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import { runs } from '../helpers/long.ts'
import { type Ref, ref } from '../reference/array.ts'
import * as reference from '../reference/conv.ts'

beforeAll(() => lw.init())

covers('conv')

const both = (n: lw.Pair): [number, number] => (typeof n === 'number' ? [n, n] : [n[0], n[1]])

/** The options in the words of the reference. */
function shapeOf({ stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions, kernel: readonly number[]) {
  const extent = kernel.map((k, i) => (both(dilation)[i] as number) * (k - 1)) as [number, number]
  const total =
    padding === 'same' ? extent : padding === 'valid' ? both(0) : (both(padding).map((n) => 2 * n) as [number, number])
  const before = total.map((n) => Math.floor(n / 2)) as [number, number]
  return { stride: both(stride), total, before, dilation: both(dilation), groups }
}

/** Sums of up to `terms` products of numbers up to 2. */
const sums = (terms: number) => ({ absolute: 4 * terms * Math.sqrt(terms) })

function checkConv(x: number[], w: number[], options: ConvOptions = {}, withBias = true): void {
  const [batch, channels, height, width] = x as [number, number, number, number]
  const shape = shapeOf(options, w.slice(2))
  const terms = (w.slice(1).reduce((a, b) => a * b, 1) || 1) + 1
  // A weight's gradient sums over images and positions, an input's over output channels and the kernel.
  const wide = Math.max(batch * height * width, ((w[0] as number) * terms) / Math.max(1, channels), terms)
  check({
    shapes: withBias ? [x, w, [w[0] as number]] : [x, w],
    ours: (a, b, c) => lw.conv2d(a as lw.Tensor, b as lw.Tensor, c ?? null, options),
    reference: (a, b, c) => reference.conv2d(a as Ref, b as Ref, (withBias ? c : null) ?? null, shape),
    tolerance: { ...sums(terms), gradient: sums(wide) },
  })
}

describe('conv2d', () => {
  const cases: [string, number[], number[], ConvOptions?][] = [
    ['one pixel', [1, 1, 1, 1], [1, 1, 1, 1]],
    ['no images', [0, 2, 4, 4], [3, 2, 3, 3]],
    ['no output channels', [1, 2, 4, 4], [0, 2, 3, 3]],
    ['3×3', [2, 3, 7, 9], [5, 3, 3, 3]],
    ['rows of more than a panel', [1, 1, 4, 21], [8, 1, 3, 3]],
    ['rows that end within a panel', [2, 2, 6, 8], [7, 2, 3, 3], { padding: 1 }],
    ['seven, eight and nine outputs', [1, 2, 3, 13], [13, 2, 1, 5]],
    ['same, even kernel', [2, 2, 5, 6], [3, 2, 4, 2], { padding: 'same' }],
    ['valid', [1, 2, 5, 5], [3, 2, 2, 2], { padding: 'valid' }],
    ['stride 2', [2, 2, 9, 18], [3, 2, 3, 3], { stride: 2, padding: 1 }],
    ['stride 2, unpadded', [1, 2, 8, 23], [3, 2, 3, 3], { stride: 2 }],
    ['stride 3 by 1', [1, 2, 10, 7], [3, 2, 3, 2], { stride: [3, 1], padding: [1, 0] }],
    ['stride 1 by 3', [1, 2, 5, 19], [3, 2, 3, 2], { stride: [1, 3] }],
    ['stride beyond the kernel', [1, 1, 7, 8], [2, 1, 2, 2], { stride: 3 }],
    ['stride that leaves rows unread, padded', [1, 1, 6, 6], [2, 1, 2, 2], { stride: 4, padding: 1 }],
    ['dilation', [1, 2, 9, 9], [3, 2, 3, 3], { dilation: 2, padding: 2 }],
    ['dilation 1 by 3', [1, 2, 5, 10], [3, 2, 2, 3], { dilation: [1, 3] }],
    ['dilation, same', [1, 2, 6, 5], [3, 2, 3, 2], { dilation: [2, 3], padding: 'same' }],
    ['two groups', [2, 4, 5, 5], [6, 2, 3, 3], { groups: 2, padding: 1 }],
    ['depthwise', [2, 3, 5, 13], [3, 1, 3, 3], { groups: 3, padding: 1 }],
    ['depthwise, stride 2', [2, 3, 6, 19], [3, 1, 3, 3], { groups: 3, stride: 2 }],
    ['depthwise, stride 3', [1, 2, 7, 14], [2, 1, 3, 2], { groups: 2, stride: 3, padding: 1 }],
    ['depthwise, two outputs each', [1, 3, 5, 6], [6, 1, 3, 3], { groups: 3, padding: 'same' }],
    ['1×1', [2, 5, 3, 3], [7, 5, 1, 1]],
    ['1×1, groups', [1, 4, 3, 5], [4, 2, 1, 1], { groups: 2 }],
    ['1×1, padded', [1, 2, 3, 3], [3, 2, 1, 1], { padding: 1 }],
    ['1×1, stride 2', [1, 3, 5, 5], [2, 3, 1, 1], { stride: 2 }],
    ['padding wider than the kernel', [1, 1, 3, 3], [2, 1, 2, 2], { padding: [3, 4] }],
    ['an image smaller than the kernel', [1, 2, 1, 2], [3, 2, 3, 3], { padding: 1 }],
  ]
  test.each(cases)('%s: %j ∗ %j %j', (_, x, w, options) => checkConv(x, w, options))
  test('without bias', () => checkConv([2, 2, 5, 5], [3, 2, 3, 3], {}, false))

  /** Only the forward: gradients by differences would take minutes. */
  test.each([
    ['more than a block of k', [1, 130, 4, 4], [9, 130, 3, 3], { padding: 1 }],
    ['more than a block of rows and of k', [1, 66, 3, 4], [ROWS + 3, 66, 3, 3], { padding: 1 }],
  ] as const)('%s', (_, x, w, options) => {
    check({
      shapes: [x, w, [w[0]]],
      ours: (a, b, c) => lw.conv2d(a as lw.Tensor, b as lw.Tensor, c as lw.Tensor, options),
      reference: (a, b, c) => reference.conv2d(a as Ref, b as Ref, c as Ref, shapeOf(options, w.slice(2))),
      tolerance: sums(w[1] * w[2] * w[3]),
      differentiable: false,
    })
  })

  test('more output channels than a block of rows, with gradients', () => {
    check({
      shapes: [[2, 1, 3, 3], [ROWS + 3, 1, 2, 2], [ROWS + 3]],
      ours: (a, b, c) => lw.conv2d(a as lw.Tensor, b as lw.Tensor, c as lw.Tensor),
      reference: (a, b, c) => reference.conv2d(a as Ref, b as Ref, c as Ref, shapeOf({}, [2, 2])),
      tolerance: { ...sums(5), gradient: sums(4 * (ROWS + 3)) },
    })
  })

  test.each([
    ['more positions than one product takes', [1, 2, 37, 61], [3, 2, 3, 3]],
    ['images that share a product, the last alone', [23, 1, 8, 8], [2, 1, 3, 3]],
  ])('%s: gradients', (_, shapeX, shapeW) => {
    const x = lw.uniform(shapeX, -1, 1)
    const w = lw.uniform(shapeW, -1, 1)
    x.requiresGrad = w.requiresGrad = true
    const y = lw.conv2d(x, w, null, { padding: 1 })
    const v = lw.uniform(y.shape, -1, 1)
    y.mul(v).sum().backward()
    const [rx, rv] = [ref(x.shape, x.data()), ref(v.shape, v.data())]
    // Linear in the weight: the slope of Σ y·v along one of them is Σ y·v with that one 1, all others 0.
    const slope = (i: number): number => {
      const unit = ref(w.shape, new Float64Array(w.size))
      unit.data[i] = 1
      const pad = { before: [1, 1], total: [2, 2] } as const
      return reference.conv2d(rx, unit, null, pad).data.reduce((s, a, j) => s + a * (rv.data[j] as number), 0)
    }
    const dw = (w.grad as lw.Tensor).data()
    const terms = y.size / (w.shape[0] as number)
    for (const i of [0, 4, 8, 13, w.size - 1])
      expect(Math.abs((dw[i] as number) - slope(i))).toBeLessThan(terms ** 1.5 * 2 ** -24)
    const dx = reference.convTranspose2d(rv, ref(w.shape, w.data()), null, { before: [1, 1] })
    ;(x.grad as lw.Tensor).data().forEach((d, i) => {
      expect(Math.abs(d - (dx.data[i] as number))).toBeLessThan(27 ** 1.5 * 2 ** -24)
    })
  })

  test('any shape', () => {
    const small = (max: number, min = 1) => fc.integer({ min, max })
    const pairs = (max: number, min = 1) => fc.tuple(small(max, min), small(max, min))
    fc.assert(
      fc.property(
        fc.record({
          batch: small(2),
          part: small(3),
          rows: small(4),
          groups: small(3),
          size: fc.tuple(small(6), small(11)),
          kernel: pairs(3),
          stride: pairs(3),
          padding: pairs(2, 0),
          dilation: pairs(2),
        }),
        ({ batch, part, rows, groups, size, kernel, stride, padding, dilation }) => {
          const fits = size.every(
            (n, i) => n + 2 * (padding[i] as number) > (dilation[i] as number) * ((kernel[i] as number) - 1),
          )
          fc.pre(fits)
          checkConv([batch, part * groups, ...size], [rows * groups, part, ...kernel], {
            stride,
            padding,
            dilation,
            groups,
          })
        },
      ),
      { numRuns: runs(15, 60), seed: 5 },
    )
  })

  test('an activation moves into it without changing a bit', () => {
    const conv = new nn.Conv2d(3, 5, 3, { padding: 1 })
    const x = lw.uniform([2, 3, 7, 6], -1, 1)
    for (const activation of [lw.relu, lw.tanh, lw.sigmoid]) {
      const run = () => activation(conv.forward(x))
      expect(lw.compile(run)().data()).toEqual(run().data())
    }
    const deep = new nn.Conv2d(4, 4, 3, { groups: 4 })
    const run = () => lw.relu(deep.forward(lw.ones([1, 4, 5, 5])))
    expect(lw.compile(run)().data()).toEqual(run().data())
  })
})

describe('conv1d', () => {
  test.each([
    [[2, 3, 11], [4, 3, 3], {}],
    [[1, 2, 9], [3, 2, 4], { padding: 'same' }],
    [[1, 4, 20], [4, 2, 3], { stride: 2, padding: 1, groups: 2 }],
    [[2, 3, 15], [3, 1, 3], { groups: 3, dilation: 2 }],
    [[1, 3, 7], [2, 3, 1], {}],
  ] as [number[], number[], lw.ConvOptions1d][])('%j ∗ %j %j', (x, w, options) => {
    const lift = (a: Ref): Ref => ref([a.shape[0] as number, a.shape[1] as number, 1, a.shape[2] as number], a.data)
    const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options
    const lined: ConvOptions = {
      stride: [1, stride],
      padding: typeof padding === 'number' ? [0, padding] : padding,
      dilation: [1, dilation],
      groups,
    }
    check({
      shapes: [x, w, [w[0] as number]],
      ours: (a, b, c) => lw.conv1d(a as lw.Tensor, b as lw.Tensor, c as lw.Tensor, options),
      reference: (a, b, c) => {
        const y = reference.conv2d(lift(a as Ref), lift(b as Ref), c as Ref, shapeOf(lined, [1, w[2] as number]))
        return ref([y.shape[0] as number, y.shape[1] as number, y.shape[3] as number], y.data)
      },
      tolerance: sums(40),
    })
  })
})

describe('convTranspose2d', () => {
  test.each([
    [[2, 3, 4, 5], [3, 2, 3, 3], {}],
    [[1, 2, 3, 9], [2, 3, 2, 2], { stride: 2 }],
    [[1, 2, 4, 4], [2, 3, 3, 3], { stride: 2, padding: 1, outputPadding: 1 }],
    [[1, 4, 3, 3], [4, 2, 3, 3], { groups: 2, dilation: 2, padding: 1 }],
    [[1, 3, 3, 9], [3, 1, 3, 3], { groups: 3, stride: [1, 2] }],
    [[1, 2, 1, 1], [2, 3, 4, 3], { stride: 3, outputPadding: [2, 1] }],
    [[0, 2, 3, 3], [2, 3, 2, 2], {}],
    [[2, 3, 2, 2], [3, 4, 1, 1], {}],
  ] as [number[], number[], lw.ConvTransposeOptions][])('%j, weight %j %j', (x, w, options) => {
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 } = options
    const shape = { stride: both(stride), before: both(padding), dilation: both(dilation), groups }
    check({
      shapes: [x, w, [(w[1] as number) * groups]],
      ours: (a, b, c) => lw.convTranspose2d(a as lw.Tensor, b as lw.Tensor, c as lw.Tensor, options),
      reference: (a, b, c) =>
        reference.convTranspose2d(a as Ref, b as Ref, c as Ref, { ...shape, added: both(outputPadding) }),
      tolerance: sums(60),
    })
  })
})

test('the gradient of a bias is the same number with a frozen weight, but for roundings', () => {
  const x = lw.uniform([3, 2, 6, 5], -1, 1)
  const biasGradient = (requiresGrad: boolean, groups: number): Float32Array | number[] => {
    const w = lw.tensor(new Float32Array(72 / groups).fill(1), { shape: [4, 2 / groups, 3, 3], requiresGrad })
    const b = lw.tensor([0, 0, 0, 0], { requiresGrad: true })
    lw.conv2d(x, w, b, { groups })
      .mul(lw.conv2d(x, lw.ones(w.shape), null, { groups }))
      .sum()
      .backward()
    return [...(b.grad as lw.Tensor).data()]
  }
  for (const groups of [1, 2]) {
    const frozen = biasGradient(false, groups)
    // 36 summands of about 4, each rounded.
    biasGradient(true, groups).forEach((sum, i) => {
      expect(Math.abs(sum - (frozen[i] as number))).toBeLessThan(36 * 4 * 2 ** -22)
    })
  }
})

describe('errors', () => {
  const x = () => lw.ones([1, 4, 5, 5])
  test('name what came and what was expected', () => {
    expect(() => lw.conv2d(lw.ones([4, 5, 5]), lw.ones([2, 4, 3, 3]))).toThrow(
      'conv2d: input has shape [4, 5, 5], expected [batch, channels, height, width]',
    )
    expect(() => lw.conv2d(x(), lw.ones([2, 3, 3, 3]))).toThrow(/input has 4 channels .* expected 3 for weight/)
    expect(() => lw.conv2d(x(), lw.ones([2, 4, 7, 3]))).toThrow(/the kernel covers \[7, 3\].*add padding/)
    expect(() => lw.conv2d(x(), lw.ones([3, 2, 3, 3]), null, { groups: 2 })).toThrow(/groups is 2, expected a divisor/)
    expect(() => lw.conv2d(x(), lw.ones([2, 4, 3, 3]), lw.ones([3]))).toThrow('bias has shape [3], expected [2]')
    expect(() => lw.conv2d(x(), lw.ones([2, 4, 3, 3]), null, { stride: 0 })).toThrow(
      'conv2d: stride is 0, expected a whole number >= 1 or two of them, [height, width]',
    )
    expect(() => lw.conv2d(x(), lw.ones([2, 4, 3, 3]), null, { padding: 'same', stride: 2 })).toThrow(
      /expected stride 1/,
    )
    expect(() => lw.conv2d(x(), lw.ones([2, 4, 3, 3]), null, { pad: 1 } as ConvOptions)).toThrow(/unknown option pad/)
    expect(() => lw.conv1d(lw.ones([1, 2, 4]), lw.ones([2, 2, 3]), null, { stride: 1.5 })).toThrow(
      'conv1d: stride is 1.5, expected a whole number >= 1',
    )
    expect(() => lw.convTranspose2d(x(), lw.ones([4, 2, 3, 3]), null, { outputPadding: 1 })).toThrow(
      /outputPadding is \[1, 1\], expected less than stride \[1, 1\]/,
    )
    expect(() => lw.convTranspose2d(x(), lw.ones([4, 2, 1, 1]), null, { padding: 3 })).toThrow(/use less padding/)
    expect(() => new nn.Conv2d(3, 4, 3, { groups: 2 })).toThrow(/nn.Conv2d: groups is 2, expected a divisor/)
    expect(() => new nn.Conv2d(3, 4, 0)).toThrow(/kernelSize is 0/)
    expect(() => new nn.Conv2d(3, 4, 3, { padding: 'full' as 'same' })).toThrow(/padding is 'full'/)
    expect(() => new nn.Conv1d(3, 4, [3, 3] as never)).toThrow(/kernelSize is \[3, 3\]/)
  })
})

test('parts give the bits of the whole', () =>
  sizes([few, odd, odd], (n, c, s) => {
    run(lw.conv2d(some([n, 12 + c, s + 3, s + 2]), some([c, 12 + c, 3, 3]), some([c]), { padding: 1 }))
  }))
