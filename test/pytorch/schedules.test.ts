import { beforeAll, describe, expect, test } from 'vitest'
import { compile, init, type NDArray, optim, type Tensor, tensor } from '../../src/index.ts'
import { array, expectAccurate, fixture, recordAccuracy } from '../helpers/pytorch.ts'

beforeAll(() => init())
recordAccuracy('schedules')

const arrays = fixture('schedules')
const STEPS = 120

const leaf = (): Tensor => tensor([0], { requiresGrad: true })
const groups = () => [
  { params: [leaf()], lr: 0.1 },
  { params: [leaf()], lr: 0.003 },
]
const sgd = () => new optim.SGD(groups(), { lr: 1, momentum: 0.9 })
const adam = () => new optim.Adam(groups())

const measure = (i: number): number => (i < 40 ? 1 / (1 + 0.05 * i) : 0.4 + 0.01 * Math.floor(i / 7))

type Scheduled = optim.Schedule | optim.ReduceLROnPlateau
const o = optim

const cases: [string, (optimizer: optim.Optimizer) => Scheduled][] = [
  ['StepLR', (x) => new o.StepLR(x, 30)],
  ['StepLR gamma', (x) => new o.StepLR(x, 7, { gamma: 0.8 })],
  ['MultiStepLR', (x) => new o.MultiStepLR(x, [10, 50, 51])],
  ['MultiStepLR twice', (x) => new o.MultiStepLR(x, [5, 5, 90], { gamma: 0.3 })],
  ['ExponentialLR', (x) => new o.ExponentialLR(x, 0.97)],
  ['ConstantLR', (x) => new o.ConstantLR(x)],
  ['ConstantLR long', (x) => new o.ConstantLR(x, { factor: 0.3, totalIters: 40 })],
  ['LinearLR', (x) => new o.LinearLR(x)],
  ['LinearLR down', (x) => new o.LinearLR(x, { startFactor: 0.9, endFactor: 0.05, totalIters: 77 })],
  ['CosineAnnealingLR', (x) => new o.CosineAnnealingLR(x, 110)],
  ['CosineAnnealingLR waves', (x) => new o.CosineAnnealingLR(x, 20, { etaMin: 0.001 })],
  ['CosineAnnealingWarmRestarts', (x) => new o.CosineAnnealingWarmRestarts(x, 15)],
  ['CosineAnnealingWarmRestarts longer', (x) => new o.CosineAnnealingWarmRestarts(x, 10, { tMult: 2, etaMin: 1e-4 })],
  ['PolynomialLR', (x) => new o.PolynomialLR(x)],
  ['PolynomialLR power', (x) => new o.PolynomialLR(x, { totalIters: 100, power: 2.5 })],
  ['LambdaLR', (x) => new o.LambdaLR(x, (e) => 1 / (1 + 0.1 * e))],
  ['LambdaLR each', (x) => new o.LambdaLR(x, [(e) => 0.95 ** e, (e) => 1 + e / 100])],
  ['MultiplicativeLR', (x) => new o.MultiplicativeLR(x, () => 0.98)],
  ['MultiplicativeLR each', (x) => new o.MultiplicativeLR(x, [(e) => 1 - 0.001 * e, () => 1.01])],
  ['OneCycleLR', (x) => new o.OneCycleLR(x, 0.5, { totalSteps: STEPS })],
  [
    'OneCycleLR linear',
    (x) =>
      new o.OneCycleLR(x, [0.5, 0.2], {
        epochs: 13,
        stepsPerEpoch: 10,
        pctStart: 0.4,
        annealStrategy: 'linear',
        threePhase: true,
        divFactor: 10,
        finalDivFactor: 100,
        baseMomentum: 0.7,
        maxMomentum: [0.9, 0.8],
      }),
  ],
  ['OneCycleLR Adam', (x) => new o.OneCycleLR(x, 0.01, { totalSteps: STEPS, threePhase: true })],
  ['OneCycleLR still', (x) => new o.OneCycleLR(x, 0.01, { totalSteps: STEPS, cycleMomentum: false })],
  ['CyclicLR', (x) => new o.CyclicLR(x, 0.001, 0.1, { stepSizeUp: 20 })],
  [
    'CyclicLR triangular2',
    (x) =>
      new o.CyclicLR(x, [0.001, 0.002], [0.1, 0.2], {
        stepSizeUp: 9,
        stepSizeDown: 17,
        mode: 'triangular2',
        baseMomentum: 0.7,
        maxMomentum: 0.95,
      }),
  ],
  [
    'CyclicLR exp_range',
    (x) => new o.CyclicLR(x, 0.001, 0.1, { stepSizeUp: 11, mode: 'exp_range', gamma: 0.99, cycleMomentum: false }),
  ],
  ['CyclicLR own', (x) => new o.CyclicLR(x, 0.001, 0.1, { stepSizeUp: 13, scaleFn: (c) => 1 / c })],
  [
    'SequentialLR',
    (x) => new o.SequentialLR(x, [new o.LinearLR(x, { totalIters: 20 }), new o.CosineAnnealingLR(x, 90)], [20]),
  ],
  [
    'SequentialLR three',
    (x) =>
      new o.SequentialLR(
        x,
        [
          new o.ConstantLR(x, { factor: 0.1, totalIters: 10 }),
          new o.ExponentialLR(x, 0.95),
          new o.StepLR(x, 10, { gamma: 0.5 }),
        ],
        [15, 60],
      ),
  ],
  [
    'SequentialLR restarts',
    (x) =>
      new o.SequentialLR(
        x,
        [
          new o.LinearLR(x, { startFactor: 0.01, totalIters: 10 }),
          new o.CosineAnnealingWarmRestarts(x, 15, { tMult: 2 }),
        ],
        [10],
      ),
  ],
  [
    'ChainedScheduler',
    (x) => new o.ChainedScheduler([new o.ConstantLR(x, { factor: 0.1, totalIters: 20 }), new o.ExponentialLR(x, 0.97)]),
  ],
  [
    'ChainedScheduler three',
    (x) =>
      new o.ChainedScheduler([
        new o.LinearLR(x, { startFactor: 0.2, totalIters: 30 }),
        new o.CosineAnnealingLR(x, 100),
        new o.MultiStepLR(x, [50]),
      ]),
  ],
  ['ReduceLROnPlateau', (x) => new o.ReduceLROnPlateau(x)],
  [
    'ReduceLROnPlateau cooldown',
    (x) =>
      new o.ReduceLROnPlateau(x, {
        factor: 0.5,
        patience: 3,
        threshold: 0.01,
        thresholdMode: 'abs',
        cooldown: 4,
        minLr: [0.01, 0.0005],
      }),
  ],
  ['ReduceLROnPlateau max', (x) => new o.ReduceLROnPlateau(x, { mode: 'max', patience: 5, eps: 1e-3 })],
  [
    'ReduceLROnPlateau max abs',
    (x) => new o.ReduceLROnPlateau(x, { mode: 'max', factor: 0.7, patience: 5, thresholdMode: 'abs' }),
  ],
]

