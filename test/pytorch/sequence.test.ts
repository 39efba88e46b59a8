import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { cat, nn, type Tensor, tensor } from '../../src/index.ts'
import { array, fixture, followsPyTorch, recordAccuracy } from '../helpers/pytorch.ts'

beforeAll(() => lw.init())
recordAccuracy('sequence')

const arrays = fixture('sequence')
const flat = (...outputs: (Tensor | null)[]) => cat(outputs.map((y) => (y as Tensor).reshape([-1])))

type Sequence = nn.RNN | nn.GRU | nn.LSTM
const sequence = (module: Sequence, x: Tensor, hidden?: Tensor, cell?: Tensor): Tensor => {
  if (!(module instanceof nn.LSTM)) {
    const made = module.forward(x, hidden)
    return flat(made.output, made.hidden)
  }
  const made = module.forward(x, hidden && cell ? { hidden, cell } : {})
  return flat(made.output, made.hidden, made.cell)
}
type Cell = nn.RNNCell | nn.GRUCell | nn.LSTMCell
const cell = (module: Cell, x: Tensor, hidden?: Tensor, before?: Tensor): Tensor => {
  if (!(module instanceof nn.LSTMCell)) return module.forward(x, hidden)
  const made = module.forward(x, hidden && before ? { hidden, cell: before } : {})
  return flat(made.hidden, made.cell)
}

const kinds = [
  ['RNN', nn.RNN, nn.RNNCell],
  ['LSTM', nn.LSTM, nn.LSTMCell],
  ['GRU', nn.GRU, nn.GRUCell],
] as const
for (const [name, Layer, LayerCell] of kinds) {
  // Sums of I + H + 2 terms at each of up to seven steps.
  const common = { name, depth: 7 * 13, call: sequence }
  followsPyTorch<Sequence>(arrays, { ...common, at: `${name}/plain`, make: () => new Layer(5, 6) })
  followsPyTorch<Sequence>(arrays, { ...common, at: `${name}/state`, make: () => new Layer(5, 6, { bias: false }) })
  const deep = { numLayers: 2, bidirectional: true, batchFirst: true }
  followsPyTorch<Sequence>(arrays, { ...common, at: `${name}/deep`, make: () => new Layer(5, 6, deep) })
  followsPyTorch<Sequence>(arrays, { ...common, at: `${name}/alone`, make: () => new Layer(5, 6, { numLayers: 2 }) })
  const one = { name: `${name}Cell`, depth: 13, call: cell }
  followsPyTorch<Cell>(arrays, { ...one, at: `${name}Cell/plain`, make: () => new LayerCell(5, 6) })
  followsPyTorch<Cell>(arrays, { ...one, at: `${name}Cell/state`, make: () => new LayerCell(5, 6, { bias: false }) })
}
const relu = { nonlinearity: 'relu' } as const
followsPyTorch(arrays, {
  name: 'RNN',
  at: 'RNN/relu',
  depth: 7 * 13,
  make: () => new nn.RNN(5, 6, relu),
  call: sequence,
})
followsPyTorch(arrays, {
  name: 'RNNCell',
  at: 'RNNCell/relu',
  depth: 13,
  make: () => new nn.RNNCell(5, 6, relu),
  call: cell,
})

