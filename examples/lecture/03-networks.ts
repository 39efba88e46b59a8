// 3. Neural networks.
//
// Layers, one after the other, each affine and then non-linear; a⁰ = x, and neuron i of layer l gives
//
//   z_i^l = a^{l-1} w_i^l + b_i^l,     a_i^l = h(z_i^l),     h(z) = max(z, 0)   (ReLU)
//
// Where no neuron changes between 0 and z the network is one affine function of x: a ReLU network is piecewise linear.
// Which neurons are on names the piece; we train one on iris, count its pieces, and draw them.

import * as Plot from '@observablehq/plot'
import { compile, losses, nn, optim, type Tensor } from 'lanewise'
import { part, samples } from './data.ts'
import { chart, grid, raster } from './figure.ts'
import { accuracy, lesson, percent, table } from './lesson.ts'

await lesson('3. Neural networks: affine, ReLU, affine, ReLU, …', async ({ draw, quick }) => {
  const iris = await samples('iris')
  const x = part(iris.x, [...Array(150).keys()], [2, 3]) // length and width of petals, cm
  const layers = [new nn.Linear(2, 12), new nn.Linear(12, 12), new nn.Linear(12, 3)] as const
  /** z¹, z², z³ */
  const forward = (input: Tensor): [Tensor, Tensor, Tensor] => {
    const z1 = layers[0].forward(input)
    const z2 = layers[1].forward(z1.relu())
    return [z1, z2, layers[2].forward(z2.relu())]
  }
  const parameters = layers.flatMap((layer) => layer.parameters())
  const optimizer = new optim.Adam(parameters, { lr: 0.01 })
  const step = compile((input, y) => optimizer.minimize(losses.crossEntropy(forward(input)[2], y)))
  for (let i = 0; i < (quick ? 500 : 3000); i++) step(x, iris.y)
  const run = compile((input) => forward(input))

  // The formula above in plain arrays, for one flower.
  let a = [...x.data.subarray(200, 202)]
  for (const [l, layer] of layers.entries()) {
    const [w, b] = [layer.weight.tolist() as number[][], layer.bias!.tolist() as number[]]
    const z = w.map((row, i) => row.reduce((sum, weight, j) => sum + weight * a[j]!, b[i]!))
    a = l < 2 ? z.map((value) => Math.max(value, 0)) : z
  }
  const scores = run(x)[2].data()
  table(iris.classes.map((name, i) => ({ 'flower 101': name, 'z³ by hand': a[i]!, 'by the layers': scores[300 + i]! })))

  /** For points [n, 2]: the piece, by the neurons that are on, and the scores z³. */
  const look = (points: number[]) => {
    const [z1, z2, z3] = run({ shape: [points.length / 2, 2], data: Float32Array.from(points) }).map((z) => z.data())
    const row = (z: ArrayLike<number>, i: number, n: number) => Array.from({ length: n }, (_, j) => z[n * i + j]!)
    const on = (i: number) => [...row(z1!, i, 12), ...row(z2!, i, 12)].map((z) => +(z > 0)).join('')
    return Array.from({ length: points.length / 2 }, (_, i) => ({ piece: on(i), scores: row(z3!, i, 3) }))
  }
  const winner = (values: number[]) => values.indexOf(Math.max(...values))
  const size = quick ? 150 : 400
  const plane = look(grid(size, [0, 7.5], [0, 3]))
  const count = new Set(plane.map(({ piece }) => piece)).size
  // The class gives the hue, the piece its shade.
  const colours = plane.flatMap((place) =>
    [0, 1, 2].map((c) => (c === winner(place.scores) ? 255 : 150 + ((Number.parseInt(place.piece, 2) * 67) % 90))),
  )

  // Along a line the pieces come one after the other, and each has a slope of its own.
  const line = Array.from({ length: 10_001 }, (_, i) => (7.5 * i) / 10_000)
  const points = look(line.flatMap((length) => [length, 0.4 * length])).map((place, i) => ({
    ...{ length: line[i]!, score: place.scores[2]! - place.scores[1]!, piece: place.piece },
  }))
  const starts = points.flatMap(({ piece }, i) => (piece !== points[i - 1]?.piece ? [i] : []))
  const pieces = starts.map((start, k) => {
    const own = points.slice(start, starts[k + 1])
    const [first, last] = [own[0]!, own.at(-1)!]
    const slope = (last.score - first.score) / (last.length - first.length)
    const bends = own.map(({ length, score }) => Math.abs(score - first.score - slope * (length - first.length)))
    return { from: first.length, to: last.length, slope, 'largest bend': Math.max(...bends) }
  })
  const ends = starts.map((i) => points[i])
  console.log(`\nvirginica's score less versicolor's, for petals 0.4 times as wide as long:`)
  table(pieces)
  const flowers = [...Array(150).keys()].map((i) => ({
    ...{ x: x.data[2 * i], y: x.data[2 * i + 1], fill: ['crimson', 'green', 'blue'][iris.y.data[i]!] },
  }))
  draw(
    `A trained ReLU network is piecewise linear: ${count} pieces in the plane, ${pieces.length} on a line`,
    chart('hue: class that wins; shade: piece; dots: flowers (setosa, versicolor, virginica)', {
      x: { domain: [0, 7.5], label: 'length of petals (cm)' },
      y: { domain: [0, 3], label: 'width of petals (cm)' },
      marks: [
        raster(colours, size),
        Plot.line([0, 7.5], { x: (l) => l, y: (l) => 0.4 * l, strokeDasharray: '3 3' }),
        Plot.dot(flowers, { x: 'x', y: 'y', r: 2, fill: 'fill' }),
      ],
    }),
    chart('along the dashed line: straight between the dots', {
      x: { label: 'length of petals (cm)' },
      y: { label: 'score of virginica - score of versicolor', grid: true },
      marks: [
        Plot.line([...ends, points.at(-1)], { x: 'length', y: 'score' }),
        Plot.dot(ends, { x: 'length', y: 'score', fill: 'crimson' }),
      ],
    }),
  )
  const most = Math.max(...pieces.map((piece) => piece['largest bend']))
  return `${count} linear pieces (${size} × ${size} points), none bent by more than ${most.toExponential(0)}; ${percent(accuracy(run(x)[2], iris.y.data))} of iris right`
})
