import fc from 'fast-check'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import * as core from '../../src/core/commands.ts'
import { Engine } from '../../src/core/engine.ts'
import * as lw from '../../src/index.ts'
import { add, nn, sum, type Tensor } from '../../src/index.ts'
import { recurrent } from '../../src/ops/recurrent.ts'
import { check } from '../helpers/check.ts'
import { both, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import { build, get, type Ref } from '../reference/array.ts'
import * as reference from '../reference/recurrent.ts'

beforeAll(() => lw.init())

covers('recurrent')

const gates = { tanh: 1, relu: 1, lstm: 4, gru: 3 }

/** x, weights, and as wished biases and initial states; steps T, batch B, inputs I, width H. */
function shapes(kind: reference.Kind, [T, B, I, H]: number[], biases: boolean, states: boolean) {
  const rows = gates[kind] * (H as number)
  return [
    [T, B, I],
    [rows, I],
    [rows, H],
    ...(biases ? [[rows], [rows]] : []),
    ...(states ? [[B, H], ...(kind === 'lstm' ? [[B, H]] : [])] : []),
  ] as number[][]
}

function named<T>(kind: reference.Kind, values: T[], biases: boolean, states: boolean) {
  const [, wih, whh, ...rest] = values as [T, T, T, ...T[]]
  const [bih, bhh] = biases ? (rest.splice(0, 2) as [T, T]) : []
  const [h0, c0] = states ? rest : []
  return {
    wih,
    whh,
    ...(biases && { bih: bih as T, bhh: bhh as T }),
    ...(states && { h0: h0 as T }),
    ...(states && kind === 'lstm' && { c0: c0 as T }),
  }
}

const swap = (x: Ref): Ref => build([x.shape[1]!, x.shape[0]!, x.shape[2]!], ([a, b, c]) => get(x, [b!, a!, c!]))

/** All steps plus the last state, and for an LSTM the last cell, so that gradients come in at each. */
const everything = (output: Tensor, hidden: Tensor, cell: Tensor | null) =>
  cell ? add(output, add(sum(hidden), sum(cell))) : add(output, sum(hidden))

describe.each(['tanh', 'relu', 'lstm', 'gru'] as const)('%s', (kind) => {
  test.each([
    [[1, 1, 1, 1], false, false],
    [[3, 2, 3, 4], true, false],
    [[3, 2, 2, 3], true, true],
    [[4, 7, 2, 5], false, true],
    [[2, 3, 9, 8], true, true],
    [[2, 1, 3, 9], true, true],
    [[3, 0, 2, 2], true, true],
  ])('[steps, batch, inputs, H] %j, biases %s, states %s', (sizes, biases, states) => {
    for (const [batchFirst, reverse] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const)
      check({
        shapes: shapes(kind, sizes, biases, states).map(([a, b, c], i) =>
          i === 0 && batchFirst ? [b!, a!, c!] : [a!, b, c].filter((n) => n !== undefined),
        ),
        ours: (...values) => {
          const { wih, whh, bih, bhh, h0, c0 } = named(kind, values, biases, states) as Record<string, Tensor>
          const weights = { weightIh: wih!, weightHh: whh!, biasIh: bih ?? null, biasHh: bhh ?? null }
          const { output, hidden, cell } = recurrent(
            { kind, batchFirst, reverse },
            values[0]!,
            weights,
            h0 ?? null,
            c0 ?? null,
          )
          return everything(output, hidden, cell)
        },
        reference: (...values) => {
          const x = batchFirst ? swap(values[0]!) : values[0]!
          const { output, cell } = reference.recurrent(kind, x, named(kind, values, biases, states), reverse)
          const last = reverse ? 0 : (output.shape[0] as number) - 1
          const H = output.shape[2] as number
          let extra = 0
          for (let b = 0; b < (output.shape[1] as number); b++)
            for (let j = 0; j < H; j++) extra += get(output, [last, b, j]) + (kind === 'lstm' ? get(cell, [b, j]) : 0)
          const all = build(output.shape, (at) => get(output, at) + extra)
          return batchFirst ? swap(all) : all
        },
        range: [-0.5, 0.5],
        // Each gate is a sum of I + H + 2 terms below 1/4, up to four steps carry their errors on, and a state
        // at the end collects the 2 B H last ones; gradients collect T B H of them.
        tolerance: { ulps: 8, absolute: 4 * 24 + 2 * 8 * 9, gradient: { ulps: 64, absolute: 16 * 4 * 7 * 9 } },
      })
  })
})

test('the last hidden state alone carries gradients', () => {
  const lstm = new nn.LSTM(3, 4)
  const x = lw.uniform([5, 2, 3])
  sum(lstm.forward(x).hidden).backward()
  const before = lstm.parameters().map((p) => p.grad?.data())
  for (const p of lstm.parameters()) p.grad = null
  sum(lw.select(lstm.forward(x).output, 0, -1)).backward()
  expect(lstm.parameters().map((p) => p.grad?.data())).toEqual(before)
})

test('the gradient of the cell counts once, also when the graph is used twice', () => {
  const lstm = new nn.LSTM(3, 4)
  const { output, cell } = lstm.forward(lw.uniform([5, 2, 3]))
  const [all, last] = [sum(output), sum(cell)]
  const grads = (...roots: Tensor[]) => {
    for (const p of lstm.parameters()) p.grad = null
    for (const root of roots) root.backward({ retainGraph: true })
    return lstm.parameters().map((p) => p.grad?.data() as Float32Array)
  }
  const both = grads(all, last)
  const once = [grads(all), grads(last)]
  for (const [i, g] of both.entries())
    for (const [j, value] of g.entries()) expect(value).toBeCloseTo(once[0]![i]![j]! + once[1]![i]![j]!, 4)
})

test.each(['tanh', 'lstm', 'gru'] as const)('%s: a second backward looks at its gradient anew', (kind) => {
  const weights = lw.tensor(Array.from({ length: gates[kind] * 2 }, () => [0.5, -0.25]))
  const x = lw.tensor([[[1, 2]], [[3, 4]]], { requiresGrad: true })
  const given = { weightIh: weights, weightHh: weights, biasIh: null, biasHh: null }
  const { output } = recurrent({ kind, batchFirst: false, reverse: false }, x, given, null, null)
  const gradient = lw.tensor([[[1, 2]], [[3, 4]]])
  output.backward({ gradient, retainGraph: true })
  const first = [...x.grad!.data()]
  x.grad = null
  gradient.copyFrom([2, 4, 6, 8])
  output.backward({ gradient })
  expect([...x.grad!.data()]).toEqual(first.map((v) => 2 * v))
})

test.each([
  ['RNN', nn.RNN],
  ['LSTM', nn.LSTM],
  ['GRU', nn.GRU],
] as const)('%s: a sequence has the same bits in a batch larger than a block of rows', (_, Layer) => {
  lw.manualSeed(3)
  const layer = new Layer(3, 5)
  const x = lw.uniform([2, core.ROWS + 5, 3], -1, 1).data()
  const run = (from: number, to: number): [number[], number[]] => {
    const part = [0, 1].flatMap((t) => [...x.slice((t * (core.ROWS + 5) + from) * 3, (t * (core.ROWS + 5) + to) * 3)])
    const input = lw.tensor(part, { shape: [2, to - from, 3], requiresGrad: true })
    const { output } = layer.forward(input)
    sum(output).backward()
    const tail = (y: Tensor): number[] => [...lw.slice(y, null, { start: -2 }).data()]
    return [tail(output), tail(input.grad as Tensor)]
  }
  expect(run(0, core.ROWS + 5)).toEqual(run(core.ROWS + 3, core.ROWS + 5))
})

// What threads do: a command becomes several, each on some of the sequences.
test.each(
  (['tanh', 'lstm', 'gru'] as const).flatMap((kind) => [false, true].map((batchFirst) => ({ kind, batchFirst }))),
)('%j: commands on some sequences each give the bits of one on all', ({ kind, batchFirst }) => {
  const [T, B, I, H] = [4, 7, 3, 5]
  const run = (): number[][] => {
    lw.manualSeed(5)
    const make = (...shape: number[]) => lw.tensor(lw.uniform(shape, -1, 1).data(), { shape, requiresGrad: true })
    const x = batchFirst ? make(B, T, I) : make(T, B, I)
    const rows = gates[kind] * H
    const weights = { weightIh: make(rows, I), weightHh: make(rows, H), biasIh: make(rows), biasHh: make(rows) }
    const states = [make(B, H), kind === 'lstm' ? make(B, H) : null] as const
    const { output, hidden, cell } = recurrent({ kind, batchFirst, reverse: false }, x, weights, ...states)
    sum(everything(output, hidden, cell)).backward()
    const inputs = [x, ...Object.values(weights), ...states].filter((t) => t !== null)
    return [output, ...inputs.map((t) => t.grad as Tensor)].map((t) => [...t.data()])
  }
  const whole = run()
  let parts = 0
  const { runNow } = Engine.prototype
  const spy = vi.spyOn(Engine.prototype, 'runNow').mockImplementation(function (this: Engine, command) {
    const places = (core as unknown as Record<string, Record<string, number>>)[`${command.kernel.name}Args`]
    if (places?.apart === undefined) return runNow.call(this, command)
    const names = Object.keys(places)
    const apart = command.args[places.apart] as number
    for (const [from, to] of [
      [0, 4],
      [4, B],
    ] as const) {
      const args = command.args.map((arg, i) => {
        const name = names[i] as string
        if (name === 'batch') return to - from
        if (
          ['weight', 'bias', 'buffer'].includes(name) ||
          arg === null ||
          typeof arg !== 'object' ||
          !('storage' in arg)
        )
          return arg
        const width = ['h0', 'c0', 'dh0', 'dc0', 'dcell'].includes(name) ? H : (apart * arg.storage.bytes) / (T * B * 4)
        return { storage: arg.storage, offset: arg.offset + 4 * from * width }
      })
      parts++
      runNow.call(this, { ...command, args })
    }
  })
  const split = run()
  spy.mockRestore()
  expect(parts).toBe(4)
  expect(split).toEqual(whole)
})

describe('parts give the bits of the whole', () => {
  /** All that a layer gives, in one row, so that every gradient differs. */
  const joined = (...all: Tensor[]) => both(lw.cat(all.map((y) => y.flatten(0))))
  const run = (batch: number, H: number, steps: number, numLayers: number, started: boolean, bias: boolean) => {
    const start = () => (started ? some([2 * numLayers, batch, H]) : undefined)
    for (const batchFirst of [false, true]) {
      const x = () => some(batchFirst ? [batch, steps, 3] : [steps, batch, 3])
      const options = { numLayers, bias, batchFirst, bidirectional: true }
      for (const nonlinearity of ['tanh', 'relu'] as const) {
        const { output, hidden } = new nn.RNN(3, H, { nonlinearity, ...options }).forward(x(), start())
        joined(output, hidden)
      }
      const gru = new nn.GRU(3, H, options).forward(x(), start())
      joined(gru.output, gru.hidden)
      const lstm = new nn.LSTM(3, H, options)
      const [hidden, cell] = [start(), start()]
      const made = lstm.forward(x(), hidden && cell ? { hidden, cell } : {})
      joined(made.output, made.hidden, made.cell)
      // Nothing comes back through the cell.
      joined(lstm.forward(x()).output)
    }
  }
  test('a layer in both directions', () => {
    const widths = fc.integer({ min: 1, max: 13 })
    const steps = fc.integer({ min: 2, max: 4 })
    sizes([fc.integer({ min: 25, max: 34 }), widths, steps, fc.constant(1), fc.boolean(), fc.boolean()], run)
  })
  // One call of the inner product takes 256.
  test('two layers, more sequences than share a call', () => {
    lw.scope(() => {
      run(259, 2, 2, 2, true, true)
      return null
    })
  })
  test('cells', () =>
    sizes([fc.integer({ min: 49, max: 66 }), odd], (batch, H) => {
      joined(new nn.RNNCell(3, H).forward(some([batch, 3]), some([batch, H])))
      joined(new nn.GRUCell(3, H).forward(some([batch, 3]), some([batch, H])))
      const { hidden, cell } = new nn.LSTMCell(3, H).forward(some([batch, 3]), { hidden: some([batch, H]) })
      joined(hidden, cell)
    }))
})
