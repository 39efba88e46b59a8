import { anything, checkAll, type Full, type Option, option, settle, unexpected, whole } from '../checks.ts'
import {
  type ConvOptions,
  type ConvOptions1d,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  convTranspose2d,
  lengthwise,
  type Pair,
  pair,
} from '../ops/conv.ts'
import type { Value } from '../ops/input.ts'
import { drawn, type Generator } from '../ops/random.ts'
import { show } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { uniformFan } from './init.ts'
import { Module, type Parameter } from './module.ts'

interface Learned {
  /** Whether to add a learned bias; default true. */
  bias?: boolean | undefined
  /** Where the initial values come from; default the one of manualSeed. */
  generator?: Generator | undefined
}
export interface Conv1dOptions extends ConvOptions1d, Learned {}
export interface Conv2dOptions extends ConvOptions, Learned {}
export interface ConvTranspose2dOptions extends ConvTransposeOptions, Learned {}

/** What the functions take, in full. */
interface Settings {
  stride: Pair
  padding: Pair | 'same' | 'valid'
  dilation: Pair
  groups: number
  outputPadding?: Pair | undefined
}

const asTuple = (list: readonly number[]): string => (list.length === 1 ? `(${list[0]},)` : `(${list.join(', ')})`)

/** What convolutions share. `axes`: how many they go along; `transposed`: the weight is [inChannels, outChannels / groups,
 *  ...kernel], not [outChannels, inChannels / groups, ...kernel]. */
abstract class Conv<O extends Settings> extends Module {
  weight: Parameter
  bias: Parameter | null
  protected readonly settings: O
  readonly #transposed: boolean

  protected constructor(
    layer: string,
    axes: 1 | 2,
    inChannels: number,
    outChannels: number,
    kernelSize: Pair,
    options: { [K in keyof Settings]?: Settings[K] | undefined } & Learned,
    transposed = false,
  ) {
    super()
    const { bias, generator, ...settings } = settle(layer, options, {
      stride: option(anything, 1),
      padding: option(anything, 0),
      ...((transposed ? { outputPadding: option(anything, 0) } : {}) as { outputPadding: Option<Pair, 0> }),
      dilation: option(anything, 1),
      groups: option(whole(1), 1),
      generator: drawn,
      bias: true,
    })
    const { groups, padding } = settings
    checkAll(layer, { inChannels, outChannels }, whole(1))
    if (inChannels % groups !== 0 || outChannels % groups !== 0)
      throw unexpected(layer, 'groups', groups, `a divisor of inChannels ${inChannels} and outChannels ${outChannels}`)
    const sizes = (name: string, value: Pair, least: number): readonly number[] =>
      axes === 1 ? lengthwise(layer, name, value, least, 1).slice(1) : pair(layer, name, value, least)
    const kernel = sizes('kernelSize', kernelSize, 1)
    const stride = sizes('stride', settings.stride, 1)
    const dilation = sizes('dilation', settings.dilation, 1)
    if (transposed || typeof padding !== 'string') sizes('padding', padding as Pair, 0)
    else if (padding !== 'same' && padding !== 'valid')
      throw unexpected(layer, 'padding', padding, "a number, a pair, 'same' or 'valid'")
    else if (padding === 'same' && stride.some((n) => n !== 1))
      throw new RangeError(`${layer}: padding 'same' with stride ${show(stride)}, expected stride 1`)
    const added = sizes('outputPadding', settings.outputPadding ?? 0, 0)
    if (added.some((n, i) => n >= Math.max(stride[i] as number, dilation[i] as number)))
      throw unexpected(layer, 'outputPadding', added, `less than stride ${show(stride)} or dilation ${show(dilation)}`)
    const [rows, columns] = transposed ? [inChannels, outChannels / groups] : [outChannels, inChannels / groups]
    const fanIn = kernel.reduce((product, size) => product * size, columns)
    this.settings = settings as unknown as O
    this.#transposed = transposed
    this.weight = uniformFan([rows, columns, ...kernel], fanIn, generator)
    this.bias = bias ? uniformFan([outChannels], fanIn, generator) : null
  }

  /** The options that differ from the defaults, as PyTorch prints them. */
  override extraRepr(): string {
    const [rows, part, ...kernel] = this.weight.shape as [number, number, ...number[]]
    const { stride, padding, dilation, groups, outputPadding = 0 }: Settings = this.settings
    const list = (value: Pair): readonly number[] => (typeof value === 'number' ? kernel.map(() => value) : value)
    const unusual = (name: string, value: Pair, usual: number): string[] =>
      list(value).every((n) => n === usual) ? [] : [`${name}=${asTuple(list(value))}`]
    return [
      ...(this.#transposed ? [rows, part * groups] : [part * groups, rows]),
      `kernelSize=${asTuple(kernel)}`,
      `stride=${asTuple(list(stride))}`,
      ...(typeof padding === 'string' ? [`padding=${padding}`] : unusual('padding', padding, 0)),
      ...unusual('dilation', dilation, 1),
      ...(groups === 1 ? [] : [`groups=${groups}`]),
      ...(this.bias ? [] : ['bias=false']),
      ...unusual('outputPadding', outputPadding, 0),
    ].join(', ')
  }
}

/** y = x ∗ weight + bias on images.  x: [batch, inChannels, height, width], y: [batch, outChannels, height', width'] (see
 *  conv2d); weight: [outChannels, inChannels / groups, kernelHeight, kernelWidth], bias: [outChannels], both from
 *  U(±1/√fanIn), fanIn = inChannels / groups × kernel. Throws where channels do not fit. torch.nn.Conv2d. */
export class Conv2d extends Conv<Full<ConvOptions>> {
  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: Conv2dOptions = {}) {
    super('nn.Conv2d', 2, inChannels, outChannels, kernelSize, options)
  }

  forward(input: Value): Tensor {
    return conv2d(input, this.weight, this.bias, this.settings)
  }
}

/** y = x ∗ weight + bias along one axis.  x: [batch, inChannels, length], y: [batch, outChannels, length'] (see conv1d);
 *  weight: [outChannels, inChannels / groups, kernelSize], bias: [outChannels], both from U(±1/√fanIn), fanIn = inChannels
 *  / groups × kernelSize. Throws where channels do not fit. torch.nn.Conv1d. */
export class Conv1d extends Conv<Full<ConvOptions1d>> {
  constructor(inChannels: number, outChannels: number, kernelSize: number, options: Conv1dOptions = {}) {
    super('nn.Conv1d', 1, inChannels, outChannels, kernelSize, options)
  }

  forward(input: Value): Tensor {
    return conv1d(input, this.weight, this.bias, this.settings)
  }
}

/** The transposed convolution, which enlarges images (see convTranspose2d).  x: [batch, inChannels, height, width], y:
 *  [batch, outChannels, height', width']; weight: [inChannels, outChannels / groups, kernelHeight, kernelWidth], bias:
 *  [outChannels], both from U(±1/√fanIn), fanIn = outChannels / groups × kernel. torch.nn.ConvTranspose2d. */
export class ConvTranspose2d extends Conv<Full<ConvTransposeOptions>> {
  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: ConvTranspose2dOptions = {}) {
    super('nn.ConvTranspose2d', 2, inChannels, outChannels, kernelSize, options, true)
  }

  forward(input: Value): Tensor {
    return convTranspose2d(input, this.weight, this.bias, this.settings)
  }
}