const doubles = ({ data }: NDArray): Float64Array => new Float64Array(Int32Array.from(data).buffer)

const advance = (schedule: Scheduled, i: number): void =>
  schedule instanceof o.ReduceLROnPlateau ? schedule.step(measure(i)) : schedule.step()

describe.each(cases)('%s', (name, make) => {
  const start = () => (name.includes('Adam') || name.includes('exp_range') ? adam() : sgd())

  test('follows PyTorch to the rounding, and goes on from its state dict', () => {
    let optimizer: optim.Optimizer = start()
    let schedule = make(optimizer)
    const rates = doubles(array(arrays, `${name}/lr`))
    const momenta = arrays[`${name}/momentum`] && doubles(array(arrays, `${name}/momentum`))
    let error = 0
    // Near the end of a fall, what is left is the rounding of the numbers it came from.
    const compare = (ours: number, theirs: number, size: number): void => {
      expect(Number.isFinite(ours)).toBe(true)
      error = Math.max(error, Math.abs(ours - theirs) / size)
    }
    for (let i = 0; i < STEPS; i++) {
      schedule.getLastLr().forEach((lr, g) => {
        compare(
          lr,
          rates[2 * i + g] as number,
          rates.reduce((a, b, k) => (k % 2 === g ? Math.max(a, b) : a), 0),
        )
      })
      if (momenta)
        optimizer.paramGroups.forEach((group, g) => {
          compare(group.momentum ?? group.betas?.[0] ?? Number.NaN, momenta[2 * i + g] as number, 1)
        })
      if (i === 47) {
        const saved = JSON.stringify([optimizer.stateDict().paramGroups, schedule.stateDict()])
        const { state } = optimizer.stateDict()
        optimizer = start()
        schedule = make(optimizer)
        const [paramGroups, own] = JSON.parse(saved)
        optimizer.loadStateDict({ state, paramGroups })
        schedule.loadStateDict(own)
      }
      if (i < STEPS - 1) advance(schedule, i)
    }
    expectAccurate({ kind: 'schedules', name: name.split(' ')[0] as string, part: 'rates', error }, 2 ** -50, name)
  })
})

