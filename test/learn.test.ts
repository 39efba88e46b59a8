// Fits in closed form and groups in data, against numpy and scikit-learn (test/fixtures/learn.py).

import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { init, losses, manualSeed, type NDArray, normal, tensor } from '../src/index.ts'
import { readSafetensors } from '../src/io/index.ts'
import { gaussianMixture, kMeans, leastSquares, logisticRegression, pca, sample } from '../src/learn/index.ts'
import { leastNorm, matrix, singular } from '../src/learn/matrix.ts'
import './helpers/guard.ts'
import { runs } from './helpers/long.ts'
import { array, fixture, relativeError, under } from './helpers/pytorch.ts'

beforeAll(async () => {
  await init()
  manualSeed(1)
})

const numbers = fixture('learn')
const data = (name: string) =>
  readSafetensors(new Uint8Array(readFileSync(`examples/lecture/data/${name}.safetensors`))).tensors as {
    x: NDArray
    y: NDArray
  }
/** Raw u8 as f32. */
const floats = ({ shape, data: values }: NDArray): NDArray => ({ shape, data: Float32Array.from(values) })
const first = (at: NDArray): number => at.data[0] as number
const asArray = (t: { shape: readonly number[]; data(): NDArray['data'] }): NDArray => ({
  shape: t.shape,
  data: t.data(),
})

describe('leastSquares', () => {
  test.each([
    ['well', 'cholesky'],
    ['thin', 'cholesky'],
    ['units', 'cholesky'],
    ['vander', 'cholesky'],
    ['wide', 'qr'],
    ['twice', 'qr'],
    ['zero', 'qr'],
  ])('%s: W and rank of numpy.linalg.lstsq, by %s', (name, method) => {
    const { x, y, w, rank } = under(numbers, `lstsq/${name}`) as { x: NDArray; y: NDArray; w: NDArray; rank: NDArray }
    const warn = vi.fn()
    const fit = leastSquares(x, y, { bias: false, warn })
    // vander: a condition of 1e4 in X, 1e8 in XᵀX, of which f64 leaves 2^-52 1e8 = 2e-8 and rounding to f32 6e-8.
    expect(relativeError(asArray(fit.weight), w, name)).toBeLessThan(1e-6)
    expect([fit.method, fit.rank]).toEqual([method, first(rank)])
    expect([...fit.bias.data()]).toEqual([0, 0])
    const singularX = fit.rank < (x.shape[1] as number)
    expect(warn.mock.calls.length).toBe(Number(singularX))
    if (singularX) expect(warn.mock.calls[0]?.[0]).toContain(`has rank ${fit.rank}, ${x.shape[1]} is needed`)
  })

  test('an ill-conditioned X goes the way of QR, and keeps its digits', () => {
    // Columns 1, t, t² … of t around 3: XᵀX has a condition beyond 1e16.
    const t = Array.from({ length: 40 }, (_, i) => Math.fround(3 + i / 40))
    const x = {
      shape: [40, 7],
      data: Float32Array.from(t.flatMap((value) => [1, 2, 3, 4, 5, 6, 7].map((p) => value ** p))),
    }
    const y = { shape: [40, 1], data: Float32Array.from(t, (value) => Math.sin(value)) }
    const fit = leastSquares(x, y, { rcond: 1e-12 })
    expect([fit.method, fit.rank]).toEqual(['qr', 7])
    // The sum of squares is as small as a polynomial of degree 7 can make it, up to the rounding of W to f32.
    const [w, b] = [fit.weight.data(), fit.bias.item()]
    const size = (row: number) =>
      [...w].reduce((sum, v, j) => sum + Math.abs(v * (x.data[7 * row + j] as number)), Math.abs(b))
    t.forEach((_, i) => {
      const prediction = [...w].reduce((sum, v, j) => sum + v * (x.data[7 * i + j] as number), b)
      expect(Math.abs(prediction - (y.data[i] as number))).toBeLessThan(1e-6 + size(i) * 2 ** -24)
    })
  })

  test.each([
    ['none', 0],
    ['some', 1000],
  ])('ridge %s: W and b of scikit-learn', (name, ridge) => {
    const { x, y } = data('diabetes')
    const fit = leastSquares(x, { shape: [442, 1], data: y.data }, { ridge })
    const { w, b } = under(numbers, `ridge/${name}`) as { w: NDArray; b: NDArray }
    expect(relativeError({ shape: [10], data: fit.weight.data() }, w, 'W')).toBeLessThan(1e-6)
    expect(Math.abs(fit.bias.item() / first(b) - 1)).toBeLessThan(1e-6)
  })

  test('a ridge makes singular data well-posed', () => {
    const { x, y } = under(numbers, 'lstsq/twice') as { x: NDArray; y: NDArray }
    const warn = vi.fn()
    expect(leastSquares(x, y, { ridge: 1, warn }).method).toBe('cholesky')
    // So small a ridge that Cholesky does not trust it: QR of the longer X.
    const small = leastSquares(x, y, { ridge: 1e-8, rcond: 1e-12, warn })
    expect([small.method, small.rank]).toEqual(['qr', 5])
    expect(warn).not.toHaveBeenCalled()
  })

  test('rcond counts where Cholesky would do, too', () => {
    const x = tensor([
      [1, 1],
      [1, 1.1],
      [1, 0.9],
    ])
    // The second column leaves over 0.08 of its length.
    const solved = (rcond: number) => leastSquares(x, tensor([[1], [2], [3]]), { bias: false, rcond, warn: () => {} })
    expect([solved(0.01).method, solved(0.01).rank]).toEqual(['cholesky', 2])
    expect([solved(0.2).method, solved(0.2).rank]).toEqual(['qr', 1])
  })

  test('whole numbers are taken as they are', () => {
    const x = { shape: [3, 1], data: Int32Array.of(1, 2, 3) }
    const fit = leastSquares(x, { shape: [3, 1], data: Uint8Array.of(3, 5, 7) })
    expect([fit.weight.item(), fit.bias.item()]).toEqual([2, 1])
  })

  test('says what does not fit', () => {
    const x = tensor([[1], [2]])
    expect(() => leastSquares(x, tensor([[1], [2], [3]]))).toThrow(
      'leastSquares: y has 3 rows, expected 2, one for each sample of x [2, 1]',
    )
    expect(() => leastSquares(x, tensor([1, 2]))).toThrow('leastSquares: y has shape [2]')
    expect(() => leastSquares(tensor([[1], [Number.NaN]]), x)).toThrow(
      'leastSquares: x is NaN at [1, 0], expected finite numbers',
    )
    expect(() => leastSquares(x, x, { ridge: -1 })).toThrow('leastSquares: ridge is -1, expected a finite number >= 0')
    expect(() => leastSquares(tensor([[1], [2]], { requiresGrad: true }), x)).toThrow(
      'leastSquares: x requires a gradient',
    )
    expect(() => leastSquares([[1]] as never, x)).toThrow(
      'leastSquares: x is object, expected a Tensor or { data, shape }',
    )
    expect(() => leastSquares(x, x, { warn: null } as never)).toThrow('leastSquares: warn is null, expected a function')
    expect(() => leastSquares(x, x, { lambda: 1 } as never)).toThrow('leastSquares: unknown option lambda')
  })
})

