// Embedding and other small layers against PyTorch: fixtures/basic.py.

import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { nn, tensor } from '../../src/index.ts'
import { fixture, followsPyTorch, recordAccuracy } from '../helpers/pytorch.ts'

beforeAll(() => lw.init())

recordAccuracy('basic')

const arrays = fixture('basic')

// Sums of the gradient: as many terms as an index is repeated.
followsPyTorch(arrays, { name: 'Embedding', at: 'embedding', make: () => new nn.Embedding(11, 6), depth: 1 })
followsPyTorch(arrays, {
  name: 'Embedding',
  at: 'embedding, padding',
  make: () => new nn.Embedding(7, 9, { paddingIdx: 2 }),
  depth: 1,
})
followsPyTorch(arrays, {
  name: 'Embedding',
  at: 'embedding, padding from the end',
  make: () => new nn.Embedding(5, 3, { paddingIdx: -1 }),
  depth: 1,
})
followsPyTorch(arrays, { name: 'Dropout', at: 'dropout, evaluation', make: () => new nn.Dropout(0.3).eval(), depth: 1 })
followsPyTorch(arrays, { name: 'Dropout', at: 'dropout, all', make: () => new nn.Dropout(1), depth: 1 })
followsPyTorch(arrays, {
  name: 'Dropout2d',
  at: 'dropout2d, evaluation',
  make: () => new nn.Dropout2d(0.3).eval(),
  depth: 1,
})
followsPyTorch(arrays, { name: 'Dropout2d', at: 'dropout2d, all', make: () => new nn.Dropout2d(1), depth: 1 })

followsPyTorch(arrays, { name: 'Linear', at: 'linear', make: () => new nn.Linear(7, 5), depth: 9 })
followsPyTorch(arrays, {
  name: 'Linear',
  at: 'linear, no bias',
  make: () => new nn.Linear(33, 18, { bias: false }),
  depth: 33,
})
followsPyTorch(arrays, { name: 'Linear', at: 'linear, a vector', make: () => new nn.Linear(6, 4), depth: 6 })

// Sums of 12 and 18 products, and of as many in the gradients.
followsPyTorch(arrays, { name: 'Bilinear', at: 'bilinear', make: () => new nn.Bilinear(3, 4, 5), depth: 12 })
followsPyTorch(arrays, {
  name: 'Bilinear',
  at: 'bilinear, no bias',
  make: () => new nn.Bilinear(2, 9, 1, { bias: false }),
  depth: 18,
})
followsPyTorch(arrays, { name: 'Flatten', at: 'flatten', make: () => new nn.Flatten(), depth: 1 })
followsPyTorch(arrays, { name: 'Flatten', at: 'flatten, some axes', make: () => new nn.Flatten(0, 1), depth: 1 })
followsPyTorch(arrays, { name: 'Unflatten', at: 'unflatten', make: () => new nn.Unflatten(-1, [2, 3]), depth: 1 })
followsPyTorch(arrays, { name: 'Unflatten', at: 'unflatten, open', make: () => new nn.Unflatten(1, [2, -1]), depth: 1 })
followsPyTorch(arrays, { name: 'Identity', at: 'identity', make: () => new nn.Identity(), depth: 1 })
for (const [at, equation] of [
  ['einsum', 'bh...d,hde->...be'],
  ['einsum, broadcast', '...ij,...j'],
] as const)
  followsPyTorch(arrays, {
    kind: 'ops',
    name: 'einsum',
    at,
    make: () => new nn.Identity(),
    call: (_, a, b) => lw.einsum(equation, a as lw.Tensor, b as lw.Tensor),
    depth: 12,
  })

