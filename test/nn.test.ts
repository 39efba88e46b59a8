import { beforeAll, expect, test } from 'vitest'
import * as lw from '../src/index.ts'
import { nn } from '../src/index.ts'

beforeAll(() => lw.init())

test('Linear starts from U(±1/√inFeatures), the same from the same seed', () => {
  lw.manualSeed(3)
  const a = new nn.Linear(100, 400)
  lw.manualSeed(3)
  const b = new nn.Linear(100, 400)
  expect(a.stateDict()).toEqual(b.stateDict())
  const w = Array.from(a.weight.data())
  expect(Math.max(...w.map(Math.abs))).toBeLessThanOrEqual(0.1)
  const mean = w.reduce((s, x) => s + x, 0) / w.length
  const square = w.reduce((s, x) => s + x * x, 0) / w.length
  // Five standard errors of a mean of 40 000 numbers of variance 0.1²/3.
  expect(Math.abs(mean)).toBeLessThan((5 * 0.1) / Math.sqrt(3 * w.length))
  expect(Math.abs(square - 0.01 / 3)).toBeLessThan((5 * 0.01) / Math.sqrt(w.length))
})

test('parameters have the names that PyTorch gives them, and each counts once', () => {
  class Net extends nn.Module {
    readonly body = new nn.Sequential(new nn.Linear(2, 3), new nn.Tanh(), new nn.Linear(3, 2, { bias: false }))
    readonly heads = [new nn.Linear(2, 1), new nn.Linear(2, 1)]
    readonly scale = new nn.Parameter(lw.ones([1]))
    readonly shared = this.scale
    forward(x: lw.Tensor): lw.Tensor[] {
      const h = this.body.forward(x).mul(this.scale)
      return this.heads.map((head) => head.forward(h))
    }
  }
  const net = new Net()
  expect([...net.namedParameters()].map(([name]) => name)).toEqual([
    'scale',
    'body.0.weight',
    'body.0.bias',
    'body.2.weight',
    'heads.0.weight',
    'heads.0.bias',
    'heads.1.weight',
    'heads.1.bias',
  ])
  expect(net.forward(lw.ones([4, 2])).map(({ shape }) => shape)).toEqual([
    [4, 1],
    [4, 1],
  ])
  net.eval()
  expect(net.body.training).toBe(false)
  expect(net.train().heads[1]?.training).toBe(true)
})

test('a state dict goes through safetensors unchanged', () => {
  const a = new nn.Sequential(new nn.Linear(5, 4), new nn.Sigmoid(), new nn.Linear(4, 2))
  const b = new nn.Sequential(new nn.Linear(5, 4), new nn.Sigmoid(), new nn.Linear(4, 2))
  b.loadStateDict(lw.readSafetensors(lw.writeSafetensors(a.stateDict())).tensors)
  const x = lw.uniform([3, 5])
  expect(b.forward(x).data()).toEqual(a.forward(x).data())
})

test('groups of parameters have rates of their own', () => {
  const [a, b] = [lw.tensor([1], { requiresGrad: true }), lw.tensor([1], { requiresGrad: true })]
  const optimizer = new lw.optim.SGD([{ params: [a], lr: 0.5 }, { params: [b] }], { lr: 0.25 })
  optimizer.minimize(lw.add(a, b))
  expect([a.item(), b.item()]).toEqual([0.5, 0.75])
  ;(optimizer.paramGroups[1] as { lr: number }).lr = 0
  optimizer.minimize(lw.add(a, b))
  expect([a.item(), b.item()]).toEqual([0, 0.75])
  optimizer.lr = 1
  expect(optimizer.paramGroups.map(({ lr }) => lr)).toEqual([1, 1])
})

test('parameters without a gradient are left alone', () => {
  const layers = [new nn.Linear(2, 2), new nn.Linear(2, 2), new nn.Linear(2, 2)] as const
  const all = layers.flatMap((layer) => layer.parameters())
  const optimizer = new lw.optim.AdamW(all)
  const before = layers[1].stateDict()
  optimizer.minimize(layers[2].forward(layers[0].forward(lw.ones([1, 2]))).sum())
  expect(layers[1].stateDict()).toEqual(before)
  expect(layers[0].weight.grad).not.toBeNull()
})
