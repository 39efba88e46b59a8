import { beforeAll, expect, test } from 'vitest'
import * as lw from '../src/index.ts'
import { nn } from '../src/index.ts'
import { readSafetensors, writeSafetensors } from '../src/io/index.ts'

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
  b.loadStateDict(readSafetensors(writeSafetensors(a.stateDict())).tensors)
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

test('buffers are kept but not learnt, named as PyTorch names them, and go through the state dict', () => {
  class Norm extends nn.Module {
    readonly weight = new nn.Parameter(lw.ones([2]))
    readonly runningMean = new nn.Buffer(lw.zeros([2]))
    readonly numBatchesTracked = new nn.Buffer(lw.zeros([], 'i32'))
    readonly cache = new nn.Buffer(lw.zeros([5]), { persistent: false })
    forward(x: lw.Tensor): lw.Tensor {
      return x.mul(this.weight)
    }
  }
  const net = new nn.Sequential(new Norm())
  expect([...net.namedParameters()].map(([name]) => name)).toEqual(['0.weight'])
  expect([...net.namedBuffers()].map(([name]) => name)).toEqual(['0.running_mean', '0.num_batches_tracked', '0.cache'])
  const state = net.stateDict()
  expect(Object.keys(state)).toEqual(['0.weight', '0.running_mean', '0.num_batches_tracked'])
  const other = new nn.Sequential(new Norm())
  other.loadStateDict({
    ...state,
    '0.running_mean': { shape: [2], data: Float32Array.of(3, 4) },
    '0.num_batches_tracked': { shape: [], data: Int32Array.of(7) },
  })
  expect(other.buffers().map((b) => b.tolist())).toEqual([[3, 4], 7, [0, 0, 0, 0, 0]])
  expect(() => other.loadStateDict({ ...state, '0.num_batches_tracked': lw.zeros([]) })).toThrow(
    /num_batches_tracked is no array of i32/,
  )
  lw.scope(() => new Norm()).runningMean.data()
})

test('loadStateDict names every fault and changes nothing; without strict it takes what fits', () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 1))
  const before = model.stateDict()
  const state = {
    '0.weight': lw.ones([3, 2]),
    '0.bias': lw.ones([4]),
    '1.weight': lw.ones([1, 3]),
    extra: lw.ones([1]),
  }
  expect(() => model.loadStateDict(state)).toThrow(
    /0\.bias has shape \[4\], expected \[3\].*missing 1\.bias \[1\].*unexpected extra/,
  )
  expect(() => model.loadStateDict(state, { strict: false })).toThrow(/0\.bias has shape \[4\], expected \[3\]$/)
  expect(model.stateDict()).toEqual(before)
  const { '0.bias': _, ...rest } = state
  expect(model.loadStateDict(rest, { strict: false })).toEqual({ missing: ['0.bias', '1.bias'], unexpected: ['extra'] })
  expect(model.stateDict()['1.weight']?.data).toEqual(Float32Array.of(1, 1, 1))
})

test('freezing is honoured by a compiled step, and undone', () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Tanh(), new nn.Linear(3, 1))
  const first = model.layers[0] as nn.Linear
  const optimizer = new lw.optim.Adam(model.parameters())
  const step = lw.compile((x: lw.Tensor) => {
    const loss = model.forward(x).sum()
    optimizer.minimize(loss)
    return loss
  })
  const x = lw.ones([4, 2])
  first.requiresGrad(false)
  const frozen = first.stateDict()
  const learning = model.stateDict()['2.weight']
  step(x)
  expect(first.stateDict()).toEqual(frozen)
  expect(model.stateDict()['2.weight']).not.toEqual(learning)
  model.requiresGrad()
  step(x)
  expect(first.stateDict()).not.toEqual(frozen)
})

test('forward hooks read and replace what a layer gives, until they are removed', () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU(), new nn.Linear(3, 1))
  const hidden = model.layers[1] as nn.ReLU
  const x = lw.ones([4, 2])
  const plain = model.forward(x).tolist()
  const seen: unknown[] = []
  const remove = hidden.registerForwardHook((module, inputs, output) => {
    seen.push([module === hidden, (inputs[0] as lw.Tensor).shape, output.shape])
  })
  expect(model.forward(x).tolist()).toEqual(plain)
  expect(seen).toEqual([[true, [4, 3], [4, 3]]])
  const replace = hidden.registerForwardHook((_, __, output) => output.mul(0))
  expect(model.forward(x).tolist()).toEqual(Array(4).fill([...(model.layers[2] as nn.Linear).bias!.data()]))
  replace()
  remove()
  remove()
  expect(model.forward(x).tolist()).toEqual(plain)
  expect(seen).toHaveLength(2)
  expect(Object.keys(model.stateDict())).toHaveLength(4)
})

test('a compiled function gives the activations that a hook took', () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU(), new nn.Linear(3, 1))
  const taken: { hidden?: lw.Tensor } = {}
  model.layers[1]?.registerForwardHook((_, __, output) => {
    taken.hidden = output
  })
  const run = lw.compile((x: lw.Tensor) => ({ y: model.forward(x), hidden: taken.hidden }))
  const x = lw.uniform([4, 2])
  const { y, hidden } = run(x)
  expect(hidden?.shape).toEqual([4, 3])
  expect(model.layers[2]?.forward(hidden as lw.Tensor).data()).toEqual(y.data())
})

