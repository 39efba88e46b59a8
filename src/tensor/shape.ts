import { written } from '../checks.ts'
// Shapes: NumPy's rules. Row-major, always contiguous.

export type Shape = readonly number[]

export const sizeOf = (shape: Shape): number => shape.reduce((product, size) => product * size, 1)

/** A loop, not every(): its closure took a tenth of a step of mlp-tiny. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Elements that can be addressed, and the largest size of an axis: 2^30. */
const MOST = 0x40000000

export const show = (shape: Shape): string => `[${shape.join(', ')}]`

/** The Error for an argument of another shape than expected. */
export const misshaped = (caller: string, name: string, { shape }: { shape: Shape }, expected: string): RangeError =>
  new RangeError(`${caller}: ${name} has shape ${show(shape)}, expected ${expected}`)

/** Throws unless every size is a whole number >= 0 and the product can be addressed. */
export function checkShape(caller: string, shape: unknown): asserts shape is Shape {
  if (!Array.isArray(shape)) throw new TypeError(`${caller}: shape is ${written(shape)}, expected an array of sizes`)
  const bad = shape.findIndex((size) => !Number.isInteger(size) || size < 0 || size > MOST)
  if (bad >= 0)
    throw new RangeError(
      `${caller}: shape ${show(shape)} has size ${shape[bad]} at axis ${bad}, expected a whole number from 0 to 2^30`,
    )
  if (sizeOf(shape) > MOST)
    throw new RangeError(`${caller}: shape ${show(shape)} has ${sizeOf(shape)} elements, expected at most 2^30`)
}

/** The axis counted from the front; -1 is the last. */
export function checkAxis(caller: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new RangeError(
      `${caller}: axis is ${written(axis)}, expected a whole number from ${-rank} to ${rank - 1} (the tensor has ${rank} axes)`,
    )
  }
  return axis < 0 ? axis + rank : axis
}

/** The shape that a and b broadcast to. */
export function broadcastShapes(caller: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length)
  const result: number[] = []
  for (let i = 0; i < rank; i++) {
    const sizeA = a[i - rank + a.length] ?? 1
    const sizeB = b[i - rank + b.length] ?? 1
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) {
      throw new RangeError(
        `${caller}: shapes ${show(a)} and ${show(b)} do not broadcast: axis ${i} is ${sizeA} and ${sizeB}, expected equal sizes or 1`,
      )
    }
    result.push(sizeA === 1 ? sizeB : sizeA)
  }
  return result
}

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides: number[] = new Array(shape.length)
  let step = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step
    step *= shape[i] as number
  }
  return strides
}

/** Strides with which a contiguous `shape` is read as `target`: 0 along broadcast axes. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const strides = stridesOf(shape)
  const lead = target.length - shape.length
  return target.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : (strides[i - lead] as number)))
}

/** Merges neighbouring axes that all operands step through as one, and drops axes of size 1: the list
 *  [rank, then size, stride of the first operand, of the second, … for each axis] that kernels take.
 *  The rank is at least 1; an empty shape gives one axis of size 0. */
export function mergeAxes(shape: Shape, strides: readonly (readonly number[])[]): number[] {
  if (sizeOf(shape) === 0) return [1, 0, ...strides.map(() => 1)]
  const axes: number[][] = []
  shape.forEach((size, i) => {
    if (size === 1) return
    const axis = [size, ...strides.map((s) => s[i] as number)]
    const before = axes.at(-1)
    if (before?.slice(1).every((stride, j) => stride === (axis[j + 1] as number) * size)) {
      axes[axes.length - 1] = [(before[0] as number) * size, ...axis.slice(1)]
    } else axes.push(axis)
  })
  if (axes.length === 0) axes.push([1, ...strides.map(() => 1)])
  return [axes.length, ...axes.flat()]
}
