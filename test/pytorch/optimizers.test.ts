import { beforeAll, describe, expect, test } from 'vitest'
import { compile, init, losses, nn, optim, type Tensor, tensor } from '../../src/index.ts'
import { readSafetensors, writeSafetensors } from '../../src/io/index.ts'
import { both, length, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import {
  type Arrays,
  array,
  expectAccurate,
  fixture,
  recordAccuracy,
  relativeError,
  under,
} from '../helpers/pytorch.ts'

beforeAll(() => init())
recordAccuracy('optimizers')
covers('adagrad', 'adam', 'lion', 'muon', 'optimizer', 'rprop', 'sgd')

const arrays = fixture('optimizers')

type Make = (params: nn.Parameter[]) => optim.Optimizer

/** Case of the fixture, the optimizer, and whether it climbs. Signs and quotients of small numbers make some
 *  losses and parameters less certain than others: the bound of their relative error in units of 2^-24. */
const cases: [string, Make, { climbs?: boolean; weights?: boolean; bound?: number }?][] = [
  ['SGD', (p) => new optim.SGD(p, { lr: 0.1 })],
  ['SGD momentum', (p) => new optim.SGD(p, { lr: 0.05, momentum: 0.9, weightDecay: 0.01 })],
  ['SGD dampening', (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.8, dampening: 0.3 })],
  ['SGD nesterov', (p) => new optim.SGD(p, { lr: 0.05, momentum: 0.9, nesterov: true })],
  ['SGD maximize', (p) => new optim.SGD(p, { lr: 0.05, momentum: 0.5, maximize: true }), { climbs: true }],
  ['Adam', (p) => new optim.Adam(p)],
  ['Adam decay', (p) => new optim.Adam(p, { lr: 0.02, betas: [0.8, 0.95], eps: 1e-6, weightDecay: 0.05 })],
  ['Adam amsgrad', (p) => new optim.Adam(p, { lr: 0.05, betas: [0.9, 0.5], amsgrad: true })],
  ['Adam maximize', (p) => new optim.Adam(p, { lr: 0.02, maximize: true }), { climbs: true }],
  ['AdamW', (p) => new optim.AdamW(p)],
  ['AdamW decay', (p) => new optim.AdamW(p, { lr: 0.03, weightDecay: 0.2 })],
  [
    'AdamW amsgrad',
    (p) => new optim.AdamW(p, { lr: 0.05, betas: [0.9, 0.5], amsgrad: true, maximize: true }),
    { climbs: true },
  ],
  ['NAdam', (p) => new optim.NAdam(p)],
  ['NAdam decay', (p) => new optim.NAdam(p, { lr: 0.02, betas: [0.8, 0.99], weightDecay: 0.1, momentumDecay: 0.1 })],
  ['RAdam', (p) => new optim.RAdam(p)],
  ['RAdam decay', (p) => new optim.RAdam(p, { lr: 0.02, betas: [0.8, 0.9], weightDecay: 0.1 })],
  ['Adamax', (p) => new optim.Adamax(p)],
  ['Adamax decay', (p) => new optim.Adamax(p, { lr: 0.03, betas: [0.8, 0.9], weightDecay: 0.1 })],
  ['Adagrad', (p) => new optim.Adagrad(p)],
  [
    'Adagrad decay',
    (p) => new optim.Adagrad(p, { lr: 0.1, lrDecay: 0.1, weightDecay: 0.05, initialAccumulatorValue: 0.2 }),
  ],
  ['Adadelta', (p) => new optim.Adadelta(p)],
  ['Adadelta rho', (p) => new optim.Adadelta(p, { lr: 0.5, rho: 0.7, eps: 1e-4, weightDecay: 0.1 })],
  ['RMSprop', (p) => new optim.RMSprop(p)],
  [
    'RMSprop centered',
    (p) => new optim.RMSprop(p, { lr: 0.005, alpha: 0.9, momentum: 0.5, centered: true, weightDecay: 0.1 }),
  ],
  ['RMSprop momentum', (p) => new optim.RMSprop(p, { lr: 0.005, momentum: 0.9 })],
  [
    'RMSprop centered alone',
    (p) => new optim.RMSprop(p, { lr: 0.005, centered: true, maximize: true }),
    { climbs: true },
  ],
  ['Rprop', (p) => new optim.Rprop(p)],
  ['Rprop etas', (p) => new optim.Rprop(p, { lr: 0.03, etas: [0.3, 1.4], stepSizes: [1e-3, 0.08] })],
  ['Lion', (p) => new optim.Lion(p)],
  ['Lion decay', (p) => new optim.Lion(p, { lr: 0.01, betas: [0.8, 0.9], weightDecay: 0.3 })],
  ['Muon', (p) => new optim.Muon(p), { weights: true }],
  [
    'Muon plain',
    (p) => new optim.Muon(p, { lr: 0.05, momentum: 0.8, nesterov: false, weightDecay: 0 }),
    { weights: true },
  ],
  ['Muon rms', (p) => new optim.Muon(p, { lr: 0.02, nsSteps: 3, adjustLrFn: 'match_rms_adamw' }), { weights: true }],
]

