import { beforeAll, describe, expect, test } from 'vitest'
import { compile, init, losses, nn, optim, type Tensor, tensor } from '../../src/index.ts'
import { readSafetensors, writeSafetensors } from '../../src/io/index.ts'
import { array, expectAccurate, fixture, recordAccuracy, relativeError, under } from '../helpers/pytorch.ts'

beforeAll(() => init())
recordAccuracy('lbfgs')

const arrays = fixture('lbfgs')
const STEPS = 10

interface Problem {
  model: nn.Module
  loss: () => Tensor
}

const network = (): Problem => {
  const model = new nn.Sequential(new nn.Linear(5, 8), new nn.Tanh(), new nn.Linear(8, 3))
  model.loadStateDict(under(arrays, 'net'))
  const [x, target] = [tensor(array(arrays, 'x')), tensor(array(arrays, 'target'))]
  return { model, loss: () => losses.mse(model.forward(x) as Tensor, target) }
}

/** (1 - x)² + 100 (y - x²)² from (0, 0). */
class Rosenbrock extends nn.Module {
  readonly p = new nn.Parameter(tensor([0, 0]))

  forward(): Tensor {
    const [x, y] = [this.p.select(0, 0), this.p.select(0, 1)]
    return x
      .neg()
      .add(1)
      .pow(2)
      .add(y.sub(x.pow(2)).pow(2).mul(100))
      .sum()
  }
}
const rosenbrock = (): Problem => {
  const model = new Rosenbrock()
  return { model, loss: () => model.forward() }
}

/** Zero, forward, backward. */
const closureOf = ({ loss }: Problem, optimizer: optim.LBFGS): (() => Tensor) => {
  return () => {
    optimizer.zeroGrad()
    const value = loss()
    value.backward()
    return value
  }
}

const cases: [string, () => Problem, optim.LBFGSOptions][] = [
  ['network', network, { lr: 0.5, maxIter: 3, historySize: 4 }],
  ['network wolfe', network, { maxIter: 4, lineSearch: 'strongWolfe' }],
  ['network evaluations', network, { lr: 0.25, maxIter: 6, maxEval: 4, historySize: 2 }],
  ['rosenbrock', rosenbrock, { lr: 0.5, maxIter: 3, historySize: 4 }],
  ['rosenbrock wolfe', rosenbrock, { maxIter: 4, lineSearch: 'strongWolfe' }],
  ['rosenbrock long wolfe', rosenbrock, { lr: 8, maxIter: 2, historySize: 3, lineSearch: 'strongWolfe' }],
]

describe.each(cases)('LBFGS %s', (name, make, options) => {
  const train = ({ compiled = false, split = -1 } = {}) => {
    let problem = make()
    let optimizer = new optim.LBFGS(problem.model.parameters(), options)
    const wrap = (closure: () => Tensor): (() => Tensor) => (compiled ? compile(closure) : closure)
    let closure = wrap(closureOf(problem, optimizer))
    const seen: number[] = []
    for (let i = 0; i < STEPS; i++) {
      if (i === split) {
        const { state, paramGroups } = optimizer.stateDict()
        const file = writeSafetensors(state, { paramGroups: JSON.stringify(paramGroups) })
        const weights = problem.model.stateDict()
        problem = make()
        problem.model.loadStateDict(weights)
        optimizer = new optim.LBFGS(problem.model.parameters(), options)
        const { tensors, metadata } = readSafetensors(file)
        optimizer.loadStateDict({ state: tensors, paramGroups: JSON.parse(metadata.paramGroups as string) })
        closure = wrap(closureOf(problem, optimizer))
      }
      seen.push(optimizer.step(closure))
    }
    return { seen, after: problem.model.stateDict(), state: optimizer.stateDict() }
  }

  test('follows PyTorch, with a compiled closure, and on from its state dict', () => {
    const eager = train()
    // Each iteration divides by differences of gradients, which magnifies roundings: PyTorch's own error in float32
    // is the measure, with room for other roundings than its.
    const own = array(arrays, `${name}/float32`).data as Float32Array
    const [lossBound, bound] = [...own].map((error) => 4 * (error + 2 ** -22)) as [number, number]
    const entry = { kind: 'optimizers', name: 'LBFGS' }
    const expected = array(arrays, `${name}/losses`)
    const seen = { shape: [STEPS], data: Float32Array.from(eager.seen) }
    expect(relativeError(seen, expected, 'losses')).toBeLessThanOrEqual(lossBound)
    // Rosenbrock's losses fall to the rounding of their terms: nothing is relative to them.
    if (make === network)
      expected.data.forEach((value, i) => {
        const error = Math.abs((eager.seen[i] as number) / value - 1)
        expectAccurate({ ...entry, part: 'training', error }, 4 * lossBound, `${name} loss ${i}`)
      })
    for (const [key, value] of Object.entries(under(arrays, `${name}/after`))) {
      const error = relativeError(array(eager.after, key), value, key)
      expectAccurate({ ...entry, part: 'parameters', error }, bound, `${name} ${key}`)
    }
    expect(train({ compiled: true })).toEqual(eager)
    expect(train({ split: 0 })).toEqual(eager)
    expect(train({ split: 4 })).toEqual(eager)
  })
})

