import { describe, expect, test } from 'vitest'
import {
  balanced,
  countedWords,
  DataLoader,
  dateParts,
  embedding,
  hashedWords,
  kFold,
  leaks,
  minMax,
  oneHot,
  ordinal,
  Pipeline,
  robust,
  StreamLoader,
  splitIndices,
  standard,
  Table,
  TensorDataset,
  type Transform,
  unscaled,
  WeightedSampler,
} from '../src/data/index.ts'
import type { NDArray } from '../src/index.ts'

const numbers = [1, 2, 3, 4, null, 10]
const rowsOf = ({ data, shape }: NDArray) =>
  Array.from({ length: shape[0] as number }, (_, i) => [...data.slice(i * (shape[1] ?? 1), (i + 1) * (shape[1] ?? 1))])
const apply = (transform: Transform, train: readonly unknown[], rows = train) => {
  const pipeline = new Pipeline({ columns: { c: transform } }).fit(Table.fromColumns({ c: train }))
  // What was learnt survives JSON, and is not learnt anew.
  const kept = Pipeline.from(JSON.parse(JSON.stringify(pipeline.stateDict())))
  const table = Table.fromColumns({ c: rows })
  expect(kept.inputs(table)).toEqual(pipeline.inputs(table))
  expect(kept.featureNames).toEqual(pipeline.featureNames)
  return { rows: rowsOf(kept.inputs(table)[0] as NDArray), names: kept.featureNames }
}

describe('transforms', () => {
  test('numbers are scaled by what is present; missing ones are filled and shown', () => {
    // numpy: mean 4, std 3.1622776601683795, median 3, quartiles 2 and 4.
    const close = (got: number[][], expected: number[]) =>
      got.forEach(([x], i) => {
        expect(x).toBeCloseTo(expected[i] as number, 6)
      })
    const std = Math.sqrt(10)
    const { rows, names } = apply(standard(), numbers)
    expect(names).toEqual(['c', 'c=missing'])
    close(rows, [-3 / std, -2 / std, -1 / std, 0, -1 / std, 6 / std])
    expect(rows.map(([, missing]) => missing)).toEqual([0, 0, 0, 0, 1, 0])
    close(apply(minMax({ fill: 'mean' }), numbers).rows, [0, 1 / 9, 2 / 9, 3 / 9, 3 / 9, 1])
    close(apply(robust({ fill: 7, indicator: false }), numbers).rows, [-1, -0.5, 0, 0.5, 2, 3.5])
    close(apply(unscaled({ log: true }), [0, Math.E - 1, 1 - Math.E]).rows, [0, 1, -1])
    expect(apply(standard(), [5, 5]).rows).toEqual([[0], [0]])
    expect(apply(standard(), [null, null]).rows).toEqual([
      [0, 1],
      [0, 1],
    ])
  })

  test('categories have a place each, others and missing ones too', () => {
    const train = ['b', 'a', 'b', null, 'c']
    expect(apply(oneHot({ maxCategories: 2 }), train, ['a', 'b', 'c', 'new', null])).toEqual({
      names: ['c=a', 'c=b', 'c=other', 'c=missing'],
      rows: [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
      ],
    })
    const place = ordinal(['low', 'middle', 'high'])
    expect(apply(place, ['low'], ['high', 'low', 'other', null]).rows).toEqual([[1], [0], [-1], [-1]])
    const pipeline = new Pipeline({ columns: { c: embedding() } }).fit(
      Table.fromColumns({ c: train, x: [1, 2, 3, 4, 5] }),
    )
    const [x, indices] = pipeline.inputs(Table.fromColumns({ c: ['a', 'c', 'new', null], x: [1, 2, 3, 4] }))
    expect(x?.shape).toEqual([4, 1])
    expect(indices).toEqual({ shape: [4, 1], data: Int32Array.of(2, 4, 1, 0) })
    expect(pipeline.embeddings).toEqual([{ name: 'c', categories: 5 }])
  })

  test('words are counted, and hashed', () => {
    const texts = ['the cat', 'the dog, the dog', 'A bird', null]
    const { names, rows } = apply(countedWords({ minCount: 1 }), texts)
    expect(names).toEqual(['c:a', 'c:bird', 'c:cat', 'c:dog', 'c:the'])
    // scikit-learn's TfidfVectorizer on the three texts.
    const idf = [2, 1].map((n) => Math.log(4 / (1 + n)) + 1)
    const one = Math.log(4 / 2) + 1
    expect(rows[0]?.[2]).toBeCloseTo(one / Math.hypot(one, idf[0] as number), 6)
    expect(rows[1]?.[3]).toBeCloseTo((2 * one) / Math.hypot(2 * one, 2 * (idf[0] as number)), 6)
    expect(rows[3]).toEqual([0, 0, 0, 0, 0])
    const hashed = apply(hashedWords({ features: 8 }), texts, ['unseen words', 'the', null]).rows
    expect(hashed.map((row) => Math.hypot(...row))).toEqual([expect.closeTo(1, 5), 1, 0])
  })

  test('dates become times and cycles', () => {
    const days = [new Date(Date.UTC(2024, 0, 1)), new Date(Date.UTC(2024, 6, 1))]
    const { names, rows } = apply(dateParts({ parts: ['month', 'year'] }), days)
    expect(names).toEqual(['c=time', 'c=sin month', 'c=cos month', 'c=year'])
    expect(rows).toEqual([
      [-1, 0, 1, 2024],
      [1, expect.closeTo(0, 6), -1, 2024],
    ])
    expect(apply(dateParts({ parts: ['weekday'], cycles: false }), days, [null, days[0]]).rows).toEqual([
      [0, 0],
      [-1, 1],
    ])
  })
})

