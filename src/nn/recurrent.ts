import { check, checkAll, option, probability, settle, whole, word } from '../checks.ts'
import { dropout as drop } from '../ops/dropout.ts'
import { float, type Value } from '../ops/input.ts'
import { cat, select, squeeze, stack, unsqueeze } from '../ops/part.ts'
import { drawn, type Generator } from '../ops/random.ts'
import { gatesOf, type RecurrentKind, type RecurrentWeights, recurrent } from '../ops/recurrent.ts'
import { misshaped, type Shape, sameShape, show } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { uniformFan } from './init.ts'
import { Module, type Parameter } from './module.ts'

export interface RecurrentOptions {
  /** Layers, each fed with the output of the one before; default 1. */
  numLayers?: number | undefined
  /** Whether to add learned biases; default true. */
  bias?: boolean | undefined
  /** Input and output are [batch, steps, …], not [steps, batch, …]; default false. */
  batchFirst?: boolean | undefined
  /** The share of each layer's output, but the last one's, that is dropped in training; default 0. */
  dropout?: number | undefined
  /** A second set of layers runs from the last step to the first, and its output is put beside; default false. */
  bidirectional?: boolean | undefined
  /** Where the initial values come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

export interface RNNOptions extends RecurrentOptions {
  /** Default 'tanh'. */
  nonlinearity?: 'tanh' | 'relu' | undefined
}

export interface RecurrentOutput {
  /** The states of the last layer at all steps: [steps, batch, D H], D = 2 when bidirectional, else 1. */
  output: Tensor
  /** The states of all layers after their last step: [numLayers D, batch, H]. */
  hidden: Tensor
}

export interface LSTMState {
  /** [numLayers D, batch, H]; default 0. */
  hidden: Tensor
  /** [numLayers D, batch, H]; default 0. */
  cell: Tensor
}

function checkShapeIs(caller: string, name: string, x: Tensor, shape: Shape): void {
  if (!sameShape(x.shape, shape)) throw misshaped(caller, name, x, show(shape))
}

/** Names of a state; what a forward returned may be the state of the next. */
const stateOptions = { hidden: undefined, cell: undefined, output: undefined }

/** The parameters of one layer in one direction, all from U(±1/√H). */
function makeWeights(
  kind: RecurrentKind,
  inputSize: number,
  hiddenSize: number,
  bias: boolean,
  generator?: Generator,
): Record<keyof RecurrentWeights, Parameter | null> {
  const rows = gatesOf[kind] * hiddenSize
  const make = (shape: Shape) => uniformFan(shape, hiddenSize, generator)
  return {
    weightIh: make([rows, inputSize]),
    weightHh: make([rows, hiddenSize]),
    biasIh: bias ? make([rows]) : null,
    biasHh: bias ? make([rows]) : null,
  }
}

/** What RNN, LSTM and GRU share: parameters weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, the same with l1 …
 *  for further layers, and with _reverse for the other direction. */
abstract class Recurrent extends Module {
  readonly inputSize: number
  readonly hiddenSize: number
  readonly numLayers: number
  readonly batchFirst: boolean
  readonly dropout: number
  readonly bidirectional: boolean
  readonly #kind: RecurrentKind
  readonly #caller: string
  readonly #bias: boolean
  readonly #generator: Generator | undefined

