// Who owns bytes, and what happens to those who use them when they go.

import { beforeAll, describe, expect, test } from 'vitest'
import './helpers/guard.ts'
import * as lw from '../src/index.ts'
import { compile, losses, nn, optim, scope, type Tensor, tensor } from '../src/index.ts'

beforeAll(() => lw.init())

describe('results of compiled functions', () => {
  test('can be used by other compiled functions, captured or passed', () => {
    const out = compile((x) => x.mul(2))(tensor([1, 2, 3]))
    expect(compile((y) => y.add(out))(tensor([10, 10, 10])).tolist()).toEqual([12, 14, 16])
    expect(compile((y: Tensor) => y.add(1))(out).tolist()).toEqual([3, 5, 7])
    expect(out.tolist()).toEqual([2, 4, 6])
  })
  test('can be fed back as inputs of the same function', () => {
    const f = compile((a: Tensor, b: Tensor) => [a.add(b), a] as const)
    let [a, b] = f(tensor([1]), tensor([0]))
    const seen = [a.item()]
    for (let i = 0; i < 4; i++) {
      ;[a, b] = f(a, b)
      seen.push(a.item())
    }
    expect(seen).toEqual([1, 2, 3, 5, 8])
    const swap = compile((x: Tensor, y: Tensor) => [y, x] as const)
    expect(swap(...(swap(tensor([1]), tensor([2])) as [Tensor, Tensor])).map((t) => t.item())).toEqual([1, 2])
  })
  test('end with dispose, and when their program is dropped from the cache', () => {
    const f = compile((x: Tensor) => x.mul(1))
    const one = f(tensor([1]))
    f.dispose()
    expect(() => one.item()).toThrow(/used after dispose/)
    const two = f(tensor([1]))
    for (let n = 2; n < 70; n++) f(tensor(new Float32Array(n)))
    expect(() => two.item()).toThrow(/used after dispose/)
    expect(f(tensor([3])).item()).toBe(3)
  })
  test('have no gradient, and say so', () => {
    const layer = new nn.Linear(2, 1)
    const y = compile((x: Tensor) => layer.forward(x))(tensor([[1, 2]]))
    expect(() => losses.mse(y, tensor([[1]])).backward()).toThrow(/depends on nothing that requires a gradient/)
    const eager = layer.forward(tensor([[1, 2]]))
    compile(() => eager)()
    eager.sum().backward()
    expect(layer.weight.grad?.tolist()).toEqual([[1, 2]])
  })
  test('do not share bytes with a gradient that is theirs too', () => {
    const w = tensor([1, 2], { requiresGrad: true })
    const f = compile((x: Tensor) => {
      w.grad = null
      const g = x.mul(2)
      w.clone().backward({ gradient: g })
      w.mul(3).sum().backward()
      return g
    })
    expect(f(tensor([1, 2])).tolist()).toEqual([2, 4])
    expect(w.grad?.tolist()).toEqual([5, 7])
  })
  test('noGrad around the first call does not last', () => {
    const w = tensor([1], { requiresGrad: true })
    const f = compile((x: Tensor) => {
      const y = w.mul(x)
      if (y.requiresGrad) y.backward()
      return y
    })
    lw.noGrad(() => f(tensor([2])))
    expect(w.grad).toBeNull()
    f(tensor([2]))
    expect((w.grad as Tensor | null)?.item()).toBe(2)
  })
})

describe('a failed first call', () => {
  test('leaves gradients as they were', () => {
    const layer = new nn.Linear(2, 2)
    lw.full([2, 2], 77).dispose()
    const step = compile((x, y) => {
      const loss = losses.crossEntropy(layer.forward(x), y)
      loss.backward()
      return loss
    })
    const x = { data: Float32Array.of(1, 2), shape: [1, 2] }
    expect(() => step(x, { data: Int32Array.of(9), shape: [1] })).toThrow(/target 9/)
    expect(layer.weight.grad).toBeNull()
    step(x, { data: Int32Array.of(1), shape: [1] })
    const once = layer.weight.grad?.tolist()
    layer.weight.grad = null
    losses.crossEntropy(layer.forward(tensor(x)), tensor(Int32Array.of(1))).backward()
    expect((layer.weight.grad as Tensor | null)?.tolist()).toEqual(once)
  })
})