describe('Pipeline', () => {
  const train = Table.fromRows(
    Array.from({ length: 12 }, (_, i) => ({
      size: i,
      sex: i % 3 ? 'm' : 'f',
      ok: i % 2 === 0,
      kind: ['x', 'y', 'z'][i % 3],
      id: `n${i}`,
    })),
  )

  test('makes inputs and labels, and names what the network says', () => {
    const pipeline = new Pipeline({ target: 'kind', ignore: ['id'] }).fit(train)
    expect(pipeline.featureNames).toEqual(['size', 'sex=f', 'sex=m', 'sex=other', 'sex=missing', 'ok'])
    expect([pipeline.features, pipeline.outputs, pipeline.classes, pipeline.task]).toEqual([
      6,
      3,
      ['x', 'y', 'z'],
      'classes',
    ])
    const [x, y] = pipeline.dataset(train).all()
    expect(x.shape).toEqual([12, 6])
    expect([...y.data].slice(0, 4)).toEqual([0, 1, 2, 0])
    expect(pipeline.decode({ shape: [2, 3], data: Float32Array.of(0, 2, 1, 5, 0, 1) })).toEqual(['y', 'x'])
    const numeric = new Pipeline({ target: 'size', ignore: ['id'] }).fit(train)
    const target = numeric.target(train)
    expect(target.shape).toEqual([12, 1])
    const back = numeric.decode(target)
    back.forEach((value, i) => {
      expect(value).toBeCloseTo(i, 5)
    })
    expect(new Pipeline({ target: 'ok' }).fit(train).classes).toEqual([false, true])
    expect(new Pipeline({ target: 'size', task: 'classes' }).fit(train).classes).toEqual(
      Array.from({ length: 12 }, (_, i) => i),
    )
  })

  const fitted = () => new Pipeline({ target: 'kind', ignore: ['id'] }).fit(train)
  test.each<[string, () => unknown, RegExp]>([
    ['use before fit', () => new Pipeline().inputs(train), /^Pipeline.inputs: not fitted yet/],
    ['a target that is not there', () => new Pipeline({ target: 'x' }).fit(train), /there is no column 'x'/],
    ['a missing column', () => fitted().inputs(train.drop('size')), /there is no column 'size'/],
    [
      'text where numbers were',
      () => fitted().inputs(train.with('size', () => 'large')),
      /^Pipeline.inputs: column 'size' holds 'large' in row 0, expected numbers/,
    ],
    [
      'an unknown class',
      () => fitted().target(train.with('kind', () => 'w')),
      /^Pipeline.target: column 'kind' holds 'w' in row 0, expected one of 'x', 'y', 'z'/,
    ],
    [
      'a missing target',
      () => fitted().target(train.with('kind', () => null)),
      /column 'kind' has no value in row 0, expected one; table.dropMissing/,
    ],
    [
      'infinite numbers',
      () => new Pipeline().fit(Table.fromColumns({ a: [1, Infinity] })),
      /^Pipeline.fit: column 'a' holds Infinity in row 1, expected finite/,
    ],
    ['no rows', () => fitted().fit(train.slice(0, 0)), /^Pipeline.fit: the table has no rows/],
    [
      'one class',
      () => new Pipeline({ target: 'kind' }).fit(train.with('kind', () => 'x')),
      /holds 1 classes, expected 2 or more/,
    ],
    ['a newer state', () => Pipeline.from({ version: 2 } as never), /the state has version 2, expected 1/],
    ['no state', () => Pipeline.from({} as never), /expected what stateDict gives/],
    [
      'an unknown transform',
      () =>
        Pipeline.from({
          version: 1,
          target: null,
          columns: [{ name: 'a', kind: 'number', transform: { type: 'warp' } }],
        }),
      /transform 'warp'/,
    ],
    [
      'an output of another width',
      () => fitted().decode({ shape: [2, 2], data: new Float32Array(4) }),
      /shape \[2, 2\], expected \[rows, 3\]/,
    ],
    [
      'a fill that is no number',
      () => standard({ fill: 'mode' as never }),
      /^standard: fill is 'mode', expected 'mean', 'median' or a finite number/,
    ],
    ['an order of one word', () => ordinal(['a']), /^ordinal: order is \['a'\]/],
  ])('refuses %s', (_, work, message) => {
    expect(work).toThrow(message)
  })
})

