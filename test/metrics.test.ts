// Metrics against scikit-learn (test/fixtures/metrics.py), and what must hold for any batches.

import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../src/index.ts'
import { metrics, type NDArray, tensor } from '../src/index.ts'
import { numbers } from './helpers/check.ts'
import { array, fixture } from './helpers/pytorch.ts'

beforeAll(() => lw.init())

const arrays = fixture('metrics')
const given = (name: string): NDArray => array(arrays, name)
const expected = (name: string): number[] => [...given(name).data]

type Make = () => metrics.Metric<number | number[] | number[][]>
const options = (average: 'micro' | 'macro' | 'none') => ({ numClasses: 6, average })
const averaged = (['micro', 'macro', 'none'] as const).flatMap((average) => [
  [`precision/${average}`, () => new metrics.Precision(options(average)), 'scores', 'labels'],
  [`recall/${average}`, () => new metrics.Recall(options(average)), 'scores', 'labels'],
  [`f1/${average}`, () => new metrics.F1(options(average)), 'scores', 'labels'],
]) as [string, Make, string, string][]
const cases: [string, Make, string, string][] = [
  ['accuracy', () => new metrics.Accuracy(), 'scores', 'labels'],
  ['binaryAccuracy', () => new metrics.Accuracy({ threshold: Math.fround(0.4) }), 'chance', 'binary'],
  ['top1', () => new metrics.TopKAccuracy(1), 'scores', 'labels'],
  ['top2', () => new metrics.TopKAccuracy(2), 'scores', 'labels'],
  ['top3', () => new metrics.TopKAccuracy(3), 'scores', 'labels'],
  ...averaged,
  ['confusion', () => new metrics.ConfusionMatrix(6), 'scores', 'labels'],
  ['auc', () => new metrics.ROCAUC(), 'chance', 'binary'],
  ['averagePrecision', () => new metrics.AveragePrecision(), 'chance', 'binary'],
  ['r2', () => new metrics.R2Score(), 'p', 'y'],
  ['mae', () => new metrics.MeanAbsoluteError(), 'p', 'y'],
  ['mse', () => new metrics.MeanSquaredError(), 'p', 'y'],
  ['rmse', () => new metrics.RootMeanSquaredError(), 'p', 'y'],
  ['perplexity', () => new metrics.Perplexity(), 'scores', 'masked'],
]
const flat = (x: number | number[] | number[][]): number[] => [x].flat(2)
const part = ({ data, shape }: NDArray, from: number, to: number): NDArray => {
  const step = data.length / (shape[0] as number)
  return { data: data.subarray(from * step, to * step), shape: [to - from, ...shape.slice(1)] }
}

describe.each(cases)('%s', (name, make, prediction, target) => {
  const [p, t] = [given(prediction), given(target)]
  const rows = t.shape[0] as number
  const close = (actual: number[], to: readonly number[], ulps: number) => {
    expect(actual.length).toBe(to.length)
    for (const [i, x] of actual.entries()) {
      const y = to[i] as number
      expect(Math.abs(x - y), `${x}, expected ${y}`).toBeLessThanOrEqual(ulps * Math.abs(y))
    }
  }
  test('is what scikit-learn says', () => {
    const metric = make()
    metric.update(p, t)
    // The figures are stored as f32.
    close(flat(metric.compute()), expected(name), 2 ** -24)
  })
  test('takes tensors, and any batches in any order', () => {
    const whole = make()
    whole.update(tensor(p), tensor(t))
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: rows }), { maxLength: 8 }), fc.boolean(), (cuts, turned) => {
        const metric = make()
        const ends = [0, ...cuts.sort((a, b) => a - b), rows]
        const batches = ends.slice(1).map((end, i) => [ends[i] as number, end] as const)
        for (const [from, to] of turned ? batches.reverse() : batches)
          metric.update(part(p, from, to), part(t, from, to))
        // f64 additions in another order: 120 of them.
        close(flat(metric.compute()), flat(whole.compute()), 120 * 2 ** -52)
      }),
      { numRuns: 25 },
    )
  })
  test('starts anew after reset, and needs data', () => {
    const metric = make()
    expect(() => metric.compute()).toThrow(/^\w+\.compute: .*call update\(prediction, target\) first/)
    metric.update(part(p, 0, 20), part(t, 0, 20))
    metric.reset()
    expect(() => metric.compute()).toThrow(/call update/)
    metric.update(p, t)
    close(flat(metric.compute()), expected(name), 2 ** -24)
  })
  test('a batch that does not fit adds nothing', () => {
    const metric = make()
    metric.update(p, t)
    const before = metric.compute()
    expect(() => metric.update(p, part(t, 0, 3))).toThrow(/^\w+: prediction has shape/)
    expect(() => metric.update({ data: p.data, shape: [1] }, t)).toThrow(/elements, expected 1 for its shape \[1\]/)
    if (t.data instanceof Int32Array) {
      const wrong = { data: t.data.slice(), shape: t.shape }
      wrong.data[rows - 1] = 6
      expect(() => metric.update(p, wrong)).toThrow(
        new RegExp(`^\\w+: target 6 at index ${rows - 1} is out of range, expected a class index from 0 to \\d`),
      )
    }
    expect(metric.compute()).toEqual(before)
  })
})

