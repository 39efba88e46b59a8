// 6. Losses and probabilities.
//
// A network gives scores z ∈ R^k. To be probabilities they must be positive and sum to 1:
//
//   P(y | x) = softmax(z)_y = e^{z_y} / Σ_c e^{z_c},        the answer: argmax_y P(y | x)
//
// MSE asks how far P is from the one-hot vector t of the label; cross-entropy how much P is surprised by it:
//
//   L(x, t) = -Σ_c t_c ln P(c | x) = -ln P(y | x)
//
// As t is 1 at the label and 0 elsewhere one term is left, so one-hot and index targets give the same number. Near P = 0
// MSE is flat, while -ln P has no bound: confident mistakes cost most, and their gradient P - t does not vanish.

import * as Plot from '@observablehq/plot'
import { compile, losses, nn, oneHot, optim, softmax, type Tensor } from 'lanewise'
import { part, samples } from './data.ts'
import { chart, note, picture, sheet } from './figure.ts'
import { accuracy, lesson, percent, table } from './lesson.ts'

await lesson('6. Losses and probabilities: softmax, MSE, cross-entropy', async ({ draw, quick }) => {
  const { x: pixels, y: digits } = await samples('digits')
  const x = { shape: pixels.shape, data: pixels.data.map((value) => value / 16) }
  const every = [...Array(1797).keys()]
  const [trainRows, testRows] = [every.filter((i) => i % 5 > 0), every.filter((i) => i % 5 === 0)]
  const [trainX, testX] = [part(x, trainRows), part(x, testRows)]
  const [trainY, testY] = [part(digits, trainRows), part(digits, testRows)]

  const train = (lossOf: (scores: Tensor) => Tensor) => {
    const model = new nn.Linear(64, 10)
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 })
    const step = compile((input) => optimizer.minimize(lossOf(model.forward(input))))
    for (let i = 0; i < (quick ? 100 : 400); i++) step(trainX)
    return model
  }
  const targets = oneHot(trainY, 10)
  const byMse = train((scores) => losses.mse(softmax(scores), targets.to('f32')))
  const model = train((scores) => losses.crossEntropy(scores, trainY))
  const scores = model.forward(testX)
  const p = softmax(scores)
  const rows = p.tolist() as number[][]
  const labels = [...testY.data]
  const sums = p.sum({ axis: 1 }).data()
  console.log(
    `Σ_c P(c | x) over the test images: from ${Math.min(...sums).toFixed(7)} to ${Math.max(...sums).toFixed(7)}\n`,
  )

  // The same loss four ways.
  const hot = oneHot(testY, 10).to('f32')
  const byHand = rows.reduce((sum, row, i) => sum - Math.log(row[labels[i]!]!), 0) / 360
  const equal = {
    'index targets': losses.crossEntropy(scores, testY).item(),
    'one-hot targets': losses.crossEntropy(scores, hot).item(),
    '-Σ t ln P': p.log().mul(hot).sum().neg().div(360).item(),
    '-ln P(y | x) in plain arrays': byHand,
  }
  table(Object.entries(equal).map(([target, loss]) => ({ 'cross-entropy by': target, nats: loss.toFixed(6) })))
  console.log(
    `\ntest images right: ${percent(accuracy(scores, labels))} by cross-entropy, ${percent(accuracy(byMse.forward(testX), labels))} by MSE of the probabilities`,
  )

  // The image that is most in doubt.
  const doubt = rows.map((row) => -row.reduce((sum, value) => sum + value * Math.log(value + 1e-30), 0))
  const i = doubt.indexOf(Math.max(...doubt))
  const bars = rows[i]!.map((value, digit) => ({ digit: String(digit), value }))
  const answer = rows[i]!.indexOf(Math.max(...rows[i]!))
  const curve = Array.from({ length: 200 }, (_, k) => ({ p: (k + 1) / 200 }))
  const image = part(testX, [i]).data
  const spread = Math.max(...Object.values(equal)) - Math.min(...Object.values(equal))
  draw(
    'Softmax makes probabilities of scores; cross-entropy punishes confident mistakes without bound',
    picture(`the test image most in doubt: a ${labels[i]}`, sheet(image, 8, 1), 20),
    chart(`P(y | x) for it: the answer is ${answer}, right would be ${labels[i]}`, {
      x: { label: 'digit y', type: 'band' },
      y: { label: 'P(y | x)', domain: [0, 1], grid: true },
      marks: [
        Plot.barY(bars, {
          x: 'digit',
          y: 'value',
          fill: ({ digit }) => (+digit === labels[i] ? 'crimson' : 'steelblue'),
        }),
      ],
    }),
    chart('the loss of one sample with two classes', {
      x: { label: 'P(label | x)' },
      y: { label: 'loss', grid: true },
      marks: [
        Plot.line(curve, { x: 'p', y: (d) => -Math.log(d.p), stroke: 'crimson' }),
        Plot.line(curve, { x: 'p', y: (d) => (1 - d.p) ** 2, stroke: 'steelblue' }),
        note(0.1, 3.2, '-ln P (nats)', 'crimson'),
        note(0.1, 1.05, '(1 - P)²', 'steelblue'),
      ],
    }),
  )
  return `cross-entropy ${equal['index targets'].toFixed(4)} nats four ways, apart by ${spread.toExponential(0)}; ${percent(accuracy(scores, labels))} of test digits right`
})
