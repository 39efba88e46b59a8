// Bad input: every Error names the function, the argument, what came and what was expected; nothing changes,
// and the next call works.

import { afterEach, beforeAll, expect, test } from 'vitest'
import './helpers/guard.ts'
import * as lw from '../src/index.ts'
import { losses, nn, optim, tensor } from '../src/index.ts'

beforeAll(() => lw.init({ maxMemory: 2 ** 24 }))
afterEach(() => expect(lw.add(1, 2).item()).toBe(3))

const x = () => lw.ones([2, 3])
const gone = () => {
  const t = lw.ones([2])
  t.dispose()
  return t
}
const cases: [string, () => unknown, RegExp][] = [
  ['ragged arrays', () => tensor([[1, 2], [3]]), /^tensor: nested arrays are ragged: length 1 at depth 1, expected 2/],
  ['arrays of strings', () => tensor(['a'] as never), /^tensor: values contain a, expected numbers/],
  ['no array', () => tensor('abc' as never), /^tensor: values are abc, expected numbers/],
  ['wrong length', () => tensor([1, 2, 3], { shape: [2, 2] }), /^tensor: got 3 values, expected 4 for shape \[2, 2\]/],
  ['a negative size', () => lw.zeros([2, -1]), /^full: shape \[2, -1\] has size -1 at axis 1/],
  ['a fractional size', () => lw.zeros([1.5]), /^full: shape \[1.5\] has size 1.5 at axis 0/],
  [
    'too many elements',
    () => lw.zeros([2 ** 20, 2 ** 20]),
    /^full: shape .* has 1099511627776 elements, expected at most 2\^30/,
  ],
  [
    'shapes that do not broadcast',
    () => lw.add(x(), lw.ones([2])),
    /^add: shapes \[2, 3\] and \[2\] do not broadcast: axis 1 is 3 and 2/,
  ],
  [
    'matrices that do not fit',
    () => lw.matmul(x(), x()),
    /^matmul: shapes \[2, 3\] and \[2, 3\] do not fit: the last axis of a is 3, expected 2/,
  ],
  ['a number in matmul', () => lw.matmul(x(), 2), /^matmul: shapes \[2, 3\] and \[\], expected at least one axis/],
  [
    'linear',
    () => lw.linear(lw.ones([32, 783]), lw.ones([10, 784])),
    /^linear: input has shape \[32, 783\], expected last dimension 784/,
  ],
  ['a bias', () => lw.linear(x(), lw.ones([4, 3]), lw.ones([3])), /^linear: bias has shape \[3\], expected \[4\]/],
  ['an axis', () => lw.sum(x(), { axis: 2 }), /^sum: axis is 2, expected a whole number from -2 to 1/],
  ['an axis twice', () => lw.mean(x(), { axis: [0, -2] }), /^mean: axis \[0, -2\] names an axis twice/],
  ['max of nothing', () => lw.max(lw.ones([0])), /^max: axis 0 of x \[0\] has size 0/],
  ['reshape', () => lw.reshape(x(), [4]), /^reshape: x \[2, 3\] has 6 elements, expected 4 for shape \[4\]/],
  [
    'reshape with -1',
    () => lw.reshape(x(), [4, -1]),
    /^reshape: x \[2, 3\] has 6 elements, which \[4, -1\] does not divide/,
  ],
  ['permute', () => lw.permute(x(), [0, 0]), /^permute: order is \[0, 0\], expected each of the 2 axes once/],
  ['expand', () => lw.expand(x(), [2]), /^expand: x has shape \[2, 3\], expected one that broadcasts to \[2\]/],
  [
    'clamp without bounds',
    () => lw.clamp(x(), undefined as never),
    /^clamp: options are undefined, expected an object with min, max/,
  ],
  ['cumsum without an axis', () => lw.cumsum(x(), undefined as never), /^cumsum: axis is undefined/],
  ['variance with dim', () => lw.variance(x(), { dim: 1 } as never), /^variance: unknown option dim/],
  ['logSumExp with a bare axis', () => lw.logSumExp(x(), 1 as never), /^logSumExp: options are 1/],
  ['norm with dim', () => lw.norm(x(), { dim: 1 } as never), /^norm: unknown option dim/],
  [
    'slice with a bare position',
    () => lw.slice(x(), 1 as never),
    /^slice: options are 1, expected an object with start, end, step/,
  ],
  ['flip without axes', () => lw.flip(x(), undefined as never), /^flip: axes are undefined/],
  [
    'i32 where values belong',
    () => lw.exp(tensor(Int32Array.of(1))),
    /^exp: x is i32 \[1\], expected f32; convert it with .to\('f32'\)/,
  ],
  [
    'f32 where indices belong',
    () => losses.crossEntropy(x(), lw.ones([2])),
    /^crossEntropy: target is f32 \[2\], expected i32 indices/,
  ],
  ['a string', () => lw.add('1' as never, 2), /^add: a is string, expected a Tensor, a number or/],
  ['null', () => lw.relu(null as never), /^relu: x is null/],
  [
    'a label too large',
    () => losses.crossEntropy(x(), tensor(Int32Array.of(0, 3))),
    /^crossEntropy: target 3 at index 1 is out of range, expected a class index from 0 to 2/,
  ],
  [
    'a negative label',
    () => losses.crossEntropy(x(), tensor(Int32Array.of(-1, 0))),
    /^crossEntropy: target -1 at index 0/,
  ],
  [
    'labels of another length',
    () => losses.crossEntropy(x(), tensor(Int32Array.of(0))),
    /^crossEntropy: target has shape \[1\], expected \[2\]/,
  ],
  [
    'targets of another shape',
    () => losses.mse(x(), lw.ones([3, 2])),
    /^mse: input has shape \[2, 3\] and target \[3, 2\], expected the same shape/,
  ],
  [
    'a reduction',
    () => losses.mae(x(), x(), { reduction: 'avg' as never }),
    /^mae: reduction is 'avg', expected 'mean', 'sum' or 'none'/,
  ],
  ['a disposed tensor', () => gone().item(), /^Tensor.item: tensor of shape \[2\] was used after dispose/],
  ['a disposed input', () => lw.compile((t) => t)(gone()), /^compile: tensor of shape \[2\] was used after dispose/],
  ['item of many', () => x().item(), /^Tensor.item: the tensor has shape \[2, 3\], expected one element/],
  ['copyFrom', () => x().copyFrom([1]), /^Tensor.copyFrom: source has 1 elements, expected 6 for shape \[2, 3\]/],
  ['memory exhausted', () => lw.zeros([2 ** 23]), /^full: out of memory: asked for 42 MB, in use .* limit 17 MB/],
  ['features', () => new nn.Linear(-1, 2), /^nn.Linear: inFeatures is -1, expected a whole number >= 0/],
  [
    'a layer',
    () => new nn.Sequential(new nn.ReLU(), {} as never),
    /^nn.Sequential: argument 1 is object, expected a Module/,
  ],
  ['no parameters', () => new optim.SGD([], { lr: 1 }), /^optim.SGD: got no parameters/],
  ['a negative rate', () => new optim.Adam([x()], { lr: -1 }), /^optim.Adam: lr is -1, expected a finite number >= 0/],
  [
    'a beta',
    () => new optim.AdamW([x()], { betas: [1, 0.9] }),
    /^optim.AdamW: beta1 is 1, expected a finite number from 0 to/,
  ],
  [
    'a parameter twice',
    () => {
      const p = x()
      return new optim.Adam([p, p])
    },
    /^optim.Adam: a parameter is given twice/,
  ],
  [
    'a computed parameter',
    () => {
      const p = x()
      p.requiresGrad = true
      return new optim.Adam([p.mul(2)])
    },
    /^optim.Adam: parameter 0 \[2, 3\] is computed by another op/,
  ],
  [
    'a rate set to NaN',
    () => {
      new optim.Adam([x()]).lr = Number.NaN
    },
    /^optim.Adam: lr is NaN, expected a finite number/,
  ],
  [
    'nesterov alone',
    () => new optim.SGD([x()], { lr: 1, nesterov: true }),
    /^optim.SGD: nesterov needs a momentum above 0/,
  ],
  ['a seed', () => lw.manualSeed(-1), /^Generator.seed: seed is -1, expected a whole number/],
  ['uniform', () => lw.uniform([2], 1, 0), /^uniform: low is 1 and high is 0/],
  ['normal', () => lw.normal([2], 0, -1), /^normal: std is -1/],
  ['no function', () => lw.compile(3 as never), /^compile: fn is number, expected a function of tensors/],
]
test.each(cases)('%s', (_, run, message) => {
  const { used } = lw.memoryStats()
  expect(() => lw.scope(run as () => never)).toThrow(message)
  expect(lw.memoryStats().used).toBeLessThanOrEqual(used + 4096)
})