describe('loaders that resume', () => {
  const data = new TensorDataset(Float32Array.from({ length: 23 }, (_, i) => i))
  const list = ([x]: readonly NDArray[]) => [...(x as NDArray).data]
  const options = { batchSize: 4, seed: 5 }

  test.each(['in order', 'shuffled', 'weighted', 'augmented'])(
    'go on with the next batch after any: %s',
    async (way) => {
      const make = () =>
        new DataLoader<readonly NDArray[]>(data, {
          ...options,
          shuffle: way !== 'in order' && way !== 'weighted',
          sampler: way === 'weighted' ? new WeightedSampler(Float64Array.from({ length: 23 }, (_, i) => i)) : undefined,
          transform:
            way === 'augmented'
              ? ([x], below) => [{ shape: x?.shape ?? [], data: (x as NDArray).data.map((v) => v + 100 * below(9)) }]
              : undefined,
        })
      const whole = make()
      const all = [0, 1, 2].flatMap(() => [...whole].map(list))
      for (let stop = 0; stop <= all.length; stop++) {
        for (const waits of [false, true]) {
          const first = make()
          const seen: number[][] = []
          while (seen.length < stop) {
            for await (const batch of waits
              ? first
              : [...[first][Symbol.iterator]()].flatMap((loader) => [loader])[0]!) {
              seen.push(list(batch))
              if (seen.length === stop) break
            }
          }
          const second = make()
          second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())))
          while (seen.length < all.length) for (const batch of second) seen.push(list(batch))
          expect(seen, `${stop} ${waits}`).toEqual(all)
        }
      }
    },
  )

  test.each([0, 7, 100])('streams, too, with a shuffle buffer of %i', async (shuffleBuffer) => {
    const make = () =>
      new StreamLoader<[NDArray]>(
        async function* () {
          for (let i = 0; i < 23; i += 5)
            yield data.gather(Array.from({ length: Math.min(5, 23 - i) }, (_, k) => i + k)) as unknown as [NDArray]
        },
        { ...options, shuffleBuffer },
      )
    const whole = make()
    const all: number[][] = []
    for (let epoch = 0; epoch < 2; epoch++) for await (const batch of whole) all.push(list(batch))
    expect(
      all
        .slice(0, 6)
        .flat()
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 23 }, (_, i) => i))
    if (shuffleBuffer) expect(all.slice(0, 6)).not.toEqual(all.slice(6))
    for (let stop = 0; stop < all.length; stop++) {
      const first = make()
      const seen: number[][] = []
      while (seen.length < stop)
        for await (const batch of first) {
          seen.push(list(batch))
          if (seen.length === stop) break
        }
      const second = make()
      second.loadStateDict(first.stateDict())
      while (seen.length < all.length) for await (const batch of second) seen.push(list(batch))
      expect(seen).toEqual(all)
    }
  })

  test('refuse the state of another loader', () => {
    const loader = new DataLoader(data, options)
    const state = loader.stateDict()
    for (const [change, message] of [
      [{ seed: 1 }, /^DataLoader.loadStateDict: seed is 1, expected 5; make the loader as it was/],
      [{ batchSize: 8 }, /batchSize is 8, expected 4/],
      [{ samples: 5 }, /samples is 5, expected 23/],
      [{ batch: -1 }, /batch is -1, expected a whole number >= 0/],
      [{ epoch: 'x' }, /epoch is 'x'/],
    ] as const) {
      expect(() => loader.loadStateDict({ ...state, ...change } as never)).toThrow(message)
      expect(loader.stateDict()).toEqual(state)
    }
    expect(() => loader.loadStateDict(undefined as never)).toThrow(/epoch is undefined/)
  })

  test('wait for data sets that have to be waited for, some batches ahead', async () => {
    let running = 0
    let most = 0
    const slow = {
      length: 23,
      async gather(indices: ArrayLike<number>) {
        most = Math.max(most, ++running)
        await new Promise((resolve) => setTimeout(resolve, 1))
        running--
        return data.gather(indices)
      },
    }
    const seen: number[] = []
    for await (const batch of new DataLoader(slow, { ...options, prefetch: 3 })) seen.push(...list(batch))
    expect(seen).toEqual(Array.from({ length: 23 }, (_, i) => i))
    expect(most).toBe(3)
    expect(() => [...new DataLoader(slow as never, options)]).toThrow(
      /gives a promise, expected arrays; iterate by for await/,
    )
  })

  test('draw by weight, and classes alike', () => {
    const draws = [
      ...new DataLoader(data, {
        batchSize: 20_000,
        sampler: new WeightedSampler([...Array(22).fill(0), 1], { count: 50 }),
      }),
    ]
    expect(draws.flatMap(list)).toEqual(Array(50).fill(22))
    const labels = Int32Array.from({ length: 1000 }, (_, i) => Number(i % 10 === 0))
    const chosen = balanced(labels, { count: 20_000 }).indices(1000, 1)
    const ones = Array.from(chosen).filter((i) => labels[i] === 1).length
    // Binomial: five standard deviations.
    expect(Math.abs(ones - 10_000)).toBeLessThan(5 * Math.sqrt(5000))
    expect(() => new WeightedSampler([1, -1])).toThrow('WeightedSampler: weight -1 at 1, expected a finite number >= 0')
    expect(() => new WeightedSampler([0])).toThrow('the weights sum to 0, expected more than 0')
    expect(() => [...new DataLoader(data, { sampler: new WeightedSampler([1]) })]).toThrow('got 1 weights, expected 23')
  })
})

