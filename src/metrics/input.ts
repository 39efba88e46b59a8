// What metrics take, and how they read it.

import { checked } from '../ops/input.ts'
import { type Shape, sameShape, show, sizeOf } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { isNDArray, type NDArray, type TypedArray } from '../tensor/types.ts'

/** A Tensor, or { data, shape }. */
export type MetricInput = Tensor | NDArray

export interface Values {
  shape: Shape
  data: TypedArray
}

/** The values of an input of a metric: a tensor's are copied out of the core, so they stay. */
export function valuesOf(metric: string, name: string, value: MetricInput): Values {
  if (value instanceof Tensor || !isNDArray(value)) {
    const x = checked(metric, name, value)
    return { data: x.data(), shape: x.shape }
  }
  if (sizeOf(value.shape) !== value.data.length) {
    throw new RangeError(
      `${metric}: ${name} has ${value.data.length} elements, expected ${sizeOf(value.shape)} for its shape ${show(value.shape)}`,
    )
  }
  return value
}

/** Predictions and targets, both of one shape. */
export function pairOf(metric: string, prediction: MetricInput, target: MetricInput): [Values, Values] {
  const p = valuesOf(metric, 'prediction', prediction)
  const t = valuesOf(metric, 'target', target)
  if (!sameShape(p.shape, t.shape)) {
    throw new RangeError(
      `${metric}: prediction has shape ${show(p.shape)} and target ${show(t.shape)}, expected the same shape`,
    )
  }
  return [p, t]
}

/** A class index of a target or prediction; throws when it is none. */
export function classAt(metric: string, name: string, { data }: Values, i: number, classes: number): number {
  const label = data[i] as number
  if (!Number.isInteger(label) || label < 0 || label >= classes) {
    throw new RangeError(
      `${metric}: ${name} ${label} at index ${i} is out of range, expected a class index from 0 to ${classes - 1}`,
    )
  }
  return label
}

/** The sizes of scores [rows, classes] and the row's labels, checked. */
export function rowsOf(metric: string, p: Values, t: Values): { rows: number; classes: number } {
  const [rows, classes] = p.shape as [number, number]
  if (p.shape.length !== 2 || !sameShape(t.shape, [rows])) {
    throw new RangeError(
      `${metric}: prediction has shape ${show(p.shape)} and target ${show(t.shape)}, expected scores [N, classes] and class indices [N]`,
    )
  }
  return { rows, classes }
}

/** The first largest of a row of scores; NaN counts as the largest, as in argmax. */
export function largestOf(data: TypedArray, start: number, count: number): number {
  let best = 0
  for (let c = 1; c < count; c++) {
    const value = data[start + c] as number
    const top = data[start + best] as number
    if (!Number.isNaN(top) && !(value <= top)) best = c
  }
  return best
}

export function noData(metric: string): Error {
  return new Error(`${metric}.compute: no data; call update(prediction, target) first`)
}

/** A figure that grows by batches. */
export interface Metric<Result = number> {
  /** Adds a batch; throws, and adds nothing, when it does not fit. */
  update(prediction: MetricInput, target: MetricInput): void
  /** The figure over all batches since the start or the last reset; throws when there were none. */
  compute(): Result
  /** Forgets all batches. */
  reset(): void
}