  /** `more`: defaults of further options. */
  constructor(
    caller: string,
    kind: RecurrentKind,
    inputSize: number,
    hiddenSize: number,
    options: RecurrentOptions,
    more: object = {},
  ) {
    super()
    const { numLayers, bias, batchFirst, dropout, bidirectional, generator } = settle(caller, options, {
      numLayers: option(whole(1), 1),
      dropout: option(probability, 0),
      generator: drawn,
      bias: true,
      batchFirst: false,
      bidirectional: false,
      ...more,
    })
    checkAll(caller, { inputSize, hiddenSize }, whole(1))
    this.inputSize = inputSize
    this.hiddenSize = hiddenSize
    this.numLayers = numLayers
    this.batchFirst = batchFirst
    this.dropout = dropout
    this.bidirectional = bidirectional
    this.#kind = kind
    this.#caller = caller
    this.#bias = bias
    this.#generator = generator
    for (let layer = 0; layer < numLayers; layer++) {
      for (const direction of this.#directions) {
        const inputs = layer === 0 ? inputSize : hiddenSize * this.#directions.length
        const weights = makeWeights(kind, inputs, hiddenSize, bias, generator)
        for (const [name, parameter] of Object.entries(weights))
          if (parameter) Object.assign(this, { [`${name}L${layer}${direction}`]: parameter })
      }
    }
  }

  /** What directions add to the names of parameters. */
  get #directions(): readonly string[] {
    return this.bidirectional ? ['', 'Reverse'] : ['']
  }

  /** The parameters of a layer in one direction, as the fields hold them now: they may be shared or replaced. */
  #weights(layer: number, direction: string): RecurrentWeights {
    const field = (name: string): unknown => Reflect.get(this, `${name}L${layer}${direction}`)
    return {
      weightIh: field('weightIh') as Parameter,
      weightHh: field('weightHh') as Parameter,
      biasIh: (field('biasIh') as Parameter | undefined) ?? null,
      biasHh: (field('biasHh') as Parameter | undefined) ?? null,
    }
  }

  /** input: [steps, batch, inputs], [batch, steps, inputs] with batchFirst, or [steps, inputs] alone. */
  protected run(
    input: Value,
    states: { hidden?: Value | undefined; cell?: Value | undefined },
  ): RecurrentOutput & { cell: Tensor | null } {
    const caller = `${this.#caller}.forward`
    const given = float(caller, 'input', input)
    if ((given.ndim !== 3 && given.ndim !== 2) || given.shape.at(-1) !== this.inputSize)
      throw misshaped(
        caller,
        'input',
        given,
        `${this.batchFirst ? '[batch, steps' : '[steps, batch'}, ${this.inputSize}]`,
      )
    const alone = given.ndim === 2
    const batchAxis = this.batchFirst ? 0 : 1
    let x = alone ? unsqueeze(given, batchAxis) : given
    const batch = x.shape[batchAxis] as number
    if (x.shape[1 - batchAxis] === 0) throw misshaped(caller, 'input', given, 'at least one step')
    const directions = this.bidirectional ? 2 : 1
    const start = (name: 'hidden' | 'cell'): Tensor | null => {
      const value = states[name]
      if (value === undefined || value === null) return null
      const state = float(caller, name, value)
      const shape = [this.numLayers * directions, batch, this.hiddenSize]
      checkShapeIs(caller, name, state, alone ? shape.filter((_, i) => i !== 1) : shape)
      return alone ? unsqueeze(state, 1) : state
    }
    const h0 = start('hidden')
    const c0 = start('cell')
    const dropping = this.training && this.dropout > 0
    const hidden: Tensor[] = []
    const cell: Tensor[] = []
    for (let layer = 0; layer < this.numLayers; layer++) {
      if (layer > 0 && dropping) x = drop(x, this.dropout, this.#generator)
      const outputs = this.#directions.map((name, direction) => {
        const i = layer * directions + direction
        const made = recurrent(
          { kind: this.#kind, batchFirst: this.batchFirst, reverse: direction === 1 },
          x,
          this.#weights(layer, name),
          h0 && select(h0, 0, i),
          c0 && select(c0, 0, i),
        )
        hidden.push(made.hidden)
        if (made.cell) cell.push(made.cell)
        return made.output
      })
      x = outputs.length === 1 ? (outputs[0] as Tensor) : cat(outputs, -1)
    }
    const all = (states: Tensor[]) => (alone ? squeeze(stack(states), 1) : stack(states))
    return {
      output: alone ? squeeze(x, batchAxis) : x,
      hidden: all(hidden),
      cell: cell.length > 0 ? all(cell) : null,
    }
  }

  override extraRepr(): string {
    const { inputSize, hiddenSize, numLayers, batchFirst, dropout, bidirectional } = this
    return [
      `${inputSize}, ${hiddenSize}`,
      ...(numLayers === 1 ? [] : [`numLayers=${numLayers}`]),
      ...(this.#bias ? [] : ['bias=false']),
      ...(batchFirst ? ['batchFirst=true'] : []),
      ...(dropout === 0 ? [] : [`dropout=${dropout}`]),
      ...(bidirectional ? ['bidirectional=true'] : []),
    ].join(', ')
  }
}

