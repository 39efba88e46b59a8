import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../src/index.ts'
import { losses, nn, ones, optim, tensor } from '../src/index.ts'

beforeAll(() => lw.init())

const square = () => ones([2, 2])
const image = () => ones([1, 1, 4, 4])
const no = 'false' as never

describe('options that are true or false take nothing else', () => {
  test.each<[string, () => unknown]>([
    ['isCausal', () => lw.scaledDotProductAttention(square(), square(), square(), { isCausal: no })],
    ['interleaved', () => new nn.RotaryEmbedding(4, { interleaved: no })],
    ['training', () => lw.batchNorm(square(), { training: no })],
    ['keepDim', () => square().sum({ keepDim: no })],
    ['keepDim', () => square().argmax({ axis: 0, keepDim: no })],
    ['ceilMode', () => lw.maxPool2d(image(), { kernelSize: 2, ceilMode: no })],
    ['countIncludePad', () => lw.avgPool2d(image(), { kernelSize: 2, countIncludePad: no })],
    ['alignCorners', () => lw.interpolate(image(), { size: 2, mode: 'bilinear', alignCorners: no })],
    ['descending', () => lw.sort(square(), { descending: no })],
    ['largest', () => lw.topk(square(), 1, { largest: no })],
    ['replacement', () => lw.multinomial(square(), 1, { replacement: no })],
    ['bias', () => new nn.Linear(2, 2, { bias: no })],
    ['bias', () => new nn.Bilinear(2, 2, 2, { bias: no })],
    ['bias', () => new nn.Conv2d(1, 1, 2, { bias: no })],
    ['batchFirst', () => new nn.LSTM(2, 2, { batchFirst: no })],
    ['bias', () => new nn.GRUCell(2, 2, { bias: no })],
    ['batchFirst', () => new nn.MultiheadAttention(2, 1, { batchFirst: no })],
    ['normFirst', () => new nn.TransformerEncoderLayer(2, 1, { normFirst: no })],
    ['affine', () => new nn.BatchNorm1d(2, { affine: no })],
    ['elementwiseAffine', () => new nn.LayerNorm(2, { elementwiseAffine: no })],
    ['logTarget', () => losses.klDiv(square(), square(), { logTarget: no })],
    ['full', () => losses.poissonNll(square(), square(), { full: no })],
    ['swap', () => losses.tripletMargin(square(), square(), square(), { swap: no })],
    ['errorIfNonfinite', () => optim.clipGradNorm([], 1, { errorIfNonfinite: no })],
    ['strict', () => new nn.Linear(2, 2).loadStateDict({}, { strict: no })],
    ['requiresGrad', () => tensor([1], { requiresGrad: no })],
  ])('%s', (name, make) => {
    expect(make).toThrow(new RegExp(`${name} is 'false', expected true or false`))
  })
})

test('numbers given as words are refused', () => {
  expect(() => lw.dropout(square(), '0.5' as never)).toThrow(/dropout: p is '0.5', expected a probability/)
  expect(() => new nn.Dropout(null as never)).toThrow(/nn.Dropout: p is null, expected a probability/)
  const target = tensor(Int32Array.of(0, 1))
  expect(() => losses.crossEntropy(square(), target, { labelSmoothing: '0.5' as never })).toThrow(
    /labelSmoothing is '0.5'/,
  )
})

test('sizes beyond 32 bits are refused', () => {
  expect(() => lw.maxPool2d(image(), { kernelSize: 2, stride: 2 ** 32 })).toThrow(/maxPool2d: stride is 4294967296/)
  expect(() => lw.maxPool1d(ones([1, 1, 4]), { kernelSize: 2, stride: 2 ** 32 })).toThrow(
    /maxPool1d: stride is 4294967296/,
  )
})

test('the state of an LSTM is { hidden, cell }, nothing else', () => {
  const hidden = ones([1, 2, 3])
  const lstm = new nn.LSTM(2, 3)
  const x = ones([4, 2, 2])
  expect(() => lstm.forward(x, hidden as never)).toThrow(
    /nn.LSTM.forward: state: unknown option shape, expected hidden, cell/,
  )
  expect(() => lstm.forward(x, { h: hidden, c: hidden } as never)).toThrow(/unknown option h/)
  expect(lstm.forward(x, lstm.forward(x)).output.shape).toEqual([4, 2, 3])
  expect(() => new nn.LSTMCell(2, 3).forward(ones([2, 2]), [hidden, hidden] as never)).toThrow(/unknown option 0/)
})

test('state dicts are neither taken nor given while a function is traced', () => {
  const layer = new nn.Linear(2, 2)
  const optimizer = new optim.Adam(layer.parameters())
  const state = layer.stateDict()
  const traced = (fn: () => unknown) => () => lw.compile(() => void fn())()
  expect(traced(() => layer.loadStateDict(state))).toThrow(/loadStateDict: cannot be called while compile\(\) traces/)
  expect(traced(() => optimizer.stateDict())).toThrow(/optim.Adam: stateDict while compile\(\) traces/)
})

test('images without elements have no windows', () => {
  const none = lw.zeros([1, 1, 0, 2])
  expect(() => lw.maxPool2d(none, { kernelSize: 2, padding: 1 })).toThrow(/maxPool2d: kernelSize is \[2, 2\] for input/)
  expect(() => lw.avgPool2d(none, { kernelSize: 2, padding: 1 })).toThrow(/avgPool2d: kernelSize is \[2, 2\] for input/)
})

test('a state dict with a negative count of steps is refused', () => {
  const optimizer = new optim.Adam(new nn.Linear(1, 1).parameters())
  const saved = optimizer.stateDict()
  saved.state['0.step']!.data[0] = -5
  expect(() => optimizer.loadStateDict(saved)).toThrow(/0.step is -5, expected a number of steps >= 0/)
})

test('modules and what holds them say what they got', () => {
  const layer = new nn.Linear(2, 3)
  const wrong: [() => unknown, RegExp][] = [
    [() => new nn.Buffer(3 as never), /^Buffer: values are number, expected a Tensor/],
    [() => new nn.Parameter(null as never), /^Parameter: values are null, expected a Tensor/],
    [() => layer.train('no' as never), /^train: training is 'no', expected true or false/],
    [() => layer.requiresGrad('no' as never), /^requiresGrad: value is 'no', expected true or false/],
    [() => layer.apply(3 as never), /^apply: fn is number, expected a function/],
    [() => new nn.ModuleList(3 as never), /^nn.ModuleList: modules are 3, expected a list/],
    [() => new nn.ModuleDict(null as never), /^nn.ModuleDict: modules are null, expected an object/],
    [() => nn.summary(layer, 'a' as never), /^nn.summary: shape is undefined, expected an array of sizes/],
    [() => nn.summary(layer, [2, -1]), /^nn.summary: shape \[2, -1\] has size -1/],
  ]
  for (const [call, message] of wrong) expect(call).toThrow(message)
  expect([layer.training, layer.weight.requiresGrad]).toEqual([true, true])
})

test('optimizers say what is missing, and refuse names that are not theirs', () => {
  const p = new nn.Parameter(ones([2]))
  expect(() => new optim.SGD([p], {} as never)).toThrow('optim.SGD: lr is undefined, expected a finite number >= 0')
  const [group] = new optim.SGD([p], { lr: 1 }).paramGroups
  expect(() => Object.assign(group as object, { momentun: 5 })).toThrow(/momentun/)
  expect(() => new optim.ExponentialMovingAverage([])).toThrow('optim.ExponentialMovingAverage: got no parameters')
})
