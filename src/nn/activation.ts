import { relu, sigmoid, tanh } from '../ops/activation.ts'
import type { Value } from '../ops/input.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module } from './module.ts'

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
