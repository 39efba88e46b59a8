import { check, probability, settle } from '../checks.ts'
import { dropout, dropout2d } from '../ops/dropout.ts'
import { float, type Value } from '../ops/input.ts'
import { drawn, type Generator } from '../ops/random.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module } from './module.ts'

export interface DropoutOptions {
  /** Where draws come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

abstract class Drop extends Module {
  /** The probability of a 0. */
  readonly p: number
  readonly #generator: Generator | undefined

  constructor(name: string, p: number, options: DropoutOptions) {
    super()
    const { generator } = settle(name, options, { generator: drawn })
    check(name, 'p', p, probability)
    this.p = p
    this.#generator = generator
  }

  forward(input: Value): Tensor {
    if (!this.training || this.p === 0) return float(`nn.${this.constructor.name}`, 'input', input)
    return this.draw(input, this.p, this.#generator)
  }

  protected abstract draw(input: Value, p: number, generator?: Generator): Tensor

  override extraRepr(): string {
    return `p=${this.p}`
  }
}

/** In training each element is 0 with probability p, else divided by 1 - p; a fresh draw at each step. In
 *  evaluation the input itself.  p: default 0.5. torch.nn.Dropout. */
export class Dropout extends Drop {
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super('nn.Dropout', p, options)
  }

  protected override draw(input: Value, p: number, generator?: Generator): Tensor {
    return dropout(input, p, generator)
  }
}

/** In training each channel is 0 with probability p, else divided by 1 - p. In evaluation the input itself.
 *  input: [batch, channels, height, width] or [batch, channels, length]; p: default 0.5. torch.nn.Dropout2d. */
export class Dropout2d extends Drop {
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super('nn.Dropout2d', p, options)
  }

  protected override draw(input: Value, p: number, generator?: Generator): Tensor {
    return dropout2d(input, p, generator)
  }
}
