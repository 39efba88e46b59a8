// Convolutions. The three products of a convolution and its gradients are also those of a transposed one, with
// the roles of forward and input gradient exchanged.

import { anything, option, settle, unexpected } from '../checks.ts'
import * as core from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { panelFloats, stripFloats, TILE_FLOATS } from '../core/scratch.ts'
import { misshaped, show } from '../tensor/shape.ts'
import { record, together } from '../tensor/tape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { sumTo } from './broadcast.ts'
import { reshape } from './copy.ts'
import { add } from './elementwise.ts'
import { float, type Value } from './input.ts'

/** One number for both, or [height, width]. */
export type Pair = number | readonly [number, number]

export interface ConvOptions {
  /** Steps between patches; default 1. */
  stride?: Pair | undefined
  /** Zeros on each side; 'valid' is none, 'same' as many as keep the size (with stride 1); default 0. */
  padding?: Pair | 'same' | 'valid' | undefined
  /** Steps between the elements of a patch; default 1. */
  dilation?: Pair | undefined
  /** Parts into which channels are divided, each convolved alone; default 1. */
  groups?: number | undefined
}

export interface ConvTransposeOptions {
  /** Steps between patches in the output; default 1. */
  stride?: Pair | undefined
  /** How much is cut from each side of the output; default 0. */
  padding?: Pair | undefined
  /** Size added to the output at the bottom and the right, below stride or dilation; default 0. */
  outputPadding?: Pair | undefined
  /** Steps between the elements of a patch; default 1. */
  dilation?: Pair | undefined
  /** Parts into which channels are divided, each convolved alone; default 1. */
  groups?: number | undefined
}

/** A whole number from `least` on that fits the kernels' 32 bits. */
const isCount = (n: unknown, least: number): boolean =>
  Number.isInteger(n) && (n as number) >= least && (n as number) < 0x80000000

/** Both numbers of a pair, whole and at least `least`. */
export function pair(op: string, name: string, value: Pair, least: number): [number, number] {
  const list = typeof value === 'number' ? [value, value] : value
  if (!Array.isArray(list) || list.length !== 2 || list.some((n) => !isCount(n, least))) {
    throw unexpected(op, name, value, `a whole number >= ${least} or two of them, [height, width]`)
  }
  return [list[0] as number, list[1] as number]
}

/** What the kernels call geometry, by name: see Geometry in assembly/gemm/patches.ts. */
interface Geometry {
  batch: number
  channels: number
  height: number
  width: number
  outChannels: number
  outHeight: number
  outWidth: number
  kernel: readonly [number, number]
  stride: readonly [number, number]
  dilation: readonly [number, number]
  /** Zeros above and on the left. */
  padding: readonly [number, number]
  groups: number
}

