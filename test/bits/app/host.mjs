// What the host computes and must be the same everywhere: the rates of every schedule, the values of every initializer,
// tables, the fits of lanewise/learn. test/bits.test.ts holds these lists against what the package exports.

import { numbers, sha256 } from './models.mjs'

const STEPS = 300

/** For each schedule one that goes with `optimizer`. `optim` is the package's. */
export const schedules = {
  StepLR: (optim, optimizer) => new optim.StepLR(optimizer, 7, { gamma: 0.93 }),
  MultiStepLR: (optim, optimizer) => new optim.MultiStepLR(optimizer, [3, 50, 50, 200], { gamma: 0.3 }),
  ExponentialLR: (optim, optimizer) => new optim.ExponentialLR(optimizer, 0.95),
  ConstantLR: (optim, optimizer) => new optim.ConstantLR(optimizer, { factor: 0.3, totalIters: 40 }),
  LinearLR: (optim, optimizer) => new optim.LinearLR(optimizer, { startFactor: 0.1, totalIters: 70 }),
  CosineAnnealingLR: (optim, optimizer) => new optim.CosineAnnealingLR(optimizer, 37, { etaMin: 1e-3 }),
  CosineAnnealingWarmRestarts: (optim, optimizer) => new optim.CosineAnnealingWarmRestarts(optimizer, 11, { tMult: 2 }),
  PolynomialLR: (optim, optimizer) => new optim.PolynomialLR(optimizer, { totalIters: 280, power: 0.9 }),
  LambdaLR: (optim, optimizer) => new optim.LambdaLR(optimizer, (t) => 1 / (1 + t)),
  MultiplicativeLR: (optim, optimizer) => new optim.MultiplicativeLR(optimizer, (t) => 1 - 0.1 / (1 + t)),
  SequentialLR: (optim, optimizer) =>
    new optim.SequentialLR(
      optimizer,
      [new optim.LinearLR(optimizer, { totalIters: 30 }), new optim.CosineAnnealingLR(optimizer, 90)],
      [30],
    ),
  ChainedScheduler: (optim, optimizer) =>
    new optim.ChainedScheduler([new optim.ExponentialLR(optimizer, 0.97), new optim.StepLR(optimizer, 9)]),
  OneCycleLR: (optim, optimizer) => new optim.OneCycleLR(optimizer, 0.3, { totalSteps: STEPS + 1 }),
  CyclicLR: (optim, optimizer) =>
    new optim.CyclicLR(optimizer, 0.01, 0.2, { stepSizeUp: 13, mode: 'exp_range', gamma: 0.99 }),
  ReduceLROnPlateau: (optim, optimizer) => {
    const schedule = new optim.ReduceLROnPlateau(optimizer, { factor: 0.7, patience: 3 })
    return { step: () => schedule.step(1) }
  },
}

/** The rates of 300 steps of each schedule. */
function* rates({ optim, tensor }) {
  for (const make of Object.values(schedules)) {
    const optimizer = new optim.SGD([tensor([1], { requiresGrad: true })], { lr: 0.1, momentum: 0.9 })
    const schedule = make(optim, optimizer)
    for (let step = 0; step < STEPS; step++) {
      schedule.step()
      yield optimizer.paramGroups[0].lr
      yield optimizer.paramGroups[0].momentum
    }
  }
}

/** For each initializer one that fills a weight. */
export const initializers = {
  uniform: (init, x) => init.uniform(x, { a: -0.3, b: 0.7 }),
  normal: (init, x) => init.normal(x, { mean: 0.1, std: 0.7 }),
  constant: (init, x) => init.constant(x, 0.3),
  ones: (init, x) => init.ones(x),
  zeros: (init, x) => init.zeros(x),
  eye: (init, x) => init.eye(x),
  dirac: (init, x) => init.dirac(x.reshape([37, 1, 53])),
  xavierUniform: (init, x) => init.xavierUniform(x, { gain: init.calculateGain('relu') }),
  xavierNormal: (init, x) => init.xavierNormal(x),
  kaimingUniform: (init, x) => init.kaimingUniform(x, { a: 0.3 }),
  kaimingNormal: (init, x) => init.kaimingNormal(x, { mode: 'fanOut', nonlinearity: 'tanh' }),
  truncNormal: (init, x) => init.truncNormal(x, { std: 0.4, a: 0.5, b: 0.9 }),
  orthogonal: (init, x) => init.orthogonal(x, { gain: 0.9 }),
  sparse: (init, x) => init.sparse(x, { sparsity: 0.3 }),
}

function* weights({ nn, zeros }) {
  for (const fill of Object.values(initializers)) yield fill(nn.init, zeros([37, 53])).data()
}

function* tables({ nn }) {
  const rotary = new nn.RotaryEmbedding(26, { maxLength: 3000 })
  yield rotary.cosines.data()
  yield rotary.sines.data()
}

/** Every number of a value, in the order of its keys. */
function* numbersOf(value) {
  if (typeof value === 'number') yield value
  else if (ArrayBuffer.isView(value)) yield* value
  else if (typeof value?.data === 'function') yield* value.data()
  else if (typeof value === 'object' && value !== null)
    for (const key of Object.keys(value).sort()) yield* numbersOf(value[key])
}

/** The SHA-256 of each of these. `lanewise` and `learn` are the package's entries, after init. */
export async function host(lanewise, learn) {
  const { manualSeed } = lanewise
  const x = numbers([120, 3], 3)
  // Three heaps, so that fits have something to find.
  x.data.forEach((value, i) => {
    x.data[i] = value + 3 * (Math.floor(i / 3) % 3)
  })
  const labels = { data: Int32Array.from({ length: 120 }, (_, i) => (i + (i % 7 === 0 ? 1 : 0)) % 3), shape: [120] }
  const found = {
    schedules: () => rates(lanewise),
    initializers: () => weights(lanewise),
    tables: () => tables(lanewise),
    kMeans: () => learn.kMeans(x, 3),
    gaussianMixture: () => learn.gaussianMixture(x, 3),
    logisticRegression: () => learn.logisticRegression(x, labels, { ridge: 0.1 }),
    pca: () => learn.pca(x, 2),
  }
  const hashes = {}
  for (const [name, make] of Object.entries(found)) {
    manualSeed(11)
    const made = make()
    hashes[name] = await sha256([Float64Array.from(numbersOf(typeof made.next === 'function' ? [...made] : made))])
  }
  return hashes
}
