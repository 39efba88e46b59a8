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
    expect(String(layer)).toBe('Embedding(3, 2, padding_idx=2)')
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
    expect(() => new nn.Dropout2d('x' as unknown as number)).toThrow('nn.Dropout2d: p is x')
    expect(() => new nn.Dropout(0.5, { seed: 1 } as object)).toThrow('nn.Dropout: unknown option seed')
  })
})
