// Layers on images against PyTorch: test/fixtures/images.py.

import { beforeAll, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { manualSeed, nn } from '../../src/index.ts'
import { fixture, followsPyTorch, type LayerCase, recordAccuracy } from '../helpers/pytorch.ts'

beforeAll(() => lw.init())
recordAccuracy('images')

const arrays = fixture('images')
const layer = (at: string, depth: number, make: () => nn.Module, more: Partial<LayerCase<nn.Module>> = {}): void =>
  followsPyTorch(arrays, { name: make.toString().match(/nn\.(\w+)/)?.[1] ?? at, at, depth, make, ...more })

layer('conv2d', 27, () => new nn.Conv2d(3, 7, 3))
layer('conv2d-stride', 12, () => new nn.Conv2d(2, 5, [3, 2], { stride: [2, 3], padding: [1, 2], bias: false }))
layer('conv2d-same', 60, () => new nn.Conv2d(3, 6, [4, 5], { padding: 'same', dilation: [1, 2] }))
layer('conv2d-valid', 50, () => new nn.Conv2d(2, 9, 5, { padding: 'valid' }))
layer('conv2d-groups', 18, () => new nn.Conv2d(4, 6, 3, { padding: 1, groups: 2 }))
layer('conv2d-depthwise', 9, () => new nn.Conv2d(5, 10, 3, { padding: 1, stride: 2, groups: 5 }))
layer('conv2d-pointwise', 7, () => new nn.Conv2d(7, 8, 1))
layer('conv1d', 15, () => new nn.Conv1d(3, 8, 5, { padding: 2 }))
layer('conv1d-stride', 6, () => new nn.Conv1d(4, 6, 3, { stride: 2, dilation: 2, groups: 2, bias: false }))
layer('conv1d-same', 8, () => new nn.Conv1d(2, 3, 4, { padding: 'same' }))
layer('convTranspose2d', 27, () => new nn.ConvTranspose2d(3, 5, 3))
layer(
  'convTranspose2d-stride',
  24,
  () => new nn.ConvTranspose2d(4, 6, [3, 4], { stride: 2, padding: 1, outputPadding: [1, 0], groups: 2 }),
)
layer(
  'convTranspose2d-dilation',
  18,
  () => new nn.ConvTranspose2d(2, 3, 3, { stride: [1, 2], padding: [2, 1], dilation: 2, bias: false }),
)
layer('maxPool2d', 1, () => new nn.MaxPool2d(2))
layer('maxPool2d-overlap', 1, () => new nn.MaxPool2d(3, { stride: 2, padding: 1, ceilMode: true }))
layer('maxPool2d-dilation', 1, () => new nn.MaxPool2d([2, 3], { stride: 1, dilation: [2, 1] }))
layer('maxPool1d', 1, () => new nn.MaxPool1d(3, { stride: 2, padding: 1 }))
layer('avgPool2d', 4, () => new nn.AvgPool2d(2))
layer('avgPool2d-padding', 6, () => new nn.AvgPool2d([3, 2], { stride: 2, padding: 1, ceilMode: true }))
layer('avgPool2d-excluded', 9, () => new nn.AvgPool2d(3, { stride: 2, padding: 1, countIncludePad: false }))
layer('avgPool1d', 4, () => new nn.AvgPool1d(4, { stride: 3, padding: 2, ceilMode: true }))
layer('adaptiveAvgPool2d', 9, () => new nn.AdaptiveAvgPool2d([3, 4]))
layer('adaptiveAvgPool2d-one', 63, () => new nn.AdaptiveAvgPool2d(1))
layer('adaptiveAvgPool2d-kept', 3, () => new nn.AdaptiveAvgPool2d([null, 2]))
layer('upsample-nearest', 4, () => new nn.Upsample({ scaleFactor: 2 }))
layer('upsample-nearest-size', 4, () => new nn.Upsample({ size: [7, 3] }))
layer('upsample-nearest-fraction', 4, () => new nn.Upsample({ scaleFactor: [1.7, 0.6] }))
layer('upsample-bilinear', 4, () => new nn.Upsample({ scaleFactor: [2, 1.5], mode: 'bilinear' }))
layer('upsample-bilinear-size', 4, () => new nn.Upsample({ size: [3, 9], mode: 'bilinear' }))
layer('upsample-bilinear-corners', 4, () => new nn.Upsample({ scaleFactor: 2, mode: 'bilinear', alignCorners: true }))
layer('pixelShuffle', 1, () => new nn.PixelShuffle(2))
layer('zeroPad2d', 1, () => new nn.ZeroPad2d([1, 2, 0, 3]))

class Flatten extends nn.Module {
  forward(x: lw.Value): lw.Tensor {
    return lw.flatten(x as lw.Tensor)
  }
}
layer(
  'network',
  96,
  () =>
    new nn.Sequential(
      new nn.Conv2d(1, 4, 3, { padding: 1 }),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Conv2d(4, 6, 3),
      new nn.Tanh(),
      new nn.AvgPool2d(2),
      new Flatten(),
      new nn.Linear(24, 3),
    ),
  { name: 'a small network', kind: 'models' },
)

test('convolutions start from U(±1/√fanIn), the same from the same generator', () => {
  manualSeed(5)
  const made = (
    generator?: lw.Generator,
  ): [nn.Module & { weight: nn.Parameter; bias: nn.Parameter | null }, number][] => [
    [new nn.Conv2d(16, 64, 5, { groups: 2, ...(generator && { generator }) }), 8 * 25],
    [new nn.Conv1d(40, 100, 9, generator && { generator }), 40 * 9],
    [new nn.ConvTranspose2d(16, 64, 5, { groups: 2, ...(generator && { generator }) }), 32 * 25],
  ]
  for (const [module, fanIn] of made()) {
    const bound = 1 / Math.sqrt(fanIn)
    for (const parameter of [module.weight, module.bias as nn.Parameter]) {
      const w = Array.from(parameter.data())
      const square = w.reduce((s, x) => s + x * x, 0) / w.length
      expect(Math.max(...w.map(Math.abs))).toBeLessThanOrEqual(Math.fround(bound))
      // The variance of x² is 4/45 bound⁴: five standard errors.
      expect(Math.abs(square / bound ** 2 - 1 / 3)).toBeLessThan((5 * Math.sqrt(4 / 45)) / Math.sqrt(w.length))
    }
  }
  const states = [7, 7].map((seed) => made(new lw.Generator(seed)).map(([module]) => module.stateDict()))
  expect(states[0]).toEqual(states[1])
})

test('frozen convolutions do not learn, and compiled steps follow', () => {
  const conv = new nn.Conv2d(1, 3, 3)
  const model = new nn.Sequential(conv, new nn.ReLU(), new nn.Conv2d(3, 2, 2))
  const optimizer = new lw.optim.SGD(model.parameters(), { lr: 0.1 })
  const x = lw.uniform([2, 1, 6, 6])
  const step = lw.compile(() => {
    const loss = model.forward(x).mul(model.forward(x)).mean()
    optimizer.minimize(loss)
    return loss
  })
  conv.requiresGrad(false)
  const before = conv.stateDict()
  const first = step().item()
  expect(step().item()).toBeLessThan(first)
  expect(conv.stateDict()).toEqual(before)
  conv.requiresGrad(true)
  step()
  expect(conv.stateDict()).not.toEqual(before)
})

test('layers print what they are', () => {
  expect(String(new nn.Conv2d(4, 6, 3, { padding: [1, 2], groups: 2, bias: false }))).toBe(
    'Conv2d(4, 6, kernelSize=(3, 3), stride=(1, 1), padding=(1, 2), groups=2, bias=false)',
  )
  expect(String(new nn.Conv1d(4, 6, 3, { padding: 'same' }))).toBe(
    'Conv1d(4, 6, kernelSize=(3,), stride=(1,), padding=same)',
  )
  expect(String(new nn.ConvTranspose2d(4, 6, 3, { stride: 2, outputPadding: 1 }))).toBe(
    'ConvTranspose2d(4, 6, kernelSize=(3, 3), stride=(2, 2), outputPadding=(1, 1))',
  )
  expect(String(new nn.AdaptiveAvgPool2d([null, 2]))).toBe('AdaptiveAvgPool2d(outputSize=(null, 2))')
})
