// Groups in data without labels: k-means, and mixtures of normal distributions.

import { check, finite, kindOf, option, settle, whole } from '../checks.ts'
import { exp, log, square } from '../math.ts'
import { defaultGenerator, drawn, type Generator, normal, uniform } from '../ops/random.ts'
import { misshaped, show } from '../tensor/shape.ts'
import { type Tensor, tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { cholesky, type Matrix, matrix, row, samples, solveLower } from './matrix.ts'

export interface KMeansOptions {
  /** Where the centres start, [k, d]; default: k-means++, the best of `restarts`. */
  centres?: Tensor | NDArray | undefined
  /** Default 10; 1 with centres given. */
  restarts?: number | undefined
  /** Rounds of each start at most; default 300. */
  maxIterations?: number | undefined
  /** Where k-means++ draws from; default the one of manualSeed. */
  generator?: Generator | undefined
}

export interface KMeans {
  /** [k, d] */
  centres: Tensor
  /** The nearest centre of each sample, [n]. */
  labels: Int32Array
  /** Σ_i ‖x_i - nearest centre‖² */
  inertia: number
  /** Rounds until no label changed. */
  iterations: number
  /** The nearest centre of each row of x. */
  predict(x: Tensor | NDArray): Int32Array
}

/** k centres that lie near the samples: labels are the nearest centres, centres the means of their samples, in turn until
 *  no label changes (Lloyd). A centre without samples moves to the sample that is farthest from its own, and stays where
 *  all samples lie on centres: with fewer distinct samples than k, some centres have none.
 *
 *  x: [n, d]. Starts by k-means++: each further centre is a sample drawn with probability ∝ its squared distance to the
 *  nearest so far (Arthur, Vassilvitskii, 2007). O(n k d) a round. sklearn.cluster.KMeans. */
export function kMeans(x: Tensor | NDArray, k: number, options: KMeansOptions = {}): KMeans {
  const op = 'kMeans'
  const {
    centres: given,
    restarts = given ? 1 : 10,
    maxIterations,
    generator = defaultGenerator(),
  } = settle(op, options, {
    centres: undefined,
    restarts: option(whole(1)),
    maxIterations: option(whole(1), 300),
    generator: drawn,
  })
  const data = samples(op, 'x', x)
  check(op, 'k', k, whole(1, data.rows))
  const start = given && samples(op, 'centres', given)
  if (start && (start.rows !== k || start.columns !== data.columns))
    throw misshaped(op, 'centres', given, `[${k}, ${data.columns}]`)
  let best: ReturnType<typeof lloyd> | null = null
  for (let i = 0; i < (start ? 1 : restarts); i++) {
    const found = lloyd(
      data,
      start ? { ...start, data: start.data.slice() } : plusPlus(data, k, generator),
      maxIterations,
    )
    if (!best || found.inertia < best.inertia) best = found
  }
  const { centres, labels, inertia, iterations } = best as ReturnType<typeof lloyd>
  return {
    centres: tensor(Float32Array.from(centres.data), { shape: [k, data.columns] }),
    labels,
    inertia,
    iterations,
    predict: (other) => {
      const rows = samples(`${op}.predict`, 'x', other)
      sameColumns(`${op}.predict`, rows, data.columns)
      return nearest(rows, centres).labels
    },
  }
}

const squaredDistance = (a: Matrix, i: number, b: Matrix, j: number): number => {
  let sum = 0
  for (let c = 0, p = i * a.columns, q = j * a.columns; c < a.columns; c++, p++, q++)
    sum += square((a.data[p] as number) - (b.data[q] as number))
  return sum
}

function nearest(data: Matrix, centres: Matrix): { labels: Int32Array; distances: Float64Array } {
  const labels = new Int32Array(data.rows)
  const distances = new Float64Array(data.rows).fill(Infinity)
  for (let i = 0; i < data.rows; i++)
    for (let j = 0; j < centres.rows; j++) {
      const distance = squaredDistance(data, i, centres, j)
      if (distance < (distances[i] as number)) {
        distances[i] = distance
        labels[i] = j
      }
    }
  return { labels, distances }
}

/** An index, drawn with probability ∝ its weight by a number of [0, 1); 0 when all weights are 0. */
function pick(weights: Float64Array, share: number): number {
  let left = share * weights.reduce((sum, weight) => sum + weight, 0)
  const index = weights.findIndex((weight) => {
    left -= weight
    return left < 0
  })
  return Math.max(0, index)
}

function plusPlus(data: Matrix, k: number, generator: Generator): Matrix {
  const draws = uniform([k], 0, 1, generator).data()
  const centres = matrix(k, data.columns)
  const distances = new Float64Array(data.rows).fill(1)
  for (let j = 0; j < k; j++) {
    const chosen = pick(distances, draws[j] as number)
    row(centres, j).set(row(data, chosen))
    for (let i = 0; i < data.rows; i++) {
      const distance = squaredDistance(data, i, centres, j)
      distances[i] = j === 0 ? distance : Math.min(distances[i] as number, distance)
    }
  }
  return centres
}

/** The sample that is farthest from its centre, of those that share it with others and do not lie on it; or -1. */
function farthest(distances: Float64Array, labels: Int32Array, counts: Int32Array): number {
  let far = -1
  for (let i = 0; i < distances.length; i++)
    if ((distances[i] as number) > (distances[far] ?? 0) && (counts[labels[i] as number] as number) > 1) far = i
  return far
}

function lloyd(data: Matrix, centres: Matrix, maxIterations: number) {
  let { labels, distances } = nearest(data, centres)
  let iterations = 0
  for (let settled = false; !settled && iterations < maxIterations; iterations++) {
    const counts = new Int32Array(centres.rows)
    for (const label of labels) counts[label] = (counts[label] as number) + 1
    for (let j = 0; j < centres.rows; j++) {
      if (counts[j] !== 0) continue
      const far = farthest(distances, labels, counts)
      if (far < 0) break
      counts[labels[far] as number] = (counts[labels[far] as number] as number) - 1
      labels[far] = j
      counts[j] = 1
      distances[far] = 0
    }
    const sums = matrix(centres.rows, centres.columns)
    for (let i = 0; i < data.rows; i++) {
      const sum = row(sums, labels[i] as number)
      for (let c = 0; c < data.columns; c++) sum[c] = (sum[c] as number) + (data.data[i * data.columns + c] as number)
    }
    for (let j = 0; j < centres.rows; j++) {
      const count = counts[j] as number
      if (count > 0) row(centres, j).set(row(sums, j).map((sum) => sum / count))
    }
    const next = nearest(data, centres)
    distances = next.distances
    settled = next.labels.every((label, i) => label === labels[i])
    labels = next.labels
  }
  return { centres, labels, inertia: distances.reduce((sum, d) => sum + d, 0), iterations }
}

export interface GaussianMixtureOptions {
  /** The group of each sample to start from, [n], as of kMeans; default those of kMeans(x, k). */
  labels?: ArrayLike<number> | undefined
  /** Added to the diagonals of covariances; default 1e-6. */
  regularization?: number | undefined
  /** Stops when a round raises the log-likelihood by less; default 1e-3. */
  tolerance?: number | undefined
  /** Default 100. */
  maxIterations?: number | undefined
  /** Where kMeans draws from; default the one of manualSeed. */
  generator?: Generator | undefined
}

export interface GaussianMixture {
  /** π, [k] */
  weights: Tensor
  /** μ, [k, d] */
  means: Tensor
  /** Σ, [k, d, d] */
  covariances: Tensor
  /** 1/n Σ_i ln P(x_i), before each round and at the end. */
  logLikelihoods: number[]
  converged: boolean
  /** ln P(x_i) for each row of x. */
  logDensity(x: Tensor | NDArray): Float64Array
  /** P(group j | x_i), [n, k]. */
  responsibilities(x: Tensor | NDArray): Tensor
  /** Draws from P, [n, d]: a group by its weight, then μ + L z with Σ = L Lᵀ and z normal. */
  sample(n: number, generator?: Generator): Tensor
}

interface Component {
  logWeight: number
  mean: Float64Array
  factor: Matrix
}

/** P(x) = Σ_j π_j N(x; μ_j, Σ_j), fitted by expectation and maximisation: each sample belongs to each group by its
 *  share of P, and groups take the means and covariances of what belongs to them, in turn.
 *
 *  x: [n, d]. O(n k d²) a round. Throws when a covariance is not positive definite. sklearn.mixture.GaussianMixture. */
export function gaussianMixture(x: Tensor | NDArray, k: number, options: GaussianMixtureOptions = {}): GaussianMixture {
  const op = 'gaussianMixture'
  const {
    labels: given,
    regularization,
    tolerance,
    maxIterations,
    generator = defaultGenerator(),
  } = settle(op, options, {
    labels: undefined,
    regularization: option(finite(0), 1e-6),
    tolerance: option(finite(0), 1e-3),
    maxIterations: option(whole(1), 100),
    generator: drawn,
  })
  const data = samples(op, 'x', x)
  check(op, 'k', k, whole(1, data.rows))
  const { rows: n, columns: d } = data
  const labels = given ?? kMeans(x, k, { generator }).labels
  if (!Array.isArray(labels) && !ArrayBuffer.isView(labels))
    throw new TypeError(`${op}: labels are ${kindOf(labels)}, expected an array of ${n} groups, one a sample`)
  if (labels.length !== n) throw new RangeError(`${op}: got ${labels.length} labels, expected ${n}, one a sample`)
  const bad = Array.from(labels).findIndex((label) => !(Number.isInteger(label) && label >= 0 && label < k))
  if (bad >= 0) throw new RangeError(`${op}: label ${labels[bad]} at ${bad}, expected a group from 0 to ${k - 1}`)

  const covariances = matrix(k, d * d)
  let components: Component[] = []
  const maximise = (shares: Matrix): void => {
    components = Array.from({ length: k }, (_, j) => {
      // So that an empty group divides by no 0.
      let weight = 10 * Number.EPSILON
      const mean = new Float64Array(d)
      for (let i = 0; i < n; i++) {
        const share = shares.data[i * k + j] as number
        weight += share
        for (let c = 0; c < d; c++) mean[c] = (mean[c] as number) + share * (data.data[i * d + c] as number)
      }
      for (let c = 0; c < d; c++) mean[c] = (mean[c] as number) / weight
      const covariance = { rows: d, columns: d, data: row(covariances, j).fill(0) }
      const centred = new Float64Array(d)
      for (let i = 0; i < n; i++) {
        const share = (shares.data[i * k + j] as number) / weight
        // Less than a rounding of what the group's own samples add.
        if (share < 1e-20) continue
        for (let c = 0; c < d; c++) centred[c] = (data.data[i * d + c] as number) - (mean[c] as number)
        for (let r = 0; r < d; r++) {
          const scaled = share * (centred[r] as number)
          for (let c = 0, at = r * d; c <= r; c++, at++)
            covariance.data[at] = (covariance.data[at] as number) + scaled * (centred[c] as number)
        }
      }
      for (let r = 0; r < d; r++)
        for (let c = 0; c < r; c++) covariance.data[c * d + r] = covariance.data[r * d + c] as number
      for (let c = 0; c < d; c++)
        covariance.data[c * (d + 1)] = (covariance.data[c * (d + 1)] as number) + regularization
      const factor = cholesky(covariance)
      if (!factor)
        throw new Error(
          `${op}: the covariance of group ${j} is not positive definite; raise regularization (${regularization}), or take fewer groups than ${k}`,
        )
      return { logWeight: log(weight / n), mean, factor }
    })
  }
  /** ln P of each row, and each group's share of it. */
  const expect = (rows: Matrix): { logs: Float64Array; shares: Matrix } => {
    const shares = matrix(rows.rows, k)
    const z = new Float64Array(d)
    components.forEach(({ logWeight, mean, factor }, j) => {
      let constant = logWeight - (d / 2) * log(2 * Math.PI)
      for (let c = 0; c < d; c++) constant -= log(factor.data[c * (d + 1)] as number)
      for (let i = 0; i < rows.rows; i++) {
        for (let c = 0; c < d; c++) z[c] = (rows.data[i * d + c] as number) - (mean[c] as number)
        solveLower(factor, z)
        shares.data[i * k + j] = z.reduce((sum, value) => sum - (value * value) / 2, constant)
      }
    })
    const logs = new Float64Array(rows.rows)
    for (let i = 0; i < rows.rows; i++) {
      const own = row(shares, i)
      const most = Math.max(...own)
      logs[i] = most + log(own.reduce((sum, log) => sum + exp(log - most), 0))
      for (let j = 0; j < k; j++) own[j] = exp((own[j] as number) - (logs[i] as number))
    }
    return { logs, shares }
  }
  const average = (logs: Float64Array): number => logs.reduce((sum, log) => sum + log, 0) / n

  maximise(matrix(n, k, (i, j) => Number(labels[i] === j)))
  let now = expect(data)
  const logLikelihoods = [average(now.logs)]
  let converged = false
  while (!converged && logLikelihoods.length <= maxIterations) {
    maximise(now.shares)
    now = expect(data)
    logLikelihoods.push(average(now.logs))
    converged = Math.abs((logLikelihoods.at(-1) as number) - (logLikelihoods.at(-2) as number)) < tolerance
  }

  const rowsOf = (caller: string, other: Tensor | NDArray): Matrix => {
    const rows = samples(caller, 'x', other)
    sameColumns(caller, rows, d)
    return rows
  }
  return {
    weights: tensor(components.map(({ logWeight }) => exp(logWeight))),
    means: tensor(components.map(({ mean }) => [...mean])),
    covariances: tensor(Float32Array.from(covariances.data), { shape: [k, d, d] }),
    logLikelihoods,
    converged,
    logDensity: (other) => expect(rowsOf(`${op}.logDensity`, other)).logs,
    responsibilities: (other) => {
      const { shares } = expect(rowsOf(`${op}.responsibilities`, other))
      return tensor(Float32Array.from(shares.data), { shape: [shares.rows, k] })
    },
    sample: (size, source = defaultGenerator()) => {
      check(`${op}.sample`, 'n', size, whole(1))
      const weights = Float64Array.from(components, ({ logWeight }) => exp(logWeight))
      const choices = uniform([size], 0, 1, source).data()
      const z = normal([size, d], 0, 1, source).data()
      const out = new Float32Array(size * d)
      for (let i = 0; i < size; i++) {
        const chosen = pick(weights, choices[i] as number)
        const { mean, factor } = components[chosen] as Component
        for (let r = 0; r < d; r++) {
          let sum = mean[r] as number
          for (let c = 0; c <= r; c++) sum += (factor.data[r * d + c] as number) * (z[i * d + c] as number)
          out[i * d + r] = sum
        }
      }
      return tensor(out, { shape: [size, d] })
    },
  }
}

function sameColumns(op: string, { rows, columns }: Matrix, d: number): void {
  if (columns !== d) throw new RangeError(`${op}: x has shape ${show([rows, columns])}, expected [n, ${d}] as fitted`)
}
