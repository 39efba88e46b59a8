// 10a. Generative models: learn P from samples, and draw new ones.
//
// The samples x_1, …, x_n are independent draws from an unknown P. A model P_θ is chosen by maximum likelihood,
//   θ = argmax Σ_i ln P_θ(x_i),
// which is the smallest cross-entropy between the samples and P_θ. Here P_θ is a mixture of k normal distributions over
// the plane, of which lesson 9a has the algorithm. How many? More always fit the samples better; flowers that were held
// out say when it is enough. To draw: a group by its weight π_j, then μ_j + L_j z with Σ_j = L_j L_jᵀ and z ~ N(0, I).

import * as Plot from '@observablehq/plot'
import { Generator } from 'lanewise'
import { gaussianMixture } from 'lanewise/learn'
import { part, samples } from './data.ts'
import { chart, curve, grid, raster } from './figure.ts'
import { lesson, table } from './lesson.ts'

await lesson('10a. Generative models: a mixture draws new flowers', async ({ draw, quick }) => {
  const iris = await samples('iris')
  const petals = part(iris.x, [...Array(150).keys()], [2, 3])
  // Lengths are given to a tenth of a cm: a covariance below that of the rounding would fit the ruler.
  const options = { regularization: 0.1 ** 2 / 12, tolerance: 1e-6, maxIterations: quick ? 50 : 500 }
  const mean = (list: ArrayLike<number>) => Array.from(list).reduce((sum, value) => sum + value, 0) / list.length

  // Five times: learn from four fifths of the flowers, and ask the other fifth.
  const folds = [0, 1, 2, 3, 4].map((fold) => {
    const rows = [...Array(150).keys()]
    return [
      part(
        petals,
        rows.filter((i) => i % 5 !== fold),
      ),
      part(
        petals,
        rows.filter((i) => i % 5 === fold),
      ),
    ] as const
  })
  const rows = [1, 2, 3, 4, 5, 6].map((k) => {
    const fits = folds.map(([train, held]) => {
      const mixture = gaussianMixture(train, k, { ...options, generator: new Generator(k) })
      return { train: mean(mixture.logDensity(train)), held: mean(mixture.logDensity(held)) }
    })
    return { groups: k, learnt: mean(fits.map(({ train }) => train)), held: mean(fits.map(({ held }) => held)) }
  })
  console.log('ln P of a flower (nats), of those learnt from and of those held out')
  table(rows)
  const best = rows.reduce((a, b) => (b.held > a.held ? b : a))

  const mixture = gaussianMixture(petals, best.groups, { ...options, generator: new Generator(best.groups) })
  const drawn = mixture.sample(150, new Generator(7)).tolist() as [number, number][]
  const x = { domain: [0, 8] as [number, number], label: 'length of petals (cm)' }
  const y = { domain: [0, 3] as [number, number], label: 'width of petals (cm)' }
  const size = 200
  const points = { shape: [size * size, 2], data: Float32Array.from(grid(size, x.domain, y.domain)) }
  const densities = mixture.logDensity(points)
  // ln P from -8 (white) to its largest (blue).
  const largest = Math.max(...densities)
  const shade = (log: number) => Math.max(0, (log + 8) / (largest + 8))
  const colours = [...densities].flatMap((log) => [255 - 200 * shade(log), 255 - 120 * shade(log), 255])
  const given = [...Array(150).keys()].map((i) => [petals.data[2 * i]!, petals.data[2 * i + 1]!])
  const moments = (points: number[][]) =>
    [0, 1].map((c) => mean(points.map((point) => point[c]!)).toFixed(2)).join(' and ')
  console.log(`\nmeans of the flowers: ${moments(given)} cm; of those drawn: ${moments(drawn)} cm`)
  const dots = (points: number[][], fill: string) =>
    Plot.dot(points, { x: ([a]) => a, y: ([, b]) => b, r: 2.5, fill, clip: true })
  draw(
    `A mixture of ${best.groups} normal distributions learns the petals of iris, and draws flowers that no one has measured`,
    chart('ln P (blue: large) and the 150 flowers', { x, y, marks: [raster(colours, size), dots(given, 'black')] }),
    chart('150 flowers drawn from P', { x, y, marks: [raster(colours, size), dots(drawn, 'crimson')] }),
    chart('five-fold: what is enough shows on flowers held out', {
      x: { label: 'groups k', ticks: [1, 2, 3, 4, 5, 6], tickFormat: 'd' },
      y: { label: 'ln P of a flower (nats)', domain: [-1.9, -0.6], grid: true },
      marks: [
        ...curve(rows, 'groups', 'learnt', 'steelblue', 'learnt from'),
        ...curve(rows, 'groups', 'held', 'crimson', 'held out', 14),
      ],
    }),
  )
  return `a mixture of ${best.groups} gives held-out petals ${best.held.toFixed(3)} nats (one normal distribution ${rows[0]!.held.toFixed(3)})`
})