test('ROCAUC is the share of pairs in order', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: -4, max: 4 }), fc.boolean()), { minLength: 1, maxLength: 40 }),
      (list) => {
        const metric = new metrics.ROCAUC()
        const scores = Float32Array.from(list, ([score]) => score)
        const targets = Int32Array.from(list, ([, positive]) => Number(positive))
        metric.update({ data: scores, shape: [list.length] }, { data: targets, shape: [list.length] })
        let good = 0
        let pairs = 0
        for (const [a, positive] of list)
          for (const [b, other] of list) {
            if (!positive || other) continue
            pairs++
            good += a > b ? 1 : a === b ? 0.5 : 0
          }
        expect(metric.compute()).toBe(good / pairs)
      },
    ),
  )
})

test('micro averages of single decisions are the accuracy', () => {
  const [p, t] = [given('scores'), given('labels')]
  const all = [
    new metrics.Accuracy(),
    ...[metrics.Precision, metrics.Recall, metrics.F1].map((M) => new M({ numClasses: 6, average: 'micro' })),
  ]
  for (const metric of all) metric.update(p, t)
  for (const metric of all) expect(metric.compute()).toBe(all[0]?.compute())
})

test('R2Score keeps its digits far from 0', () => {
  const near = Float64Array.from(numbers(64, 1))
  // Halves of whole numbers: exact in f32 at 2^20.
  const y = Float32Array.from(near, (x) => 2 ** 20 + Math.round(2 * x) / 2)
  const p = y.map((x, i) => x + (i % 2) / 2)
  const shifted = new metrics.R2Score()
  shifted.update({ data: p, shape: [64] }, { data: y, shape: [64] })
  const plain = new metrics.R2Score()
  plain.update({ data: p.map((x) => x - 2 ** 20), shape: [64] }, { data: y.map((x) => x - 2 ** 20), shape: [64] })
  // The mean at 2^20 is rounded to 2^-33.
  expect(Math.abs(shifted.compute() - plain.compute())).toBeLessThan(2 ** -28)
})

test('R2Score of equal targets', () => {
  const metric = new metrics.R2Score()
  metric.update(tensor([2, 2]), tensor([2, 2]))
  expect(metric.compute()).toBe(1)
  metric.update(tensor([3]), tensor([2]))
  expect(metric.compute()).toBe(0)
})

test('ConfusionMatrix prints as a table', () => {
  const metric = new metrics.ConfusionMatrix(3)
  const decided = tensor(Int32Array.of(0, 0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2))
  metric.update(decided, tensor(Int32Array.of(0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2)))
  expect(String(metric)).toBe(
    [
      'target \\ predicted  0  1   2',
      '                 0  1  0   0',
      '                 1  1  1   0',
      '                 2  0  0  10',
    ].join('\n'),
  )
})

describe('refused', () => {
  const list: [string, () => unknown, RegExp][] = [
    ['k', () => new metrics.TopKAccuracy(0), /^metrics.TopKAccuracy: k is 0, expected a whole number >= 1/],
    [
      'fewer classes than k',
      () => new metrics.TopKAccuracy(3).update(lw.zeros([1, 2]), lw.zeros([1], 'i32')),
      /^TopKAccuracy: prediction has shape \[1, 2\], expected at least k = 3 classes/,
    ],
    [
      'no classes',
      () => new metrics.F1({} as never),
      /^metrics.F1: numClasses is undefined, expected a whole number >= 1/,
    ],
    [
      'an average',
      () => new metrics.Recall({ numClasses: 2, average: 'weighted' as never }),
      /^metrics.Recall: average is 'weighted', expected 'micro', 'macro' or 'none'/,
    ],
    [
      'another number of classes',
      () => new metrics.ConfusionMatrix(3).update(lw.zeros([1, 2]), lw.zeros([1], 'i32')),
      /^ConfusionMatrix: prediction has shape \[1, 2\], expected 3 classes/,
    ],
    [
      'a decision out of range',
      () => new metrics.ConfusionMatrix(2).update(tensor([0, 2]), tensor([0, 1])),
      /^ConfusionMatrix: prediction 2 at index 1 is out of range, expected a class index from 0 to 1/,
    ],
    [
      'NaN',
      () => new metrics.ROCAUC().update(tensor([Number.NaN]), tensor([1])),
      /^ROCAUC: prediction is NaN at index 0, expected a score/,
    ],
    ['a threshold', () => new metrics.Accuracy({ threshold: Number.NaN }), /^metrics.Accuracy: threshold is NaN/],
    ['an option', () => new metrics.Accuracy({ limit: 1 } as never), /^metrics.Accuracy: unknown option limit/],
    ['no array', () => new metrics.Accuracy().update([1] as never, tensor([1])), /^Accuracy: prediction is object/],
    [
      'values inside a compiled function',
      () => lw.compile((x) => new metrics.MeanSquaredError().update(x, x))(tensor([1])),
      /values cannot be read or set while compile\(\) traces/,
    ],
  ]
  test.each(list)('%s', (_, run, message) => expect(run).toThrow(message))
})
