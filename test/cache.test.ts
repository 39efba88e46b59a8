// Keys and values that are kept give the forward of all steps, step by step.

import * as packaged from 'lanewise'
import { beforeAll, expect, test } from 'vitest'
import { Gpt } from '../examples/chars/model.ts'
import { compile, init, manualSeed, nn, noGrad, normal, scope, slice, type Tensor, tensor } from '../src/index.ts'
import './helpers/guard.ts'

beforeAll(async () => {
  await init()
  await packaged.init()
})

/** Two sums of as many terms in another order: each within depth roundings of the largest. */
function expectNear(a: ArrayLike<number>, b: ArrayLike<number>): void {
  expect(a.length).toBe(b.length)
  const size = Math.max(...Array.from(b, Math.abs))
  for (let i = 0; i < b.length; i++) expect(Math.abs(a[i]! - b[i]!)).toBeLessThan(64 * 2 ** -24 * size)
}

test.each([[[1, 1, 1, 1, 1, 1, 1]], [[4, 1, 2]], [[3, 4]], [[7]]])('a block fed %j steps at a time', (parts) => {
  manualSeed(4)
  const block = new nn.TransformerDecoderBlock(24, 3, { dropout: 0 })
  const x = normal([2, 7, 24])
  const whole = block.forward(x)
  const cache = new nn.KeyValueCache()
  let start = 0
  for (const steps of parts) {
    const range = [null, { start, end: start + steps }]
    const part = scope(() => noGrad(() => block.forward(slice(x, ...range), { cache })))
    expectNear(part.data(), slice(whole, ...range).data())
    start += steps
    expect(cache.length).toBe(start)
  }
  cache.clear()
  expect(cache.length).toBe(0)
})

test.each([
  ['[steps, batch, width]', false, {}],
  ['[batch, steps, width]', true, {}],
  ['keys of another width', true, { kdim: 5, vdim: 6 }],
])('attention over %s with padding among the keys', (_, batchFirst, widths) => {
  manualSeed(5)
  const attention = new nn.MultiheadAttention(8, 2, { batchFirst, ...widths })
  const sizes = (width: number) => (batchFirst ? [2, 5, width] : [5, 2, width])
  const axis = batchFirst ? 1 : 0
  const cut = (t: Tensor, start: number, end: number) =>
    slice(t, ...(axis === 1 ? [null, { start, end }] : [{ start, end }]))
  const q = normal(sizes(8))
  const [k, v] = 'kdim' in widths ? [normal(sizes(5)), normal(sizes(6))] : [q, q]
  const keyPaddingMask = tensor(
    [
      [1, 0, 0, 0, 0],
      [0, 1, 0, 0, 0],
    ],
    { dtype: 'i32' },
  )
  const whole = attention.forward(q, k, v, { keyPaddingMask, isCausal: true }).output
  const cache = new nn.KeyValueCache()
  for (const [start, end] of [
    [0, 2],
    [2, 5],
  ] as const) {
    const given = [q, k, v].map((t) => cut(t, start, end)) as [Tensor, Tensor, Tensor]
    const inputs = k === q ? ([given[0], given[0], given[0]] as const) : given
    const seen = slice(keyPaddingMask, null, { end })
    const { output, weights } = noGrad(() =>
      attention.forward(...inputs, { keyPaddingMask: seen, isCausal: true, cache }),
    )
    expectNear(output.data(), cut(whole, start, end).data())
    expect(weights?.shape).toEqual([2, end - start, end])
  }
})

test('the GPT of examples/chars writes with a cache as it does without', () => {
  const { nn, noGrad, manualSeed } = packaged
  manualSeed(6)
  const model = new Gpt({ vocabulary: 50, block: 16, width: 32, heads: 4, layers: 3 })
  const text = Int32Array.from({ length: 16 }, (_, i) => (7 * i * i + 3) % 50)
  const whole = model.forward({ shape: [1, 16], data: text }).data()
  const caches = model.blocks.map(() => new nn.KeyValueCache())
  for (let i = 0; i < 16; i++) {
    const logits = noGrad(() => model.forward({ shape: [1, 1], data: text.subarray(i, i + 1) }, caches)).data()
    expectNear(logits, whole.subarray(50 * i, 50 * (i + 1)))
  }
})

test('misuse is named', () => {
  const block = new nn.TransformerDecoderBlock(4, 1)
  const other = new nn.TransformerDecoderBlock(4, 1)
  const cache = new nn.KeyValueCache()
  const x = normal([1, 2, 4])
  expect(() => block.forward(x, { cache })).toThrow('cache keeps no gradients; call it inside noGrad')
  noGrad(() => {
    expect(() => block.forward(x, { cache: {} as never })).toThrow('cache is object, expected a nn.KeyValueCache')
    block.forward(x, { cache })
    expect(() => other.forward(x, { cache })).toThrow('cache holds keys of another layer; make one for each layer')
    expect(() => block.forward(normal([2, 2, 4]), { cache })).toThrow(
      'cache holds keys [1, 2, 4], which [2, 2, 4] do not continue',
    )
    expect(() => compile((a) => block.forward(a, { cache }))(x)).toThrow(
      'cache grows at each call, which a program cannot',
    )
  })
  expect(cache.length).toBe(2)
})

test('what is refused leaves the cache as it was', () => {
  const block = new nn.TransformerDecoderBlock(4, 1, { dropout: 0 })
  const cache = new nn.KeyValueCache()
  const x = normal([1, 4, 4])
  const [before, after] = [slice(x, null, { end: 2 }), slice(x, null, { start: 2 })]
  const whole = block.forward(x)
  noGrad(() => {
    block.forward(before, { cache })
    const keyPaddingMask = tensor([[0, 0]], { dtype: 'i32' })
    expect(() => block.forward(after, { cache, keyPaddingMask })).toThrow('keyPaddingMask has shape [1, 2]')
    expect(cache.length).toBe(2)
    expectNear(block.forward(after, { cache }).data(), slice(whole, null, { start: 2 }).data())
  })
})

test('an encoder takes no cache for all of its layers', () => {
  const encoder = new nn.TransformerEncoder(() => new nn.TransformerEncoderLayer(4, 1), 2)
  const cache = new nn.KeyValueCache()
  expect(() => encoder.forward(normal([2, 1, 4]), { cache } as never)).toThrow(
    'nn.TransformerEncoder.forward: one cache came for 2 layers; call each of layers with its own',
  )
})