describe('logisticRegression', () => {
  test.each(['iris', 'wine'])('%s: W and b of scikit-learn', (name) => {
    const { y } = data(name)
    const { scaled, logistic, intercept } = under(numbers, name) as Record<'scaled' | 'logistic' | 'intercept', NDArray>
    const fit = logisticRegression(scaled, y, { ridge: 1 })
    expect(fit.converged).toBe(true)
    expect(fit.losses.length).toBeLessThan(15)
    const transposed = { shape: logistic.shape, data: fit.weight.transpose().data() }
    // scikit-learn's own iteration stops at gradients of 1e-12 Σ, W in f32 here.
    expect(relativeError(transposed, logistic, 'W')).toBeLessThan(1e-5)
    expect(relativeError(asArray(fit.bias), intercept, 'b')).toBeLessThan(1e-5)
  })

  test('the loss is what crossEntropy says, and its gradient is 0', () => {
    const { x, y } = data('iris')
    const fit = logisticRegression(x, y)
    const weight = tensor(asArray(fit.weight), { requiresGrad: true })
    const loss = losses.crossEntropy(tensor(x).matmul(weight).add(fit.bias), y, { reduction: 'sum' })
    expect(Math.abs(loss.item() / (fit.losses.at(-1) as number) - 1)).toBeLessThan(1e-4)
    loss.backward()
    // Σ over 150 samples of x (p - y), each rounded.
    for (const slope of weight.grad?.data() ?? []) expect(Math.abs(slope)).toBeLessThan(1e-3)
  })

  test('classes that a plane separates are said to be so', () => {
    const warn = vi.fn()
    const x = tensor([[-2], [-1], [1], [2]])
    expect(logisticRegression(x, Uint8Array.of(0, 0, 1, 1), { warn }).converged).toBe(false)
    expect(warn.mock.calls[0]?.[0]).toContain('planes separate the classes')
    expect(() => logisticRegression(x, Uint8Array.of(0, 1))).toThrow(
      'logisticRegression: labels are 2 whole numbers, expected 4',
    )
    for (const labels of [[0, 0, 1, 1], null])
      expect(() => logisticRegression(x, labels as never)).toThrow(
        /logisticRegression: labels are (object|null), expected/,
      )
    expect(() => logisticRegression(x, Int32Array.of(0, 1, -1, 0))).toThrow('label -1 at 2, expected a class index')
  })
})

