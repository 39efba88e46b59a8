// 9a. Unsupervised learning: groups.
//
// k-means: k centres μ_j and a group for each sample, with the least Σ_i ‖x_i - μ_{g(i)}‖². In turn each sample goes to
// its nearest centre, and each centre to the mean of its samples; neither makes the sum larger. k-means++ draws centres to
// start from that lie apart.
// Gaussian mixture: P(x) = Σ_j π_j N(x; μ_j, Σ_j). Expectation: r_ij = π_j N(x_i; μ_j, Σ_j) / P(x_i), the share of group j in
// sample i. Maximisation: π_j, μ_j, Σ_j are the means over samples, weighted by r_ij. Σ_i ln P(x_i) never falls
// (without regularization of Σ_j).
// Labels are not used; afterwards we ask how well the groups are the known ones.

import * as Plot from '@observablehq/plot'
import { type GaussianMixture, gaussianMixture, kMeans } from 'lanewise/learn'
import { part, samples, standardized } from './data.ts'
import { chart } from './figure.ts'
import { lesson, percent, table } from './lesson.ts'
import { purity } from './yardsticks.ts'

/** The ellipse of two standard deviations of group j. */
function ellipse(mixture: GaussianMixture, j: number) {
  const [[a, b], [, d]] = (mixture.covariances.tolist() as number[][][])[j] as [[number, number], [number, number]]
  const [x, y] = (mixture.means.tolist() as number[][])[j] as [number, number]
  // Cholesky: Σ = L Lᵀ takes the circle to the ellipse.
  const [l11, l21] = [Math.sqrt(a), b / Math.sqrt(a)]
  const l22 = Math.sqrt(d - l21 * l21)
  return Array.from({ length: 61 }, (_, i) => {
    const [c, s] = [2 * Math.cos((i * Math.PI) / 30), 2 * Math.sin((i * Math.PI) / 30)]
    return { x: x + l11 * c, y: y + l21 * c + l22 * s, group: String(j + 1) }
  })
}

await lesson('9a. Unsupervised learning: k-means and Gaussian mixtures', async ({ draw, quick }) => {
  const rows = []
  for (const [name, k] of [
    ['iris', 3],
    ['wine', 3],
    ['digits', 10],
  ] as const) {
    const { x: raw, y } = await samples(name)
    const x = name === 'wine' ? standardized(raw) : raw
    const means = kMeans(x, k, { restarts: quick ? 2 : 10 })
    // Of digits 64 × 64 covariances are more than 1797 samples can tell: a larger regularization.
    const mixture = gaussianMixture(x, k, {
      labels: means.labels,
      regularization: name === 'digits' ? 1 : 1e-6,
      maxIterations: quick ? 5 : 100,
    })
    const shares = mixture.responsibilities(x).argmax({ axis: 1 }).data()
    rows.push({
      ...{ data: name, groups: k, inertia: means.inertia, 'k-means right': percent(purity(means.labels, y.data)) },
      ...{ 'ln P a sample': mixture.logLikelihoods.at(-1)!, 'mixture right': percent(purity(shares, y.data)) },
    })
  }
  table(rows)

  // Petals in the plane.
  const iris = await samples('iris')
  const x = part(iris.x, [...Array(150).keys()], [2, 3])
  const mixture = gaussianMixture(x, 3, { tolerance: 1e-6, maxIterations: 300 })
  const groups = mixture.responsibilities(x).argmax({ axis: 1 }).data()
  const flowers = Array.from(groups, (group, i) => ({
    x: x.data[2 * i],
    y: x.data[2 * i + 1],
    group: String(group + 1),
    species: iris.classes[iris.y.data[i]!],
  }))
  const range = [...Array(10).keys()].map((i) => i + 1)
  const elbow = range.map((k) => ({ k, inertia: kMeans(x, k).inertia }))
  const right = percent(purity(groups, iris.y.data))
  draw(
    `Without labels, a mixture finds the species of iris: ${right} of the flowers`,
    chart('petals: colour: group found, shape: species; ellipses: 2 standard deviations', {
      x: { label: 'length of petals (cm)' },
      y: { label: 'width of petals (cm)' },
      color: { type: 'categorical' },
      marks: [
        Plot.dot(flowers, { x: 'x', y: 'y', stroke: 'group', symbol: 'species', r: 3 }),
        [0, 1, 2].map((j) => Plot.line(ellipse(mixture, j), { x: 'x', y: 'y', stroke: 'group' })),
      ],
    }),
    chart('k-means: beyond 3 groups there is little to win', {
      x: { label: 'groups k', ticks: range },
      y: { label: 'inertia (cm²)', grid: true, domain: [0, 600] },
      marks: [Plot.line(elbow, { x: 'k', y: 'inertia', marker: true })],
    }),
  )
  return `k-means finds ${rows.map((row) => `${row['k-means right']} of ${row.data}`).join(', ')} without a label; a mixture of petals ${right} of iris`
})
