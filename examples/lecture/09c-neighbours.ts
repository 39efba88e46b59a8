// 9c. Unsupervised learning: neighbours.
//
// To see 64 dimensions in two, distances must give way. PCA keeps the directions of largest variance, in which groups may
// lie over each other. UMAP (McInnes, Healy, Melville 2018) makes a graph of nearest neighbours, each edge with the
// probability that it is one, and places the samples in the plane so that a graph made there is as likely as may be:
// cross-entropy again, minimized by gradient descent. Here by the library umap-js. Labels are not used.

import * as Plot from '@observablehq/plot'
import { tensor } from 'lanewise'
import { pca } from 'lanewise/learn'
import { UMAP } from 'umap-js'
import { draws } from '../chars/data.ts'
import { part, samples } from './data.ts'
import { chart } from './figure.ts'
import { lesson, percent, table } from './lesson.ts'

await lesson('9c. Unsupervised learning: UMAP keeps neighbours', async ({ draw, quick }) => {
  const { x: all, y } = await samples('digits')
  const rows = [...Array(quick ? 300 : 1797).keys()]
  const x = part(all, rows)
  const flat = pca(x, 2).transform(x).tolist() as number[][]
  const umap = new UMAP({ nNeighbors: 15, minDist: 0.1, random: draws(1), nEpochs: quick ? 100 : 300 })
  const plane = umap.fit(tensor(x).tolist() as number[][])

  /** The share of samples whose nearest neighbour is the same digit. */
  const kept = (places: number[][]): number => {
    const nearest = rows.map((i) => {
      const distances = rows.map((j) =>
        i === j ? Infinity : Math.hypot(...places[i]!.map((v, c) => v - places[j]![c]!)),
      )
      return distances.indexOf(Math.min(...distances))
    })
    return nearest.filter((j, i) => y.data[i] === y.data[j]).length / rows.length
  }
  const [byPca, byUmap] = [kept(flat), kept(plane)]
  table([
    { plane: 'PCA', 'nearest neighbour is the same digit': percent(byPca) },
    { plane: 'UMAP', 'nearest neighbour is the same digit': percent(byUmap) },
  ])

  const scatter = (caption: string, places: number[][], axes: [string, string]) =>
    chart(caption, {
      height: 380,
      x: { label: axes[0], ticks: 4 },
      y: { label: axes[1], ticks: 4 },
      color: { type: 'categorical' },
      marks: [
        Plot.text(
          rows.map((i) => ({ x: places[i]![0], y: places[i]![1], digit: String(y.data[i]) })),
          { x: 'x', y: 'y', text: 'digit', fill: 'digit', fontSize: 7 },
        ),
      ],
    })
  draw(
    `UMAP keeps digits together that PCA lays over each other: ${percent(byUmap)} lie next to their like, ${percent(byPca)} by PCA`,
    scatter('PCA', flat, ['first component', 'second component']),
    scatter('UMAP', plane, ['first coordinate', 'second coordinate']),
  )
  return `nearest neighbour in the plane is the same digit: UMAP ${percent(byUmap)}, PCA ${percent(byPca)}`
})
