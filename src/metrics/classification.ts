// Figures of decisions between classes.

import { check, finite, option, required, settle, whole, word } from '../checks.ts'
import { inspect } from '../printed.ts'
import { sameShape, show } from '../tensor/shape.ts'
import {
  classAt,
  largestOf,
  type Metric,
  type MetricInput,
  noData,
  pairOf,
  rowsOf,
  type Values,
  valuesOf,
} from './input.ts'

export interface AccuracyOptions {
  /** For scores without a class axis: those above it count as class 1, others as 0. Default 0.5; 0 for logits. */
  threshold?: number | undefined
}

/** The share of right decisions.  prediction: scores [N, classes], the first largest of a row decides, and target:
 *  class indices [N]; or prediction and target (0 or 1) of one shape, with a threshold. */
export class Accuracy implements Metric {
  readonly #threshold: number
  #right = 0
  #count = 0

  constructor(options: AccuracyOptions = {}) {
    this.#threshold = settle('metrics.Accuracy', options, { threshold: option(finite(), 0.5) }).threshold
  }

  update(prediction: MetricInput, target: MetricInput): void {
    const p = valuesOf('Accuracy', 'prediction', prediction)
    const t = valuesOf('Accuracy', 'target', target)
    const binary = sameShape(p.shape, t.shape)
    if (!binary && !(p.shape.length === 2 && sameShape(t.shape, p.shape.slice(0, 1)))) {
      throw new RangeError(
        `Accuracy: prediction has shape ${show(p.shape)} and target ${show(t.shape)}, expected scores [N, classes] and class indices [N], or one shape for both`,
      )
    }
    const classes = binary ? 2 : (p.shape[1] as number)
    let right = 0
    for (let i = 0; i < t.data.length; i++) {
      const label = classAt('Accuracy', 'target', t, i, classes)
      const decision = binary
        ? Number((p.data[i] as number) > this.#threshold)
        : largestOf(p.data, i * classes, classes)
      if (decision === label) right++
    }
    this.#right += right
    this.#count += t.data.length
  }

  compute(): number {
    if (this.#count === 0) throw noData('Accuracy')
    return this.#right / this.#count
  }

  reset(): void {
    this.#right = 0
    this.#count = 0
  }
}

/** The share of rows whose class is among the k largest scores; of equal scores the first counts as the larger.
 *  prediction: scores [N, classes], classes >= k; target: class indices [N]. */
export class TopKAccuracy implements Metric {
  readonly k: number
  #right = 0
  #count = 0

  constructor(k: number) {
    check('metrics.TopKAccuracy', 'k', k, whole(1))
    this.k = k
  }

  update(prediction: MetricInput, target: MetricInput): void {
    const p = valuesOf('TopKAccuracy', 'prediction', prediction)
    const t = valuesOf('TopKAccuracy', 'target', target)
    const { rows, classes } = rowsOf('TopKAccuracy', p, t)
    if (classes < this.k)
      throw new RangeError(
        `TopKAccuracy: prediction has shape ${show(p.shape)}, expected at least k = ${this.k} classes`,
      )
    let right = 0
    for (let r = 0; r < rows; r++) {
      const label = classAt('TopKAccuracy', 'target', t, r, classes)
      const score = p.data[r * classes + label] as number
      let before = 0
      for (let c = 0; c < classes; c++) {
        const other = p.data[r * classes + c] as number
        // NaN ranks before all numbers.
        if (c !== label && !(c < label ? other < score : other <= score)) before++
      }
      if (before < this.k) right++
    }
    this.#right += right
    this.#count += rows
  }

  compute(): number {
    if (this.#count === 0) throw noData('TopKAccuracy')
    return this.#right / this.#count
  }

  reset(): void {
    this.#right = 0
    this.#count = 0
  }
}

/** Adds a batch to counts [target, prediction]; nothing when a label is refused. Predictions are scores
 *  [N, classes], or class indices of the targets' shape. */
function count(metric: string, counts: Float64Array, classes: number, p: Values, t: Values): void {
  const decided = sameShape(p.shape, t.shape)
  if (!decided && rowsOf(metric, p, t).classes !== classes)
    throw new RangeError(`${metric}: prediction has shape ${show(p.shape)}, expected ${classes} classes`)
  const cells = new Int32Array(t.data.length)
  for (let i = 0; i < cells.length; i++) {
    const label = classAt(metric, 'target', t, i, classes)
    const decision = decided ? classAt(metric, 'prediction', p, i, classes) : largestOf(p.data, i * classes, classes)
    cells[i] = label * classes + decision
  }
  for (const cell of cells) counts[cell] = (counts[cell] as number) + 1
}

/** How often class j was decided where class i was right: row i, column j.  prediction: scores [N, numClasses], or
 *  class indices of the targets' shape; target: class indices. Prints as a table. */
export class ConfusionMatrix implements Metric<number[][]> {
  readonly numClasses: number
  readonly #counts: Float64Array

  constructor(numClasses: number) {
    check('metrics.ConfusionMatrix', 'numClasses', numClasses, whole(1))
    this.numClasses = numClasses
    this.#counts = new Float64Array(numClasses * numClasses)
  }

  update(prediction: MetricInput, target: MetricInput): void {
    const p = valuesOf('ConfusionMatrix', 'prediction', prediction)
    const t = valuesOf('ConfusionMatrix', 'target', target)
    count('ConfusionMatrix', this.#counts, this.numClasses, p, t)
  }

  compute(): number[][] {
    if (this.#counts.every((n) => n === 0)) throw noData('ConfusionMatrix')
    return this.#rows()
  }

  #rows(): number[][] {
    const n = this.numClasses
    return Array.from({ length: n }, (_, i) => [...this.#counts.subarray(i * n, (i + 1) * n)])
  }

  reset(): void {
    this.#counts.fill(0)
  }

  toString(): string {
    const titles = Array.from({ length: this.numClasses }, (_, c) => String(c))
    const table = [
      ['target \\ predicted', ...titles],
      ...this.#rows().map((row, i) => [titles[i] as string, ...row.map(String)]),
    ]
    const widths = table[0]?.map((_, c) => Math.max(...table.map((row) => row[c]?.length as number))) as number[]
    return table.map((row) => row.map((cell, c) => cell.padStart(widths[c] as number)).join('  ')).join('\n')
  }

  /** @internal */
  [inspect](): string {
    return this.toString()
  }
}

export interface AverageOptions {
  numClasses: number
  /** 'macro' (default): the mean over the classes that occur in targets or predictions; 'micro': of all decisions
   *  together; 'none': an array, one figure for each class. */
  average?: 'micro' | 'macro' | 'none' | undefined
}

/** Right decisions, decisions and targets of a class: what the figures below are made of. */
interface Hits {
  right: number
  predicted: number
  actual: number
}

abstract class Averaged implements Metric<number | number[]> {
  readonly #name: string
  readonly #average: string
  readonly #classes: number
  readonly #counts: Float64Array

  constructor(name: string, options: AverageOptions) {
    const { numClasses, average } = settle(`metrics.${name}`, options, {
      numClasses: required(whole(1)),
      average: option(word('micro', 'macro', 'none'), 'macro'),
    })
    this.#name = name
    this.#average = average
    this.#classes = numClasses
    this.#counts = new Float64Array(numClasses * numClasses)
  }

  protected abstract figure(hits: Hits): number

  update(prediction: MetricInput, target: MetricInput): void {
    const p = valuesOf(this.#name, 'prediction', prediction)
    const t = valuesOf(this.#name, 'target', target)
    count(this.#name, this.#counts, this.#classes, p, t)
  }

  compute(): number | number[] {
    const n = this.#classes
    if (this.#counts.every((k) => k === 0)) throw noData(this.#name)
    const classes = Array.from({ length: n }, (_, c): Hits => {
      let predicted = 0
      let actual = 0
      for (let i = 0; i < n; i++) {
        predicted += this.#counts[i * n + c] as number
        actual += this.#counts[c * n + i] as number
      }
      return { right: this.#counts[c * n + c] as number, predicted, actual }
    })
    if (this.#average === 'none') return classes.map((hits) => this.figure(hits))
    const total = (list: readonly number[]): number => list.reduce((sum, x) => sum + x, 0)
    if (this.#average === 'micro') {
      return this.figure({
        right: total(classes.map(({ right }) => right)),
        predicted: total(classes.map(({ predicted }) => predicted)),
        actual: total(classes.map(({ actual }) => actual)),
      })
    }
    const present = classes.filter(({ predicted, actual }) => predicted + actual > 0)
    return total(present.map((hits) => this.figure(hits))) / present.length
  }

  reset(): void {
    this.#counts.fill(0)
  }
}

const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

/** Of the decisions for a class, the share that was right; 0 where there were none.  prediction: scores
 *  [N, numClasses], or class indices of the targets' shape; target: class indices. */
export class Precision extends Averaged {
  constructor(options: AverageOptions) {
    super('Precision', options)
  }
  protected figure({ right, predicted }: Hits): number {
    return share(right, predicted)
  }
}

/** Of the targets of a class, the share that was found; 0 where there were none.  Inputs as Precision. */
export class Recall extends Averaged {
  constructor(options: AverageOptions) {
    super('Recall', options)
  }
  protected figure({ right, actual }: Hits): number {
    return share(right, actual)
  }
}

/** The harmonic mean of precision and recall of a class; 0 where it neither was nor was decided.  Inputs as
 *  Precision. */
export class F1 extends Averaged {
  constructor(options: AverageOptions) {
    super('F1', options)
  }
  protected figure({ right, predicted, actual }: Hits): number {
    return share(2 * right, predicted + actual)
  }
}

/** Keeps every score with its target: of ranks there is no shorter summary that is exact. */
abstract class Ranked implements Metric {
  readonly #name: string
  #scores: number[] = []
  #targets: number[] = []

  constructor(name: string) {
    this.#name = name
  }

  /** For each distinct score, from the largest: how many positive and negative targets have it. */
  protected abstract figure(steps: readonly [number, number][], positive: number, negative: number): number

  update(prediction: MetricInput, target: MetricInput): void {
    const [p, t] = pairOf(this.#name, prediction, target)
    for (let i = 0; i < t.data.length; i++) {
      classAt(this.#name, 'target', t, i, 2)
      if (Number.isNaN(p.data[i]))
        throw new RangeError(`${this.#name}: prediction is NaN at index ${i}, expected a score`)
    }
    for (let i = 0; i < t.data.length; i++) {
      this.#scores.push(p.data[i] as number)
      this.#targets.push(t.data[i] as number)
    }
  }

  compute(): number {
    const scores = this.#scores
    if (scores.length === 0) throw noData(this.#name)
    const order = Uint32Array.from(scores.keys()).sort((a, b) => {
      const [x, y] = [scores[a] as number, scores[b] as number]
      return x === y ? 0 : y > x ? 1 : -1
    })
    const steps: [number, number][] = []
    let last: number | undefined
    let positive = 0
    for (const i of order) {
      if (steps.length === 0 || scores[i] !== last) steps.push([0, 0])
      const step = steps.at(-1) as [number, number]
      if (this.#targets[i] === 1) {
        step[0]++
        positive++
      } else step[1]++
      last = scores[i]
    }
    return this.figure(steps, positive, scores.length - positive)
  }

  reset(): void {
    this.#scores = []
    this.#targets = []
  }
}

/** The area under the curve of hits over false alarms: the chance that a positive scores above a negative, equal
 *  scores counted half. Exact; keeps all scores. NaN while only one class was seen.  prediction: scores, target:
 *  0 or 1, of one shape. */
export class ROCAUC extends Ranked {
  constructor() {
    super('ROCAUC')
  }
  protected figure(steps: readonly [number, number][], positive: number, negative: number): number {
    let above = 0
    let pairs = 0
    for (const [p, n] of steps) {
      pairs += n * (above + p / 2)
      above += p
    }
    return pairs / (positive * negative)
  }
}

/** Σ (recall gained at a score) (precision at that score) over the distinct scores from the largest, not
 *  interpolated. Exact; keeps all scores. NaN without positives.  Inputs as ROCAUC. */
export class AveragePrecision extends Ranked {
  constructor() {
    super('AveragePrecision')
  }
  protected figure(steps: readonly [number, number][], positive: number): number {
    let right = 0
    let predicted = 0
    let area = 0
    for (const [p, n] of steps) {
      right += p
      predicted += p + n
      area += p * (right / predicted)
    }
    return area / positive
  }
}
