import { beforeAll, describe, expect, test } from 'vitest'
import { Engine, memoryStats } from '../src/core/engine.ts'
import * as lw from '../src/index.ts'
import { compile, losses, nn, optim, type Tensor, tensor } from '../src/index.ts'
import { numbers } from './helpers/check.ts'
import { checkGuards } from './helpers/guard.ts'

beforeAll(() => lw.init())

const batch = (rows: number, seed = 1) => ({ shape: [rows, 6], data: numbers(rows * 6, seed) })
const labels = (rows: number) => ({ shape: [rows], data: Int32Array.from({ length: rows }, (_, i) => i % 3) })

function model() {
  lw.manualSeed(11)
  return new nn.Sequential(new nn.Linear(6, 9), new nn.Tanh(), new nn.Linear(9, 7), new nn.ReLU(), new nn.Linear(7, 3))
}
const weights = (net: nn.Module) => net.parameters().flatMap((p) => [...p.data()])

describe('a compiled step', () => {
  test.each([
    ['SGD', (p: nn.Parameter[]) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, weightDecay: 0.01, nesterov: true })],
    ['Adam', (p: nn.Parameter[]) => new optim.Adam(p)],
    ['AdamW', (p: nn.Parameter[]) => new optim.AdamW(p)],
  ] as const)('gives the same bits as eager training with %s, also for a short last batch', (_, make) => {
    const a = model()
    const b = model()
    const optimizerA = make(a.parameters())
    const optimizerB = make(b.parameters())
    const step = compile((x, y) => {
      const loss = losses.crossEntropy(a.forward(x), y)
      optimizerA.minimize(loss)
      return loss
    })
    for (let i = 0; i < 12; i++) {
      const rows = i % 4 === 3 ? 5 : 8
      const compiled = step(batch(rows, i), labels(rows)).item()
      const eager = lw.scope(() => {
        optimizerB.zeroGrad()
        const loss = losses.crossEntropy(b.forward(tensor(batch(rows, i))), tensor(labels(rows)))
        loss.backward()
        optimizerB.step()
        return loss.item()
      })
      expect(compiled).toBe(eager)
    }
    expect(weights(a)).toEqual(weights(b))
    expect(step.programs).toBe(2)
    for (const [i, p] of a.parameters().entries()) expect(p.grad?.data()).toEqual(b.parameters()[i]?.grad?.data())
  })

  test('is one call into wasm', ({ skip }) => {
    skip(lw.threads().count > 1, 'with threads it is one for each list of a stage')
    const net = model()
    const optimizer = new optim.Adam(net.parameters())
    const step = compile((x, y) => {
      const loss = losses.crossEntropy(net.forward(x), y)
      optimizer.minimize(loss)
      return loss
    })
    step(batch(8), labels(8))
    let runs = 0
    const { run } = Engine.prototype
    Engine.prototype.run = function (...program) {
      runs++
      run.apply(this, program)
    }
    try {
      for (let i = 0; i < 10; i++) step(batch(8), labels(8))
    } finally {
      Engine.prototype.run = run
    }
    expect(runs).toBe(10)
  })

  test('drops what nobody reads, fuses relu, and reuses memory', ({ skip }) => {
    skip(lw.threads().count > 1, 'it looks at the one list that one thread runs')
    const net = model()
    const program = (fn: (x: Tensor) => Tensor): string[] => {
      let names: string[] = []
      const { run } = Engine.prototype
      Engine.prototype.run = function (address, commands) {
        names = commands.map(({ kernel }) => kernel.name)
        run.call(this, address, commands)
      }
      try {
        compile(fn)(batch(8))
      } finally {
        Engine.prototype.run = run
      }
      return names
    }
    expect(program((x) => net.forward(x))).toEqual(['gemm', 'tanh', 'gemm', 'gemm'])
    expect(program((x) => lw.relu(lw.matmul(x, tensor(numbers(18, 1), { shape: [6, 3] }))))).toEqual(['gemm'])
    expect(
      program((x) => {
        lw.exp(x)
        return lw.neg(x)
      }),
    ).toEqual(['neg'])
    const before = memoryStats().used
    const deep = compile((x: Tensor) => {
      let y = x
      for (let i = 0; i < 100; i++) y = lw.exp(lw.neg(y))
      return y
    })
    deep({ shape: [1000], data: numbers(1000, 1) })
    // Of 200 values of 4 kB, two live at any time, besides the result; the guards and the program take the rest.
    expect(memoryStats().used - before).toBeLessThan(8 * 4096)
    deep.dispose()
  })

  test('keeps the values that it returns, in arrays and objects', () => {
    const f = compile((x: Tensor) => ({ twice: lw.mul(x, 2), list: [lw.exp(x), x], same: 7 }))
    const { twice, list, same } = f(tensor([0, 1]))
    expect(twice.tolist()).toEqual([0, 2])
    expect(list[0]?.tolist()).toEqual([1, Math.fround(Math.E)])
    expect(list[1]?.tolist()).toEqual([0, 1])
    expect(same).toBe(7)
  })

  test('accumulates gradients over calls when nothing zeroes them', () => {
    const w = tensor([1, 2], { requiresGrad: true })
    const f = compile((x) => lw.sum(lw.mul(w, x)).backward())
    f(tensor([1, 10]))
    expect(w.grad?.tolist()).toEqual([1, 10])
    f(tensor([1, 10]))
    f(tensor([2, 20]))
    expect(w.grad?.tolist()).toEqual([4, 40])
    w.grad = null
    f(tensor([5, 5]))
    expect((w.grad as Tensor | null)?.tolist()).toEqual([5, 5])
    expect(f.programs).toBe(2)
  })

  test('follows the learning rate, freezing, and parameters that moved', () => {
    const net = model()
    const forward = compile((x) => net.forward(x))
    const before = forward(batch(4)).data()
    const optimizer = new optim.SGD(net.parameters(), { lr: 0.1 })
    expect(forward(batch(4)).data()).toEqual(before)
    const step = compile((x, y) => {
      const loss = losses.crossEntropy(net.forward(x), y)
      optimizer.minimize(loss)
      return loss
    })
    step(batch(4), labels(4))
    expect(forward(batch(4)).data()).not.toEqual(before)
    optimizer.lr = 0
    const still = weights(net)
    step(batch(4), labels(4))
    expect(weights(net)).toEqual(still)
    optimizer.lr = 0.1
    const [first] = net.parameters() as [nn.Parameter]
    const frozen = [...first.data()]
    first.requiresGrad = false
    step(batch(4), labels(4))
    expect([...first.data()]).toEqual(frozen)
    expect(weights(net)).not.toEqual(still)
    first.requiresGrad = true
    step(batch(4), labels(4))
    expect([...first.data()]).not.toEqual(frozen)
  })

  test('follows train and eval', () => {
    class Twice extends nn.Module {
      forward(x: Tensor): Tensor {
        return lw.mul(x, this.training ? 2 : 1)
      }
    }
    const twice = new Twice()
    const f = compile((x) => twice.forward(x))
    expect(f(tensor([3])).item()).toBe(6)
    twice.eval()
    expect(f(tensor([3])).item()).toBe(3)
    twice.train()
    expect(f(tensor([3])).item()).toBe(6)
    expect(f.programs).toBe(2)
  })

  test('stops before the update when a label is out of range, and goes on afterwards', () => {
    const net = model()
    const optimizer = new optim.Adam(net.parameters())
    const step = compile((x, y) => {
      const loss = losses.crossEntropy(net.forward(x), y)
      optimizer.minimize(loss)
      return loss
    })
    step(batch(4), labels(4))
    const before = weights(net)
    expect(() => step(batch(4), { shape: [4], data: Int32Array.of(0, 1, 3, 2) })).toThrow(
      'crossEntropy: target 3 at index 2 is out of range, expected a class index from 0 to 2',
    )
    expect(weights(net)).toEqual(before)
    const other = model()
    const twin = new optim.Adam(other.parameters())
    for (let i = 0; i < 2; i++) twin.minimize(losses.crossEntropy(other.forward(tensor(batch(4))), tensor(labels(4))))
    step(batch(4), labels(4))
    expect(weights(net)).toEqual(weights(other))
  })

  test('takes inputs at trace time that are themselves compiled functions', () => {
    const inner = compile((x: Tensor) => lw.mul(x, 3))
    const outer = compile((x: Tensor) => lw.add(inner(x), 1))
    expect(outer(tensor([1, 2])).tolist()).toEqual([4, 7])
  })

  test('gives its memory back, and works again after dispose', () => {
    const f = compile((x: Tensor) => lw.exp(x))
    const x = tensor([1, 2])
    f(x)
    f.dispose()
    const before = memoryStats().used
    for (let i = 0; i < 50; i++) {
      f(x)
      f.dispose()
    }
    expect(memoryStats().used).toBe(before)
  })

  test('keeps at most 64 programs', () => {
    const f = compile((x: Tensor) => lw.sum(x))
    for (let n = 1; n <= 80; n++) f(tensor(new Float32Array(n)))
    expect(f.programs).toBe(64)
    expect(f(tensor([1, 2, 3])).item()).toBe(6)
    checkGuards()
  })
})

