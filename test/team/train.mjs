// Trains with as many threads as THREADS says. Prints losses and Errors of its steps, with each whether parameters are those
// before the step, and what threads() says before and after.

import { compile, init, losses, manualSeed, nn, optim, threads, uniform } from 'lanewise'

await init({ threads: Number(process.env.THREADS) })
manualSeed(1)
const model = new nn.Sequential(new nn.Linear(256, 256), new nn.ReLU(), new nn.Linear(256, 10))
const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2 })
const step = compile((x, y) => {
  const loss = losses.crossEntropy(model.forward(x), y)
  optimizer.minimize(loss)
  return loss
})
const x = uniform([128, 256])
const y = { data: Int32Array.from({ length: 128 }, (_, i) => i % 10), shape: [128] }
const before = threads()
const parameters = () => JSON.stringify(Object.values(model.stateDict()).map(({ data }) => [...data]))
const found = []
const errors = []
// In a pause a worker falls asleep, and messages come.
for (let i = 0; i < 25; i++) {
  const last = parameters()
  try {
    found.push(step(x, y).item())
  } catch ({ message }) {
    errors.push({ message, step: i, kept: parameters() === last })
  }
  await new Promise((wake) => setTimeout(wake, 5))
}
for (let i = 0; i < 500 && process.env.EXHAUST && !threads().reason.includes('memory'); i++)
  await new Promise((wake) => setTimeout(wake, 20))
console.log(JSON.stringify({ before, after: threads(), losses: found, errors }))
