// Layers, losses and optimizers against what PyTorch computed in float64 (test/fixtures/*.py), and a record
// of the largest error of each: `npm run accuracy` makes docs/accuracy.md of it.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { compile, losses, manualSeed, type NDArray, type nn, optim, type Tensor, tensor } from '../../src/index.ts'
import { readSafetensors } from '../../src/io/index.ts'
import { U } from './check.ts'

export type Arrays = Record<string, NDArray>

export const fixture = (name: string): Arrays =>
  readSafetensors(new Uint8Array(readFileSync(new URL(`../fixtures/${name}.safetensors`, import.meta.url)))).tensors

/** The arrays whose names start with `prefix/`, under the rest of their names. */
export const under = (arrays: Arrays, prefix: string): Arrays =>
  Object.fromEntries(
    Object.entries(arrays).flatMap(([name, array]) =>
      name.startsWith(`${prefix}/`) ? [[name.slice(prefix.length + 1), array]] : [],
    ),
  )

export const array = (arrays: Arrays, name: string): NDArray => {
  const found = arrays[name]
  if (!found) throw new Error(`the fixture has no ${name}`)
  return found
}

/** The largest |actual - expected| over the largest |expected|: the error of a tensor relative to its size. */
export function relativeError(actual: NDArray, expected: NDArray, what: string): number {
  expect(actual.shape, what).toEqual(expected.shape)
  let error = 0
  let size = 0
  expected.data.forEach((e, i) => {
    const distance = Math.abs((actual.data[i] as number) - e)
    // A comparison that NaN fails.
    error = distance <= error ? error : distance
    size = Math.max(size, Math.abs(e))
  })
  return size === 0 ? error : error / size
}

export interface Accuracy {
  /** layers, losses, optimizers, schedules, models */
  kind: string
  /** The exported name: Conv2d. */
  name: string
  /** output, gradients, training …: those that scripts/accuracy.mjs explains. */
  part: string
  error: number
}

const found: Accuracy[] = []

/** Records an error, and fails when it is above `bound`. */
export function expectAccurate(entry: Accuracy, bound: number, what = ''): void {
  found.push(entry)
  expect(entry.error, `${entry.name} ${entry.part} ${what}: relative error`).toBeLessThanOrEqual(bound)
}

/** Call once in a test file: writes what the file found to build/accuracy/<topic>.json. */
export function recordAccuracy(topic: string): void {
  afterAll(() => {
    mkdirSync('build/accuracy', { recursive: true })
    writeFileSync(`build/accuracy/${topic}.json`, JSON.stringify(found))
  })
}

export interface LayerCase<M extends nn.Module> {
  kind?: string
  /** The exported name under which errors are recorded. */
  name: string
  /** Case of the fixture. */
  at: string
  make: () => M
  /** Where forward is more than module.forward(...inputs), or gives several outputs. */
  call?: (module: M, ...inputs: Tensor[]) => Tensor
  /** Length of the longest sum in the layer: the error of the output may be U √depth · slack relative to its
   *  largest element (ruy's bound), that of gradients four times as much. */
  depth: number
  /** Default 16. */
  slack?: number
  lr?: number
  /** What training minimizes, of the output and the fixture's target; default mse. */
  loss?: (output: Tensor, target: Tensor) => Tensor
}

/** Output, gradients, buffers and ten training steps of a layer as in the fixture; eager and compiled agree. */
export function followsPyTorch<M extends nn.Module>(arrays: Arrays, { kind = 'layers', ...c }: LayerCase<M>): void {
  test(`${c.at} follows PyTorch`, () => {
    const given = under(arrays, c.at)
    const state = under(given, 'state')
    const call = c.call ?? ((module: M, ...inputs: Tensor[]) => module.forward(...inputs) as Tensor)
    const sources = Object.entries(under(given, 'in')).sort(([a], [b]) => Number(a) - Number(b))
    const bound = U * Math.sqrt(c.depth) * (c.slack ?? 16)

    const build = (): M => {
      manualSeed(1)
      const module = c.make()
      module.loadStateDict(state)
      return module
    }
    const leaves = () => sources.map(([i, x]) => tensor(x, { requiresGrad: `din/${i}` in given }))
    const doutput = tensor(array(given, 'doutput'))

    const results = [false, true].map((compiled) => {
      const module = build()
      const inputs = leaves()
      const run = (): Tensor => {
        const y = call(module, ...inputs)
        if (y.requiresGrad) y.backward({ gradient: doutput })
        return y
      }
      const output = (compiled ? compile(run) : run)()
      const values: Arrays = { output: { shape: output.shape, data: output.data() } }
      for (const [i, input] of inputs.entries())
        if (input.grad) values[`din/${i}`] = { shape: input.shape, data: input.grad.data() }
      for (const [name, p] of module.namedParameters())
        if (p.grad) values[`dstate/${name}`] = { shape: p.shape, data: p.grad.data() }
      for (const [name, b] of module.namedBuffers()) values[`after/${name}`] = { shape: b.shape, data: b.data() }
      return values
    })
    expect(results[1], 'compiled gives the same bits').toEqual(results[0])
    const values = results[0] as Arrays
    for (const key of Object.keys(given)) {
      if (!/^(output$|din\/|dstate\/|after\/)/.test(key)) continue
      const isGradient = key.startsWith('d')
      expectAccurate(
        {
          kind,
          name: c.name,
          part: isGradient ? 'gradients' : 'output',
          error: relativeError(array(values, key), array(given, key), `${c.at} ${key}`),
        },
        isGradient ? 4 * bound : bound,
        `${c.at} ${key}`,
      )
    }

    if (!given.losses) return
    const module = build()
    const optimizer = new optim.SGD(module.parameters(), { lr: c.lr ?? 0.05 })
    const inputs = sources.map(([, x]) => tensor(x))
    const target = tensor(array(given, 'target'))
    const step = compile(() => {
      const loss = (c.loss ?? losses.mse)(call(module, ...inputs), target)
      optimizer.minimize(loss)
      return loss
    })
    for (const [i, expected] of [...given.losses.data].entries()) {
      const error = Math.abs(step().item() / expected - 1)
      expectAccurate({ kind, name: c.name, part: 'training', error }, 1e-5, `${c.at} step ${i}`)
    }
  })
}