describe('LBFGS', () => {
  test('leaves frozen parameters alone, and starts afresh when they thaw', () => {
    const problem = network()
    const [weight] = problem.model.parameters() as [nn.Parameter]
    const optimizer = new optim.LBFGS(problem.model.parameters(), { lineSearch: 'strongWolfe', maxIter: 3 })
    const closure = closureOf(problem, optimizer)
    optimizer.step(closure)
    weight.requiresGrad = false
    const frozen = weight.data()
    const seen = [0, 1].map(() => optimizer.step(closure))
    expect(weight.data()).toEqual(frozen)
    expect(optimizer.stateDict().state['0.with_grad']?.data).toEqual(Uint8Array.of(0, 1, 1, 1))
    weight.requiresGrad = true
    seen.push(...[0, 1, 2].map(() => optimizer.step(closure)))
    expect(weight.data()).not.toEqual(frozen)
    expect(seen).toEqual([...seen].sort((a, b) => b - a))
  })

  test('what is not finite, or thrown by the closure, changes nothing', () => {
    const problem = network()
    const optimizer = new optim.LBFGS(problem.model.parameters(), { maxIter: 4 })
    const closure = closureOf(problem, optimizer)
    optimizer.step(closure)
    const before = [problem.model.stateDict(), optimizer.stateDict()]
    let calls = 0
    const failsAtThird =
      (fail: () => Tensor): (() => Tensor) =>
      () =>
        ++calls % 3 === 0 ? fail() : closure()
    const bad: [() => Tensor, RegExp][] = [
      [() => tensor([Number.NaN]), /^optim.LBFGS: the loss is not finite; lower lr/],
      [
        () => {
          const loss = closure()
          ;(problem.model.parameters()[0] as Tensor).grad?.copyFrom(new Float32Array(40).fill(Infinity))
          return loss
        },
        /^optim.LBFGS: the gradient is not finite/,
      ],
      [
        () => {
          const loss = problem.loss().mul(Infinity)
          loss.backward()
          return loss
        },
        /^backward: the loss is not finite/,
      ],
      [
        () => {
          throw new Error('no more data')
        },
        /^no more data$/,
      ],
    ]
    for (const [fail, message] of bad) {
      expect(() => optimizer.step(failsAtThird(fail))).toThrow(message)
      expect([problem.model.stateDict(), optimizer.stateDict()]).toEqual(before)
    }
    expect(calls).toBe(12)
  })

  test('says what is wrong', () => {
    const problem = network()
    const params = problem.model.parameters()
    const make = (options: object) => () => new optim.LBFGS(params, options)
    expect(make({ lineSearch: 'strong_wolfe' })).toThrow(/lineSearch is 'strong_wolfe', expected null or 'strongWolfe'/)
    expect(make({ maxIter: 2.5 })).toThrow(/maxIter is 2.5, expected a whole number/)
    expect(make({ historySize: 0 })).toThrow(/historySize is 0, expected a whole number >= 1/)
    expect(make({ momentum: 0 })).toThrow(/^optim.LBFGS: unknown option momentum/)
    const [p, q] = params as [nn.Parameter, nn.Parameter]
    expect(() => new optim.LBFGS([{ params: [p] }, { params: [q] }])).toThrow(/^optim.LBFGS: got another group/)
    const optimizer = new optim.LBFGS([{ params: [p], lr: 0.5 }])
    expect(optimizer.lr).toBe(0.5)
    expect(() => optimizer.addParamGroup({ params: [q] })).toThrow(/^optim.LBFGS: got another group/)
    expect(() => optimizer.step(undefined as never)).toThrow(/^optim.LBFGS: closure is undefined, expected a function/)
    expect(() => optimizer.step(() => 1 as never)).toThrow(
      /^optim.LBFGS: the closure returned number, expected the loss/,
    )
    expect(() => optimizer.step(problem.loss)).toThrow(/^optim.LBFGS: no parameter has a gradient after the closure/)
    const step = compile(() => {
      optimizer.step(problem.loss)
    })
    expect(() => step()).toThrow(/^optim.LBFGS: step while compile\(\) traces; call it outside/)
    const { state, paramGroups } = optimizer.stateDict()
    const more = { ...state, '0.old_dirs': { shape: [2, 3], data: new Float32Array(6) } }
    expect(() => optimizer.loadStateDict({ state: more, paramGroups })).toThrow(
      /missing 0.t \[\]; missing 0.d \[40\]; .*0.old_dirs has shape \[2, 3\], expected \[2, 40\]; missing 0.old_stps \[2, 40\]/,
    )
    optimizer.dispose()
    expect(() => optimizer.step(problem.loss)).toThrow(/^optim.LBFGS: step after dispose/)
  })

  test('follows a schedule', () => {
    const optimizer = new optim.LBFGS(network().model.parameters())
    const schedule = new optim.ExponentialLR(optimizer, 0.5)
    schedule.step()
    expect(optimizer.lr).toBe(0.5)
  })
})