const attention = (
  at: string,
  make: () => nn.MultiheadAttention,
  call: (m: nn.MultiheadAttention, ...x: Tensor[]) => Tensor,
) => followsPyTorch(arrays, { name: 'MultiheadAttention', at: `MultiheadAttention/${at}`, depth: 36, make, call })
const all = ({ output, weights }: { output: Tensor; weights: Tensor | null }) => flat(output, weights)
const batchFirst = true
const own = (m: nn.MultiheadAttention, x?: Tensor) => all(m.forward(x!, x!, x!))
attention('self', () => new nn.MultiheadAttention(12, 3), own)
attention('alone', () => new nn.MultiheadAttention(12, 3), own)
attention(
  'causal',
  () => new nn.MultiheadAttention(8, 2, { bias: false, batchFirst }),
  (m, x) => m.forward(x!, x!, x!, { isCausal: true }).output,
)
attention(
  'cross',
  () => new nn.MultiheadAttention(8, 2),
  (m, q, k, v) => all(m.forward(q!, k!, v!)),
)
attention(
  'widths',
  () => new nn.MultiheadAttention(8, 2, { kdim: 6, vdim: 7, batchFirst }),
  (m, q, k, v) => all(m.forward(q!, k!, v!)),
)
attention(
  'masks',
  () => new nn.MultiheadAttention(8, 2, { batchFirst }),
  (m, q, k, keyPaddingMask, attnMask) =>
    m.forward(q!, k!, k!, { keyPaddingMask: keyPaddingMask!, attnMask: attnMask!, needWeights: false }).output,
)
attention(
  'added',
  () => new nn.MultiheadAttention(8, 2, { batchFirst }),
  (m, q, k) => m.forward(q!, k!, k!, { attnMask: tensor(array(arrays, 'MultiheadAttention/added/mask')) }).output,
)

const narrow = { dimFeedforward: 20, dropout: 0 }
followsPyTorch(arrays, {
  name: 'TransformerEncoderLayer',
  at: 'TransformerEncoderLayer/post',
  depth: 100,
  make: () => new nn.TransformerEncoderLayer(12, 3, narrow),
})
followsPyTorch(arrays, {
  name: 'TransformerEncoderLayer',
  at: 'TransformerEncoderLayer/pre',
  depth: 100,
  make: () =>
    new nn.TransformerEncoderLayer(12, 3, {
      ...narrow,
      activation: 'gelu',
      batchFirst,
      normFirst: true,
      layerNormEps: 1e-3,
    }),
  call: (m, x, keyPaddingMask) => m.forward(x!, { keyPaddingMask: keyPaddingMask! }),
})
followsPyTorch(arrays, {
  name: 'TransformerEncoder',
  at: 'TransformerEncoder/two',
  depth: 200,
  make: () =>
    new nn.TransformerEncoder(() => new nn.TransformerEncoderLayer(8, 2, narrow), 2, { norm: new nn.LayerNorm(8) }),
})
followsPyTorch(arrays, {
  name: 'TransformerDecoderBlock',
  at: 'TransformerDecoderBlock/causal',
  depth: 100,
  make: () => new nn.TransformerDecoderBlock(8, 2, { dropout: 0 }),
})
followsPyTorch(arrays, {
  name: 'RotaryEmbedding',
  at: 'RotaryEmbedding/halves',
  depth: 2,
  make: () => new nn.RotaryEmbedding(8),
})
followsPyTorch(arrays, {
  name: 'RotaryEmbedding',
  at: 'RotaryEmbedding/interleaved',
  depth: 2,
  make: () => new nn.RotaryEmbedding(6, { interleaved: true }),
  call: (m, x) => m.forward(x!, 5),
})

describe('initial values', () => {
  const within = (p: Tensor | null, bound: number) => {
    const values = [...(p as Tensor).data()].map(Math.abs)
    expect(Math.max(...values)).toBeLessThanOrEqual(Math.fround(bound))
    expect(Math.max(...values)).toBeGreaterThan(0.9 * bound)
  }
  test('recurrent: U(±1/√H)', () => {
    for (const p of new nn.LSTM(20, 25, { numLayers: 2, bidirectional: true }).parameters()) within(p, 0.2)
    for (const p of new nn.GRUCell(20, 25).parameters()) within(p, 0.2)
  })
  test('attention: Xavier for the projections, biases 0', () => {
    const m = new nn.MultiheadAttention(24, 4)
    within(m.inProjWeight, Math.sqrt(6 / 96))
    within(m.outProj.weight, 1 / Math.sqrt(24))
    expect([...m.inProjBias!.data(), ...m.outProj.bias!.data()].every((x) => x === 0)).toBe(true)
    within(new nn.MultiheadAttention(24, 4, { kdim: 12 }).kProjWeight, Math.sqrt(6 / 36))
  })
})