test('a failing state dict changes nothing and names every fault', () => {
  const layer = new nn.Linear(2, 3)
  const before = layer.stateDict()
  expect(() =>
    layer.loadStateDict({ weight: { shape: [2, 3], data: new Float32Array(6) }, extra: before.bias as never }),
  ).toThrow('loadStateDict: weight has shape [2, 3], expected [3, 2]; missing bias [3]; unexpected extra')
  expect(layer.stateDict()).toEqual(before)
  layer.loadStateDict(before)
})

test('Errors quote strings, name kinds, and stay short', () => {
  const x = lw.zeros([2, 2])
  const cyclic: unknown[] = []
  cyclic.push(cyclic)
  const values: [unknown, string][] = [
    ['1', "'1'"],
    [{ axis: 1 }, 'Object'],
    [Symbol('s'), 'Symbol(s)'],
    [2n, '2n'],
    [() => 1, 'a function'],
    ['a'.repeat(100), `'${'a'.repeat(64)}…'`],
    [new Float32Array(1000), 'Float32Array'],
    [cyclic, 'Array'],
    [Array(20).fill(1), `[${Array(16).fill(1).join(', ')}, …]`],
    [{ toString: () => 1 }, 'Object'],
  ]
  for (const [axis, text] of values)
    expect(() => lw.softmax(x, axis as never)).toThrow(`softmax: axis is ${text}, expected a whole number from -2 to 1`)
  expect(() => lw.sum(x, { axis: '1' as never })).toThrow("sum: axis is '1', expected a whole number from -2 to 1")
})
