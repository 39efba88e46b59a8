// Trains, and posts what the page draws: { points, arms } once, then { step, losses, field } after every chunk;
// or { error }, a message.

import { compile, init, losses, manualSeed, nn, optim, uniform } from 'lanewise'

const POINTS = 400
const STEPS = 3000
const CHUNK = 50
const GRID = 60

self.onmessage = ({ data: { rate } }) => {
  run(rate).catch(({ message }) => self.postMessage({ error: message }))
}

let runs = 0

async function run(rate) {
  const id = ++runs
  await init()
  manualSeed(1)
  const { points, arms } = spirals()
  const model = new nn.Sequential(
    new nn.Linear(2, 32),
    new nn.Tanh(),
    new nn.Linear(32, 32),
    new nn.Tanh(),
    new nn.Linear(32, 2),
  )
  const optimizer = new optim.AdamW(model.parameters(), { lr: rate })
  const step = compile((x, y) => {
    const loss = losses.crossEntropy(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  const classify = compile((x) => model.forward(x).softmax().select(1, 1))
  const x = { data: points, shape: [POINTS, 2] }
  const y = { data: arms, shape: [POINTS] }
  const grid = { data: gridOfPoints(), shape: [GRID * GRID, 2] }
  self.postMessage({ points, arms })
  for (let done = 0; done < STEPS; done += CHUNK) {
    const values = Float32Array.from({ length: CHUNK }, () => step(x, y).item())
    self.postMessage({ step: done + CHUNK, steps: STEPS, losses: values, field: classify(grid).data(), grid: GRID })
    // Lets a wish to start again come in.
    await new Promise((wake) => setTimeout(wake))
    if (id !== runs) break
  }
  step.dispose()
  classify.dispose()
}

/** Two arms that turn around each other. */
function spirals() {
  const noise = uniform([POINTS, 2], -0.03, 0.03).data()
  const points = new Float32Array(2 * POINTS)
  const arms = Int32Array.from({ length: POINTS }, (_, i) => i % 2)
  for (let i = 0; i < POINTS; i++) {
    const radius = (i + 1) / POINTS
    const angle = 6 * radius + Math.PI * arms[i]
    points[2 * i] = radius * Math.cos(angle) + noise[2 * i]
    points[2 * i + 1] = radius * Math.sin(angle) + noise[2 * i + 1]
  }
  return { points, arms }
}

/** Middles of the cells of a grid over the square from -1.1 to 1.1, row by row. */
function gridOfPoints() {
  const at = (i) => -1.1 + (2.2 * (i + 0.5)) / GRID
  return Float32Array.from({ length: 2 * GRID * GRID }, (_, k) =>
    at(k % 2 === 0 ? (k >> 1) % GRID : Math.floor((k >> 1) / GRID)),
  )
}
