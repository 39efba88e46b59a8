// Initial distributions of parameters, drawn from the default generator (see manualSeed) or a given one.

import { type Generator, uniform } from '../ops/random.ts'
import type { Shape } from '../tensor/shape.ts'
import { Parameter } from './module.ts'

/** U(-1/√fanIn, 1/√fanIn): PyTorch's default for the weight and the bias of Linear and Conv layers. */
export function uniformFan(shape: Shape, fanIn: number, generator?: Generator): Parameter {
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0
  return new Parameter(uniform(shape, -bound, bound, generator))
}
