// node resume.mjs THREADS STOPS: trainings that are stopped after a random batch and go on in new objects, against those that
// never stop. Prints how many ended with the same bits, and exits with 1 where one did not.

import { compile, DataLoader, getRngState, init, losses, manualSeed, nn, optim, TensorDataset, threads } from 'lanewise'
import { WeightedSampler } from 'lanewise/data'
import { loadCheckpoint, memoryStore, saveCheckpoint } from 'lanewise/train'

const [crew, stops] = process.argv.slice(2).map(Number)
await init({ threads: crew })
const N = 96
const SIZE = 8
const EPOCHS = 2
const draw = (i) => Math.sin(12.9898 * (i + 1)) * 43758.5453
const numbers = (count, from) =>
  Float32Array.from({ length: count }, (_, i) => draw(i + from) - Math.floor(draw(i + from)))
const data = new TensorDataset(
  { shape: [N, 24], data: numbers(N * 24, 0) },
  { shape: [N], data: Int32Array.from(numbers(N, 1e4), (x) => Math.floor(3 * x)) },
)
const weights = numbers(N, 2e4)

const optimizers = {
  adam: (parameters) => new optim.Adam(parameters, { lr: 0.01 }),
  sgd: (parameters) => new optim.SGD(parameters, { lr: 0.05, momentum: 0.9, nesterov: true }),
}

/** All that changes while training, anew. */
function make(kind, sampling) {
  manualSeed(7)
  const model = new nn.Sequential(
    new nn.Linear(24, 200),
    new nn.BatchNorm1d(200),
    new nn.ReLU(),
    new nn.Dropout(0.4),
    new nn.Linear(200, 3),
  )
  const optimizer = optimizers[kind](model.parameters())
  const loader = new DataLoader(data, {
    batchSize: SIZE,
    seed: 3,
    ...(sampling === 'weighted' ? { sampler: new WeightedSampler(weights) } : { shuffle: true }),
    transform: ([x, y], below) => [{ ...x, data: x.data.map((v) => v + below(5) / 100) }, y],
  })
  const schedule = new optim.OneCycleLR(optimizer, 0.02, { totalSteps: EPOCHS * loader.length })
  const ema = new optim.ExponentialMovingAverage(model.parameters(), { decay: 0.9 })
  const step = compile((x, y) => {
    const loss = losses.crossEntropy(model.forward(x), y)
    optimizer.minimize(loss)
    ema.update()
    return loss
  })
  return { parts: { model, optimizer, loader, schedule, ema }, step }
}

/** Trains to the end, or until `steps` were made. */
function train({ parts: { loader, schedule }, step }, steps, done = 0) {
  while (done < EPOCHS * loader.length)
    for (const [x, y] of loader) {
      step(x, y)
      schedule.step()
      if (++done === steps) return done
    }
  return done
}

const bits = (value) =>
  JSON.stringify(value, (_, item) =>
    ArrayBuffer.isView(item) ? Buffer.from(item.buffer, item.byteOffset, item.byteLength).toString('base64') : item,
  )
const result = ({ parts }) =>
  bits({
    ...Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.stateDict()])),
    rng: getRngState(),
  })

let same = 0
let tried = 0
for (const kind of Object.keys(optimizers))
  for (const sampling of ['shuffled', 'weighted']) {
    const whole = make(kind, sampling)
    const steps = train(whole, Number.POSITIVE_INFINITY)
    const expected = result(whole)
    for (let i = 0; i < stops; i++) {
      // Any of them, other ones in each run of the test.
      const stop = 1 + Math.floor(Math.random() * (steps - 1))
      const store = memoryStore()
      const first = make(kind, sampling)
      await saveCheckpoint(store, first.parts, { step: train(first, stop) })
      const second = make(kind, sampling)
      const { step } = await loadCheckpoint(store, second.parts)
      train(second, Number.POSITIVE_INFINITY, step)
      tried++
      if (result(second) === expected) same++
      else console.log(`${kind}, ${sampling}: stopped after ${stop} of ${steps} steps, other bits`)
    }
  }
console.log(`${same} of ${tried} resumed with the same bits, with ${threads().count} threads`)
process.exit(same === tried && tried > 0 ? 0 : 1)