describe('values that were freed', () => {
  test('stop a backward that needs them', () => {
    const layer = new nn.Linear(2, 1)
    const optimizer = new optim.SGD(layer.parameters(), { lr: 0.1 })
    const before = layer.stateDict()
    const loss = scope(() => losses.mse(layer.forward(tensor([[1, 2]])), tensor([[3]])))
    expect(() => optimizer.minimize(loss)).toThrow(/needs a value that was freed/)
    expect(layer.stateDict()).toEqual(before)
    const labels = tensor(Int32Array.of(1))
    const entropy = losses.crossEntropy(new nn.Linear(2, 3).forward(tensor([[1, 2]])), labels)
    labels.dispose()
    expect(() => entropy.backward()).toThrow(/needs a value that was freed/)
  })
  test('stop an optimizer whose parameter or state is gone', () => {
    const p = lw.ones([2000])
    p.requiresGrad = true
    const optimizer = new optim.SGD([p], { lr: 0.1 })
    p.sum().backward()
    p.dispose()
    expect(() => optimizer.step()).not.toThrow()
    const q = tensor([1], { requiresGrad: true })
    const adam = new optim.Adam([q])
    q.mul(2).backward()
    adam.dispose()
    expect(() => adam.step()).toThrow('optim.Adam: step after dispose()')
    expect(() => {
      adam.lr = 1
    }).toThrow('optim.Adam: lr set after dispose()')
    expect(q.item()).toBe(1)
  })
})

describe('while tracing', () => {
  test.each([
    ['a parameter is read', (w: Tensor) => w.item()],
    ['a parameter is set', (w: Tensor) => w.copyFrom([1])],
  ])('%s: an Error', (_, act) => {
    const w = tensor([1], { requiresGrad: true })
    expect(() => compile(() => act(w))()).toThrow(/cannot be read or set while compile\(\) traces/)
  })
  test('a learning rate is set: an Error', () => {
    const optimizer = new optim.Adam([tensor([1], { requiresGrad: true })])
    const f = compile((x: Tensor) => {
      optimizer.lr = 2
      return x
    })
    expect(() => f(tensor([1]))).toThrow('optim.Adam: lr cannot be set while compile() traces')
  })
})

describe('data that cannot have been meant', () => {
  test('NaN stops before the update and is named', () => {
    const layer = new nn.Linear(2, 2)
    const optimizer = new optim.Adam(layer.parameters())
    const step = compile((x, y) => {
      const loss = losses.crossEntropy(layer.forward(x), y)
      optimizer.minimize(loss)
      return loss
    })
    const y = { data: Int32Array.of(1), shape: [1] }
    step({ data: Float32Array.of(1, 2), shape: [1, 2] }, y)
    const before = layer.stateDict()
    expect(() => step({ data: Float32Array.of(1, Number.NaN), shape: [1, 2] }, y)).toThrow(
      /^compile: argument 0 holds NaN at index 1, expected finite numbers; backward: the loss is not finite/,
    )
    expect(layer.stateDict()).toEqual(before)
    step({ data: Float32Array.of(1, 2), shape: [1, 2] }, y)
    expect(layer.stateDict()).not.toEqual(before)
  })
  test('shapes are copied, dtypes and options checked', () => {
    const shape = [2, 3]
    const z = lw.zeros(shape)
    shape[0] = 5
    expect(z.size).toBe(6)
    expect(() => tensor([1], { dtype: 'float32' as never })).toThrow(
      /^tensor: dtype is 'float32', expected f32, i32, u8/,
    )
    expect(() => lw.zeros([2], 'f64' as never)).toThrow(/^full: dtype is 'f64'/)
    expect(() => lw.ones([1]).to(undefined as never)).toThrow(/^to: dtype is undefined/)
    expect(() => lw.sum(z, 1 as never)).toThrow(/^sum: options are 1, expected an object with axis, keepDim/)
    expect(() => lw.max(z, { dim: 1 } as never)).toThrow(/^max: unknown option dim, expected axis, keepDim/)
    expect(() => new nn.Linear(1, 1, { bais: false } as never)).toThrow(/^nn.Linear: unknown option bais/)
    expect(() => new lw.DataLoader({ length: 1, gather: () => [] }, { batchsize: 2 } as never)).toThrow(
      /^DataLoader: unknown option batchsize/,
    )
    const momentum = new optim.SGD([lw.ones([1])], { lr: 1 })
    expect(() => {
      ;(momentum.paramGroups[0] as { momentum: number }).momentum = 0.9
    }).toThrow(/^optim.SGD: momentum cannot change to 0.9 after the optimizer was made/)
    expect(String(tensor([Number.NaN, Infinity, 1.5]))).toBe('tensor([NaN,Infinity,1.5], shape [3], f32)')
  })
  test('long sums down a column are as exact as along a row', () => {
    const x = lw.full([200_000, 2], 0.1)
    const exact = Math.fround(0.1)
    for (const mean of lw.mean(x, { axis: 0 }).data())
      expect(Math.abs(mean - exact)).toBeLessThan(128 * 2 ** -24 * exact)
  })
})
