// What a command touches, where that is not from its operand's first byte to the end of its storage: threads that ran
// such commands side by side would compute other bits.

import { afterEach, expect, test } from 'vitest'
import * as lw from '../src/index.ts'
import { losses, nn, optim } from '../src/index.ts'
import { dispose, initOn } from '../src/start.ts'

afterEach(() => dispose())

/** What `run` computes with one thread, and with each of these numbers of threads. */
async function bits(run: () => unknown) {
  const found: unknown[] = []
  for (const threads of [1, 2, 3, 7]) {
    await initOn({ tileColumns: 8, leastPart: 1, eagerAlone: true }, { threads, maxMemory: 2 ** 26 })
    found.push(run())
    await dispose()
  }
  return found
}

/** Its first parameter is the smallest, and the last to be used: nothing else waits for what becomes of it. */
class Model extends nn.Module {
  temperature = new nn.Parameter(lw.full([1], 1.5))
  hidden = new nn.Linear(64, 50)
  out = new nn.Linear(50, 10)

  forward(x: lw.Tensor): lw.Tensor {
    return this.out.forward(this.hidden.forward(x).tanh()).mul(this.temperature)
  }
}

for (const [what, after] of Object.entries({
  'clipGradNorm before the update': (model: Model, optimizer: optim.Optimizer) => {
    const norm = optim.clipGradNorm(model.parameters(), 0.1)
    optimizer.step()
    return norm
  },
  'parameters read after the update': (model: Model, optimizer: optim.Optimizer) => {
    optimizer.step()
    const squares = model.parameters().map((parameter) => parameter.mul(parameter).sum())
    return lw.noGrad(() => squares.reduce((a, b) => a.add(b)))
  },
})) {
  test(`a stretch of a flat block is longer than its first parameter: ${what}`, async () => {
    const [alone, ...others] = await bits(() => {
      lw.manualSeed(1)
      const model = new Model()
      const optimizer = new optim.Adam(model.parameters())
      const step = lw.compile((x: lw.Tensor, y: lw.Tensor) => {
        const loss = losses.crossEntropy(model.forward(x), y)
        optimizer.zeroGrad()
        loss.backward()
        return [loss, after(model, optimizer)] as const
      })
      const x = lw.uniform([64, 64], -1, 1)
      const y = { data: Int32Array.from({ length: 64 }, (_, i) => i % 10), shape: [64] }
      return Array.from({ length: 20 }, () => step(x, y).map((value) => value.item()))
    })
    for (const other of others) expect(other).toEqual(alone)
  })
}

test('a negative stride reaches what lies before', async () => {
  const [alone, ...others] = await bits(() => {
    const weight = new nn.Parameter(lw.full([5, 1000], 1))
    const flipped = lw.compile((x: lw.Tensor) => {
      weight.grad = null
      const y = lw.flip(x.exp(), 1)
      lw.flip(weight, [0, 1]).mul(y).sum().backward()
      return y
    })
    return Array.from({ length: 5 }, (_, i) => [
      ...new Set(flipped(lw.full([5, 1000], i)).data()),
      ...new Set((weight.grad as lw.Tensor).data()),
    ])
  })
  for (const other of others) expect(other).toEqual(alone)
})
