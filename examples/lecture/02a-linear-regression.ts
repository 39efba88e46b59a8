// 2a. Linear regression.
//
//   F(x) = x W + b,  W ∈ R^{d×k},  b ∈ R^k        MSE = 1/n Σ (y_i - F(x_i))²,   MAE = 1/n Σ |y_i - F(x_i)|
//
// With centred columns b is the mean of Y, and what remains is L(W) = ‖Y - X W‖². Its gradient
//   ∇L(W) = -2 Xᵀ (Y - X W)
// is 0 where XᵀX W = XᵀY: the closed form W = (XᵀX)⁻¹ XᵀY. Where XᵀX is singular many W are best; we take the shortest.

import { compile, losses, matmul, mean, nn, normal, optim, sub, type Tensor, tensor, zeros } from 'lanewise'
import { leastSquares } from 'lanewise/learn'
import { samples, standardized } from './data.ts'
import { chart, curve, log } from './figure.ts'
import { lesson, table } from './lesson.ts'

await lesson('2a. Linear regression: closed form, gradient, descent', async ({ draw, quick }) => {
  const diabetes = await samples('diabetes')
  const x = standardized(diabetes.x)
  const y = { shape: [442, 1], data: diabetes.y.data }
  const closed = leastSquares(x, y)

  // The gradient: by the formula above, and as the tape finds it.
  const w = tensor(normal([10, 1]).data(), { shape: [10, 1], requiresGrad: true })
  losses.mse(matmul(x, w), y, { reduction: 'sum' }).backward()
  const formula = matmul(tensor(x).transpose(), sub(y, matmul(x, w.detach()))).mul(-2)
  const largest = (t: Tensor): number => t.abs().max().values.item()
  const difference = largest(sub(formula, w.grad as Tensor)) / largest(formula)
  console.log(
    `-2 Xᵀ (Y - X W) and the gradient of the tape differ by ${difference.toExponential(1)} of the largest element\n`,
  )

  /** Gradient descent, with its distance ‖θ - θ*‖ / ‖θ*‖ from the closed form before each step; θ = (W, b). */
  const descend = (loss: typeof losses.mse, steps: number) => {
    const weight = new nn.Parameter(zeros([10, 1]))
    const bias = new nn.Parameter(zeros([1]))
    const optimizer = new optim.SGD([weight, bias], { lr: 0.2 })
    const step = compile(() => optimizer.minimize(loss(matmul(x, weight).add(bias), y)))
    const target = [...closed.weight.data(), ...closed.bias.data()]
    const path = Array.from({ length: steps }, (_, i) => {
      const theta = [...weight.data(), ...bias.data()]
      step()
      return { step: i + 1, distance: Math.hypot(...theta.map((t, j) => t - target[j]!)) / Math.hypot(...target) }
    })
    return { weight, bias, path: path.filter(({ step }) => step < 100 || step % 50 === 0) }
  }
  const steps = quick ? 4000 : 20_000
  const squared = descend(losses.mse, steps)
  const absolute = descend(losses.mae, steps)
  const errors = (name: string, weight: Tensor, bias: Tensor) => {
    const prediction = matmul(x, weight).add(bias)
    return { fit: name, MSE: losses.mse(prediction, y).item(), MAE: losses.mae(prediction, y).item() }
  }
  table([
    errors('the mean alone', zeros([10, 1]), mean(y)),
    errors('closed form', closed.weight, closed.bias),
    errors('gradient descent on MSE', squared.weight, squared.bias),
    errors('gradient descent on MAE', absolute.weight, absolute.bias),
  ])

  // A column twice: the answer is not unique any more, and the shortest shares the weight out.
  const twice = { shape: [442, 11], data: new Float32Array(442 * 11) }
  for (let i = 0; i < 442; i++) for (let j = 0; j < 11; j++) twice.data[11 * i + j] = x.data[10 * i + (j % 10)]!
  const shared = leastSquares(twice, y, { warn: (message) => console.log(`\n${message}`) })
  const [once, both] = [closed.weight.data(), shared.weight.data()]
  table([
    { column: 'age', 'weight alone': once[0]!, 'weights with age twice': both[0]! },
    { column: 'age again', 'weight alone': 0, 'weights with age twice': both[10]! },
  ])

  draw(
    'Gradient descent arrives where the closed form already is',
    chart('diabetes, 442 patients, 10 measurements; full batches, learning rate 0.2', {
      width: 560,
      x: log('step'),
      y: log('‖θ - θ*‖ / ‖θ*‖, distance from the closed form θ*', { domain: [1e-6, 2] }),
      marks: [
        ...curve(squared.path, 'step', 'distance', 'steelblue', 'on MSE'),
        ...curve(absolute.path, 'step', 'distance', 'darkorange', 'on MAE: another minimum', 12),
      ],
    }),
  )
  const arrived = squared.path.at(-1)!.distance
  return `after ${steps} steps gradient descent is ${arrived.toExponential(1)} from the closed form W = (XᵀX)⁻¹XᵀY`
})
