// How the values of a program are laid into its arena: by size, and where they are very many by time.

import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { type Life, layBySize, layByTime } from '../src/core/plan.ts'
import { Storage } from '../src/core/storage.ts'
import { compile, init, optim, type Tensor, tensor, uniform } from '../src/index.ts'
import { runs } from './helpers/long.ts'

beforeAll(() => init())

const lives = fc
  .array(
    fc.record({
      bytes: fc.integer({ min: 0, max: 3000 }),
      first: fc.integer({ min: -1, max: 30 }),
      length: fc.nat(30),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((values) => {
    const trace = {}
    return new Map<Storage, Life>(
      values.map(({ bytes, first, length }) => [
        Storage.planned(bytes, 'test', trace),
        { first, last: length === 30 ? Number.POSITIVE_INFINITY : first + length },
      ]),
    )
  })

test.each([
  ['by size', layBySize],
  ['by time', layByTime],
])('values that live at the same time share no byte: %s', (_, lay) => {
  fc.assert(
    fc.property(lives, (given) => {
      const { arena, places } = lay(given)
      const all = [...given].map(([storage, life]) => ({ from: places.get(storage) as number, storage, ...life }))
      for (const [i, a] of all.entries()) {
        expect(a.from % 64).toBe(0)
        expect(a.from + a.storage.bytes).toBeLessThanOrEqual(arena)
        for (const b of all.slice(0, i)) {
          const apart = a.last < b.first || b.last < a.first
          const spaced = a.from + a.storage.bytes <= b.from || b.from + b.storage.bytes <= a.from
          expect(apart || spaced).toBe(true)
        }
      }
    }),
    { numRuns: runs(100, 500) },
  )
})

test('a loop of 3000 ops, unrolled, gives the bits of the same ops by themselves', () => {
  const x = uniform([33])
  const learn = (wrap: (fn: () => Tensor) => () => Tensor) => {
    const w = tensor([0.999], { requiresGrad: true })
    const optimizer = new optim.SGD([w], { lr: 0.1 })
    const step = wrap(() => {
      let y = x.mul(w)
      for (let i = 0; i < 1500; i++) y = y.add(i % 7 === 0 ? w : 0.001).sin()
      const loss = y.mean()
      optimizer.minimize(loss)
      return loss
    })
    return [step().item(), step().item(), w.item()]
  }
  expect(learn((fn) => compile(fn))).toEqual(learn((fn) => fn))
})