describe('logisticRegression in other units', () => {
  const x = [1, 3, 2, 2.5]
  const labels = Int32Array.of(0, 1, 1, 0)

  test.each([1, 1e12, 1e-12])('columns times %s: the same loss, parameters that sum to 0', (s) => {
    const fit = logisticRegression(tensor(x.map((value) => [value * s])), labels)
    expect(fit.converged).toBe(true)
    expect(fit.losses.at(-1)).toBeCloseTo(2.20692, 5)
    for (const parameters of [fit.weight.data(), fit.bias.data()]) {
      expect(Math.abs(parameters[0] as number)).toBeGreaterThan(0)
      expect(parameters[0]).toBeCloseTo(-(parameters[1] as number), 5)
    }
  })

  test('a ridge weighs W in the units of x', () => {
    const [fit, scaled] = [1, 8].map((s) =>
      logisticRegression(tensor(x.map((value) => [value * s])), labels, { ridge: s * s }),
    )
    expect((scaled?.weight.data()[0] as number) * 8).toBeCloseTo(fit?.weight.data()[0] as number, 5)
  })

  test('a large label is an error, not a hang', () => {
    expect(() => logisticRegression(tensor([[1], [2]]), Int32Array.of(0, 10_000))).toThrow(
      'logisticRegression: the largest label is 10000, and 10001 classes of 2 parameters are 20002, expected at most 2000',
    )
  })
})

describe.each(['iris', 'wine', 'digits'])('%s as scikit-learn sees it', (name) => {
  const { x: raw } = data(name)
  const x = floats(raw)
  const of = under(numbers, name)
  const k = name === 'digits' ? 10 : 3

  test('kMeans: inertia within 1e-4 from the same centres', () => {
    const fit = kMeans(x, k, { centres: array(of, 'centres') })
    expect(Math.abs(fit.inertia / first(array(of, 'inertia')) - 1)).toBeLessThan(1e-6)
    expect([...fit.labels]).toEqual([...array(of, 'labels').data])
    expect([...fit.predict(x)]).toEqual([...fit.labels])
    // k-means++ of several starts does as well, or better.
    expect(kMeans(x, k, { restarts: runs(3, 10) }).inertia).toBeLessThanOrEqual(fit.inertia * 1.001)
  })

  test('gaussianMixture: log-likelihood within 1e-3', { timeout: 60_000 }, () => {
    const fit = gaussianMixture(x, k, {
      labels: array(of, 'labels').data,
      regularization: name === 'digits' ? 1e-3 : 1e-6,
      tolerance: name === 'digits' ? 1e-5 : 1e-9,
      maxIterations: 1000,
    })
    expect(fit.converged).toBe(true)
    expect(Math.abs((fit.logLikelihoods.at(-1) as number) - first(array(of, 'likelihood')))).toBeLessThan(1e-4)
    expect(relativeError(asArray(fit.weights), array(of, 'weights'), 'weights')).toBeLessThan(1e-3)
    for (const [i, value] of fit.logLikelihoods.entries())
      if (i > 0) expect(value).toBeGreaterThanOrEqual((fit.logLikelihoods[i - 1] as number) - 1e-4)
    const mean = fit.logDensity(x).reduce((sum, log) => sum + log, 0) / (x.shape[0] as number)
    expect(mean).toBeCloseTo(fit.logLikelihoods.at(-1) as number, 10)
    for (const total of fit.responsibilities(x).sum({ axis: 1 }).data()) expect(total).toBeCloseTo(1, 5)
  })

  test('pca: variances within 1e-4, components orthonormal', () => {
    const variances = array(of, 'variances')
    const fit = pca(x, variances.data.length)
    const largest = first(variances)
    fit.variances.forEach((variance, i) => {
      const expected = variances.data[i] as number
      // Variances that are 0 are so up to the rounding of the largest.
      expect(Math.abs(variance - expected)).toBeLessThan(1e-6 * expected + 1e-12 * largest)
    })
    expect(fit.shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 10)
    const component = array(of, 'component')
    const sign = Math.sign(
      Array.from(component.data).reduce((sum, e, i) => sum + e * (fit.components.data()[i] as number), 0),
    )
    for (const [i, e] of component.data.entries())
      expect(Math.abs(sign * (fit.components.data()[i] as number) - e)).toBeLessThan(1e-6)
    const products = fit.components.matmul(fit.components.transpose()).data()
    products.forEach((product, at) => {
      const on = at % (fit.components.shape[0] as number) === Math.floor(at / (fit.components.shape[0] as number))
      expect(Math.abs(product - Number(on))).toBeLessThan(1e-6)
    })
    // All components together lose nothing.
    expect(relativeError(asArray(fit.inverse(fit.transform(x))), x, 'inverse')).toBeLessThan(1e-5)
  })
})

