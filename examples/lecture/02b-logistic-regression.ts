// 2b. Logistic regression: a linear map for classes.
//
//   P(y | x) = softmax(x W + b)_y,      L(W, b) = -Σ_i ln P(y_i | x_i) + ρ/2 ‖W‖²
//
// L is convex, yet no closed form gives its minimum. Gradient descent takes θ ← θ - η g, with g_W = Xᵀ (P - Y) + ρ W,
// where P are probabilities and Y one-hot labels. Newton takes θ ← θ - H⁻¹ g with the second derivatives H: each step is
// the closed form of linear regression for the parabola that touches L, so near the minimum digits double at each step.
// The ridge ρ is needed: setosa can be told apart without error, and W would grow without end.

import { compile, losses, matmul, nn, optim, zeros } from 'lanewise'
import { logisticRegression } from 'lanewise/learn'
import { samples, standardized } from './data.ts'
import { chart, curve, log } from './figure.ts'
import { accuracy, lesson, percent, table } from './lesson.ts'

await lesson('2b. Logistic regression: gradient descent and Newton', async ({ draw, quick }) => {
  const iris = await samples('iris')
  const x = standardized(iris.x)
  const ridge = 0.1
  const newton = logisticRegression(x, iris.y, { ridge })
  const least = newton.losses.at(-1)!

  const weight = new nn.Parameter(zeros([4, 3]))
  const bias = new nn.Parameter(zeros([3]))
  const optimizer = new optim.SGD([weight, bias], { lr: 0.02 })
  const step = compile(() => {
    const loss = losses.crossEntropy(matmul(x, weight).add(bias), iris.y, { reduction: 'sum' })
    const whole = loss.add(
      weight
        .pow(2)
        .sum()
        .mul(ridge / 2),
    )
    optimizer.minimize(whole)
    return whole
  })
  const steps = quick ? 500 : 5000
  const descent = Array.from({ length: steps }, (_, i) => ({ step: i + 1, excess: step().item() - least }))
  const newtonSteps = newton.losses.map((loss, i) => ({ step: i + 1, excess: loss - least })).slice(0, -1)
  table(
    newton.losses.map((loss, i) => ({
      step: i,
      'loss by Newton': loss,
      'by gradient descent': descent[i]!.excess + least,
    })),
  )

  const apart = weight.sub(newton.weight).abs().max().values.item()
  console.log(
    `\nafter ${steps} steps of gradient descent no weight is off Newton's by more than ${apart.toPrecision(2)}`,
  )
  const right = accuracy(matmul(x, newton.weight).add(newton.bias), iris.y.data)

  draw(
    'Newton doubles its digits at each step; gradient descent wins a factor',
    chart('logistic regression of iris, 150 flowers, 3 species', {
      width: 560,
      x: log('step'),
      y: log('loss above the least (nats)'),
      marks: [
        // A loss of 13 in float32 is known to some 1e-5.
        ...curve(
          descent.filter(({ excess }) => excess > 1e-5),
          'step',
          'excess',
          'steelblue',
          'gradient descent',
        ),
        ...curve(
          newtonSteps.filter(({ excess }) => excess > 1e-12),
          'step',
          'excess',
          'crimson',
          'Newton',
        ),
      ],
    }),
  )
  return `Newton needs ${newton.losses.length - 1} steps to a loss of ${least.toFixed(4)}; ${percent(right)} of iris right`
})
