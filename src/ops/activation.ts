// Activations. Their derivatives are functions of the output, so the input need not be kept.

import type { Command } from '../core/command.ts'
import * as core from '../core/commands.ts'
import { emit } from '../core/engine.ts'
import { record } from '../tensor/tape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'
import { float, type Value } from './input.ts'

function activation(
  name: string,
  forward: (out: Tensor, x: Tensor, n: number) => Command,
  backward: (dx: Tensor, dy: Tensor, y: Tensor, n: number) => Command,
  x: Value,
): Tensor {
  const a = float(name, 'x', x)
  const y = empty(name, a.shape)
  emit(forward(y, a, a.size))
  return record(
    name,
    y,
    [a],
    [
      (dy) => {
        const dx = empty(`${name} gradient`, a.shape)
        emit(backward(dx, dy, y, a.size))
        return dx
      },
    ],
  )
}

/** max(x, 0); the gradient at 0 is 0. */
export const relu = (x: Value): Tensor => activation('relu', core.relu, core.reluBackward, x)

/** tanh x. */
export const tanh = (x: Value): Tensor => activation('tanh', core.tanh, core.tanhBackward, x)

/** 1 / (1 + e^-x). */
export const sigmoid = (x: Value): Tensor => activation('sigmoid', core.sigmoid, core.sigmoidBackward, x)
