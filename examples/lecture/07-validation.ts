// 7. Train, validation, test; hyperparameters.
//
// What is wanted is a small loss at new x. So D is split at random: 80 % to learn θ from, 10 % to choose by, 10 % to test.
// A network that is large enough learns its training samples by heart: their loss falls on, while that of the others
// turns and rises. That is over-fitting. Early stopping keeps the θ of the smallest validation loss.
// Hyperparameters (learning rate, layers, neurons, batch size) are chosen by that loss, too. As it was used to choose, it
// flatters: what to expect of new x is the loss on the test samples, which are looked at once, at the very end.

import * as Plot from '@observablehq/plot'
import { compile, DataLoader, losses, manualSeed, nn, optim, randomSplit, TensorDataset } from 'lanewise'
import { samples, standardized } from './data.ts'
import { chart, corner, curve } from './figure.ts'
import { lesson, table } from './lesson.ts'

await lesson('7. Train, validation, test: over-fitting, early stopping, search', async ({ draw, quick }) => {
  const diabetes = await samples('diabetes')
  // The progression of the disease in units of its spread, so that a loss of 1 is that of the mean.
  const y = standardized({ shape: [442, 1], data: Float32Array.from(diabetes.y.data) })
  const parts = randomSplit(new TensorDataset(diabetes.x, y), [0.8, 0.1, 0.1], { seed: 4 })
  const rows = parts.map((part) => part.gather([...Array(part.length).keys()]))
  // Means and spreads of the training samples alone: of the others nothing may be known.
  const [train, validation, test] = rows.map(([x, t]) => [standardized(x, rows[0]![0]), t] as const)

  /** Trains a network; the losses after each epoch, and the weights of the smallest validation loss. */
  const learn = (rate: number, layers: number, neurons: number, batch: number, epochs: number) => {
    manualSeed(1)
    const sizes = [10, ...Array<number>(layers).fill(neurons)]
    const hidden = sizes.slice(1).flatMap((size, i) => [new nn.Linear(sizes[i]!, size), new nn.ReLU()])
    const model = new nn.Sequential(...hidden, new nn.Linear(sizes.at(-1)!, 1))
    const optimizer = new optim.Adam(model.parameters(), { lr: rate })
    const step = compile((x, t) => optimizer.minimize(losses.mse(model.forward(x), t)))
    const lossOf = compile((x, t) => losses.mse(model.forward(x), t))
    const loader = new DataLoader(new TensorDataset(...train!), { batchSize: batch, shuffle: true, seed: 1 })
    const path: { epoch: number; train: number; validation: number }[] = []
    let best = { epoch: 0, validation: Infinity, state: model.stateDict() }
    for (let epoch = 1; epoch <= epochs; epoch++) {
      for (const [x, t] of loader) step(x!, t!)
      const now = { epoch, train: lossOf(...train!).item(), validation: lossOf(...validation!).item() }
      path.push(now)
      if (now.validation < best.validation) best = { ...now, state: model.stateDict() }
    }
    return { path, best, lossOf, model, chosen: { rate, layers, neurons, batch } }
  }

  const large = learn(0.002, 2, 64, 16, quick ? 60 : 200)
  const last = large.path.at(-1)!
  console.log(`2 layers of 64 neurons, ${last.epoch} epochs; losses in units of the variance`)
  table([large.path[0]!, large.path[large.best.epoch - 1]!, last])

  const epochs = quick ? 15 : 60
  const tried = [0.001, 0.003, 0.01].flatMap((rate) =>
    [1, 2].flatMap((layers) =>
      [8, 32].flatMap((neurons) =>
        (quick ? [16] : [8, 32]).map((batch) => learn(rate, layers, neurons, batch, epochs)),
      ),
    ),
  )
  tried.sort((a, b) => a.best.validation - b.best.validation)
  console.log(`\n${tried.length} networks, the best and the worst by the validation loss at which each is stopped:`)
  const row = ({ chosen, best }: (typeof tried)[number]) => ({
    ...chosen,
    epoch: best.epoch,
    validation: best.validation,
  })
  table([...tried.slice(0, 5), ...tried.slice(-2)].map(row))

  // The test samples, once.
  const { model, lossOf, best, chosen } = tried[0]!
  model.loadStateDict(best.state)
  const tested = lossOf(...test!).item()
  console.log(`\ntest loss of the best: ${tested.toFixed(3)}`)

  const points = tried.map((network) => ({ ...row(network), rate: String(network.chosen.rate) }))
  draw(
    'Training loss falls on, validation loss turns: stop there, and choose by it',
    chart('diabetes: 2 layers of 64 neurons; dashed: where early stopping stops', {
      x: { label: 'epoch' },
      y: { label: 'MSE (in units of the variance)', domain: [0, 1], grid: true },
      marks: [
        ...curve(large.path, 'epoch', 'train', 'steelblue', 'training samples'),
        ...curve(large.path, 'epoch', 'validation', 'crimson', 'validation samples'),
        Plot.ruleX([large.best.epoch], { strokeDasharray: '4 3' }),
      ],
    }),
    chart(`${tried.length} networks: learning rate and smallest validation loss; small: 8 neurons, large: 32`, {
      x: { label: 'learning rate', type: 'point' },
      y: { label: 'validation MSE', grid: true },
      marks: [
        Plot.dot(points, {
          ...{ x: 'rate', y: 'validation', r: ({ neurons }) => (neurons === 8 ? 3 : 6), strokeWidth: 1.5 },
          stroke: ({ layers }) => (layers === 1 ? 'steelblue' : 'darkorange'),
        }),
        ...['1 layer', '2 layers'].map((text, i) => corner(text, i, ['steelblue', 'darkorange'][i]!)),
      ],
    }),
  )
  const { rate, layers, neurons, batch } = chosen
  return `chosen of ${tried.length}: rate ${rate}, ${layers} × ${neurons} neurons, batches of ${batch}; MSE ${best.validation.toFixed(3)} on validation, ${tested.toFixed(3)} on test samples`
})
