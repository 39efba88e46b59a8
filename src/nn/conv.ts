import {
  type ConvOptions,
  type ConvOptions1d,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  convTranspose2d,
  type Pair,
  pair,
} from '../ops/conv.ts'
import type { Value } from '../ops/input.ts'
import type { Generator } from '../ops/random.ts'
import { checkWhole, checkWholes, unexpected } from '../tensor/checks.ts'
import { settle } from '../tensor/options.ts'
import { show } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { uniformFan } from './init.ts'
import { Module, type Parameter } from './module.ts'

interface Learned {
  /** Whether to add a learned bias; default true. */
  bias?: boolean
  /** Where the initial values come from; default the one of manualSeed. */
  generator?: Generator
}
export interface Conv1dOptions extends ConvOptions1d, Learned {}
export interface Conv2dOptions extends ConvOptions, Learned {}
export interface ConvTranspose2dOptions extends ConvTransposeOptions, Learned {}

function checkChannels(layer: string, inChannels: number, outChannels: number, groups: number): void {
  checkWholes(layer, { inChannels, outChannels, groups })
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw unexpected(layer, 'groups', groups, `a divisor of inChannels ${inChannels} and outChannels ${outChannels}`)
  }
}

const asTuple = (list: readonly number[]): string => (list.length === 1 ? `(${list[0]},)` : `(${list.join(', ')})`)

/** The options that differ from the defaults, as PyTorch prints them. */
function described(channels: readonly number[], kernel: readonly number[], options: ConvOptions & Learned): string {
  const list = (value: Pair): readonly number[] => (typeof value === 'number' ? kernel.map(() => value) : value)
  const { stride = 1, padding = 0, dilation = 1, groups = 1, bias = true } = options
  const parts = [...channels.map(String), `kernelSize=${asTuple(kernel)}`, `stride=${asTuple(list(stride))}`]
  if (typeof padding === 'string') parts.push(`padding=${padding}`)
  else if (list(padding).some((n) => n !== 0)) parts.push(`padding=${asTuple(list(padding))}`)
  if (list(dilation).some((n) => n !== 1)) parts.push(`dilation=${asTuple(list(dilation))}`)
  if (groups !== 1) parts.push(`groups=${groups}`)
  if (!bias) parts.push('bias=false')
  return parts.join(', ')
}

/** Splits off what the functions do not take. */
function forFunction<O extends Learned>({ bias: _, generator: __, ...rest }: O): Omit<O, keyof Learned> {
  return rest
}

/** y = x ∗ weight + bias on images.  x: [batch, inChannels, height, width], y: [batch, outChannels, height', width'] (see
 *  conv2d); weight: [outChannels, inChannels / groups, kernelHeight, kernelWidth], bias: [outChannels], both from
 *  U(±1/√fanIn), fanIn = inChannels / groups × kernel. Throws where channels do not fit. torch.nn.Conv2d. */
