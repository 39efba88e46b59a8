import { beforeAll, describe, expect, test } from 'vitest'
import './helpers/guard.ts'
import fc from 'fast-check'
import * as lw from '../src/index.ts'
import { noGrad, tensor } from '../src/index.ts'
import { numbers } from './helpers/check.ts'

beforeAll(() => lw.init())

const leaf = (values: number[]) => tensor(values, { requiresGrad: true })

describe('backward', () => {
  test('sums the ways from a value to the loss', () => {
    const x = leaf([3])
    const y = x.mul(x)
    y.add(y.mul(x)).backward()
    // d(x² + x³)/dx = 2x + 3x²
    expect(x.grad?.item()).toBe(33)
  })
  test('adds to the gradient that is there, and writes after zeroing', () => {
    const x = leaf([1, 2])
    x.sum().backward()
    const held = x.grad
    x.mul(10).sum().backward()
    expect(x.grad?.tolist()).toEqual([11, 11])
    expect(x.grad).toBe(held)
    x.grad = null
    x.mul(3).sum().backward()
    expect((x.grad as lw.Tensor | null)?.tolist()).toEqual([3, 3])
  })
  test('gives two leaves of one sum gradients of their own', () => {
    const [a, b] = [leaf([1]), leaf([2])]
    a.add(b).backward()
    a.grad?.copyFrom([5])
    expect(b.grad?.item()).toBe(1)
  })
  test('takes a gradient for a result of many elements', () => {
    const x = leaf([1, 2])
    x.mul(x).backward({ gradient: tensor([1, 10]) })
    expect(x.grad?.tolist()).toEqual([2, 40])
  })
  test('uses its graph once, or as often as asked', () => {
    const x = leaf([2])
    const y = x.mul(x)
    y.backward({ retainGraph: true })
    y.backward()
    expect(x.grad?.item()).toBe(8)
    expect(() => y.backward()).toThrow(/graph behind mul was already used; pass { retainGraph: true }/)
  })
  test('goes through thousands of ops without a stack overflow', () => {
    const x = leaf([1])
    lw.scope(() => {
      let y = lw.add(x, 0)
      for (let i = 0; i < 20_000; i++) y = lw.add(y, x)
      y.backward()
    })
    expect(x.grad?.item()).toBe(20_001)
  })
  test('does not compute what nobody asked for', () => {
    const x = leaf([2])
    const constant = tensor([3])
    lw.mul(x, constant).backward()
    expect(constant.grad).toBeNull()
    expect(x.detach().mul(4).requiresGrad).toBe(false)
    expect(noGrad(() => x.mul(4)).requiresGrad).toBe(false)
    expect(x.mul(4).requiresGrad).toBe(true)
  })
  test.each([
    [() => tensor([1]).backward(), /depends on nothing that requires a gradient/],
    [() => leaf([1, 2]).mul(2).backward(), /no gradient is given for a tensor of shape \[2\]/],
    [
      () =>
        leaf([1, 2])
          .mul(2)
          .backward({ gradient: tensor([1]) }),
      /gradient has shape \[1\] for a tensor of shape \[2\]/,
    ],
    [() => tensor(Int32Array.of(1), { requiresGrad: true }), /the tensor is i32, expected f32/],
  ])('refuses what has no gradient: %s', (run, message) => expect(run).toThrow(message))
})