describe('groups', () => {
  test('a centre without samples moves to the farthest sample', () => {
    const x = tensor([[0], [1], [10], [11]])
    const fit = kMeans(x, 2, { centres: tensor([[5], [100]]) })
    expect([...fit.centres.data()].sort((a, b) => a - b)).toEqual([0.5, 10.5])
    expect(kMeans(tensor([[1], [1]]), 2).inertia).toBe(0)
  })

  test.each([
    [[1, 1, 1], 3],
    [[1, 1, 2, 2, 1], 4],
    [[0, 5, 5, 5, 9, 9], 5],
  ])('%j have fewer values than k = %i: centres lie on them, and settle', (values, k) => {
    const fit = kMeans(tensor(values.map((value) => [value])), k)
    expect(fit.inertia).toBe(0)
    for (const centre of fit.centres.data()) expect(values).toContain(centre)
    expect(fit.iterations).toBeLessThanOrEqual(k)
  })

  test('iterations are those made, at most maxIterations', () => {
    const x = tensor(Array.from({ length: 30 }, (_, i) => [i * i]))
    const centres = tensor([[0], [1], [2]])
    expect(kMeans(x, 3, { centres, maxIterations: 1 }).iterations).toBe(1)
    expect(kMeans(x, 3, { centres, maxIterations: 2 }).iterations).toBe(2)
  })

  test('a centre without samples among 300 000', () => {
    const x = { shape: [300_000, 1], data: Float32Array.from({ length: 300_000 }, (_, i) => i % 100) }
    expect(kMeans(x, 2, { centres: tensor([[5], [1e6]]), maxIterations: 2 }).iterations).toBe(2)
  })

  test('samples of a mixture have its means and covariances', () => {
    const x = normal([400, 2])
      .mul(tensor([1, 3]))
      .add(tensor([4, -2]))
    const fit = gaussianMixture(x, 1)
    const drawn = fit.sample(20_000)
    const again = gaussianMixture(drawn, 1)
    // Standard errors of 20 000 draws: σ / √n of a mean, σ² √(2 / n) of a variance; five of them.
    const [a, b] = [fit.covariances.data(), again.covariances.data()]
    for (const i of [0, 3]) {
      expect(Math.abs((fit.means.data()[i && 1] as number) - (again.means.data()[i && 1] as number))).toBeLessThan(
        5 * Math.sqrt((a[i] as number) / 20_000),
      )
      expect(Math.abs((b[i] as number) / (a[i] as number) - 1)).toBeLessThan(5 * Math.sqrt(2 / 20_000))
    }
  })

  test('say what does not fit', () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ])
    expect(() => kMeans(x, 3)).toThrow('kMeans: k is 3, expected a whole number from 1 to 2')
    expect(() => kMeans(x, 1, { centres: tensor([[1]]) })).toThrow('kMeans: centres has shape [1, 1], expected [1, 2]')
    expect(() => kMeans(x, 1).predict(tensor([[1]]))).toThrow(
      'kMeans.predict: x has shape [1, 1], expected [n, 2] as fitted',
    )
    expect(() => gaussianMixture(x, 2, { labels: [0, 2] })).toThrow(
      'gaussianMixture: label 2 at 1, expected a group from 0 to 1',
    )
    expect(() => gaussianMixture(x, 1, { regularization: 0 })).toThrow(
      'gaussianMixture: the covariance of group 0 is not positive definite',
    )
    expect(() => gaussianMixture(x, 2, { labels: tensor([0, 1]) } as never)).toThrow(
      'gaussianMixture: labels are object, expected an array of 2 groups',
    )
    expect(() => kMeans(x, 1, { generator: 5 } as never)).toThrow('kMeans: generator is 5, expected a Generator')
    const fit = pca(x, 2)
    expect(() => fit.transform(tensor([[1]]))).toThrow('pca.transform: x has shape [1, 1], expected [..., 2]')
    expect(() => pca(x, 1).inverse(x)).toThrow('pca.inverse: z has shape [2, 2], expected [..., 1]')
    expect(() => pca(x, 3)).toThrow('pca: components is 3, expected a whole number from 1 to 2')
  })
})