test('apply visits every module, the inner ones first', () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Sequential(new nn.Tanh()))
  const kinds: string[] = []
  model.apply((module) => kinds.push(module.constructor.name))
  expect(kinds).toEqual(['Linear', 'Tanh', 'Sequential', 'Sequential'])
  expect([...model.namedModules()].map(([name]) => name)).toEqual(['', '0', '1', '1.0'])
})

test('lists and dictionaries hold modules under PyTorch names', () => {
  class Net extends nn.Module {
    readonly blocks = new nn.ModuleList([new nn.Linear(2, 2), new nn.Linear(2, 2)])
    readonly heads = new nn.ModuleDict({ a: new nn.Linear(2, 1), myHead: new nn.Linear(2, 3) })
    forward(x: lw.Tensor): Record<string, lw.Tensor> {
      let h = x
      for (const block of this.blocks) h = block.forward(h)
      return Object.fromEntries([...this.heads].map(([name, head]) => [name, head.forward(h)]))
    }
  }
  const net = new Net()
  expect([...net.namedParameters()].map(([name]) => name)).toEqual(
    ['blocks.0', 'blocks.1', 'heads.a', 'heads.myHead'].flatMap((name) => [`${name}.weight`, `${name}.bias`]),
  )
  expect(net.forward(lw.ones([1, 2])).myHead?.shape).toEqual([1, 3])
  expect(net.blocks.length).toBe(2)
  expect(net.blocks.at(-1)).toBe([...net.blocks][1])
  expect(() => net.blocks.at(2)).toThrow(/index is 2, expected a whole number below 2/)
  expect(() => net.heads.get('b')).toThrow(/no module b, expected one of a, myHead/)
  expect(() => net.heads.set('a.b', new nn.Tanh() as never)).toThrow(/has no dot/)
  expect(() => net.blocks.forward()).toThrow(/no forward of its own/)
  expect(() => new nn.ModuleList([3 as never])).toThrow(/module 0 is number, expected a Module/)
})

test('models print as PyTorch prints them, and summaries show shapes and counts', () => {
  const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10, { bias: false }))
  expect(String(model)).toBe(
    [
      'Sequential(',
      '  (0): Linear(inFeatures=784, outFeatures=128, bias=true)',
      '  (1): ReLU()',
      '  (2): Linear(inFeatures=128, outFeatures=10, bias=false)',
      ')',
    ].join('\n'),
  )
  model.layers[0]?.requiresGrad(false)
  const before = lw.memoryStats().used
  expect(nn.summary(model, [32, 784])).toBe(
    [
      'layer        output     parameters',
      '──────────────────────────────────',
      'Sequential   [32, 10]',
      '  0: Linear  [32, 128]     100,480',
      '  1: ReLU    [32, 128]',
      '  2: Linear  [32, 10]        1,280',
      '──────────────────────────────────',
      '101,760 parameters, 100,480 frozen',
    ].join('\n'),
  )
  expect(lw.memoryStats().used).toBe(before)
  expect(nn.summary(model)).not.toMatch(/output/)
  expect(() => nn.summary(model, [32, 783])).toThrow(/linear: input has shape \[32, 783\]/)
  expect(Object.getOwnPropertyNames(model)).not.toContain('forward')
})

test('shared weights are one parameter, with all of their names in the state dict, as in PyTorch', () => {
  class Tied extends nn.Module {
    readonly wte = new nn.Embedding(3, 2)
    readonly lmHead = new nn.Linear(2, 3, { bias: false })
    constructor() {
      super()
      Object.assign(this.lmHead, { weight: this.wte.weight })
    }
    forward(): void {}
  }
  const model = new Tied()
  expect([...model.namedParameters()].map(([name]) => name)).toEqual(['wte.weight'])
  const state = model.stateDict()
  expect(Object.keys(state)).toEqual(['wte.weight', 'lm_head.weight'])
  new Tied().loadStateDict(state)
  // Files keep one of its names: that is all of the weight.
  const values = { shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) }
  for (const name of Object.keys(state)) {
    const loaded = new Tied()
    expect(loaded.loadStateDict({ [name]: values })).toEqual({ missing: [], unexpected: [] })
    expect(loaded.lmHead.weight.data()).toEqual(values.data)
  }
  expect(() => new Tied().loadStateDict({})).toThrow(/missing wte.weight \[3, 2\]; missing lm_head.weight/)
})

test('a recurrent layer computes with the parameters that its fields hold', () => {
  const [a, b] = [new nn.LSTM(2, 2, { bidirectional: true }), new nn.LSTM(2, 2, { bidirectional: true })]
  const x = lw.ones([3, 1, 2])
  for (const [field, value] of Object.entries(b))
    if (value instanceof nn.Parameter) Object.assign(a, { [field]: value })
  expect(a.parameters()).toEqual(b.parameters())
  expect(a.forward(x).output.tolist()).toEqual(b.forward(x).output.tolist())
})
