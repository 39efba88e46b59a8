// What is around optimizers: clipping, accumulation, averages of weights, groups, state dicts.

import { inspect } from 'node:util'
import { beforeAll, describe, expect, test } from 'vitest'
import { compile, init, losses, manualSeed, mul, nn, optim, sum, type Tensor, tensor } from '../src/index.ts'
import { numbers } from './helpers/check.ts'
import { both, length, odd, sizes, some } from './helpers/drawn.ts'
import { covers } from './helpers/guard.ts'

beforeAll(() => init())
covers('average', 'clip')

const network = (): nn.Sequential => {
  manualSeed(3)
  return new nn.Sequential(new nn.Linear(5, 7), new nn.Tanh(), new nn.Linear(7, 3))
}
const x = { shape: [4, 5], data: numbers(20, 1) }
const y = { shape: [4, 3], data: numbers(12, 2) }
const lossOf = (net: nn.Sequential, input: Tensor, target: Tensor): Tensor =>
  losses.mse(net.forward(input) as Tensor, target)
const gradients = (net: nn.Module): number[][] => net.parameters().map(({ grad }) => [...(grad?.data() ?? [])])

describe('clipGradNorm', () => {
  test.each([1, 2, Infinity])(
    'p %s scales to the norm, the same with and without an optimizer, eager and compiled',
    (p) => {
      const runs = [false, true].flatMap((flat) =>
        [false, true].map((compiled) => {
          const net = network()
          const optimizer = flat ? new optim.SGD(net.parameters(), { lr: 0 }) : null
          const body = (input: Tensor, target: Tensor): Tensor => {
            for (const q of net.parameters()) q.grad = null
            lossOf(net, input, target).backward()
            return optim.clipGradNorm(net.parameters(), 0.05, { p })
          }
          const norm = (compiled ? compile(body) : body)(tensor(x), tensor(y)).item()
          const plain = network()
          lossOf(plain, tensor(x), tensor(y)).backward()
          const all = gradients(plain).flat()
          const expected =
            p === 1
              ? all.reduce((s, g) => s + Math.abs(g), 0)
              : p === 2
                ? Math.sqrt(all.reduce((s, g) => s + g * g, 0))
                : Math.max(...all.map(Math.abs))
          expect(Math.abs(norm / expected - 1)).toBeLessThanOrEqual(2 ** -24)
          const clipped = gradients(net).flat()
          clipped.forEach((g, i) => {
            const e = ((all[i] as number) * 0.05) / (norm + 1e-6)
            expect(Math.abs(g - e)).toBeLessThanOrEqual(3 * 2 ** -24 * Math.abs(e))
          })
          optimizer?.dispose()
          return [norm, ...clipped]
        }),
      )
      for (const run of runs) expect(run).toEqual(runs[0])
    },
  )

  test('leaves short gradients alone, ignores missing ones, and says what is wrong', () => {
    const p = tensor([3, 4], { requiresGrad: true })
    p.grad = tensor([3, 4])
    expect(optim.clipGradNorm([p, tensor([1], { requiresGrad: true })], 6).item()).toBe(5)
    expect([...(p.grad?.data() ?? [])]).toEqual([3, 4])
    expect(optim.clipGradNorm([], 1).item()).toBe(0)
    expect(() => optim.clipGradNorm(p, -1)).toThrow(/^optim.clipGradNorm: maxNorm is -1/)
    expect(() => optim.clipGradNorm(p, 1, { p: 3 })).toThrow(/^optim.clipGradNorm: p is 3, expected 1, 2 or Infinity/)
    p.grad = tensor([Number.NaN, 1])
    expect(() => optim.clipGradNorm(p, 1, { errorIfNonfinite: true })).toThrow(
      /the norm of the gradients is not finite/,
    )
    optim.clipGradNorm(p, 1)
    expect([...(p.grad?.data() ?? [])]).toEqual([Number.NaN, Number.NaN])
  })
})