/** The geometry as kernels take it, and the bytes they need. */
function plan(g: Geometry) {
  const plain = [...g.kernel, ...g.stride].every((n) => n === 1) && g.outHeight === g.height && g.outWidth === g.width
  // 1×1: all positions are one row.
  const { height, width, outHeight, outWidth } =
    plain && g.padding.every((n) => n === 0)
      ? { height: 1, width: g.height * g.width, outHeight: 1, outWidth: g.height * g.width }
      : g
  const needed = [outHeight, outWidth].map(
    (n, i) => (n - 1) * (g.stride[i] as number) + (g.dilation[i] as number) * ((g.kernel[i] as number) - 1) + 1,
  ) as [number, number]
  const padded = g.padding.some((n) => n > 0) || needed[0] > height || needed[1] > width
  const image = padded ? needed : [height, width]
  const rows = g.outChannels / g.groups
  const positions = outHeight * outWidth
  const patch = (g.channels / g.groups) * g.kernel[0] * g.kernel[1]
  const plane = padded ? (image[0] as number) * (image[1] as number) : 0
  // A panel of patches has at most as many positions as one of a product has of k: 32 KB.
  const chunk = Math.min(16 * Math.ceil(positions / 16), core.DEPTH)
  const depthwise = g.groups > 1 && g.groups === g.channels
  const images = depthwise ? 1 : Math.max(1, Math.min(g.batch, Math.floor(core.DEPTH / chunk)))
  const common = TILE_FLOATS + patch + 16
  const oneGroup = (g.channels / g.groups) * plane
  const fields: Record<keyof typeof core.Geometry, number> = {
    ...{ batch: g.batch, channels: g.channels, height, width, outChannels: g.outChannels, outHeight, outWidth },
    ...{ kernelHeight: g.kernel[0], kernelWidth: g.kernel[1], strideY: g.stride[0], strideX: g.stride[1] },
    ...{ dilationY: g.dilation[0], dilationX: g.dilation[1], padTop: g.padding[0], padLeft: g.padding[1] },
    ...{ groups: g.groups, imageHeight: image[0] as number, imageWidth: image[1] as number, padded: Number(padded) },
  }
  return {
    list: Object.keys(core.Geometry).map((name) => fields[name as keyof typeof fields]),
    patch,
    chunk,
    images,
    forward: 4 * (common + oneGroup + 16 * rows + stripFloats(rows, patch) + 16 * Math.min(patch, core.DEPTH)),
    weight: 4 * (common + images * oneGroup + stripFloats(rows, images * chunk) + panelFloats(images * chunk + 3, 1)),
    input: 4 * (common + oneGroup + stripFloats(patch, rows) + rows * chunk + core.PATCH_ROWS * (chunk + core.ROW_GAP)),
  }
}

/** The three products; x, w, y are of the geometry's shapes. */
function products(op: string, g: Geometry) {
  const { list, patch, chunk, images, ...bytes } = plan(g)
  const shapeW = [g.outChannels, g.channels / g.groups, ...g.kernel]
  return {
    forward(x: Tensor, w: Tensor, bias: Tensor | null): Tensor {
      const y = empty(op, [g.batch, g.outChannels, g.outHeight, g.outWidth])
      withScratch(bytes.forward, op, (buffer) => emit(core.conv2d(y, x, w, bias, buffer, list, 0)))
      return y
    },
    input(dy: Tensor, w: Tensor): Tensor {
      const dx = empty(op, [g.batch, g.channels, g.height, g.width])
      withScratch(bytes.input, op, (buffer) => emit(core.conv2dInput(dx, dy, w, buffer, list, chunk)))
      return dx
    },
    /** `sums` takes the sums of the channels of dy. */
    weight(x: Tensor, dy: Tensor, sums: Tensor | null = null): Tensor {
      const dw = empty(op, shapeW)
      withScratch(bytes.weight, op, (buffer) =>
        emit(core.conv2dWeight(dw, sums, x, dy, buffer, list, chunk, images, 0, patch)),
      )
      return dw
    },
  }
}

function checkInputs(op: string, axes: string, input: Value, weight: Value, bias: Value | null): Tensor[] {
  const x = float(op, 'input', input)
  const w = float(op, 'weight', weight)
  const rank = axes.split(' ').length + 2
  if (x.ndim !== rank) throw misshaped(op, 'input', x, `[batch, channels, ${axes.replace(' ', ', ')}]`)
  if (w.ndim !== rank || w.shape.slice(2).some((n) => n < 1))
    throw misshaped(op, 'weight', w, `${rank} axes with a kernel of at least one element`)
  return bias === null || bias === undefined ? [x, w] : [x, w, float(op, 'bias', bias)]
}

function checkChannels(
  op: string,
  x: Tensor,
  w: Tensor,
  bias: Tensor | undefined,
  groups: number,
  [channels, out]: [number, number],
): void {
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0 || out % groups !== 0) {
    throw unexpected(
      op,
      'groups',
      groups,
      `a divisor of the ${channels} input and ${out} output channels (weight ${show(w.shape)})`,
    )
  }
  if (x.shape[1] !== channels) {
    throw new RangeError(
      `${op}: input has ${x.shape[1]} channels (shape ${show(x.shape)}), expected ${channels} for weight ${show(w.shape)} with groups ${groups}`,
    )
  }
  if (bias && !(bias.ndim === 1 && bias.size === out)) throw misshaped(op, 'bias', bias, `[${out}]`)
}

