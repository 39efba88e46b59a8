import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { losses, type Tensor, tensor } from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { both, classes, few, length, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import type { Ref } from '../reference/array.ts'
import * as reference from '../reference/loss.ts'

beforeAll(() => lw.init())

covers('entropy', 'loss')

const lengths = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33]
const rows = [
  [1, 1],
  [1, 7],
  [2, 8],
  [5, 9],
  [2, 17],
  [1, 33],
] as const
const reductions = ['mean', 'sum', 'none'] as const
const labelsOf = (count: number, classes: number): number[] =>
  Array.from({ length: count }, (_, i) => (7 * i + 1) % classes)
const weightsOf = (classes: number): number[] => Array.from({ length: classes }, (_, c) => ((3 * c + 1) % 5) / 2)
const int = (labels: readonly number[], shape: readonly number[]) => tensor(Int32Array.from(labels), { shape })

type Pair = (x: Tensor, y: Tensor, options: lw.LossOptions) => Tensor
type Reference = (x: Ref, y: Ref, reduction: string) => Ref
const positive = [0.5, 3, 1, 2]
const pairs: [string, Pair, Reference, [number, number]?][] = [
  ['mse', losses.mse, reference.mse],
  ['mae', losses.mae, reference.mae],
  ['huber 1', losses.huber, reference.huber(1)],
  ['huber 1/4', (x, y, o) => losses.huber(x, y, { ...o, delta: 0.25 }), reference.huber(0.25)],
  ['smoothL1 1', losses.smoothL1, reference.smoothL1(1)],
  ['smoothL1 1/2', (x, y, o) => losses.smoothL1(x, y, { ...o, beta: 0.5 }), reference.smoothL1(0.5)],
  ['smoothL1 0', (x, y, o) => losses.smoothL1(x, y, { ...o, beta: 0 }), reference.mae],
  ['bce', losses.bce, reference.bce, [0.125, 0.875]],
  ['bceWithLogits', losses.bceWithLogits, reference.bceWithLogits(() => 1)],
]
describe.each(reductions)('losses, %s', (reduction) => {
  describe.each(pairs)('%s', (_, ours, ref, range) => {
    // Up to six roundings of terms up to 16, over n of them; bce divides by x (1 - x), 1/9 at least.
    const tolerance = (n: number) => ({ ulps: 8, absolute: 16 * n, gradient: { ulps: 32, absolute: 64 } })
    test.each(lengths)('of %i', (n) =>
      check({
        shapes: [[n], [n]],
        ours: (x, y) => ours(x, y, { reduction }),
        reference: (x, y) => ref(x, y, reduction),
        tolerance: tolerance(n),
        ...(range && { range }),
      }),
    )
  })

  test.each(lengths)('bceWithLogits with factors of positives, %i × 4', (n) =>
    check({
      shapes: [
        [n, 4],
        [n, 4],
      ],
      ours: (x, y) => losses.bceWithLogits(x, y, { reduction, posWeight: tensor(positive) }),
      reference: (x, y) => reference.bceWithLogits((i) => positive[i % 4] as number)(x, y, reduction),
      tolerance: { ulps: 8, absolute: 200 * n, gradient: { ulps: 32, absolute: 128 } },
    }),
  )

  describe.each([
    ['plain', () => ({})],
    ['weight', (d: number) => ({ weight: weightsOf(d) })],
    ['ignoreIndex', () => ({ ignoreIndex: 0 })],
    ['labelSmoothing', () => ({ labelSmoothing: 0.25 })],
    ['all', (d: number) => ({ weight: weightsOf(d), ignoreIndex: 0, labelSmoothing: 0.125 })],
  ] as [string, (d: number) => reference.Classes][])('crossEntropy and nll, %s', (_, classes) => {
    const optionsOf = (d: number) => {
      const { weight, ...rest } = classes(d)
      return { ...rest, reduction, ...(weight && { weight: tensor([...weight]) }) }
    }
    // log Σ exp + max - x: three terms of size up to 5, times weights up to 2, summed over up to 15 places; with
    // smoothing as many more for each of up to 33 classes.
    const tolerance = { ulps: 8, absolute: 33 * 30, gradient: { ulps: 8, absolute: 128 } }
    test.each(rows)('%i × %i', (r, d) => {
      for (const inner of d < 9 ? [[], [3]] : [[]]) {
        const shape = [r, d, ...inner]
        const places = [r, ...inner]
        const count = r * (inner[0] ?? 1)
        const labels = labelsOf(count, d)
        const { labelSmoothing: _, ...sharp } = optionsOf(d)
        const counted = labels.filter((y) => y !== sharp.ignoreIndex)
        const total = counted.reduce((s, y) => s + (classes(d).weight?.[y] ?? 1), 0)
        // Nothing to divide by: the mean is NaN, asked about below.
        if (reduction === 'mean' && total === 0) continue
        check({
          shapes: [shape],
          ours: (x) => losses.crossEntropy(x, int(labels, places), optionsOf(d)),
          reference: (x) => reference.crossEntropy(x, labels, classes(d), reduction),
          tolerance,
        })
        check({
          shapes: [shape],
          ours: (x) => losses.nll(x, int(labels, places), sharp),
          reference: (x) => reference.nll(x, labels, { ...classes(d), labelSmoothing: 0 }, reduction),
          tolerance,
        })
        const { ignoreIndex: __, ...soft } = optionsOf(d)
        check({
          shapes: [shape, shape],
          ours: (x, t) => losses.crossEntropy(x, t, soft),
          reference: (x, t) => reference.softCrossEntropy(x, t, classes(d), reduction),
          // Targets up to 2 each, of both signs, times weights up to 2 and logarithms up to 8.
          tolerance: { ulps: 8, absolute: 33 * 3 * 100, gradient: { ulps: 16, absolute: 33 * 32 } },
        })
      }
    })
  })
})