describe('training and evaluation', () => {
  const x = () => lw.uniform([4, 3, 8], -1, 1, new lw.Generator(2))
  const models: [string, () => nn.Module, (m: nn.Module, x: Tensor) => Tensor][] = [
    ['LSTM', () => new nn.LSTM(8, 8, { numLayers: 2, dropout: 0.5 }), (m, x) => (m as nn.LSTM).forward(x).output],
    [
      'attention',
      () => new nn.MultiheadAttention(8, 2, { dropout: 0.5 }),
      (m, x) => (m as nn.MultiheadAttention).forward(x, x, x).output,
    ],
    [
      'encoder layer',
      () => new nn.TransformerEncoderLayer(8, 2),
      (m, x) => (m as nn.TransformerEncoderLayer).forward(x),
    ],
  ]
  test.each(models)('%s drops in training only, compiled too', (_, make, call) => {
    lw.manualSeed(4)
    const model = make()
    const input = x()
    const step = lw.compile(() => call(model, input))
    expect(step().data()).not.toEqual(step().data())
    model.eval()
    const still = step().data()
    expect(step().data()).toEqual(still)
    expect(call(model, input).data()).toEqual(still)
    model.train()
    expect(step().data()).not.toEqual(still)
  })

  test('frozen parameters get no gradient', () => {
    const model = new nn.TransformerDecoderBlock(8, 2)
    model.selfAttn.requiresGrad(false)
    const input = x()
    lw.compile(() => {
      const loss = lw.sum(model.forward(input))
      loss.backward()
      return loss
    })()
    expect(model.selfAttn.parameters().every((p) => p.grad === null)).toBe(true)
    expect(model.linear1.weight.grad).not.toBe(null)
  })
})

test('messages', () => {
  const x = lw.zeros([4, 3, 5])
  expect(() => new nn.LSTM(5, 0)).toThrow('nn.LSTM: hiddenSize is 0, expected a whole number >= 1')
  expect(() => new nn.LSTM(5, 4, { proj: 1 } as never)).toThrow('unknown option proj')
  expect(() => new nn.RNN(5, 4, { nonlinearity: 'gelu' as never })).toThrow(
    "nonlinearity is 'gelu', expected 'tanh' or 'relu'",
  )
  expect(() => new nn.LSTM(6, 4).forward(x)).toThrow('input has shape [4, 3, 5], expected [steps, batch, 6]')
  expect(() => new nn.GRU(5, 4).forward(lw.zeros([0, 3, 5]))).toThrow('expected at least one step')
  expect(() => new nn.GRU(5, 4).forward(x, lw.zeros([2, 3, 4]))).toThrow(
    'hidden has shape [2, 3, 4], expected [1, 3, 4]',
  )
  expect(() => new nn.GRUCell(5, 4).forward(x)).toThrow('input has shape [4, 3, 5], expected [batch, 5]')
  expect(() => new nn.MultiheadAttention(8, 3)).toThrow('embedDim is 8, expected a multiple of numHeads, 3')
  const m = new nn.MultiheadAttention(5, 1)
  expect(() => m.forward(x, lw.zeros([4, 3, 6]), x)).toThrow('key has shape [4, 3, 6], expected [steps, batch, 5]')
  expect(() => m.forward(x, lw.zeros([4, 2, 5]), x)).toThrow('expected the same batch')
  expect(() => m.forward(x, x, x, { keyPaddingMask: lw.zeros([4, 3]) })).toThrow('keyPaddingMask has shape [4, 3]')
  expect(() => new nn.RotaryEmbedding(5)).toThrow('dim is 5, expected an even number')
  expect(() => new nn.RotaryEmbedding(4, { maxLength: 3 }).forward(lw.zeros([4, 4]))).toThrow('raise maxLength')
  expect(() => new nn.TransformerEncoderLayer(8, 2, { activation: 'swish' as never })).toThrow("activation is 'swish'")
  expect(`${new nn.LSTM(5, 4, { numLayers: 2 })}`).toBe('LSTM(5, 4, numLayers=2)')
})
