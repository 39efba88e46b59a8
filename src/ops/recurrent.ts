// One layer of a recurrent network in one direction. The inputs of all steps meet W_ih in one product (linear),
// the loop over time runs in the core, and dW_hh is one product over all steps.

import type { Command } from '../core/command.ts'
import * as core from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { panelFloats, productFloats } from '../core/scratch.ts'
import { record, together } from '../tensor/tape.ts'
import { empty, type Tensor, viewOf } from '../tensor/tensor.ts'
import { sumTo } from './broadcast.ts'
import { zeros } from './create.ts'
import { add } from './elementwise.ts'
import { linear, product } from './gemm.ts'
import { select } from './part.ts'

/** tanh or relu of one gate; i, f, g, o; r, z, n. */
export type RecurrentKind = 'tanh' | 'relu' | 'lstm' | 'gru'

/** Gates of a kind: W_ih has this many times H rows. */
export const gatesOf: Record<RecurrentKind, number> = { tanh: 1, relu: 1, lstm: 4, gru: 3 }

export interface RecurrentWeights {
  /** [G H, inputs] */
  readonly weightIh: Tensor
  /** [G H, H] */
  readonly weightHh: Tensor
  /** [G H], or none. */
  readonly biasIh: Tensor | null
  readonly biasHh: Tensor | null
}

export interface RecurrentLayer {
  readonly kind: RecurrentKind
  /** x and the result are [batch, steps, …], not [steps, batch, …]. */
  readonly batchFirst: boolean
  /** From the last step to the first. */
  readonly reverse: boolean
}

/** The states of all steps, the state after the last, and for an LSTM its cell.  x: [steps, batch, inputs], with
 *  batchFirst [batch, steps, inputs]; h0, c0: [batch, H], 0 where null; output: as x, H wide. */
export function recurrent(
  { kind, batchFirst, reverse }: RecurrentLayer,
  x: Tensor,
  { weightIh, weightHh, biasIh, biasHh }: RecurrentWeights,
  h0: Tensor | null,
  c0: Tensor | null,
): { output: Tensor; hidden: Tensor; cell: Tensor | null } {
  const [batch, steps] = (batchFirst ? x.shape : [x.shape[1], x.shape[0]]) as [number, number]
  const H = weightHh.shape[1] as number
  const G = gatesOf[kind]
  const op = kind === 'tanh' || kind === 'relu' ? 'rnn' : kind
  const wide = (n: number) => [x.shape[0] as number, x.shape[1] as number, n * H]
  // Only a GRU needs the recurrent bias apart: its reset gate scales it.
  const biasHidden = kind === 'gru' ? biasHh : null
  const bias = biasHidden || !biasHh ? biasIh : biasIh ? add(biasIh, biasHh) : biasHh
  const projected = linear(x, weightIh, bias)
  const output = empty(op, wide(1))
  const cells = kind === 'lstm' ? empty(op, wide(1)) : null
  // What the backward needs of each step: an LSTM's four gates and tanh c, a GRU's three and W_hn h + b_hn.
  const gates = kind === 'lstm' || kind === 'gru' ? empty(op, wide(kind === 'lstm' ? 5 : 4)) : null
  // Rows from a step to the next, and from a sequence to the next.
  const [ahead, apart] = batchFirst ? [1, steps] : [batch, 1]
  const sizes = [batch, steps, H, ahead, apart, Number(reverse)] as const
  const relu = Number(kind === 'relu')
  type Scratch = Parameters<Parameters<typeof withScratch>[2]>[0]
  const run = (floats: number, command: (buffer: Scratch) => Command) =>
    withScratch(4 * floats, op, (buffer) => emit(command(buffer)))
  run(productFloats(batch, H) + panelFloats(H, G * H) + batch * G * H, (buffer) => {
    if (cells && gates) return core.lstm(output, cells, gates, projected, h0, c0, weightHh, buffer, ...sizes)
    if (gates) return core.gru(output, gates, projected, h0, weightHh, biasHidden, buffer, ...sizes)
    return core.rnn(output, projected, h0, weightHh, buffer, ...sizes, relu)
  })

  // The gradient of the last cell waits here for that of the output, whose rule runs later.
  let dcell: Tensor | null = null
  const given = [projected, weightHh, biasHidden, h0, c0]
  const { inputs, rules } = together(given, (dy, [, ofWeight, ofBias]) => {
    const name = `${op} gradient`
    // Of x and of the recurrent products: the same but for a GRU.
    const dx = empty(name, wide(G))
    const dm = kind === 'gru' ? empty(name, wide(G)) : dx
    const before = empty(name, wide(1))
    const dh0 = empty(name, [batch, H])
    const dc0 = cells && empty(name, [batch, H])
    run(productFloats(batch, G * H) + panelFloats(G * H, H) + H, (buffer) => {
      if (cells && gates && dc0)
        return core.lstmBackward(
          ...([dx, before, dh0, dc0, dy, dcell, output, cells, gates, h0, c0, weightHh, buffer, ...sizes] as const),
        )
      if (gates) return core.gruBackward(dx, dm, before, dh0, dy, output, gates, h0, weightHh, buffer, ...sizes)
      return core.rnnBackward(dx, before, dh0, dy, output, h0, weightHh, buffer, ...sizes, relu)
    })
    dcell = null
    const rows = (t: Tensor, width: number) => viewOf(t, [batch * steps, width])
    const dweight = ofWeight ? product(name, rows(dm, G * H), rows(before, H), { transposeA: true }) : null
    const dbias = ofBias ? sumTo(rows(dm, G * H), [G * H]) : null
    return [dx, dweight, dbias, dh0, dc0]
  })
  record(op, output, inputs, rules)
  const last = (all: Tensor): Tensor => select(all, batchFirst ? 1 : 0, reverse ? 0 : -1)
  const cell =
    cells &&
    record(
      `${op} cell`,
      last(cells),
      [output],
      [
        (dy) => {
          dcell = dy
          return zeros(output.shape)
        },
      ],
    )
  return { output, hidden: last(output), cell }
}