test('a loss that is no number is not gone back from', () => {
  const x = tensor([Number.NaN], { requiresGrad: true })
  expect(() => losses.mse(x, tensor([1])).backward()).toThrow(/not finite/)
  expect(x.grad).toBeNull()
})

test('weights of bce multiply each loss', () => {
  const [x, y] = [tensor([0.25, 0.5]), tensor([1, 0])]
  const each = losses.bce(x, y, { reduction: 'none' }).tolist() as number[]
  const weighted = losses.bce(x, y, { reduction: 'none', weight: tensor([2, 4]) }).tolist()
  expect(weighted).toEqual([2 * (each[0] as number), 4 * (each[1] as number)])
})

test('a class index is the probability 1 of that class', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 21 }),
      fc.integer({ min: 1, max: 4 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (batch, classes, inner, labelSmoothing) => {
        const x = lw.normal([batch, classes, inner], 0, 3, new lw.Generator(batch + classes))
        const labels = labelsOf(batch * inner, classes)
        const hot = new Float32Array(batch * classes * inner)
        for (const [k, y] of labels.entries()) hot[(Math.floor(k / inner) * classes + y) * inner + (k % inner)] = 1
        const hard = losses.crossEntropy(x, int(labels, [batch, inner]), { labelSmoothing }).item()
        const soft = losses.crossEntropy(x, tensor(hot, { shape: x.shape }), { labelSmoothing }).item()
        // Two sums of 21 terms up to 30.
        expect(Math.abs(hard - soft)).toBeLessThan(2 ** -24 * 30 * 42)
      },
    ),
  )
})

describe('edges', () => {
  const one = { reduction: 'sum' } as const
  test('the mean of nothing is NaN, the sum 0', () => {
    const x = tensor([[1, 2]])
    const ignored = tensor(Int32Array.of(-100))
    expect(losses.crossEntropy(x, ignored).item()).toBeNaN()
    expect(losses.nll(x, ignored).item()).toBeNaN()
    expect(losses.crossEntropy(x, ignored, one).item()).toBe(0)
    for (const loss of [losses.mse, losses.bce, losses.huber, losses.bceWithLogits]) {
      expect(loss(lw.zeros([0]), lw.zeros([0])).item()).toBeNaN()
      expect(loss(lw.zeros([0]), lw.zeros([0]), one).item()).toBe(0)
    }
    expect(losses.crossEntropy(lw.zeros([0, 3]), lw.zeros([0], 'i32')).item()).toBeNaN()
    expect(losses.crossEntropy(lw.zeros([0, 3]), lw.zeros([0, 3]), one).item()).toBe(0)
    expect(losses.nll(lw.zeros([0, 3]), lw.zeros([0], 'i32'), one).item()).toBe(0)
  })
  test('large logits stay finite', () => {
    const logits = tensor([1e4, -1e4, 1e4, -1e4])
    expect(losses.bceWithLogits(logits, tensor([1, 0, 0, 1]), { reduction: 'none' }).tolist()).toEqual([0, 0, 1e4, 1e4])
    expect(losses.crossEntropy(tensor([[1e4, -1e4]]), tensor(Int32Array.of(1))).item()).toBe(2e4)
  })
  test('ignored rows have the gradient 0, also where the mean is NaN', () => {
    const x = tensor([[1, 2]], { requiresGrad: true })
    lw.backward(losses.crossEntropy(x, tensor(Int32Array.of(-100))), { gradient: tensor(1) })
    expect(x.grad?.tolist()).toEqual([[0, 0]])
  })
})

