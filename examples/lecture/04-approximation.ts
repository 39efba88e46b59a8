// 4. Universal approximation.
//
// For each continuous f on a compact set and each ε > 0 there is a network with one hidden layer
//
//   g(x) = Σ_i v_i h(w_i x + b_i) + c      with  sup |f(x) - g(x)| < ε
//
// (Cybenko 1989; Hornik 1991; Leshno et al. 1993: for every h that is no polynomial). How wide must it be? Here w_i x +
// b_i is 0 at places spread evenly over [-1, 1], so that each neuron bends g at a place of its own; the best v and c
// are then linear regression, in closed form. The largest error is looked for between the points of that regression.

import * as Plot from '@observablehq/plot'
import { type NDArray, nn, relu, scope, type Tensor, tanh } from 'lanewise'
import { leastSquares } from 'lanewise/learn'
import { chart, labelled, log } from './figure.ts'
import { lesson, table } from './lesson.ts'

const targets: Record<string, (x: number) => number> = {
  'sin(3πx)': (x) => Math.sin(3 * Math.PI * x),
  '|x|': Math.abs,
  'exp(-20x²)': (x) => Math.exp(-20 * x * x),
  'x sin(9/(x²+¼))': (x) => x * Math.sin(9 / (x * x + 0.25)),
}
const activations: Record<string, (x: Tensor) => Tensor> = { ReLU: relu, tanh }

/** n numbers evenly over [-1, 1], as a column. */
const evenly = (n: number): NDArray => ({
  shape: [n, 1],
  data: Float32Array.from({ length: n }, (_, i) => -1 + (2 * i) / (n - 1)),
})

/** g at the points `at`, for the target f. */
function approximate(f: (x: number) => number, h: (x: Tensor) => Tensor, width: number, at: NDArray): Float32Array {
  const hidden = new nn.Linear(1, width)
  const slope = width / 4
  hidden.weight.copyFrom(new Float32Array(width).fill(slope))
  hidden.bias!.copyFrom(Float32Array.from({ length: width }, (_, i) => slope * (1 - (2 * i) / width)))
  const x = evenly(1025)
  const features = h(hidden.forward(x)).detach()
  // A little ridge: features of neighbours are alike, and huge v of opposite signs would leave float32 no digits.
  const best = leastSquares(features, { shape: x.shape, data: x.data.map(f) }, { ridge: 1e-8, rcond: 1e-9 })
  return h(hidden.forward(at)).matmul(best.weight).add(best.bias).data() as Float32Array
}

await lesson('4. Universal approximation: one hidden layer, wide enough', ({ draw, quick }) => {
  const widths = quick ? [4, 16, 64, 128] : [4, 8, 16, 32, 64, 128, 256]
  const at = evenly(5001)
  const rows = Object.entries(targets).flatMap(([name, f]) =>
    Object.entries(activations).flatMap(([activation, h]) =>
      widths.map((width) => {
        const g = scope(() => approximate(f, h, width, at))
        const error = Math.max(...at.data.map((x, i) => Math.abs(f(x) - g[i]!)))
        return { name, activation, width, g, error }
      }),
    ),
  )
  console.log('largest error on [-1, 1]')
  table(
    widths.map((width) => {
      const own = rows.filter((row) => row.width === width)
      return { width, ...Object.fromEntries(own.map((row) => [`${row.name} ${row.activation}`, row.error])) }
    }),
  )
  const [relus, tanhs] = Object.keys(activations).map((activation) =>
    rows.filter((row) => row.activation === activation),
  )
  const enough = [relus!, tanhs!].map((own) => {
    const row = own.find(({ name, error }) => name === 'sin(3πx)' && error < 0.01)
    return row ? `${row.width} ${row.activation} neurons (${row.error.toPrecision(2)})` : 'no width that was tried'
  })
  const shown = relus!.filter((row) => row.name === 'sin(3πx)' && [4, 16, 64].includes(row.width))
  const places = [...at.data.entries()].filter(([i]) => i % 20 === 0)
  const curves = shown.flatMap(({ width, g }) => places.map(([i, x]) => ({ x, y: g[i]!, name: `${width} neurons` })))
  const truth = places.map(([, x]) => ({ x, y: Math.sin(3 * Math.PI * x) }))
  draw(
    'One hidden layer comes near: the largest error falls with its width, down to what float32 leaves',
    chart('f(x) = sin(3πx) (grey) and g with ReLU', {
      marginRight: 66,
      x: { label: 'x', domain: [-1, 1] },
      y: { label: 'g(x)', grid: true },
      marks: [
        Plot.line(truth, { x: 'x', y: 'y', stroke: '#ccc', strokeWidth: 6 }),
        ...labelled(curves, 'x', 'y', 'name'),
      ],
    }),
    ...[relus!, tanhs!].map((own) =>
      chart(`${own[0]!.activation}; dashed: 0.01`, {
        marginRight: 96,
        x: { type: 'log', base: 2, label: 'neurons in the hidden layer', ticks: widths, tickFormat: 'd' },
        y: log('largest error |f - g| on [-1, 1]', { domain: [3e-8, 2] }),
        marks: [Plot.ruleY([0.01], { strokeDasharray: '4 3' }), ...labelled(own, 'width', 'error', 'name', true)],
      }),
    ),
  )
  return `sup-norm error of sin(3πx) below 0.01 from ${enough.join(', and from ')}`
})