test('clipGradValue limits each element', () => {
  const p = tensor(numbers(37, 5), { requiresGrad: true })
  p.grad = tensor(numbers(37, 6))
  optim.clipGradValue(p, 0.5)
  expect([...(p.grad?.data() ?? [])]).toEqual([...numbers(37, 6)].map((g) => Math.min(0.5, Math.max(-0.5, g))))
  expect(() => optim.clipGradValue(p, -1)).toThrow(/^optim.clipGradValue: value is -1/)
})

test('gradients of several backward calls add up: one program accumulates, one steps', () => {
  const run = (compiled: boolean): unknown => {
    const net = network()
    const optimizer = new optim.AdamW(net.parameters(), { lr: 0.1 })
    const wrap = <T extends (...args: Tensor[]) => unknown>(f: T): T => (compiled ? (compile(f as never) as never) : f)
    const accumulate = wrap((input: Tensor, target: Tensor) => {
      const loss = lossOf(net, input, target).mul(0.5)
      loss.backward()
      return loss
    })
    const step = wrap(() => {
      const norm = optim.clipGradNorm(net.parameters(), 0.1)
      optimizer.step()
      optimizer.zeroGrad()
      return norm
    })
    for (let i = 0; i < 3; i++) {
      accumulate(tensor(x), tensor(y))
      accumulate(tensor(x).mul(-1), tensor(y))
      step()
    }
    return net.stateDict()
  }
  expect(run(true)).toEqual(run(false))
})

describe('ExponentialMovingAverage', () => {
  test('follows its formula, eager and compiled; copies, restores, swaps', () => {
    const results = [false, true].map((compiled) => {
      const net = network()
      const optimizer = new optim.SGD(net.parameters(), { lr: 0.1 })
      const ema = new optim.ExponentialMovingAverage(net.parameters(), { decay: 0.75 })
      const body = (input: Tensor, target: Tensor): Tensor => {
        const loss = lossOf(net, input, target)
        optimizer.minimize(loss)
        ema.update()
        return loss
      }
      const step = compiled ? compile(body) : body
      let expected: number[] = []
      for (let i = 0; i < 5; i++) {
        step(tensor(x), tensor(y))
        const now = net.parameters().flatMap((p) => [...p.data()])
        expected = i === 0 ? now : now.map((w, k) => 0.75 * (expected[k] as number) + 0.25 * w)
      }
      const weights = net.stateDict()
      ema.copyTo()
      const averages = net.parameters().flatMap((p) => [...p.data()])
      averages.forEach((a, k) => {
        expect(Math.abs(a - (expected[k] as number))).toBeLessThanOrEqual(4 * 3 * 2 ** -24)
      })
      ema.restore()
      expect(net.stateDict()).toEqual(weights)
      ema.swap()
      expect(net.parameters().flatMap((p) => [...p.data()])).toEqual(averages)
      ema.swap()
      expect(net.stateDict()).toEqual(weights)
      const other = new optim.ExponentialMovingAverage(net.parameters())
      other.loadStateDict(ema.stateDict())
      expect(other.stateDict()).toEqual(ema.stateDict())
      return averages
    })
    expect(results[1]).toEqual(results[0])
  })

  test('says what is wrong', () => {
    expect(() => new optim.ExponentialMovingAverage([tensor([1])], { decay: 2 })).toThrow(/decay is 2, expected/)
    const ema = new optim.ExponentialMovingAverage([tensor([1])])
    expect(() => ema.restore()).toThrow(/restore without copyTo/)
    expect(() => ema.loadStateDict({ 0: { shape: [2], data: new Float32Array(2) }, 5: x })).toThrow(
      /0 has shape \[2\], expected \[1\]; missing updates \[\]; unexpected 5$/,
    )
  })
})

test('addParamGroup: a compiled step takes the new parameters, too', () => {
  const [p, q] = [tensor([1], { requiresGrad: true }), tensor([1], { requiresGrad: true })]
  const optimizer = new optim.SGD([p], { lr: 1 })
  const step = compile(() => optimizer.minimize(p.add(q).sum()))
  step()
  expect([p.item(), q.item()]).toEqual([0, 1])
  optimizer.addParamGroup({ params: [q], lr: 0.5 })
  step()
  expect([p.item(), q.item()]).toEqual([-1, 0.5])
  expect(() => optimizer.addParamGroup({ params: [q] })).toThrow(/a parameter is given twice/)
})

