// Images of another size.

import { check, option, settle, unexpected, whole, word } from '../checks.ts'
import * as core from '../core/commands.ts'
import { floatBits } from '../core/encode.ts'
import { misshaped, show, sizeOf } from '../tensor/shape.ts'
import { record } from '../tensor/tape.ts'
import { computed, type Tensor } from '../tensor/tensor.ts'
import { type Pair, pair } from './conv.ts'
import { permute, reshape } from './copy.ts'
import { float, type Value } from './input.ts'

export interface InterpolateOptions {
  /** Height and width of the result; this or scaleFactor. */
  size?: Pair | undefined
  /** Of the result's height and width to the input's; the result is rounded down. */
  scaleFactor?: Pair | undefined
  /** 'nearest' (default) copies elements, 'bilinear' mixes the four around. */
  mode?: 'nearest' | 'bilinear' | undefined
  /** Whether the centres of the corner elements stay where they are, for 'bilinear'; default false: the outer edges do. */
  alignCorners?: boolean | undefined
}

interface Target {
  size: [number, number] | null
  scale: [number, number] | null
  mode: 'nearest' | 'bilinear'
  alignCorners: boolean
}

/** The options in full, checked. */
export function target(op: string, options: InterpolateOptions): Target {
  const { size, scaleFactor, mode, alignCorners } = settle(op, options, {
    size: undefined,
    scaleFactor: undefined,
    mode: option(word('nearest', 'bilinear'), 'nearest'),
    alignCorners: false,
  })
  if ((size === undefined) === (scaleFactor === undefined))
    throw new TypeError(
      `${op}: got ${size === undefined ? 'neither size nor' : 'both size and'} scaleFactor, expected one of them`,
    )
  if (alignCorners && mode === 'nearest')
    throw new TypeError(`${op}: alignCorners is true for mode 'nearest', expected true only for 'bilinear'`)
  const factors = typeof scaleFactor === 'number' ? [scaleFactor, scaleFactor] : scaleFactor
  if (factors && (!Array.isArray(factors) || factors.length !== 2 || factors.some((f) => !(f > 0 && f < Infinity)))) {
    throw unexpected(op, 'scaleFactor', scaleFactor, 'a number > 0 or two of them, [height, width]')
  }
  return {
    size: size === undefined ? null : pair(op, 'size', size, 1),
    scale: factors ? [factors[0] as number, factors[1] as number] : null,
    mode,
    alignCorners,
  }
}

/** The elements of an axis of `size` that each of `n` elements is made of. */
function sources(size: number, n: number, factor: number | null, { mode, alignCorners }: Target): number[] {
  const step = factor === null ? size / n : 1 / factor
  return Array.from({ length: n }, (_, i) => {
    // In f32, as PyTorch finds them: which of two elements is nearer may hang on a rounding.
    if (mode === 'nearest') return [Math.min(size - 1, Math.floor(Math.fround(i * Math.fround(step))))]
    // As PyTorch: a factor that leaves the size as it is leaves the elements, too.
    if (n === size) return [i, i, floatBits(0)]
    const at = alignCorners ? (n > 1 ? (i * (size - 1)) / (n - 1) : 0) : Math.max(0, (i + 0.5) * step - 0.5)
    const first = Math.min(size - 1, Math.floor(at))
    return [first, Math.min(size - 1, first + 1), floatBits(at - first)]
  }).flat()
}

/** The image in another size.  input: [batch, channels, height, width], y: [batch, channels, height', width'].
 *  'nearest' takes element ⌊i · height / height'⌋; 'bilinear' reads at (i + 1/2) · height / height' - 1/2, or with
 *  alignCorners at i (height - 1) / (height' - 1), between elements. torch.nn.functional.interpolate. */
export function interpolate(input: Value, options: InterpolateOptions): Tensor {
  const op = 'interpolate'
  const wanted = target(op, options)
  const x = float(op, 'input', input)
  if (x.ndim !== 4 || x.shape.slice(2).some((n) => n === 0)) {
    throw misshaped(op, 'input', x, '[batch, channels, height, width] with images of at least one element')
  }
  const [height, width] = x.shape.slice(2) as [number, number]
  const outs =
    wanted.size ?? ([height, width].map((n, i) => Math.floor(n * (wanted.scale?.[i] as number))) as [number, number])
  if (outs.some((n) => n < 1))
    throw new RangeError(
      `${op}: scaleFactor ${show(wanted.scale ?? [])} makes ${show(outs)} of input ${show(x.shape)}, expected at least [1, 1]`,
    )
  const lead = x.shape.slice(0, 2)
  const list = outs.flatMap((n, i) => sources([height, width][i] as number, n, wanted.scale?.[i] ?? null, wanted))
  const [forward, backward] =
    wanted.mode === 'nearest' ? [core.nearest2d, core.nearest2dBackward] : [core.bilinear2d, core.bilinear2dBackward]
  const y = computed(op, [...lead, ...outs], (y) => forward(y, x, sizeOf(lead), height, width, ...outs, list))
  return record(
    op,
    y,
    [x],
    [(dy) => computed(`${op} gradient`, x.shape, (dx) => backward(dx, dy, sizeOf(lead), height, width, ...outs, list))],
  )
}

/** Channels become pixels: y[b, c, h r + i, w r + j] = input[b, (c r + i) r + j, h, w].  input: [batch, channels r², height,
 *  width], y: [batch, channels, height r, width r], r = upscaleFactor. torch.nn.functional.pixel_shuffle. */
export function pixelShuffle(input: Value, upscaleFactor: number): Tensor {
  const op = 'pixelShuffle'
  const r = upscaleFactor
  check(op, 'upscaleFactor', r, whole(1))
  const x = float(op, 'input', input)
  const [batch, channels, height, width] = x.shape as [number, number, number, number]
  if (x.ndim !== 4 || channels % (r * r) !== 0) {
    throw misshaped(
      op,
      'input',
      x,
      `[batch, channels, height, width] with a multiple of ${r * r} channels (upscaleFactor ${r})`,
    )
  }
  const c = channels / (r * r)
  const parts = permute(reshape(x, [batch, c, r, r, height, width]), [0, 1, 4, 2, 5, 3])
  return reshape(parts, [batch, c, height * r, width * r])
}