describe('tracing', () => {
  test('reading a value says that it has none yet', () => {
    expect(() => compile((x: Tensor) => lw.sum(x).item())(tensor([1]))).toThrow(
      /Tensor.item: values cannot be read or set while compile\(\) traces/,
    )
  })
  test('a value that escapes says where it belongs', () => {
    let escaped: Tensor | undefined
    compile((x: Tensor) => {
      escaped = lw.exp(x)
      return x
    })(tensor([1]))
    expect(() => escaped?.item()).toThrow(/belongs to a compiled function/)
    expect(() => lw.exp(escaped as Tensor)).toThrow(/exp: .*belongs to a compiled function/)
  })
  test('a failed trace leaves gradients as they were', () => {
    const w = tensor([1], { requiresGrad: true })
    const f = compile((x: Tensor) => {
      lw.sum(lw.mul(w, x)).backward()
      throw new Error('mine')
    })
    expect(() => f(tensor([1]))).toThrow('mine')
    expect(w.grad).toBeNull()
    lw.sum(lw.mul(w, 2)).backward()
    expect((w.grad as Tensor | null)?.item()).toBe(2)
  })
  test.each([
    [[1, 2], /argument 0 of the compiled function is an array/],
    [3, /argument 0 of the compiled function is number/],
    [{ shape: [3], data: new Float32Array(2) }, /argument 0 has 2 elements, expected 3 for its shape \[3\]/],
  ])('refuses %j', (input, message) => {
    expect(() => compile((x) => x)(input as never)).toThrow(message)
  })
  test('a Promise is refused', () => {
    expect(() => compile(async (x: Tensor) => x)(tensor([1]))).toThrow(/returned a Promise/)
  })
})