describe('memory', () => {
  test('a scope frees what it does not return', () => {
    lw.uniform([1]).dispose() // makes the default generator, which stays
    const before = lw.memoryStats().used
    const { kept } = lw.scope(() => {
      const x = lw.uniform([1000])
      return { kept: x.mul(2).sum() }
    })
    expect(kept.item()).toBeGreaterThan(0)
    kept.dispose()
    expect(lw.memoryStats().used).toBe(before)
  })
  test('scopes nest, and free also when fn throws', () => {
    const before = lw.memoryStats().used
    expect(() =>
      lw.scope(() =>
        lw
          .scope(() => lw.ones([5]))
          .add(lw.ones([1, 2, 3, 4, 5, 6]).sum())
          .reshape([7]),
      ),
    ).toThrow(/reshape/)
    expect(lw.memoryStats().used).toBe(before)
    expect(() => lw.scope(() => Promise.resolve() as never)).toThrow(/returned a Promise/)
  })
  test('gradients and parameters outlive the scope they were made in', () => {
    const x = leaf([2])
    const layer = lw.scope(() => {
      x.mul(x).backward()
      return { layer: new lw.nn.Linear(2, 2) }
    }).layer
    expect(x.grad?.item()).toBe(4)
    expect(layer.weight.data()).toHaveLength(4)
  })
  test('a view keeps its bytes when the tensor it came from goes', () => {
    const x = tensor([1, 2, 3, 4])
    const view = x.reshape([2, 2])
    x.dispose()
    expect(view.tolist()).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(() => x.data()).toThrow(/Tensor.data: tensor of shape \[4\] was used after dispose/)
    expect(() => lw.add(x, 1)).toThrow(/add: tensor of shape \[4\] was used after dispose/)
    x.dispose()
    expect(view.tolist()).toEqual([
      [1, 2],
      [3, 4],
    ])
  })
  test('using frees at the end of the block', () => {
    const before = lw.memoryStats().used
    {
      using x = lw.ones([100])
      expect(x.size).toBe(100)
    }
    expect(lw.memoryStats().used).toBe(before)
  })
})

describe('properties', () => {
  const shape = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 4 })
  const wide = (s: number[]) =>
    fc.tuple(...s.map((n) => fc.boolean().map((one) => (one ? 1 : n)))) as fc.Arbitrary<number[]>
  const broadcastable = shape.chain((s) =>
    fc.tuple(wide(s), wide(s), fc.integer({ min: 0, max: s.length })).map(([a, b, cut]) => [a, b.slice(cut)] as const),
  )
  const make = (s: readonly number[], seed: number) =>
    tensor(
      numbers(
        s.reduce((a, b) => a * b, 1),
        seed,
      ),
      { shape: s, requiresGrad: true },
    )

  test('the gradient of a broadcast sum counts how often each element was used', () => {
    fc.assert(
      fc.property(broadcastable, ([a, b]) =>
        lw.scope(() => {
          const [x, y] = [make(a, 1), make(b, 2)]
          const z = lw.add(x, y)
          z.backward({ gradient: lw.ones(z.shape) })
          for (const t of [x, y]) {
            const uses = t.size === 0 ? 0 : z.size / t.size
            expect([...(t.grad?.data() ?? [])]).toEqual(new Array(t.size).fill(uses))
          }
        }),
      ),
    )
  })
  test('transposing twice, and reshaping there and back, change nothing', () => {
    fc.assert(
      fc.property(
        shape.filter((s) => s.length > 1),
        (s) =>
          lw.scope(() => {
            const x = make(s, 3)
            expect(x.transpose().transpose().data()).toEqual(x.data())
            expect(x.transpose(0, -1).transpose(0, -1).data()).toEqual(x.data())
            expect(x.reshape([x.size]).reshape(s).tolist()).toEqual(x.tolist())
          }),
      ),
    )
  })
  test('(A B)ᵀ = Bᵀ Aᵀ to the bit, for all sizes', () => {
    const n = fc.integer({ min: 0, max: 20 })
    fc.assert(
      fc.property(n, n, n, (m, k, n) =>
        lw.scope(() => {
          const [a, b] = [make([m, k], 1), make([k, n], 2)]
          expect(a.matmul(b).transpose().data()).toEqual(b.transpose().matmul(a.transpose()).data())
        }),
      ),
    )
  })
  test('summing all axes at once or one by one agrees to rounding', () => {
    fc.assert(
      fc.property(shape, (s) =>
        lw.scope(() => {
          const x = make(s, 5)
          let y: lw.Tensor = x
          while (y.ndim > 0) y = y.sum({ axis: -1 })
          expect(Math.abs(y.item() - x.sum().item())).toBeLessThanOrEqual(625 * 2 * 2 ** -24 * 8)
        }),
      ),
    )
  })
})