/** y = input ∗ weight + bias, where y[b, o, i, j] = Σ input[b, c, i·stride + u·dilation - padding, …] · weight[o, c, u, v].
 *  input: [batch, channels, height, width]; weight: [out, channels / groups, kernelHeight, kernelWidth]; bias: [out],
 *  or null; y: [batch, out, height', width'] with height' = ⌊(height + 2 padding - dilation (kernelHeight - 1) - 1)
 *  / stride⌋ + 1. Throws when the kernel is larger than the padded input. torch.nn.functional.conv2d. */
export function conv2d(input: Value, weight: Value, bias: Value | null = null, options: ConvOptions = {}): Tensor {
  return convolve('conv2d', 'height width', input, weight, bias, options)
}

/** conv2d along one axis.  input: [batch, channels, length]; weight: [out, channels / groups, kernel]; y: [batch, out,
 *  length']. torch.nn.functional.conv1d. */
export function conv1d(input: Value, weight: Value, bias: Value | null = null, options: ConvOptions1d = {}): Tensor {
  return convolve('conv1d', 'length', input, weight, bias, options)
}

export interface ConvOptions1d {
  /** Steps between patches; default 1. */
  stride?: number | undefined
  /** Zeros on each side; 'valid' is none, 'same' as many as keep the length (with stride 1); default 0. */
  padding?: number | 'same' | 'valid' | undefined
  /** Steps between the elements of a patch; default 1. */
  dilation?: number | undefined
  /** Parts into which channels are divided, each convolved alone; default 1. */
  groups?: number | undefined
}

/** One whole number as the width of a pair whose height does nothing. */
export function lengthwise(op: string, name: string, value: unknown, least: number, height: number): [number, number] {
  if (!isCount(value, least)) throw unexpected(op, name, value, `a whole number >= ${least}`)
  return [height, value as number]
}

function convolve(
  op: string,
  axes: 'length' | 'height width',
  input: Value,
  weight: Value,
  givenBias: Value | null,
  options: ConvOptions,
): Tensor {
  const { stride, padding, dilation, groups } = settle(op, options, {
    stride: option(anything, 1),
    padding: option(anything, 0),
    dilation: option(anything, 1),
    groups: 1,
  })
  const flat = axes === 'length'
  const both = (name: string, value: Pair, least: number, height: number) =>
    flat ? lengthwise(op, name, value, least, height) : pair(op, name, value, least)
  const steps = both('stride', stride, 1, 1)
  const spread = both('dilation', dilation, 1, 1)
  const given = checkInputs(op, axes, input, weight, givenBias)
  const lift = (t: Tensor): Tensor =>
    flat ? reshape(t, [t.shape[0] as number, t.shape[1] as number, 1, t.shape[2] as number]) : t
  const [x, w] = given.slice(0, 2).map(lift) as [Tensor, Tensor]
  const bias = given[2]
  const kernel = w.shape.slice(2) as [number, number]
  const extent = kernel.map((k, i) => (spread[i] as number) * (k - 1)) as [number, number]
  let before: [number, number]
  let total: [number, number]
  if (typeof padding === 'string') {
    if (padding !== 'same' && padding !== 'valid')
      throw unexpected(op, 'padding', padding, "a number, a pair, 'same' or 'valid'")
    if (padding === 'same' && steps.some((s) => s !== 1))
      throw new RangeError(`${op}: padding 'same' with stride ${JSON.stringify(stride)}, expected stride 1`)
    total = padding === 'same' ? extent : [0, 0]
    before = total.map((n) => n >> 1) as [number, number]
  } else {
    before = both('padding', padding, 0, 0)
    total = before.map((n) => 2 * n) as [number, number]
  }
  const [out, part] = w.shape as [number, number]
  checkChannels(op, x, w, bias, groups, [part * groups, out])
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  const outs = [height, width].map(
    (n, i) => Math.floor((n + (total[i] as number) - (extent[i] as number) - 1) / (steps[i] as number)) + 1,
  ) as [number, number]
  if (outs.some((n) => n < 1)) {
    throw new RangeError(
      `${op}: the kernel covers ${show(flat ? [extent[1] + 1] : extent.map((n) => n + 1))} and input has shape ${show((given[0] as Tensor).shape)} with padding ${JSON.stringify(padding)}, expected an input at least as large; add padding`,
    )
  }
  const geometry: Geometry = {
    ...{ batch, channels, height, width, outChannels: out, outHeight: outs[0], outWidth: outs[1] },
    ...{ kernel, stride: steps, dilation: spread, padding: before, groups },
  }
  const { forward } = products(op, geometry)
  const gradient = products(`${op} gradient`, geometry)
  const { inputs, rules } = together([x, w, bias ?? null], (dy, [ofInput, ofWeight, ofBias]) => {
    const sums = ofWeight && ofBias ? empty(`${op} gradient`, [out]) : null
    return [
      ofInput ? gradient.input(dy, w) : null,
      ofWeight ? gradient.weight(x, dy, sums) : null,
      sums ?? (ofBias ? reshape(sumTo(dy, [out, 1, 1]), [out]) : null),
    ]
  })
  const y = record(op, forward(x, w, bias ?? null), inputs, rules)
  return flat ? reshape(y, [batch, out, outs[1]]) : y
}