test('singular values of more columns than rows, and a basis where they are 0', () => {
  const a = matrix(2, 4, (i, j) => (i + 1) * (j - 1))
  const { values, vectors } = singular(a)
  expect(values[0]).toBeCloseTo(Math.sqrt(5 * 6), 12)
  expect(values[1]).toBeCloseTo(0, 12)
  const product = vectors.data.subarray(0, 4).reduce((sum, v, i) => sum + v * (vectors.data[4 + i] as number), 0)
  expect(Math.abs(product)).toBeLessThan(1e-15)
})

test('leastNorm of nothing but zeros is 0', () => {
  expect(
    leastNorm(
      matrix(2, 2),
      matrix(2, 1, () => 1),
      1e-7,
    ),
  ).toEqual({ solution: matrix(2, 1), rank: 0 })
})

describe('sample', () => {
  const logits = { shape: [4], data: Float32Array.from([2, 1, 0, -1].map((score) => score + 100)) }
  const shares = (options: Parameters<typeof sample>[1], n = 20_000): number[] => {
    const drawn = sample(tensor(logits).reshape([1, 4]).expand([n, 4]), options).data()
    return [0, 1, 2, 3].map((c) => drawn.filter((label) => label === c).length / n)
  }
  const softmaxOf = (scores: number[]) => {
    const powers = scores.map(Math.exp)
    return powers.map((p) => p / powers.reduce((a, b) => a + b, 0))
  }
  // Five standard errors of a share of 20 000 draws are at most 0.018.
  test.each([
    [{}, softmaxOf([2, 1, 0, -1])],
    [{ temperature: 2 }, softmaxOf([1, 0.5, 0, -0.5])],
    [{ temperature: 0 }, [1, 0, 0, 0]],
    [{ temperature: 1e-40 }, [1, 0, 0, 0]],
    [{ topK: 2 }, [...softmaxOf([2, 1]), 0, 0]],
    // 0.644 alone is not 0.7, 0.644 + 0.237 is.
    [{ topP: 0.7 }, [...softmaxOf([2, 1]), 0, 0]],
    [{ topP: 0.6 }, [1, 0, 0, 0]],
    [{ topP: 1e-6 }, [1, 0, 0, 0]],
    [{ topP: 1e-50 }, [1, 0, 0, 0]],
  ])('%j', (options, expected) => {
    for (const [c, share] of shares(options).entries())
      expect(Math.abs(share - (expected[c] as number))).toBeLessThan(0.018)
  })

  test('one row, and what does not fit', () => {
    expect(sample(logits, { temperature: 0 }).shape).toEqual([])
    expect(sample(logits).dtype).toBe('i32')
    expect(() => sample(logits, { temperature: -1 })).toThrow(
      'sample: temperature is -1, expected a finite number >= 0',
    )
    expect(() => sample(logits, { topP: 0 })).toThrow('sample: topP is 0, expected a number above 0, up to 1')
    expect(() => sample(logits, { topK: 5 })).toThrow('sample: topK is 5, expected a whole number from 1 to 4')
    for (const temperature of [0, 1])
      for (const bad of [
        [1, Number.NaN],
        [1, Infinity],
        [-Infinity, -Infinity],
      ])
        expect(() => sample(tensor([[1, 2], bad]), { temperature })).toThrow('sample: logits of row 1 have')
    expect(sample(tensor([-Infinity, 1])).item()).toBe(1)
    expect(() => sample(1)).toThrow('sample: logits has shape [], expected [classes] or [batch, classes]')
  })
})