const nonlinearities = ['tanh', 'relu'] as const

/** h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), or relu.  forward(input, hidden): input [steps, batch,
 *  inputSize], hidden [numLayers D, batch, hiddenSize], default 0; see RecurrentOutput. Parameters from
 *  U(±1/√hiddenSize). torch.nn.RNN. */
export class RNN extends Recurrent {
  readonly nonlinearity: 'tanh' | 'relu'

  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    const { nonlinearity = 'tanh' } = options
    check('nn.RNN', 'nonlinearity', nonlinearity, word(...nonlinearities))
    super('nn.RNN', nonlinearity, inputSize, hiddenSize, options, { nonlinearity })
    this.nonlinearity = nonlinearity
  }

  forward(input: Value, hidden?: Value): RecurrentOutput {
    const made = this.run(input, { hidden })
    return { output: made.output, hidden: made.hidden }
  }
}

/** i, f, o = σ and g = tanh of W_ih x_t + b_ih + W_hh h_{t-1} + b_hh;  c_t = f c_{t-1} + i g;  h_t = o tanh c_t.
 *  forward(input, { hidden, cell }): input [steps, batch, inputSize], states [numLayers D, batch, hiddenSize],
 *  default 0; what it returns may be the state of the next call. Parameters from U(±1/√hiddenSize), gates in the
 *  order i, f, g, o. torch.nn.LSTM. */
export class LSTM extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super('nn.LSTM', 'lstm', inputSize, hiddenSize, options)
  }

  forward(input: Value, state: Partial<LSTMState> = {}): RecurrentOutput & LSTMState {
    const start = settle('nn.LSTM.forward: state', state, stateOptions)
    const { output, hidden, cell } = this.run(input, { hidden: start.hidden, cell: start.cell })
    return { output, hidden, cell: cell as Tensor }
  }
}

/** r, z = σ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh);  n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn));
 *  h_t = (1 - z) n + z h_{t-1}.  forward(input, hidden): as RNN. Gates in the order r, z, n. torch.nn.GRU. */
export class GRU extends Recurrent {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super('nn.GRU', 'gru', inputSize, hiddenSize, options)
  }

  forward(input: Value, hidden?: Value): RecurrentOutput {
    const made = this.run(input, { hidden })
    return { output: made.output, hidden: made.hidden }
  }
}

export interface RecurrentCellOptions {
  /** Whether to add learned biases; default true. */
  bias?: boolean | undefined
  /** Where the initial values come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

export interface RNNCellOptions extends RecurrentCellOptions {
  /** Default 'tanh'. */
  nonlinearity?: 'tanh' | 'relu' | undefined
}

/** One step of a layer: parameters weight_ih, weight_hh, bias_ih, bias_hh. */
abstract class RecurrentCell extends Module {
  readonly inputSize: number
  readonly hiddenSize: number
  weightIh: Parameter
  weightHh: Parameter
  biasIh: Parameter | null
  biasHh: Parameter | null
  readonly #kind: RecurrentKind
  readonly #caller: string