/** The transposed convolution: the input gradient of the conv2d with the same weight, plus bias.
 *  input: [batch, channels, height, width]; weight: [channels, out / groups, kernelHeight, kernelWidth]; bias: [out], or
 *  null; y: [batch, out, height', width'] with height' = (height - 1) stride - 2 padding + dilation (kernelHeight - 1) +
 *  outputPadding + 1. torch.nn.functional.conv_transpose2d. */
export function convTranspose2d(
  input: Value,
  weight: Value,
  givenBias: Value | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  const op = 'convTranspose2d'
  const { groups, ...given } = settle(op, options, {
    stride: option(anything, 1),
    padding: option(anything, 0),
    outputPadding: option(anything, 0),
    dilation: option(anything, 1),
    groups: 1,
  })
  const stride = pair(op, 'stride', given.stride, 1)
  const padding = pair(op, 'padding', given.padding, 0)
  const outputPadding = pair(op, 'outputPadding', given.outputPadding, 0)
  const dilation = pair(op, 'dilation', given.dilation, 1)
  if (outputPadding.some((n, i) => n >= Math.max(stride[i] as number, dilation[i] as number))) {
    throw unexpected(
      op,
      'outputPadding',
      outputPadding,
      `less than stride ${show(stride)} or dilation ${show(dilation)}`,
    )
  }
  const [x, w, bias] = checkInputs(op, 'height width', input, weight, givenBias) as [Tensor, Tensor, Tensor?]
  const [channels, part] = w.shape as [number, number]
  checkChannels(op, x, w, bias, groups, [channels, part * groups])
  const kernel = w.shape.slice(2) as [number, number]
  const [batch, , height, width] = x.shape as [number, number, number, number]
  const outs = [height, width].map(
    (n, i) =>
      (n - 1) * (stride[i] as number) -
      2 * (padding[i] as number) +
      (dilation[i] as number) * ((kernel[i] as number) - 1) +
      (outputPadding[i] as number) +
      1,
  ) as [number, number]
  if (outs.some((n) => n < 1) || height < 1 || width < 1) {
    throw new RangeError(
      `${op}: the output would be ${show(outs)} for input ${show(x.shape)}, weight ${show(w.shape)} and padding ${show(padding)}, expected at least [1, 1]; use less padding`,
    )
  }
  const geometry: Geometry = {
    ...{ batch, channels: part * groups, height: outs[0], width: outs[1] },
    ...{ outChannels: channels, outHeight: height, outWidth: width, kernel, stride, dilation, padding, groups },
  }
  const gradient = products(`${op} gradient`, geometry)
  const y = record(
    op,
    products(op, geometry).input(x, w),
    [x, w],
    [(dy) => gradient.forward(dy, w, null), (dy) => gradient.weight(dy, x)],
  )
  return bias ? add(y, reshape(bias, [bias.size, 1, 1])) : y
}
