// Pooling: the largest or the mean of windows of images.

import { anything, option, required, settle, unexpected } from '../checks.ts'
import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { misshaped, show, sizeOf } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { lengthwise, type Pair, pair } from './conv.ts'
import { reshape } from './copy.ts'
import { float, type Value } from './input.ts'

interface PoolOptionsOf<Size> {
  /** Size of a window. */
  kernelSize: Size
  /** Steps between windows; default kernelSize. */
  stride?: Size | undefined
  /** How far windows may begin before the input, at most half of kernelSize; default 0. */
  padding?: Size | undefined
  /** Whether windows may end beyond the padded input; default false. */
  ceilMode?: boolean | undefined
}
interface Dilated<Size> {
  /** Steps between the elements of a window; default 1. */
  dilation?: Size | undefined
}
interface Counted {
  /** Whether padding counts as zeros in the mean; default true. */
  countIncludePad?: boolean | undefined
}
export interface MaxPool2dOptions extends PoolOptionsOf<Pair>, Dilated<Pair> {}
export interface MaxPool1dOptions extends PoolOptionsOf<number>, Dilated<number> {}
export interface AvgPool2dOptions extends PoolOptionsOf<Pair>, Counted {}
export interface AvgPool1dOptions extends PoolOptionsOf<number>, Counted {}

interface Windows {
  kernel: [number, number]
  stride: [number, number]
  padding: [number, number]
  dilation: [number, number]
  ceil: boolean
  countIncludePad: boolean
}

const common = {
  kernelSize: /* @__PURE__ */ required(anything),
  stride: undefined,
  padding: /* @__PURE__ */ option(anything, 0),
  ceilMode: false,
}

/** The options of a pooling in full, checked; `flat` for those of one axis. */
export function windows(op: string, options: PoolOptionsOf<Pair> & Dilated<Pair> & Counted, flat: boolean): Windows {
  const both = (name: string, value: Pair, least: number, height: number): [number, number] =>
    flat ? lengthwise(op, name, value, least, height) : pair(op, name, value, least)
  const own = /max/i.test(op) ? { dilation: option(anything, 1) } : { countIncludePad: true }
  const settled = settle<PoolOptionsOf<Pair>, typeof common>(op, options, { ...common, ...own })
  const { kernelSize, stride = kernelSize, padding, ceilMode } = settled
  const { dilation = 1, countIncludePad = true } = settled as Dilated<Pair> & Counted
  const found = {
    kernel: both('kernelSize', kernelSize, 1, 1),
    stride: both('stride', stride, 1, 1),
    padding: both('padding', padding, 0, 0),
    dilation: both('dilation', dilation, 1, 1),
    ceil: ceilMode,
    countIncludePad,
  }
  if (found.padding.some((n, i) => 2 * n > (found.kernel[i] as number))) {
    throw unexpected(op, 'padding', padding, `at most half of kernelSize ${JSON.stringify(kernelSize)}`)
  }
  return found
}

function outSizes(op: string, x: Tensor, { kernel, stride, padding, dilation, ceil }: Windows): [number, number] {
  const sizes = x.shape.slice(-2).map((n, i) => {
    const [s, p] = [stride[i] as number, padding[i] as number]
    const room = n + 2 * p - (dilation[i] as number) * ((kernel[i] as number) - 1) - 1
    const count = (ceil ? Math.ceil : Math.floor)(room / s) + 1
    // The last window begins inside the input or its padding on the left.
    return ceil && (count - 1) * s >= n + p ? count - 1 : count
  }) as [number, number]
  if (sizes.some((n) => n < 1) || x.shape.slice(-2).includes(0)) {
    throw new RangeError(
      `${op}: kernelSize is ${show(kernel)} for input ${show(x.shape)}, expected an input with at least one window; make the kernel smaller or add padding`,
    )
  }
  return sizes
}

function images(op: string, input: Value): Tensor {
  const x = float(op, 'input', input)
  if (x.ndim !== 4) throw misshaped(op, 'input', x, '[batch, channels, height, width]')
  return x
}

/** [batch, channels, length] as images of height 1, pooled, and back. */
function along(op: string, input: Value, pool: (x: Tensor) => Tensor): Tensor {
  const x = float(op, 'input', input)
  if (x.ndim !== 3) throw misshaped(op, 'input', x, '[batch, channels, length]')
  const [batch, channels, length] = x.shape as [number, number, number]
  const y = pool(reshape(x, [batch, channels, 1, length]))
  return reshape(y, [batch, channels, y.shape[3] as number])
}

/** Windows of 2×2 side by side. */
const isHalving = (counts: Windows, sizes: readonly number[], outs: readonly number[]): boolean =>
  [...counts.kernel, ...counts.stride].every((n) => n === 2) &&
  [...counts.dilation].every((n) => n === 1) &&
  counts.padding.every((n) => n === 0) &&
  outs.every((n, i) => n === Math.floor((sizes[i] as number) / 2))

function largest(op: string, x: Tensor, counts: Windows): Tensor {
  const outs = outSizes(op, x, counts)
  const [height, width] = x.shape.slice(-2) as [number, number]
  const lead = x.shape.slice(0, -2)
  const planes = sizeOf(lead)
  const y = empty(op, [...lead, ...outs])
  const argmax = empty(op, y.shape, 'i32')
  const halving = isHalving(counts, [height, width], outs)
  if (halving) emit(core.maxPool2x2(y, argmax, x, planes, height, width))
  else {
    const geometry = [...counts.kernel, ...counts.stride, ...counts.dilation, ...counts.padding]
    emit(core.maxPool2d(y, argmax, x, planes, height, width, ...outs, geometry))
  }
  return record(
    op,
    y,
    [x],
    [
      (dy) => {
        const dx = empty(`${op} gradient`, x.shape)
        if (halving) emit(core.maxPool2x2Backward(dx, dy, argmax, planes, height, width))
        else emit(core.maxPool2dBackward(dx, dy, argmax, planes, height, width, outs[0] * outs[1]))
        return dx
      },
    ],
  )
}

