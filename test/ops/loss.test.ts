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

covers('ctc', 'entropy', 'loss')

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

describe.each(reductions)('losses that others are made of, %s', (reduction) => {
  test.each(rows.filter(([, d]) => d > 1))('multiMargin and focal, %i × %i', (r, d) => {
    const labels = labelsOf(r, d)
    const weight = weightsOf(d)
    for (const p of [1, 2] as const)
      for (const options of [{}, { weight, margin: 0.25 }])
        check({
          shapes: [[r, d]],
          ours: (x) =>
            losses.multiMargin(x, int(labels, [r]), {
              ...{ reduction, p },
              ...('weight' in options ? { weight: tensor(weight), margin: 0.25 } : {}),
            }),
          reference: (x) => reference.multiMargin(x, labels, { p, ...options }, reduction),
          // Up to 33 terms of size 25, summed over five rows.
          tolerance: { ulps: 16, absolute: 165 * 32, gradient: { ulps: 16, absolute: 33 * 32 } },
        })
    for (const gamma of [0, 0.5, 2]) {
      check({
        shapes: [[r, d]],
        ours: (x) => losses.focal(x, int(labels, [r]), { reduction, gamma, alpha: tensor(weight) }),
        reference: (x) => reference.focal(x, labels, { gamma, alpha: weight }, reduction),
        tolerance: { ulps: 16, absolute: 33 * 30, gradient: { ulps: 32, absolute: 512 } },
      })
      check({
        shapes: [
          [r, d],
          [r, d],
        ],
        ours: (x, y) => losses.focal(x, y, { reduction, gamma }),
        reference: (x, y) => reference.binaryFocal(0.25, gamma)(x, y, reduction),
        range: [0.125, 0.875],
        tolerance: { ulps: 16, absolute: 16 * r * d, gradient: { ulps: 64, absolute: 256 } },
      })
    }
    const ignored = labels.map((y, i) => (i === 0 && r > 1 ? 7 : y))
    check({
      shapes: [[r, d, 2]],
      ours: (x) => losses.focal(x, int([...ignored, ...labels], [r, 2]), { reduction, ignoreIndex: 7 }),
      reference: (x) => reference.focal(x, [...ignored, ...labels], { ignoreIndex: 7 }, reduction),
      tolerance: { ulps: 16, absolute: 66 * 30, gradient: { ulps: 32, absolute: 512 } },
    })
  })

  test.each([
    [1, 3, 0],
    [4, 5, 0],
    [4, 5, 3],
  ])('infoNCE of %i × %i, %i others', (n, d, count) =>
    check({
      shapes: count
        ? [
            [n, d],
            [n, d],
            [count, d],
          ]
        : [
            [n, d],
            [n, d],
          ],
      ours: (q, k, negatives) => losses.infoNCE(q, k, { reduction, temperature: 0.5, negatives }),
      reference: (q, k, others) => reference.infoNCE(q, k, others ?? null, 0.5, reduction),
      tolerance: { ulps: 64, absolute: 256, gradient: { ulps: 64, absolute: 4096 } },
    }),
  )

  test.each([
    [4, 3, [[1], [2, 1], [], [1, 1]], [3, 4, 2, 3], 0],
    [3, 4, [[0, 3, 1]], [3], 2],
    [5, 2, [[0, 0]], [5], 1],
  ] as [number, number, number[][], number[], number][])(
    'ctc over %i steps and %i classes of %j',
    (steps, classes, targets, lengths, blank) => {
      const n = targets.length
      const most = Math.max(...targets.map((t) => t.length))
      // What is beyond a target is no class.
      const padded = targets.flatMap((t) => [...t, ...new Array<number>(most - t.length).fill(-7)])
      check({
        shapes: [[steps, n, classes]],
        ours: (x) =>
          losses.ctc(
            x,
            int(padded, [n, most]),
            int(lengths, [n]),
            int(
              targets.map((t) => t.length),
              [n],
            ),
            { reduction, blank },
          ),
        reference: (x) => reference.ctc(x, targets, lengths, blank, reduction),
        // Sums over steps of logarithms up to 4 in size.
        tolerance: { ulps: 16, absolute: 64 * n, gradient: { ulps: 16, absolute: 128 } },
      })
    },
  )
})

