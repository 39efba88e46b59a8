// 20 000 steps: one call each (of one thread), no growth of linear memory, nothing left on the heap.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beforeAll, expect, test } from 'vitest'
import { compile, init, losses, memoryStats, nn, optim, threads } from '../src/index.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Counts the calls of the core's `run`, its only export that does work: instances made from here on call a
 *  counting wrapper. */
function countCalls(): () => number {
  let count = 0
  const { instantiate } = WebAssembly
  Object.assign(WebAssembly, {
    // The loader compiles first, so this gives an instance.
    instantiate: async (module: WebAssembly.Module, imports: WebAssembly.Imports) => {
      const { exports } = await instantiate(module, imports)
      const run = exports.run as (...args: unknown[]) => number
      const counted = (...args: unknown[]) => {
        count++
        return run(...args)
      }
      return { exports: { ...exports, run: counted } }
    },
  })
  return () => count
}

const calls = countCalls()
beforeAll(() => init())

test('20 000 compiled steps leave memory as it was', () => {
  const model = new nn.Sequential(new nn.Linear(2, 8), new nn.Tanh(), new nn.Linear(8, 1))
  const optimizer = new optim.Adam(model.parameters())
  let traces = 0
  const step = compile((x, y) => {
    traces++
    const loss = losses.mse(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  const x = { shape: [10, 2], data: Float32Array.from({ length: 20 }, (_, i) => Math.sin(i)) }
  const y = { shape: [10, 1], data: Float32Array.from({ length: 10 }, (_, i) => Math.cos(i)) }
  for (let i = 0; i < 2000; i++) step(x, y).item()
  const before = calls()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  const linear = memoryStats()
  for (let i = 0; i < 20_000; i++) step(x, y).item()
  collect()
  expect(process.memoryUsage().heapUsed - heapUsed).toBeLessThan(1e6)
  expect(process.memoryUsage().external - external).toBeLessThan(1e6)
  expect(memoryStats()).toEqual(linear)
  expect(traces).toBe(1)
  // With threads it is one for each list of a stage.
  if (threads().count === 1) expect(calls() - before).toBe(20_000)
})