  constructor(
    caller: string,
    kind: RecurrentKind,
    inputSize: number,
    hiddenSize: number,
    options: RecurrentCellOptions,
    more: object = {},
  ) {
    super()
    const { bias, generator } = settle(caller, options, { generator: drawn, bias: true, ...more })
    checkAll(caller, { inputSize, hiddenSize }, whole(1))
    const weights = makeWeights(kind, inputSize, hiddenSize, bias, generator)
    this.inputSize = inputSize
    this.hiddenSize = hiddenSize
    this.weightIh = weights.weightIh as Parameter
    this.weightHh = weights.weightHh as Parameter
    this.biasIh = weights.biasIh
    this.biasHh = weights.biasHh
    this.#kind = kind
    this.#caller = caller
  }

  /** input: [batch, inputs], or [inputs] alone. */
  protected run(
    input: Value,
    states: { hidden?: Value | undefined; cell?: Value | undefined },
  ): { hidden: Tensor; cell: Tensor | null } {
    const caller = `${this.#caller}.forward`
    const x = float(caller, 'input', input)
    if ((x.ndim !== 1 && x.ndim !== 2) || x.shape.at(-1) !== this.inputSize)
      throw misshaped(caller, 'input', x, `[batch, ${this.inputSize}]`)
    const alone = x.ndim === 1
    const start = (name: 'hidden' | 'cell'): Tensor | null => {
      const value = states[name]
      if (value === undefined || value === null) return null
      const state = float(caller, name, value)
      checkShapeIs(caller, name, state, [...x.shape.slice(0, -1), this.hiddenSize])
      return alone ? unsqueeze(state, 0) : state
    }
    const sequence = unsqueeze(alone ? unsqueeze(x, 0) : x, 0)
    const layer = { kind: this.#kind, batchFirst: false, reverse: false }
    const made = recurrent(layer, sequence, this, start('hidden'), start('cell'))
    const shaped = (state: Tensor) => (alone ? squeeze(state, 0) : state)
    return { hidden: shaped(made.hidden), cell: made.cell && shaped(made.cell) }
  }

  override extraRepr(): string {
    return `${this.inputSize}, ${this.hiddenSize}${this.biasIh ? '' : ', bias=false'}`
  }
}

/** One step of an RNN: forward(input [batch, inputSize], hidden [batch, hiddenSize], default 0) gives the next
 *  hidden. torch.nn.RNNCell. */
export class RNNCell extends RecurrentCell {
  readonly nonlinearity: 'tanh' | 'relu'

  constructor(inputSize: number, hiddenSize: number, options: RNNCellOptions = {}) {
    const { nonlinearity = 'tanh' } = options
    check('nn.RNNCell', 'nonlinearity', nonlinearity, word(...nonlinearities))
    super('nn.RNNCell', nonlinearity, inputSize, hiddenSize, options, { nonlinearity })
    this.nonlinearity = nonlinearity
  }

  forward(input: Value, hidden?: Value): Tensor {
    return this.run(input, { hidden }).hidden
  }
}

/** One step of an LSTM: forward(input [batch, inputSize], { hidden, cell } [batch, hiddenSize], default 0) gives the
 *  next { hidden, cell }. torch.nn.LSTMCell. */
export class LSTMCell extends RecurrentCell {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    super('nn.LSTMCell', 'lstm', inputSize, hiddenSize, options)
  }

  forward(input: Value, state: Partial<LSTMState> = {}): LSTMState {
    const start = settle('nn.LSTMCell.forward: state', state, stateOptions)
    const { hidden, cell } = this.run(input, { hidden: start.hidden, cell: start.cell })
    return { hidden, cell: cell as Tensor }
  }
}

/** One step of a GRU: forward(input [batch, inputSize], hidden [batch, hiddenSize], default 0) gives the next hidden.
 *  torch.nn.GRUCell. */
export class GRUCell extends RecurrentCell {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    super('nn.GRUCell', 'gru', inputSize, hiddenSize, options)
  }

  forward(input: Value, hidden?: Value): Tensor {
    return this.run(input, { hidden }).hidden
  }
}
