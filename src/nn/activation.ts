import { check, settle, whole } from '../checks.ts'
import {
  approximateOption,
  checkSoftplus,
  elu,
  type GeluOptions,
  gelu,
  glu,
  hardsigmoid,
  hardswish,
  leakyRelu,
  mish,
  prelu,
  relu,
  type SoftplusOptions,
  selu,
  sigmoid,
  silu,
  softplus,
  tanh,
} from '../ops/activation.ts'
import { full } from '../ops/create.ts'
import type { Value } from '../ops/input.ts'
import { logSoftmax, softmax } from '../ops/softmax.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module, Parameter } from './module.ts'

/** max(x, 0). torch.nn.ReLU. */
export class ReLU extends Module {
  forward(input: Value): Tensor {
    return relu(input)
  }
}

/** tanh x. torch.nn.Tanh. */
export class Tanh extends Module {
  forward(input: Value): Tensor {
    return tanh(input)
  }
}

/** 1 / (1 + e^-x). torch.nn.Sigmoid. */
export class Sigmoid extends Module {
  forward(input: Value): Tensor {
    return sigmoid(input)
  }
}

/** x where x > 0, else negativeSlope x (default 0.01). torch.nn.LeakyReLU. */
export class LeakyReLU extends Module {
  readonly negativeSlope: number

  constructor(options: { negativeSlope?: number | undefined } = {}) {
    super()
    this.negativeSlope = settle('nn.LeakyReLU', options, { negativeSlope: 0.01 }).negativeSlope
  }

  forward(input: Value): Tensor {
    return leakyRelu(input, { negativeSlope: this.negativeSlope })
  }

  override extraRepr(): string {
    return `negativeSlope=${this.negativeSlope}`
  }
}

/** x where x > 0, else weight x.  weight: [numParameters], 1 (default) or one for each channel, the second axis of x;
 *  all `init` (default 0.25) at first. torch.nn.PReLU. */
export class PReLU extends Module {
  weight: Parameter

  constructor(numParameters = 1, options: { init?: number | undefined } = {}) {
    super()
    const { init } = settle('nn.PReLU', options, { init: 0.25 })
    check('nn.PReLU', 'numParameters', numParameters, whole(1))
    this.weight = new Parameter(full([numParameters], init))
  }

  forward(input: Value): Tensor {
    return prelu(input, this.weight)
  }

  override extraRepr(): string {
    return `numParameters=${this.weight.size}`
  }
}

/** x where x > 0, else alpha (e^x - 1); alpha is 1 by default. torch.nn.ELU. */
export class ELU extends Module {
  readonly alpha: number

  constructor(options: { alpha?: number | undefined } = {}) {
    super()
    this.alpha = settle('nn.ELU', options, { alpha: 1 }).alpha
  }

  forward(input: Value): Tensor {
    return elu(input, { alpha: this.alpha })
  }

  override extraRepr(): string {
    return `alpha=${this.alpha}`
  }
}

/** 1.0507 x where x > 0, else 1.0507 · 1.6733 (e^x - 1). torch.nn.SELU. */
export class SELU extends Module {
  forward(input: Value): Tensor {
    return selu(input)
  }
}

/** x Φ(x), Φ the distribution function of N(0, 1): by erf, or with { approximate: 'tanh' } by tanh. torch.nn.GELU. */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh'

  constructor(options: GeluOptions = {}) {
    super()
    this.approximate = settle('nn.GELU', options, { approximate: approximateOption }).approximate
  }

  forward(input: Value): Tensor {
    return gelu(input, { approximate: this.approximate })
  }

  override extraRepr(): string {
    return `approximate='${this.approximate}'`
  }
}

/** x / (1 + e^-x). torch.nn.SiLU. */
export class SiLU extends Module {
  forward(input: Value): Tensor {
    return silu(input)
  }
}

/** x tanh(ln(1 + e^x)). torch.nn.Mish. */
export class Mish extends Module {
  forward(input: Value): Tensor {
    return mish(input)
  }
}

/** x min(max(x + 3, 0), 6) / 6. torch.nn.Hardswish. */
export class Hardswish extends Module {
  forward(input: Value): Tensor {
    return hardswish(input)
  }
}

/** min(max(x + 3, 0), 6) / 6. torch.nn.Hardsigmoid. */
export class Hardsigmoid extends Module {
  forward(input: Value): Tensor {
    return hardsigmoid(input)
  }
}

/** ln(1 + e^(beta x)) / beta (default 1), and x itself where beta x is above threshold (default 20). torch.nn.Softplus. */
export class Softplus extends Module {
  readonly beta: number
  readonly threshold: number

  constructor(options: SoftplusOptions = {}) {
    super()
    const { beta, threshold } = checkSoftplus('nn.Softplus', options)
    this.beta = beta
    this.threshold = threshold
  }

  forward(input: Value): Tensor {
    return softplus(input, { beta: this.beta, threshold: this.threshold })
  }

  override extraRepr(): string {
    return `beta=${this.beta}, threshold=${this.threshold}`
  }
}

/** What the layers along one axis share. */
abstract class Along extends Module {
  readonly axis: number

  protected constructor(layer: string, axis: number) {
    super()
    check(layer, 'axis', axis, whole())
    this.axis = axis
  }

  override extraRepr(): string {
    return `axis=${this.axis}`
  }
}

/** exp(x) / Σ exp(x) along `axis`, by default the last. torch.nn.Softmax. */
export class Softmax extends Along {
  constructor(axis = -1) {
    super('nn.Softmax', axis)
  }

  forward(input: Value): Tensor {
    return softmax(input, this.axis)
  }
}

/** x - ln Σ exp(x) along `axis`, by default the last. torch.nn.LogSoftmax. */
export class LogSoftmax extends Along {
  constructor(axis = -1) {
    super('nn.LogSoftmax', axis)
  }

  forward(input: Value): Tensor {
    return logSoftmax(input, this.axis)
  }
}

/** a σ(b), a and b the halves of x along `axis`, by default the last. torch.nn.GLU. */
export class GLU extends Along {
  constructor(axis = -1) {
    super('nn.GLU', axis)
  }

  forward(input: Value): Tensor {
    return glu(input, this.axis)
  }
}
