// 8. Backpropagation.
//
// z^l = a^{l-1} W^l + b^l and a^l = h(z^l) for layers l = 1, 2, 3, the last without h. By the chain rule gradients go
// from the last layer back to the first:
//
//   ∇_{z³} L = (P - T) / n                                          of cross-entropy and softmax, T one-hot
//   ∇_{z^l} L = (∇_{z^{l+1}} L · (W^{l+1})ᵀ) ⊙ h'(z^l)              ⊙: element by element
//   ∇_{W^l} L = (a^{l-1})ᵀ · ∇_{z^l} L,       ∇_{b^l} L = Σ over samples of ∇_{z^l} L
//
// Here in plain arrays, against the tape of Lanewise, and against (L(θ + δ) - L(θ - δ)) / 2δ for each single weight.

import { losses, nn, type Tensor } from 'lanewise'
import { apart, type Matrix, map, product, sumOfRows, transposed } from './arrays.ts'
import { samples, standardized } from './data.ts'
import { chart, labelled, log } from './figure.ts'
import { lesson, table } from './lesson.ts'

const h = Math.tanh
const slope = (z: number): number => 1 - h(z) ** 2

/** W¹, b¹, W², b², W³, b³; a bias is one row. */
type Theta = Matrix[]
const names = ['W¹', 'b¹', 'W²', 'b²', 'W³', 'b³']

function forward(x: Matrix, theta: Theta, labels: ArrayLike<number>) {
  const a = [x]
  const z: Matrix[] = [[]]
  for (let l = 1; l <= 3; l++) {
    const [W, b] = [theta[2 * l - 2]!, theta[2 * l - 1]!]
    z.push(map(product(a[l - 1]!, W), (value, _, j) => value + b[0]![j]!))
    a.push(l < 3 ? map(z[l]!, h) : z[l]!)
  }
  const powers = map(z[3]!, Math.exp)
  const P = powers.map((row) => row.map((power) => power / row.reduce((sum, p) => sum + p, 0)))
  return { a, z, P, loss: P.reduce((sum, row, i) => sum - Math.log(row[labels[i]!]!), 0) / x.length }
}

function backward(x: Matrix, theta: Theta, labels: ArrayLike<number>): Theta {
  const { a, z, P } = forward(x, theta, labels)
  const gradients: Theta = []
  let dz = map(P, (p, i, c) => (p - Number(labels[i] === c)) / x.length)
  for (let l = 3; l >= 1; l--) {
    gradients.unshift(product(transposed(a[l - 1]!), dz), sumOfRows(dz))
    if (l > 1) dz = map(product(dz, transposed(theta[2 * l - 2]!)), (value, i, j) => value * slope(z[l - 1]![i]![j]!))
  }
  return gradients
}

await lesson('8. Backpropagation: by hand, by the tape, by difference quotients', async ({ draw, quick }) => {
  const iris = await samples('iris')
  const data = standardized(iris.x)
  const x = Array.from({ length: 150 }, (_, i) => [...data.data.subarray(4 * i, 4 * i + 4)])
  const labels = iris.y.data
  const layers = [new nn.Linear(4, 6), new nn.Tanh(), new nn.Linear(6, 5), new nn.Tanh(), new nn.Linear(5, 3)]
  const model = new nn.Sequential(...layers)
  losses.crossEntropy(model.forward(data), iris.y).backward()
  // Lanewise keeps weights as [out, in].
  const matrix = (t: Tensor) => (t.ndim === 2 ? t.transpose() : t.reshape([1, -1])).tolist() as Matrix
  const theta = model.parameters().map(matrix)
  const byTape = model.parameters().map((parameter) => matrix(parameter.grad!))
  const byHand = backward(x, theta, labels)

  const quotients = (of: Matrix, delta: number): Matrix =>
    map(of, (value, i, j) => {
      const lossAt = (shifted: number) => {
        of[i]![j] = shifted
        return forward(x, theta, labels).loss
      }
      const difference = lossAt(value + delta) - lossAt(value - delta)
      of[i]![j] = value
      return difference / (2 * delta)
    })
  const rows = theta.map((of, k) => ({
    gradient: names[k]!,
    elements: of.flat().length,
    'tape - by hand': apart(byTape[k]!, byHand[k]!),
    'quotients - by hand': apart(quotients(of, 1e-5), byHand[k]!),
  }))
  console.log('largest differences, relative to the largest element')
  table(rows)
  const deltas = Array.from({ length: quick ? 7 : 25 }, (_, k) => 10 ** (-k * (quick ? 2 : 0.5)))
  const errors = theta.flatMap((of, k) =>
    deltas.map((delta) => ({ name: names[k]!, delta, error: apart(quotients(of, delta), byHand[k]!) })),
  )
  draw(
    'Difference quotients meet the gradient of every layer: they err as δ², until rounding takes over',
    chart('iris, a network 4-6-5-3 with tanh; f64', {
      width: 560,
      marginRight: 50,
      x: log('δ'),
      y: log('largest difference, relative'),
      marks: labelled(errors, 'delta', 'error', 'name'),
    }),
  )
  const [tape, quotient] = [2, 3].map((k) =>
    Math.max(...rows.map((row) => Object.values(row)[k] as number)).toExponential(0),
  )
  return `gradients by hand differ from the tape's (f32) by ${tape}, from difference quotients (f64) by ${quotient}`
})