export class Conv2d extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | null
  readonly #options: Conv2dOptions

  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: Conv2dOptions = {}) {
    super()
    const layer = 'nn.Conv2d'
    const { groups, padding, stride, dilation, bias, generator } = settle(layer, options, {
      stride: 1,
      padding: 0,
      dilation: 1,
      groups: 1,
      generator: undefined,
      bias: true,
    })
    checkChannels(layer, inChannels, outChannels, groups)
    const kernel = pair(layer, 'kernelSize', kernelSize, 1)
    const steps = pair(layer, 'stride', stride, 1)
    pair(layer, 'dilation', dilation, 1)
    checkPadding(layer, padding, steps, (value) => pair(layer, 'padding', value, 0))
    const part = inChannels / groups
    const fanIn = part * kernel[0] * kernel[1]
    this.#options = { ...options }
    this.weight = uniformFan([outChannels, part, ...kernel], fanIn, generator)
    this.bias = bias ? uniformFan([outChannels], fanIn, generator) : null
  }

  forward(input: Value): Tensor {
    return conv2d(input, this.weight, this.bias, forFunction(this.#options))
  }

  override extraRepr(): string {
    const [out, part, ...kernel] = this.weight.shape as [number, number, ...number[]]
    return described([part * (this.#options.groups ?? 1), out], kernel, this.#options)
  }
}

function checkPadding(
  layer: string,
  padding: Pair | string,
  stride: readonly number[],
  check: (value: Pair) => unknown,
): void {
  if (typeof padding !== 'string') check(padding)
  else if (padding !== 'same' && padding !== 'valid')
    throw unexpected(layer, 'padding', `'${padding}'`, "a number, a pair, 'same' or 'valid'")
  else if (padding === 'same' && stride.some((n) => n !== 1))
    throw new RangeError(`${layer}: padding 'same' with stride ${show(stride)}, expected stride 1`)
}

/** y = x ∗ weight + bias along one axis.  x: [batch, inChannels, length], y: [batch, outChannels, length'] (see conv1d);
 *  weight: [outChannels, inChannels / groups, kernelSize], bias: [outChannels], both from U(±1/√fanIn), fanIn = inChannels
 *  / groups × kernelSize. Throws where channels do not fit. torch.nn.Conv1d. */
export class Conv1d extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | null
  readonly #options: Conv1dOptions

  constructor(inChannels: number, outChannels: number, kernelSize: number, options: Conv1dOptions = {}) {
    super()
    const layer = 'nn.Conv1d'
    const { groups, padding, stride, dilation, bias, generator } = settle(layer, options, {
      stride: 1,
      padding: 0,
      dilation: 1,
      groups: 1,
      generator: undefined,
      bias: true,
    })
    checkChannels(layer, inChannels, outChannels, groups)
    checkWholes(layer, { kernelSize, stride, dilation })
    checkPadding(layer, padding, [stride], (value) => checkWhole(layer, 'padding', value, 0))
    const part = inChannels / groups
    this.#options = { ...options }
    this.weight = uniformFan([outChannels, part, kernelSize], part * kernelSize, generator)
    this.bias = bias ? uniformFan([outChannels], part * kernelSize, generator) : null
  }

  forward(input: Value): Tensor {
    return conv1d(input, this.weight, this.bias, forFunction(this.#options))
  }

  override extraRepr(): string {
    const [out, part, ...kernel] = this.weight.shape as [number, number, ...number[]]
    return described([part * (this.#options.groups ?? 1), out], kernel, this.#options)
  }
}

/** The transposed convolution, which enlarges images (see convTranspose2d).  x: [batch, inChannels, height, width], y:
 *  [batch, outChannels, height', width']; weight: [inChannels, outChannels / groups, kernelHeight, kernelWidth], bias:
 *  [outChannels], both from U(±1/√fanIn), fanIn = outChannels / groups × kernel. torch.nn.ConvTranspose2d. */
export class ConvTranspose2d extends Module {
  readonly weight: Parameter
  readonly bias: Parameter | null
  readonly #options: ConvTranspose2dOptions

  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: ConvTranspose2dOptions = {}) {
    super()
    const layer = 'nn.ConvTranspose2d'
    const { groups, bias, generator, stride, padding, outputPadding, dilation } = settle(layer, options, {
      stride: 1,
      padding: 0,
      dilation: 1,
      groups: 1,
      generator: undefined,
      outputPadding: 0,
      bias: true,
    })
    checkChannels(layer, inChannels, outChannels, groups)
    const kernel = pair(layer, 'kernelSize', kernelSize, 1)
    const steps = pair(layer, 'stride', stride, 1)
    const spread = pair(layer, 'dilation', dilation, 1)
    pair(layer, 'padding', padding, 0)
    const added = pair(layer, 'outputPadding', outputPadding, 0)
    if (added.some((n, i) => n >= Math.max(steps[i] as number, spread[i] as number)))
      throw unexpected(
        layer,
        'outputPadding',
        show(added),
        `less than stride ${show(steps)} or dilation ${show(spread)}`,
      )
    const part = outChannels / groups
    const fanIn = part * kernel[0] * kernel[1]
    this.#options = { ...options }
    this.weight = uniformFan([inChannels, part, ...kernel], fanIn, generator)
    this.bias = bias ? uniformFan([outChannels], fanIn, generator) : null
  }

  forward(input: Value): Tensor {
    return convTranspose2d(input, this.weight, this.bias, forFunction(this.#options))
  }

  override extraRepr(): string {
    const [inChannels, part, ...kernel] = this.weight.shape as [number, number, ...number[]]
    const { outputPadding = 0 } = this.#options
    const text = described([inChannels, part * (this.#options.groups ?? 1)], kernel, this.#options)
    const added = pair('nn.ConvTranspose2d', 'outputPadding', outputPadding, 0)
    return added.some((n) => n > 0) ? `${text}, outputPadding=${asTuple(added)}` : text
  }
}