describe('clipping and averages follow PyTorch', () => {
  const clipped = (clip: (parameters: nn.Parameter[]) => unknown, name: string, as: string, bound: number) => {
    const { model, loss } = network()
    loss().backward()
    clip(model.parameters())
    for (const [key, p] of model.namedParameters()) {
      const grad = { shape: p.shape, data: (p.grad as Tensor).data() }
      const error = relativeError(grad, array(arrays, `${name}/${key}`), key)
      expectAccurate({ kind: 'optimizers', name: as, part: 'gradients', error }, bound * 2 ** -24, `${name} ${key}`)
    }
  }

  test.each([
    [1, '1'],
    [2, '2'],
    [Infinity, 'inf'],
  ])('clipGradNorm p %s', (p, key) => {
    clipped(
      (parameters) => {
        const norm = optim.clipGradNorm(parameters, 0.05, { p })
        const error = Math.abs(norm.item() / (array(arrays, `clip ${key}/norm`).data[0] as number) - 1)
        expectAccurate({ kind: 'optimizers', name: 'clipGradNorm', part: 'norm', error }, 8 * 2 ** -24, key)
      },
      `clip ${key}`,
      'clipGradNorm',
      16,
    )
  })

  test('clipGradValue', () => {
    clipped((parameters) => optim.clipGradValue(parameters, 0.02), 'clip value', 'clipGradValue', 16)
  })

  test('ExponentialMovingAverage', () => {
    const { model, loss } = network()
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.2 })
    const average = new optim.ExponentialMovingAverage(model.parameters(), { decay: 0.8 })
    const step = compile(() => {
      optimizer.minimize(loss())
      average.update()
    })
    for (let i = 0; i < 8; i++) step()
    average.copyTo()
    for (const [key, p] of model.namedParameters()) {
      const error = relativeError({ shape: p.shape, data: p.data() }, array(arrays, `average/${key}`), key)
      const entry = { kind: 'optimizers', name: 'ExponentialMovingAverage', part: 'averages', error }
      expectAccurate(entry, 16 * 2 ** -24, key)
    }
  })
})