test('a compiled step follows a schedule without a new trace', () => {
  const p = tensor([1], { requiresGrad: true })
  const optimizer = new optim.SGD([p], { lr: 1 })
  const schedule = new optim.LambdaLR(optimizer, (step) => 2 ** -step)
  let traced = 0
  const step = compile(() => {
    traced++
    optimizer.minimize(p.sum())
  })
  for (let i = 0; i < 4; i++) {
    step()
    schedule.step()
  }
  expect(p.item()).toBe(1 - 1 - 0.5 - 0.25 - 0.125)
  expect(traced).toBe(1)
})

test('bad options and states are named', () => {
  const x = sgd()
  const bad: [() => unknown, RegExp][] = [
    [() => new o.StepLR({} as optim.Optimizer, 3), /^optim.StepLR: optimizer is object/],
    [() => new o.StepLR(x, 0), /^optim.StepLR: stepSize is 0, expected a whole number >= 1/],
    [() => new o.StepLR(x, 2, { gama: 1 } as object), /^optim.StepLR: unknown option gama/],
    [() => new o.LinearLR(x, { startFactor: 2 }), /^optim.LinearLR: startFactor is 2/],
    [() => new o.LambdaLR(x, [() => 1]), /^optim.LambdaLR: lrLambda has 1 values, expected 2/],
    [() => new o.OneCycleLR(x, 1), /^optim.OneCycleLR: expected totalSteps, or epochs and stepsPerEpoch/],
    [() => new o.CyclicLR(adam(), 0.1, 1), /^optim.CyclicLR: cycleMomentum needs an optimizer with momentum/],
    [() => new o.SequentialLR(x, [new o.LinearLR(sgd())], []), /^optim.SequentialLR: schedule 0 belongs to another/],
    [() => new o.ReduceLROnPlateau(x, { factor: 1 }), /^optim.ReduceLROnPlateau: factor is 1/],
    [
      () => new o.StepLR(x, 2).loadStateDict({ lastEpoch: 'x', more: 1, baseLrs: [1] }),
      /lastEpoch is 'x', expected a number; baseLrs has 1 values, expected 2; unexpected more$/,
    ],
  ]
  for (const [make, message] of bad) expect(make).toThrow(message)
  const short = new o.OneCycleLR(x, 1, { totalSteps: 2 })
  short.step()
  short.step()
  expect(() => short.step()).toThrow(/^optim.OneCycleLR: step 4 of a schedule of 2 steps/)
})