describe('Bilinear, Flatten, Unflatten', () => {
  test('start from U(±1/√in1), and print as in PyTorch', () => {
    const layer = new nn.Bilinear(4, 50, 50, { generator: new lw.Generator(3) })
    const values = [...layer.weight.data(), ...(layer.bias as lw.Tensor).data()]
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(0.5)
    // The variance of U(±1/2) is 1/12, of its square 1/180.
    const variance = values.reduce((a, b) => a + b * b, 0) / values.length
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(5 / Math.sqrt(180 * values.length))
    expect(`${layer}`).toBe('Bilinear(in1Features=4, in2Features=50, outFeatures=50, bias=true)')
    expect(`${new nn.Flatten()}`).toBe('Flatten(start=1, end=-1)')
    expect(`${new nn.Unflatten(1, [2, 3])}`).toBe('Unflatten(dim=1, unflattened_size=(2, 3))')
    expect(`${new nn.Identity()}`).toBe('Identity()')
  })
  test('say what is wrong', () => {
    expect(() => new nn.Bilinear(2, 3, 1).forward(lw.ones([4, 2]), lw.ones([5, 3]))).toThrow(
      'nn.Bilinear: inputs have shapes [4, 2] and [5, 3], expected [..., 2] and [..., 3] with the same leading axes',
    )
    expect(() => new nn.Unflatten(1, [2, 3]).forward(lw.ones([2, 5]))).toThrow(
      'nn.Unflatten: axis 1 of input [2, 5] has size 5, expected 6 for sizes [2, 3]',
    )
    expect(() => new nn.Unflatten(1, [2, -1]).forward(lw.ones([2, 5]))).toThrow('expected a multiple of 2')
    expect(() => new nn.Unflatten(1, [-1, -1])).toThrow('nn.Unflatten: shape [-1] has size -1')
    expect(() => new nn.Flatten(0.5)).toThrow('nn.Flatten: start is 0.5')
  })
})

describe('Embedding', () => {
  test('starts from N(0, 1) with the padding row 0', () => {
    const { weight } = new nn.Embedding(100, 500, { paddingIdx: -100, generator: new lw.Generator(2) })
    const values = Float32Array.from(weight.data())
    expect(values.subarray(0, 500).every((x) => x === 0)).toBe(true)
    const n = values.length - 500
    const mean = values.reduce((a, b) => a + b, 0) / n
    const square = values.reduce((a, b) => a + b * b, 0) / n
    // Five standard deviations of each.
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(n))
    expect(Math.abs(square - 1)).toBeLessThan(5 * Math.sqrt(2 / n))
  })

  test('is named and printed as in PyTorch, and checks its sizes', () => {
    const layer = new nn.Embedding(3, 2, { paddingIdx: -1 })
    expect(Object.keys(layer.stateDict())).toEqual(['weight'])
    expect(String(layer)).toBe('Embedding(3, 2, paddingIdx=2)')
    expect(String(new nn.Embedding(3, 2))).toBe('Embedding(3, 2)')
    expect(() => new nn.Embedding(3, 2, { paddingIdx: 3 })).toThrow(
      'nn.Embedding: paddingIdx is 3, expected a whole number from -3 to 2',
    )
    expect(() => new nn.Embedding(-1, 2)).toThrow('numEmbeddings is -1')
  })

  test('an index out of range leaves parameters as they were', () => {
    const layer = new nn.Embedding(3, 2)
    const optimizer = new lw.optim.SGD(layer.parameters(), { lr: 1 })
    const step = lw.compile((index: lw.Tensor) => optimizer.minimize(lw.sum(layer.forward(index))))
    const before = layer.weight.tolist()
    expect(() => step(tensor(Int32Array.of(0, 3)))).toThrow('embedding: index 3 at position 1')
    expect(layer.weight.tolist()).toEqual(before)
  })
})

describe('Dropout', () => {
  test('follows train and eval inside a compiled program', () => {
    for (const [layer, shape] of [
      [new nn.Dropout(0.5, { generator: new lw.Generator(1) }), [64]],
      [new nn.Dropout2d(0.5, { generator: new lw.Generator(1) }), [8, 8, 2, 2]],
    ] as const) {
      const run = lw.compile((x: lw.Tensor) => layer.forward(x))
      const x = lw.ones(shape)
      expect(new Set(run(x).data())).toEqual(new Set([0, 2]))
      layer.eval()
      expect(run(x).tolist()).toEqual(x.tolist())
      layer.train()
      expect(new Set(run(x).data())).toEqual(new Set([0, 2]))
    }
  })

  test('draws from the default generator, also where its first use is in a compiled function', () => {
    lw.manualSeed(4)
    const layer = new nn.Dropout()
    const first = layer.forward(lw.ones([50])).tolist()
    lw.manualSeed(4)
    expect(
      lw
        .compile(() => layer.forward(lw.ones([50])))()
        .tolist(),
    ).toEqual(first)
  })

  test('is printed as in PyTorch, and checks p and options', () => {
    expect(`${new nn.Dropout()} ${new nn.Dropout2d(0.25)}`).toBe('Dropout(p=0.5) Dropout2d(p=0.25)')
    expect(() => new nn.Dropout(-0.1)).toThrow('nn.Dropout: p is -0.1, expected a probability from 0 to 1')
    expect(() => new nn.Dropout2d('x' as never)).toThrow("nn.Dropout2d: p is 'x'")
    expect(() => new nn.Dropout(0.5, { seed: 1 } as object)).toThrow('nn.Dropout: unknown option seed')
  })
})