test('flags and betas read as in PyTorch; what does not fit a state dict is named', () => {
  const p = tensor([1, 2], { requiresGrad: true })
  const optimizer = new optim.Adam([p], { betas: [0.5, 0.6], amsgrad: true })
  const [group] = optimizer.paramGroups
  expect(group?.betas).toEqual([0.5, 0.6])
  expect(group?.amsgrad).toBe(true)
  expect(() => {
    ;(group as unknown as { amsgrad: boolean }).amsgrad = false
  }).toThrow(/^optim.Adam: amsgrad is fixed/)
  const { state, paramGroups } = optimizer.stateDict()
  expect(Object.keys(state)).toEqual(['0.step', '0.exp_avg', '0.exp_avg_sq', '0.max_exp_avg_sq'])
  const { '0.step': _, ...others } = state
  const bad = { ...others, '0.exp_avg': { shape: [3], data: new Float32Array(3) }, '1.x': x }
  expect(() => optimizer.loadStateDict({ state: bad, paramGroups: [{ ...paramGroups[0], amsgrad: false }] })).toThrow(
    /amsgrad is false, expected true.*; missing 0.step \[\]; 0.exp_avg has shape \[3\], expected \[2\]; unexpected 1.x$/,
  )
  expect(optimizer.stateDict()).toEqual({ state, paramGroups })
})

describe('optimizers', () => {
  test.each([0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33])('update %i parameters and nothing around them', (n) => {
    for (const make of [
      (p: Tensor) => new optim.SGD([p], { lr: 0.1, momentum: 0.9 }),
      (p: Tensor) => new optim.Adam([p]),
      (p: Tensor) => new optim.AdamW([p]),
      (p: Tensor) => new optim.Lion([p]),
    ]) {
      const start = numbers(n, 3)
      const p = tensor(start, { requiresGrad: true })
      const optimizer = make(p)
      optimizer.minimize(sum(mul(p, 3)))
      expect(p.data()).toHaveLength(n)
      for (const [i, x] of p.data().entries()) expect(x).toBeLessThan(start[i] as number)
      optimizer.dispose()
    }
  })
})

test('parts of what is done to all parameters give the bits of the whole', () =>
  sizes([length, odd], (n, m) => {
    const parameters = [[n, m], [m], [30, 31]].map((shape) => new nn.Parameter(some(shape).detach()))
    const average = new optim.ExponentialMovingAverage(parameters)
    for (let step = 0; step < 2; step++) {
      for (const p of parameters) both(p.mul(p))
      optim.clipGradNorm(parameters, 0.1)
      optim.clipGradValue(parameters, 0.01)
      average.update()
    }
    average.dispose()
  }))

test('optimizers and schedules are printed in a line', () => {
  const [weight, bias] = new nn.Linear(2, 1).parameters() as [nn.Parameter, nn.Parameter]
  const optimizer = new optim.SGD([{ params: [weight] }, { params: [bias], lr: 0.5 }], { lr: 0.25 })
  const group = (lr: number) =>
    `parameters=1, lr=${lr}, momentum=0, dampening=0, weightDecay=0, nesterov=false, maximize=false`
  expect(inspect(optimizer)).toBe(`SGD(\n  (0): ${group(0.25)}\n  (1): ${group(0.5)}\n)`)
  expect(inspect(optimizer.paramGroups[1])).toBe(group(0.5))
  const schedules = [new optim.StepLR(optimizer, 2), new optim.ReduceLROnPlateau(optimizer)]
  expect(schedules.map((schedule) => inspect(schedule))).toEqual([
    'StepLR(lastEpoch=0, lr=[0.25, 0.5])',
    'ReduceLROnPlateau(lastEpoch=0, lr=[0.25, 0.5])',
  ])
  optimizer.dispose()
  expect(inspect([optimizer, schedules[0]])).toBe(
    '[\n  SGD(\n    (0): disposed\n    (1): disposed\n  ),\n  StepLR(lastEpoch=0, lr=disposed)\n]',
  )
  expect(() => optimizer.lr).toThrow('optim.SGD: lr read after dispose()')
})