test('folds cover every row once, and keep classes, groups and times', () => {
  for (const options of [
    {},
    { stratify: Array.from({ length: 50 }, (_, i) => i % 2) },
    { group: Array.from({ length: 50 }, (_, i) => i % 9) },
  ]) {
    const folds = kFold(50, 4, options)
    expect(folds.flatMap(({ validation }) => [...validation]).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    )
    for (const { train, validation } of folds) expect(new Set([...train, ...validation]).size).toBe(50)
  }
  const time = Array.from({ length: 50 }, (_, i) => 50 - i)
  for (const { train, validation } of kFold(50, 4, { time }))
    expect(Math.min(...Array.from(validation, (i) => time[i] as number))).toBeGreaterThan(
      Math.max(...Array.from(train, (i) => time[i] as number)),
    )
  expect(() => kFold(3, 4)).toThrow('kFold: k is 4, expected a whole number from 2 to 3')
})

test('leaks are told', () => {
  expect(leaks({ group: ['a', 'b'], time: [1, 5] }, { group: ['b', 'c'], time: [4, 6] })).toEqual([
    "1 group is in both training and validation, 'b' for one: split by group",
    '1 of 2 rows of validation are not later than all of training: split by time',
  ])
  const group = Array.from({ length: 100 }, (_, i) => i % 13)
  const [a, b] = splitIndices('split', 100, [0.7, 0.3], { group }) as [Uint32Array, Uint32Array]
  expect(leaks({ group: Array.from(a, (i) => group[i]) }, { group: Array.from(b, (i) => group[i]) })).toEqual([])
})