describe('ctc at its edges', () => {
  const lengths = (...n: number[]) => Int32Array.from(n)
  test('labels that do not fit their steps: Infinity, or 0 where asked, and no gradient', () => {
    const x = lw.normal([2, 2, 3], 0, 1, new lw.Generator(1)).logSoftmax()
    x.requiresGrad = true
    const call = (options: object) =>
      losses.ctc(x, int([1, 1, 1, 2], [2, 2]), lengths(2, 2), lengths(2, 2), { reduction: 'none', ...options })
    const [bad, good] = call({}).data()
    expect(bad).toBe(Infinity)
    expect(good).toBeGreaterThan(0)
    expect(call({ zeroInfinity: true }).tolist()).toEqual([0, good])
    call({}).backward({ gradient: tensor([1, 1]) })
    expect(x.grad?.data().every(Number.isFinite)).toBe(true)
    expect(x.grad?.select(1, 0).tolist()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ])
  })
  test('a long sequence, alone as in a batch, and in steps beyond it no gradient', () => {
    const x = lw.normal([300, 2, 40], 0, 2, new lw.Generator(2)).logSoftmax().detach()
    x.requiresGrad = true
    const target = int(
      labelsOf(200, 39).map((y) => y + 1),
      [2, 100],
    )
    const both = losses.ctc(x, target, lengths(250, 300), lengths(90, 100), { reduction: 'none' })
    both.backward({ gradient: tensor([1, 1]) })
    const alone = losses.ctc(x.detach().select(1, 0), target.select(0, 0), 250, 90, { reduction: 'sum' })
    expect(alone.item()).toBe(both.data()[0])
    expect(
      x.grad
        ?.slice({ start: 250 }, { end: 1 })
        .data()
        .every((g) => g === 0),
    ).toBe(true)
    // At each step the shares of all places are one.
    const shares = x.grad?.sum({ axis: 2 }).slice({ end: 250 }).data() as Float32Array
    expect(Math.max(...shares.map((s) => Math.abs(s + 1)))).toBeLessThan(1e-3)
  })
  test('says what is wrong', () => {
    const x = lw.zeros([4, 2, 3])
    const target = int([1, 2, 2, 0], [2, 2])
    const call = (...args: Partial<Parameters<typeof losses.ctc>>) =>
      losses.ctc(args[0] ?? x, args[1] ?? target, args[2] ?? lengths(4, 4), args[3] ?? lengths(2, 1), args[4])
    expect(call().ndim).toBe(0)
    expect(() => call(x, target, lengths(4, 4), lengths(2, 2))).toThrow(
      'ctc: target is 0 at index 3, expected a class from 0 to 2 that is not the blank, 0',
    )
    expect(() => call(x, target, lengths(5, 4))).toThrow(
      'ctc: inputLengths is 5 at index 0, expected a number from 1 to 4',
    )
    expect(() => call(x, target, lengths(4, 4), lengths(2, 3))).toThrow('ctc: targetLengths is 3 at index 1')
    expect(() => call(x, int([1, 2], [2]))).toThrow('ctc: target has shape [2], expected [2, labels]')
    expect(() => call(x, target, lengths(4))).toThrow('ctc: inputLengths has shape [1], expected [2]')
    expect(() => call(x, target, lengths(4, 4), lengths(1, 1), { blank: 3 })).toThrow('ctc: blank is 3')
    expect(() => call(lw.zeros([3]))).toThrow('ctc: logProbabilities has shape [3]')
  })
})

describe('whole numbers as targets', () => {
  test.each([
    ['bce', (x, y) => losses.bce(x.sigmoid(), y)],
    ['bceWithLogits', losses.bceWithLogits],
    ['focal', losses.focal],
    ['mse', losses.mse],
    ['poissonNll', losses.poissonNll],
    ['hinge', (x, y) => losses.hinge(x, y)],
  ] as [string, (x: Tensor, y: lw.Value) => Tensor][])('%s takes i32, u8 and bare arrays', (_, loss) => {
    const x = tensor([0.5, -1, 2])
    const labels = [1, 1, 1]
    const expected = loss(x, tensor(labels)).item()
    for (const y of [Int32Array.from(labels), Uint8Array.from(labels), tensor(labels, { dtype: 'i32' })])
      expect(loss(x, y).item()).toBe(expected)
  })
  test('class indices may be bare arrays', () => {
    const x = tensor([[1, 2, 3]])
    for (const y of [Int32Array.of(1), Uint8Array.of(1)])
      expect([losses.crossEntropy(x, y).item(), losses.multiMargin(x, y).item(), losses.focal(x, y).item()]).toEqual(
        [losses.crossEntropy, losses.multiMargin, losses.focal].map((loss) =>
          loss(x, tensor([1], { dtype: 'i32' })).item(),
        ),
      )
  })
})

test('new losses say what is wrong', () => {
  const x = lw.zeros([2, 3])
  expect(() => losses.multiMargin(x, Int32Array.of(0, 3))).toThrow(
    'multiMargin: index 3 at position 1 is out of range, expected 0 to 2 (3 classes)',
  )
  expect(() => losses.multiMargin(x, Int32Array.of(0))).toThrow('multiMargin: target has shape [1], expected [2]')
  expect(() => losses.multiMargin(x, Int32Array.of(0, 1), { p: 3 as never })).toThrow(
    'multiMargin: p is 3, expected 1 or 2',
  )
  expect(() => losses.multiMargin(x, Int32Array.of(0, 1), { weight: lw.ones([2]) })).toThrow(
    'weight has shape [2], expected [3]',
  )
  expect(() => losses.focal(x, x, { alpha: lw.ones([3]) })).toThrow('focal: alpha is')
  expect(() => losses.focal(x, x, { ignoreIndex: 1 })).toThrow('focal: ignoreIndex is 1')
  expect(() => losses.focal(x, Int32Array.of(0, 1), { alpha: 0.25 })).toThrow(
    'focal: alpha is 0.25, expected a factor for each class',
  )
  expect(() => losses.focal(x, Int32Array.of(0, 5))).toThrow('target 5 at index 1 is out of range')
  expect(() => losses.infoNCE(x, lw.zeros([3, 3]))).toThrow('infoNCE: query has shape [2, 3] and key [3, 3]')
  expect(() => losses.infoNCE(x, x, { negatives: lw.zeros([2, 4]) })).toThrow(
    'infoNCE: negatives has shape [2, 4], expected [count, 3]',
  )
  expect(() => losses.infoNCE(x, x, { temperature: 0 })).toThrow('infoNCE: temperature is 0')
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
    const steps = (value: number) => new Int32Array(rows).fill(value)
    const labels = classes([rows, k], 4).to('f32').add(1).to('i32')
    both(losses.ctc(some([2 * k, rows, 5], -3, 0), labels, steps(2 * k), steps(k), { reduction: 'none' }))
  }))