describe('refused', () => {
  const x = () => lw.zeros([2, 3])
  const cases: [string, () => unknown, RegExp][] = [
    [
      'a label beside the classes',
      () => losses.nll(x(), int([0, 3], [2])),
      /^nll: target 3 at index 1 is out of range, expected a class index from 0 to 2/,
    ],
    [
      'a label of an inner place',
      () => losses.crossEntropy(lw.zeros([1, 2, 3]), int([0, 1, 2], [1, 3])),
      /^crossEntropy: target 2 at index 2 is out of range/,
    ],
    [
      'labels of another shape',
      () => losses.nll(lw.zeros([2, 3, 4]), int([0, 1], [2])),
      /^nll: target has shape \[2\], expected \[2, 4\].*\[2, 3, 4\]/,
    ],
    [
      'probabilities of another shape',
      () => losses.crossEntropy(x(), lw.zeros([3, 2])),
      /^crossEntropy: target is f32 \[3, 2\], expected i32 indices \[2\], or probabilities of the shape of logits \[2, 3\]/,
    ],
    [
      'weights of another length',
      () => losses.crossEntropy(x(), int([0, 1], [2]), { weight: tensor([1, 2]) }),
      /^crossEntropy: weight has shape \[2\], expected \[3\]/,
    ],
    [
      'too much smoothing',
      () => losses.crossEntropy(x(), int([0, 1], [2]), { labelSmoothing: 1.5 }),
      /^crossEntropy: labelSmoothing is 1.5, expected a number from 0 to 1/,
    ],
    [
      'a broken ignoreIndex',
      () => losses.nll(x(), int([0, 1], [2]), { ignoreIndex: 0.5 }),
      /^nll: ignoreIndex is 0.5, expected a whole number/,
    ],
    [
      'an option of another loss',
      () => losses.nll(x(), int([0, 1], [2]), { labelSmoothing: 0.1 } as never),
      /^nll: unknown option labelSmoothing/,
    ],
    [
      'no probability',
      () => losses.bce(tensor([0.5, 1.5]), tensor([0, 1])),
      /^bce: input is 1.5 at index 1, expected a number from 0 to 1/,
    ],
    ['NaN', () => losses.bce(tensor([Number.NaN]), tensor([0])), /^bce: input is NaN at index 0/],
    [
      'a weight that does not broadcast',
      () => losses.bce(lw.full([2], 0.5), tensor([0, 1]), { weight: lw.ones([3]) }),
      /^bce: weight has shape \[3\], expected one that broadcasts to input \[2\]/,
    ],
    ['delta', () => losses.huber(x(), x(), { delta: 0 }), /^huber: delta is 0, expected a finite number above 0/],
    ['beta', () => losses.smoothL1(x(), x(), { beta: -1 }), /^smoothL1: beta is -1, expected a finite number >= 0/],
    [
      'targets of 0 and 1',
      () => losses.hinge(tensor([1, 2]), tensor([1, 0])),
      /^hinge: target is 0 at index 1, expected 1 or -1/,
    ],
    [
      'a negative variance',
      () => losses.gaussianNll(tensor([1]), tensor([1]), tensor([-1])),
      /^gaussianNll: variance is -1 at index 0, expected a number >= 0/,
    ],
    [
      'variances of another shape',
      () => losses.gaussianNll(x(), x(), lw.ones([3])),
      /^gaussianNll: variance has shape \[3\], expected \[2, 3\], \[2\] or \[2, 1\]/,
    ],
    [
      'a batch mean of klDiv',
      () => losses.klDiv(x(), x(), { reduction: 'batch' as never }),
      /^klDiv: reduction is 'batch', expected 'mean', 'sum', 'none' or 'batchMean'/,
    ],
    [
      'targets of cosineEmbedding',
      () => losses.cosineEmbedding(x(), x(), tensor([1])),
      /^cosineEmbedding: target has shape \[1\], expected \[2\]/,
    ],
    ['p', () => losses.tripletMargin(x(), x(), x(), { p: 0 }), /^tripletMargin: p is 0, expected a number above 0/],
    [
      'a margin',
      () => losses.marginRanking(x(), x(), x(), { margin: Number.NaN }),
      /^marginRanking: margin is NaN, expected a finite number/,
    ],
  ]
  test.each(cases)('%s', (_, run, message) => expect(run).toThrow(message))
})

test('parts give the bits of the whole', () =>
  sizes([length, few, odd], (n, rows, k) => {
    const target = some([n], 0.1, 0.9).detach()
    for (const loss of [losses.mse, losses.mae, losses.huber, losses.bce, losses.bceWithLogits]) {
      for (const reduction of ['none', 'mean'] as const) both(loss(some([n], 0.1, 0.9), target, { reduction }))
    }
    for (const smoothing of [0, 0.1])
      for (const reduction of ['none', 'mean'] as const) {
        const options = { reduction, labelSmoothing: smoothing }
        both(losses.crossEntropy(some([rows, k]), classes([rows], k), options))
        both(losses.crossEntropy(some([rows, k]), some([rows, k], 0.1, 0.9).detach(), options))
        both(losses.nll(some([rows, k, 3]), classes([rows, 3], k), { reduction, weight: some([k]).detach() }))
      }
    const signs = lw.sign(some([n])).detach()
    losses.hinge(some([n]), signs)
    losses.poissonNll(some([n]), signs)
  }))
