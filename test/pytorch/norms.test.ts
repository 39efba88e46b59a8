import { beforeAll, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { nn } from '../../src/index.ts'
import { fixture, followsPyTorch, recordAccuracy } from '../helpers/pytorch.ts'

beforeAll(() => lw.init())
recordAccuracy('norms')

const arrays = fixture('norms')
const follows = (name: string, at: string, depth: number, make: () => nn.Module) =>
  followsPyTorch(arrays, { name, at, depth, make })

follows('LayerNorm', 'layer', 10, () => new nn.LayerNorm(10))
follows('LayerNorm', 'layer-axes', 15, () => new nn.LayerNorm([3, 5], { eps: 1e-3 }))
follows('LayerNorm', 'layer-plain', 9, () => new nn.LayerNorm([9], { elementwiseAffine: false }))
follows('LayerNorm', 'layer-wide', 768, () => new nn.LayerNorm(768))
follows('RMSNorm', 'rms', 12, () => new nn.RMSNorm(12))
follows('RMSNorm', 'rms-axes', 14, () => new nn.RMSNorm([2, 7], { eps: 1e-2 }))
follows('RMSNorm', 'rms-plain', 8, () => new nn.RMSNorm(8, { elementwiseAffine: false }))
follows('GroupNorm', 'group', 60, () => new nn.GroupNorm(2, 6))
follows('GroupNorm', 'group-instance', 14, () => new nn.GroupNorm(4, 4, { eps: 1e-2 }))
follows('GroupNorm', 'group-flat', 5, () => new nn.GroupNorm(3, 12))
follows('GroupNorm', 'group-plain', 12, () => new nn.GroupNorm(1, 4, { affine: false }))
follows('BatchNorm1d', 'batch1d', 9, () => new nn.BatchNorm1d(7))
follows('BatchNorm1d', 'batch1d-length', 24, () => new nn.BatchNorm1d(5, { momentum: 0.4, eps: 1e-3 }))
follows('BatchNorm1d', 'batch1d-average', 8, () => new nn.BatchNorm1d(6, { momentum: null }))
follows('BatchNorm1d', 'batch1d-untracked', 8, () => new nn.BatchNorm1d(4, { trackRunningStats: false }))
follows('BatchNorm1d', 'batch1d-untracked-eval', 8, () => new nn.BatchNorm1d(4, { trackRunningStats: false }).eval())
follows('BatchNorm2d', 'batch2d', 140, () => new nn.BatchNorm2d(3))
follows('BatchNorm2d', 'batch2d-eval', 32, () => new nn.BatchNorm2d(3).eval())
follows('BatchNorm2d', 'batch2d-plain', 18, () => new nn.BatchNorm2d(4, { affine: false, momentum: 0.01 }))

test('initial values, names and printed forms', () => {
  const norm = new nn.BatchNorm2d(2)
  expect(norm.stateDict()).toEqual({
    weight: { shape: [2], data: Float32Array.of(1, 1) },
    bias: { shape: [2], data: new Float32Array(2) },
    running_mean: { shape: [2], data: new Float32Array(2) },
    running_var: { shape: [2], data: Float32Array.of(1, 1) },
    num_batches_tracked: { shape: [], data: new Int32Array(1) },
  })
  expect(String(norm)).toBe('BatchNorm2d(2, eps=0.00001, momentum=0.1, affine=true, trackRunningStats=true)')
  expect(String(new nn.LayerNorm([2, 3]))).toBe('LayerNorm([2, 3], eps=0.00001, elementwiseAffine=true)')
  expect(String(new nn.GroupNorm(2, 4))).toBe('GroupNorm(2, 4, eps=0.00001, affine=true)')
  expect(Object.keys(new nn.LayerNorm(3, { bias: false }).stateDict())).toEqual(['weight'])
  expect(new nn.RMSNorm(3).weight?.tolist()).toEqual([1, 1, 1])
})

test('a compiled function follows train, eval and freezing', () => {
  const norm = new nn.BatchNorm1d(3)
  const x = lw.normal([8, 3], 2, 3)
  const step = lw.compile((input) => {
    const y = norm.forward(input)
    y.mul(y).sum().backward()
    return y
  })
  step(x)
  step(x)
  expect(norm.numBatchesTracked?.item()).toBe(2)
  const running = norm.runningMean?.data()
  norm.eval()
  const y = step(x).data()
  expect(norm.runningMean?.data()).toEqual(running)
  expect(y).toEqual(norm.forward(x).data())
  const before = norm.weight?.grad?.data()
  norm.requiresGrad(false)
  const input = lw.tensor(x.data(), { shape: [8, 3], requiresGrad: true })
  const frozen = lw.compile(() => norm.forward(input).sum().backward())
  frozen()
  expect(norm.weight?.grad?.data()).toEqual(before)
  expect(input.grad).not.toBeNull()
  norm.train()
  lw.noGrad(() => norm.forward(x))
  expect(norm.numBatchesTracked?.item()).toBe(3)
  nn.summary(norm, [4, 3])
  expect(norm.numBatchesTracked?.item()).toBe(3)
})

test('layers say what they were given', () => {
  expect(() => new nn.LayerNorm(-1)).toThrow('nn.LayerNorm: shape [-1] has size -1 at axis 0')
  expect(() => new nn.LayerNorm([])).toThrow('nn.LayerNorm: normalizedShape is [], expected at least one size')
  expect(() => new nn.LayerNorm(2, { eps: Number.NaN })).toThrow('nn.LayerNorm: eps is NaN')
  expect(() => new nn.GroupNorm(3, 4)).toThrow('numChannels is 4, expected a multiple of numGroups, 3')
  expect(() => new nn.GroupNorm(2, 4).forward(lw.ones([2, 6]))).toThrow('nn.GroupNorm: input has shape [2, 6]')
  expect(() => new nn.BatchNorm1d(2.5)).toThrow('numFeatures is 2.5')
  expect(() => new nn.BatchNorm1d(2, { momentum: -1 })).toThrow(
    'momentum is -1, expected a number from 0 to 1, or null',
  )
  expect(() => new nn.BatchNorm1d(3).forward(lw.ones([2, 3, 4, 5]))).toThrow(
    'nn.BatchNorm1d: input has shape [2, 3, 4, 5], expected [batch, 3] or [batch, 3, length]',
  )
  const norm = new nn.BatchNorm2d(3)
  expect(() => norm.forward(lw.ones([2, 3]))).toThrow('expected [batch, 3, height, width]')
  expect(() => norm.forward(lw.ones([1, 3, 1, 1]))).toThrow('expected more than 1 value per channel when training')
  expect(norm.numBatchesTracked?.item()).toBe(0)
})