/** (start, end, count) of each window along one axis. */
type Axis = [start: number, end: number, count: number][]

function mean(op: string, x: Tensor, rows: Axis, columns: Axis): Tensor {
  const [height, width] = x.shape.slice(-2) as [number, number]
  const lead = x.shape.slice(0, -2)
  const planes = sizeOf(lead)
  const y = empty(op, [...lead, rows.length, columns.length])
  const isPairs = (axis: Axis, size: number): boolean =>
    axis.length === Math.floor(size / 2) && axis.every(([s, e, n], i) => s === 2 * i && e === s + 2 && n === 2)
  const halving = isPairs(rows, height) && isPairs(columns, width)
  const list = [...rows, ...columns].flat()
  if (halving) emit(core.averagePool2x2(y, x, planes, height, width))
  else emit(core.averagePool2d(y, x, planes, height, width, rows.length, columns.length, list))
  return record(
    op,
    y,
    [x],
    [
      (dy) => {
        const dx = empty(`${op} gradient`, x.shape)
        if (halving) emit(core.averagePool2x2Backward(dx, dy, planes, height, width))
        else emit(core.averagePool2dBackward(dx, dy, planes, height, width, rows.length, columns.length, list))
        return dx
      },
    ],
  )
}

function meanOfWindows(op: string, x: Tensor, counts: Windows): Tensor {
  const outs = outSizes(op, x, counts)
  const [rows, columns] = outs.map((n, i): Axis => {
    const [size, k] = [x.shape.at(i - 2) as number, counts.kernel[i] as number]
    const [s, p] = [counts.stride[i] as number, counts.padding[i] as number]
    return Array.from({ length: n }, (_, j) => {
      const from = j * s - p
      const to = Math.min(from + k, size + p)
      const [start, end] = [Math.max(from, 0), Math.min(to, size)]
      return [start, end, counts.countIncludePad ? to - from : end - start]
    })
  }) as [Axis, Axis]
  return mean(op, x, rows, columns)
}

/** The largest of each window; the gradient goes to it, the first of equals.  input: [batch, channels, height, width], y:
 *  [batch, channels, height', width'], height' = ⌊(height + 2 padding - dilation (kernelSize - 1) - 1) / stride⌋ + 1, or ⌈⌉
 *  with ceilMode. Throws when no window fits. torch.nn.functional.max_pool2d. */
export function maxPool2d(input: Value, options: MaxPool2dOptions): Tensor {
  const op = 'maxPool2d'
  const counts = windows(op, options, false)
  return largest(op, images(op, input), counts)
}

/** maxPool2d along one axis: [batch, channels, length] to [batch, channels, length']. torch.nn.functional.max_pool1d. */
export function maxPool1d(input: Value, options: MaxPool1dOptions): Tensor {
  const op = 'maxPool1d'
  const counts = windows(op, options, true)
  return along(op, input, (x) => largest(op, x, counts))
}

/** The mean of each window; shapes as maxPool2d's. Padding counts as zeros unless countIncludePad is false; what lies
 *  beyond it (ceilMode) never counts. torch.nn.functional.avg_pool2d. */
export function avgPool2d(input: Value, options: AvgPool2dOptions): Tensor {
  const op = 'avgPool2d'
  const counts = windows(op, options, false)
  return meanOfWindows(op, images(op, input), counts)
}

/** avgPool2d along one axis: [batch, channels, length] to [batch, channels, length']. torch.nn.functional.avg_pool1d. */
export function avgPool1d(input: Value, options: AvgPool1dOptions): Tensor {
  const op = 'avgPool1d'
  const counts = windows(op, options, true)
  return along(op, input, (x) => meanOfWindows(op, x, counts))
}

/** A size of its own for each axis; null keeps the input's. */
export type OutputSize = number | readonly [number | null, number | null]

/** Both sizes, or null where the input's is kept. */
export function outputSizes(op: string, size: OutputSize): [number | null, number | null] {
  const list = typeof size === 'number' ? [size, size] : size
  if (!Array.isArray(list) || list.length !== 2 || list.some((n) => n !== null && !(Number.isInteger(n) && n > 0))) {
    throw unexpected(op, 'outputSize', size, 'a whole number >= 1 or two of them, [height, width], null to keep one')
  }
  return [list[0] as number | null, list[1] as number | null]
}

/** The mean of each of outputSize windows that cover the input: window i of n is ⌊i size / n⌋ up to ⌈(i + 1) size / n⌉.
 *  input: [batch, channels, height, width], y: [batch, channels, ...outputSize]. torch.nn.functional.adaptive_avg_pool2d. */
export function adaptiveAvgPool2d(input: Value, outputSize: OutputSize): Tensor {
  const op = 'adaptiveAvgPool2d'
  const sizes = outputSizes(op, outputSize)
  const x = images(op, input)
  if (x.shape.slice(2).some((n) => n === 0)) throw misshaped(op, 'input', x, 'images of at least one element')
  const [rows, columns] = sizes.map((given, i): Axis => {
    const size = x.shape[i + 2] as number
    const n = given ?? size
    return Array.from({ length: n }, (_, j) => {
      const start = Math.floor((j * size) / n)
      const end = Math.ceil(((j + 1) * size) / n)
      return [start, end, end - start]
    })
  }) as [Axis, Axis]
  return mean(op, x, rows, columns)
}
