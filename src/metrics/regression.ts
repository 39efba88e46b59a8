// Figures of predicted numbers.

import { option, settle, whole } from '../checks.ts'
import { exp, log } from '../math.ts'
import { sameShape, show } from '../tensor/shape.ts'
import { classAt, type Metric, type MetricInput, noData, pairOf, valuesOf } from './input.ts'

/** The mean of a figure of each prediction and its target, which have one shape. */
abstract class Mean implements Metric {
  readonly #name: string
  #total = 0
  #count = 0

  constructor(name: string) {
    this.#name = name
  }

  protected abstract error(difference: number): number

  update(prediction: MetricInput, target: MetricInput): void {
    const [p, t] = pairOf(this.#name, prediction, target)
    for (let i = 0; i < t.data.length; i++) this.#total += this.error((p.data[i] as number) - (t.data[i] as number))
    this.#count += t.data.length
  }

  compute(): number {
    if (this.#count === 0) throw noData(this.#name)
    return this.#total / this.#count
  }

  reset(): void {
    this.#total = 0
    this.#count = 0
  }
}

/** Mean |prediction - target|.  Both of one shape. */
export class MeanAbsoluteError extends Mean {
  constructor() {
    super('MeanAbsoluteError')
  }
  protected error(difference: number): number {
    return Math.abs(difference)
  }
}

/** Mean (prediction - target)².  Both of one shape. */
export class MeanSquaredError extends Mean {
  constructor(name = 'MeanSquaredError') {
    super(name)
  }
  protected error(difference: number): number {
    return difference * difference
  }
}

/** √ of the mean (prediction - target)².  Both of one shape. */
export class RootMeanSquaredError extends MeanSquaredError {
  constructor() {
    super('RootMeanSquaredError')
  }
  override compute(): number {
    return Math.sqrt(super.compute())
  }
}

/** 1 - Σ (prediction - target)² / Σ (target - mean target)²: the share of the targets' variance that is
 *  predicted.  Both of one shape, at least two elements in all. Targets that are all equal give 1 when all
 *  predictions are right, else 0, as in scikit-learn. */
export class R2Score implements Metric {
  #count = 0
  #mean = 0
  /** Σ (target - mean)², kept up to date by Welford's recurrence: no difference of large sums. */
  #spread = 0
  #errors = 0

  update(prediction: MetricInput, target: MetricInput): void {
    const [p, t] = pairOf('R2Score', prediction, target)
    for (let i = 0; i < t.data.length; i++) {
      const y = t.data[i] as number
      const error = (p.data[i] as number) - y
      this.#errors += error * error
      const from = y - this.#mean
      this.#count++
      this.#mean += from / this.#count
      this.#spread += from * (y - this.#mean)
    }
  }

  compute(): number {
    if (this.#count < 2)
      throw new Error(
        `R2Score.compute: ${this.#count} elements seen, expected at least 2; call update(prediction, target) first`,
      )
    if (this.#spread === 0) return this.#errors === 0 ? 1 : 0
    return 1 - this.#errors / this.#spread
  }

  reset(): void {
    this.#count = 0
    this.#mean = 0
    this.#spread = 0
    this.#errors = 0
  }
}

export interface PerplexityOptions {
  /** Targets of this value are left out; default -100. */
  ignoreIndex?: number | undefined
}

/** e to the mean cross-entropy of class indices.  prediction: logits [..., classes]; target: class indices of the
 *  shape without classes. */
export class Perplexity implements Metric {
  readonly #ignoreIndex: number
  #total = 0
  #count = 0

  constructor(options: PerplexityOptions = {}) {
    this.#ignoreIndex = settle('metrics.Perplexity', options, { ignoreIndex: option(whole(), -100) }).ignoreIndex
  }

  update(prediction: MetricInput, target: MetricInput): void {
    const p = valuesOf('Perplexity', 'prediction', prediction)
    const t = valuesOf('Perplexity', 'target', target)
    if (p.shape.length === 0 || !sameShape(p.shape.slice(0, -1), t.shape)) {
      throw new RangeError(
        `Perplexity: prediction has shape ${show(p.shape)} and target ${show(t.shape)}, expected logits [..., classes] and class indices [...]`,
      )
    }
    const classes = p.shape.at(-1) as number
    let total = 0
    let count = 0
    for (let r = 0; r < t.data.length; r++) {
      if (t.data[r] === this.#ignoreIndex) continue
      const label = classAt('Perplexity', 'target', t, r, classes)
      let top = -Infinity
      for (let c = 0; c < classes; c++) top = Math.max(top, p.data[r * classes + c] as number)
      let sum = 0
      for (let c = 0; c < classes; c++) sum += exp((p.data[r * classes + c] as number) - top)
      total += log(sum) + top - (p.data[r * classes + label] as number)
      count++
    }
    this.#total += total
    this.#count += count
  }

  compute(): number {
    if (this.#count === 0) throw noData('Perplexity')
    return exp(this.#total / this.#count)
  }

  reset(): void {
    this.#total = 0
    this.#count = 0
  }
}
