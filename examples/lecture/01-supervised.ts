// 1. Supervised learning.
//
// Given examples D = {(x_i, y_i)}, find a function f: R^d → R^k with f(x_i) ≈ y_i that serves for new x, too.
// Choose a family of functions f_θ, and a loss L(θ) that says how wrong f_θ is over D. Then walk downhill:
//
//   θ ← θ - η ∇L(θ)        η: the learning rate
//
// Here the family is the simplest, f_θ(x) = w x + b with θ = (w, b), so that L can be drawn over the plane of θ.
//   regression      y ∈ R       L(θ) = 1/n Σ (f_θ(x_i) - y_i)²
//   classification  y ∈ {0, 1}  P(y = 1 | x) = σ(f_θ(x)) with σ(z) = 1 / (1 + e^-z),  L(θ) = -1/n Σ ln P(y_i | x_i)

import * as Plot from '@observablehq/plot'
import { losses, type NDArray, nn, optim, scope, type Tensor, tensor } from 'lanewise'
import { part, samples } from './data.ts'
import { chart, geometric } from './figure.ts'
import { lesson, table } from './lesson.ts'

await lesson('1. Supervised learning: gradient descent over a loss surface', async ({ draw, quick }) => {
  const iris = await samples('iris')
  const every = [...Array(150).keys()]
  // Length of the petals in cm, less 4 (about the mean), so that w and b do not pull on each other.
  const lengths = (rows: number[]): NDArray => {
    const { shape, data } = part(iris.x, rows, [2])
    return { shape, data: Float32Array.from(data, (value) => value - 4) }
  }
  const widths = part(iris.x, every, [3])
  const isVirginica = { shape: [100, 1], data: Float32Array.from({ length: 100 }, (_, i) => Number(i >= 50)) }
  // θ starts at `start`; w and b say which part of its plane is drawn, `levels` which contours of L.
  const tasks = [
    {
      ...{ name: 'regression: width of petals from their length', x: lengths(every), y: widths, loss: losses.mse },
      ...{ rate: 0.1, steps: 40, start: [-1.5, 3], w: [-2, 2.2], b: [-1, 3.6], levels: geometric(0.03, 30, 15) },
    },
    {
      ...{ name: 'classification: virginica or versicolor from it', x: lengths(every.slice(50)), y: isVirginica },
      ...{ loss: losses.bceWithLogits, rate: 2, steps: quick ? 300 : 3000, start: [-2, 4] },
      ...{ w: [-3, 10], b: [-10, 5.5], levels: geometric(0.12, 16, 15) },
    },
  ]

  const panels = tasks.map(({ name, x, y, loss, rate, steps, start, w, b, levels }) => {
    const [x1, x2, y1, y2] = [...w, ...b] as [number, number, number, number]
    const theta = new nn.Parameter(tensor(start))
    const lossAt = (at: Tensor): Tensor => {
      const [slope, offset] = at.split(1) as [Tensor, Tensor]
      return loss(tensor(x).mul(slope).add(offset), y)
    }
    const optimizer = new optim.SGD([theta], { lr: rate })
    const path: { step: number; w: number; b: number; loss: number }[] = []
    for (let step = 0; step <= steps; step++)
      scope(() => {
        optimizer.zeroGrad()
        const l = lossAt(theta)
        l.backward()
        const [slope, offset] = theta.data() as unknown as [number, number]
        path.push({ step, w: slope, b: offset, loss: l.item() })
        optimizer.step()
      })
    console.log(`\n${name}`)
    table(path.filter(({ step }) => [0, 1, 2, 5, 10, 20, 40, 300, 3000].includes(step)))

    const surface = (slope: number, offset: number) => scope(() => lossAt(tensor([slope, offset])).item())
    return chart(`${name}; the darker, the smaller the loss`, {
      x: { domain: w, label: 'w (per cm)' },
      y: { domain: b, label: 'b' },
      color: { type: 'log', scheme: 'blues', reverse: true },
      marks: [
        Plot.contour({ fill: surface, stroke: 'white', thresholds: levels, pixelSize: 5, x1, x2, y1, y2 }),
        Plot.line(path, { x: 'w', y: 'b', stroke: 'crimson', strokeWidth: 1.5 }),
        Plot.dot(path.slice(0, 40), { x: 'w', y: 'b', fill: 'crimson', r: 2 }),
        Plot.text([path[0]], { x: 'w', y: 'b', text: () => 'start', dy: -9, fill: 'crimson' }),
        Plot.dot(path.slice(-1), { x: 'w', y: 'b', symbol: 'star', fill: 'gold', stroke: 'black', r: 6 }),
      ],
    })
  })
  draw('Gradient descent walks down the loss surface to its one valley', ...panels)
  return 'regression and classification by the same walk downhill: only the loss differs'
})
