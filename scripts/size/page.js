// The smallest page that trains: a network learns which points lie inside a circle.

import { compile, init, losses, manualSeed, nn, optim, uniform } from 'lanewise'

const output = document.querySelector('output')

async function train() {
  await init()
  manualSeed(1)
  const model = new nn.Sequential(new nn.Linear(2, 32), new nn.Tanh(), new nn.Linear(32, 2))
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 })
  const step = compile((x, y) => {
    const loss = losses.crossEntropy(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  const x = uniform([256, 2], -1, 1)
  const points = x.data()
  const y = Int32Array.from({ length: 256 }, (_, i) => (Math.hypot(points[2 * i], points[2 * i + 1]) < 0.7 ? 1 : 0))
  const labels = { data: y, shape: [256] }
  const first = step(x, labels).item()
  performance.mark('first step')
  for (let i = 1; i < 500; i++) step(x, labels)
  output.textContent = `loss ${first.toFixed(3)} → ${step(x, labels).item().toFixed(3)}`
  document.documentElement.dataset.trained = 'yes'
}

train()