test('a profile lists time, rate and bytes of each kernel, and changes no bit', () => {
  const build = () => {
    lw.manualSeed(1)
    const model = new lw.nn.Sequential(new lw.nn.Linear(20, 30), new lw.nn.ReLU(), new lw.nn.Linear(30, 4))
    return { model, optimizer: new lw.optim.Adam(model.parameters()) }
  }
  const runs = [false, true].map((profile) => {
    const { model, optimizer } = build()
    const step = lw.compile(
      (x: lw.Tensor, y: lw.Tensor) => {
        const loss = lw.losses.crossEntropy(model.forward(x), y)
        optimizer.minimize(loss)
        return loss
      },
      { profile },
    )
    const x = lw.uniform([8, 20], 0, 1, new lw.Generator(2))
    const y = lw.tensor(Int32Array.from([0, 1, 2, 3, 0, 1, 2, 3]))
    const found = Array.from({ length: 5 }, () => step(x, y).item())
    return { found, step, state: model.stateDict() }
  })
  type Run = (typeof runs)[number]
  const [plain, profiled] = runs as [Run, Run]
  expect(plain.step.profile).toBeNull()
  expect({ ...profiled, step: 0 }).toEqual({ ...plain, step: 0 })
  const profile = profiled.step.profile as lw.Profile
  const rows = profile.rows()
  expect(profile.runs).toBe(5)
  expect(rows.map(({ kernel, size }) => `${kernel} ${size}`)).toContain('gemm 8×20×30 NT')
  const gemm = rows.find(({ size }) => size === '8×20×30 NT') as lw.ProfileRow
  // [8, 20], [30, 20], [30] and [8, 30], 4 bytes each; the scratch is not counted.
  expect(gemm.bytes).toBe(4 * (8 * 20 + 30 * 20 + 30 + 8 * 30))
  expect(gemm.gflops).toBeGreaterThan(0)
  expect(rows.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1)
  expect(String(profile)).toMatch(/kernel +size +calls +ms +share +GFLOP\/s +MB\n[\s\S]*adam[\s\S]*mean of 5 runs/)
  expect(() => lw.compile(() => 0, { profil: true } as never)).toThrow(/unknown option profil, expected profile/)
})

test('a returned view of an input has the values of each call, whether a command reads the input or not', () => {
  const view = compile((x: Tensor) => x.reshape([3, 1]))
  expect(view(tensor([1, 2, 3])).tolist()).toEqual([[1], [2], [3]])
  expect(view(tensor([4, 5, 6])).tolist()).toEqual([[4], [5], [6]])
  // Results may be inputs of the next call.
  expect(view(view(tensor([7, 8, 9])).reshape([3])).tolist()).toEqual([[7], [8], [9]])
})

test('an index out of range is refused also where nobody uses what it gives', () => {
  const weight = lw.ones([3, 2])
  const run = lw.compile((x: lw.Tensor, index: lw.Tensor) => {
    lw.embedding(index, weight)
    return x.mul(2)
  })
  expect(run(lw.ones([1]), tensor(Int32Array.of(2))).item()).toBe(2)
  expect(() => run(lw.ones([1]), tensor(Int32Array.of(3)))).toThrow(/embedding: index 3 at position 0/)
})