const network = (): nn.Module & { parameters(): nn.Parameter[] } => {
  const net = new nn.Sequential(new nn.Linear(6, 9), new nn.Tanh(), new nn.Linear(9, 3))
  net.loadStateDict(under(arrays, 'net'))
  return net
}

/** Twelve steps: their losses, and the parameters after. `between(i)` is called before step i. */
function train(
  make: Make,
  { climbs = false, weights = false, compiled = true }: { climbs?: boolean; weights?: boolean; compiled?: boolean },
): { losses: number[]; after: Arrays } {
  const net = network()
  const optimizer = make(weights ? net.parameters().filter((p) => p.ndim === 2) : net.parameters())
  const x = tensor(array(arrays, 'x'))
  const target = tensor(array(arrays, 'target'))
  const body = (): Tensor => {
    const loss = losses.mse(net.forward(x) as Tensor, target)
    optimizer.minimize(climbs ? loss.neg() : loss)
    return loss
  }
  const step = compiled ? compile(body) : body
  const values = Array.from({ length: 12 }, () => step().item())
  return { losses: values, after: net.stateDict() }
}

describe.each(cases)('%s', (name, make, { bound = 16, ...how } = {}) => {
  test('follows PyTorch, compiled as eager', () => {
    const compiled = train(make, how)
    expect(train(make, { ...how, compiled: false })).toEqual(compiled)
    const entry = { kind: 'optimizers', name: name.split(' ')[0] as string, part: 'training' }
    for (const [i, expected] of [...array(arrays, `${name}/losses`).data].entries()) {
      const error = Math.abs((compiled.losses[i] as number) / expected - 1)
      expectAccurate({ ...entry, error }, bound * 2 ** -24, `${name} loss ${i}`)
    }
    for (const [key, expected] of Object.entries(under(arrays, `${name}/after`))) {
      const error = relativeError(array(compiled.after, key), expected, key)
      expectAccurate({ ...entry, part: 'parameters', error }, bound * 2 ** -24, `${name} ${key}`)
    }
  })

  test('goes on with the same bits from its state dict, and follows freezing', () => {
    const run = (split: boolean, compiled: boolean) => {
      let net = network()
      const params = () => (how.weights ? net.parameters().filter((p) => p.ndim === 2) : net.parameters())
      let optimizer = make(params())
      const x = tensor(array(arrays, 'x'))
      const target = tensor(array(arrays, 'target'))
      const body = (): Tensor => {
        const loss = losses.mse(net.forward(x) as Tensor, target)
        optimizer.minimize(loss)
        return loss
      }
      let step = compiled ? compile(body) : body
      const seen: number[] = []
      for (let i = 0; i < 8; i++) {
        // The first weight is left out in steps 2 and 3.
        if (i === 2 || i === 4) (net.parameters()[0] as nn.Parameter).requiresGrad = i === 4
        if (i === 5 && split) {
          const { state, paramGroups } = optimizer.stateDict()
          const file = writeSafetensors(state, { paramGroups: JSON.stringify(paramGroups) })
          const weights = net.stateDict()
          net = network()
          net.loadStateDict(weights)
          optimizer = make(params())
          const { tensors, metadata } = readSafetensors(file)
          optimizer.loadStateDict({ state: tensors, paramGroups: JSON.parse(metadata.paramGroups as string) })
          step = compiled ? compile(body) : body
        }
        const before = (net.parameters()[0] as nn.Parameter).data()
        seen.push(step().item())
        const moved = String((net.parameters()[0] as nn.Parameter).data()) !== String(before)
        expect(moved, `step ${i}`).toBe(i < 2 || i > 3)
      }
      return { seen, after: net.stateDict() }
    }
    const whole = run(false, true)
    expect(run(true, true)).toEqual(whole)
    expect(run(true, false)).toEqual(whole)
  })

  test('parts give the bits of the whole', () =>
    sizes([length, odd], (n, m) => {
      const shapes = name.startsWith('Muon') ? [[n, m]] : [[n, m], [m], [30, 31]]
      const parameters = shapes.map((shape) => new nn.Parameter(some(shape).detach()))
      const optimizer = make(parameters)
      for (let step = 0; step < 2; step++) {
        for (const p of parameters) both(p.mul(p))
        optimizer.step()
      }
      optimizer.dispose()
    }))
})
