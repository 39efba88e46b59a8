// Random choices. Like all draws they are fresh at each run of a compiled program.

import { check, settle, whole, written } from '../checks.ts'
import * as core from '../core/commands.ts'
import { type Shape, show } from '../tensor/shape.ts'
import { elements, empty, type Tensor } from '../tensor/tensor.ts'
import { float, type Value } from './input.ts'
import { defaultGenerator, draw, drawn, type Generator } from './random.ts'

/** 1 with probability p, else 0, for each element.  p: [...], from 0 to 1, which the core checks; out: p's shape.
 *  torch.bernoulli. */
export function bernoulli(p: Value, generator: Generator = defaultGenerator()): Tensor {
  const a = float('bernoulli', 'p', p)
  const out = empty('bernoulli', a.shape)
  draw('bernoulli', generator, (state, block) => core.bernoulli(out, state, block, a, 0, a.size), {
    explain: (at) => `bernoulli: p is ${elements(a)[at]} at position ${at}, expected a probability from 0 to 1`,
  })
  return out
}

/** Whole numbers (i32) from `low` up to but not including `high`, each as likely. torch.randint. */
export function randint(shape: Shape, low: number, high: number, generator: Generator = defaultGenerator()): Tensor {
  if (
    !Number.isInteger(low) ||
    !Number.isInteger(high) ||
    low < -0x80000000 ||
    high > 0x80000000 ||
    !(low < high) ||
    high - low > 0xffffffff
  )
    throw new RangeError(
      `randint: low is ${low} and high is ${high}, expected whole numbers of 32 bits with low < high, less than 2^32 apart`,
    )
  const out = empty('randint', shape, 'i32')
  draw('randint', generator, (state, block) => core.randint(out, state, block, low, (high - low) | 0, 0, out.size))
  return out
}

/** The numbers 0 .. n - 1 (i32) in random order, each as likely. torch.randperm. */
export function permutation(n: number, generator: Generator = defaultGenerator()): Tensor {
  check('permutation', 'n', n, whole(0))
  const out = empty('permutation', [n], 'i32')
  draw('permutation', generator, (state, block) => core.permutation(out, state, block, n))
  return out
}

export interface MultinomialOptions {
  /** Whether a class may be drawn again; default false. */
  replacement?: boolean | undefined
  /** Where draws come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

/** `count` class indices (i32), drawn with probabilities weights / Σ weights.  weights: [classes] or [rows, classes],
 *  finite and >= 0, which the core checks; out: [count] or [rows, count]. torch.multinomial. */
export function multinomial(weights: Value, count: number, options: MultinomialOptions = {}): Tensor {
  const { replacement, generator } = settle('multinomial', options, {
    generator: drawn,
    replacement: false,
  })
  const w = float('multinomial', 'weights', weights)
  if (w.ndim !== 1 && w.ndim !== 2)
    throw new RangeError(`multinomial: weights have shape ${show(w.shape)}, expected [classes] or [rows, classes]`)
  const classes = w.shape.at(-1) as number
  const rows = w.ndim === 1 ? 1 : (w.shape[0] as number)
  if (!Number.isInteger(count) || count < 1 || (!replacement && count > classes))
    throw new RangeError(
      `multinomial: count is ${written(count)}, expected a whole number ${replacement ? '>= 1' : `from 1 to ${classes} (weights ${show(w.shape)}), or { replacement: true }`}`,
    )
  const out = empty('multinomial', [...w.shape.slice(0, -1), count], 'i32')
  const explain = (at: number): string =>
    at < w.size
      ? `multinomial: weight ${elements(w)[at]} at position ${at} is none, expected a finite number >= 0`
      : `multinomial: row ${at - w.size} of weights ${show(w.shape)} has too few above 0, expected at least ${replacement ? 1 : count}`
  const kernel = replacement ? core.multinomial : core.multinomialDistinct
  draw(
    'multinomial',
    generator ?? defaultGenerator(),
    (state, buffer) => kernel(out, state, buffer, w, rows, classes, count),
    {
      more: 8 * (replacement ? classes : count),
      explain,
    },
  )
  return out
}
