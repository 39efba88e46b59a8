// From scores of what may come next to what does.

import { check, finite, type Kind, kind, option, settle, whole } from '../checks.ts'
import { reshape } from '../ops/copy.ts'
import { less, mul, sub, where } from '../ops/elementwise.ts'
import { gather } from '../ops/gather.ts'
import { float, type Value } from '../ops/input.ts'
import { slice } from '../ops/part.ts'
import { drawn, type Generator } from '../ops/random.ts'
import { argmax, cumsum } from '../ops/reduce.ts'
import { multinomial } from '../ops/sample.ts'
import { softmax } from '../ops/softmax.ts'
import { sort } from '../ops/sort.ts'
import { misshaped } from '../tensor/shape.ts'
import { noGrad, tracing } from '../tensor/tape.ts'
import type { Tensor } from '../tensor/tensor.ts'

export interface SampleOptions {
  /** Scores are divided by it: below 1 what is likely becomes likelier; 0 is always the likeliest; default 1. */
  temperature?: number | undefined
  /** Draws from the likeliest classes that together have this probability: nucleus sampling; default 1, all. */
  topP?: number | undefined
  /** Draws from this many likeliest classes; default all. */
  topK?: number | undefined
  /** Where draws come from; default the one of manualSeed. */
  generator?: Generator | undefined
}

const share: Kind<number> = /* @__PURE__ */ kind('number', 'a number above 0, up to 1', (p) => p > 0 && p <= 1)

/** A class drawn for each row from softmax(logits / temperature), of the `topK` likeliest, and of those the fewest whose
 *  probabilities reach `topP` (Holtzman et al., 2020).  logits: [classes] or [batch, classes]; result: i32 [] or [batch].
 *  -Infinity is never drawn. Throws for NaN, +Infinity, and rows of -Infinity alone; within compile, where each run draws
 *  anew, nothing looks. */
export function sample(logits: Value, options: SampleOptions = {}): Tensor {
  const op = 'sample'
  const { temperature, topP, topK, generator } = settle(op, options, {
    temperature: option(finite(0), 1),
    topP: option(share, 1),
    topK: undefined,
    generator: drawn,
  })
  const x = float(op, 'logits', logits)
  const classes = x.shape.at(-1) ?? 0
  if ((x.ndim !== 1 && x.ndim !== 2) || classes === 0) throw misshaped(op, 'logits', x, '[classes] or [batch, classes]')
  if (topK !== undefined) check(op, 'topK', topK, whole(1, classes))
  checkScores(op, x)
  return noGrad(() => {
    if (temperature === 0) return argmax(x, { axis: -1 })
    const { values, indices } = sort(x, { descending: true })
    const part = (end: number) => slice(values, ...(x.ndim === 2 ? [null, { end }] : [{ end }]))
    // Less the largest first: no score overflows, however low the temperature.
    const scores = mul(sub(part(topK ?? classes), part(1)), Math.min(1 / temperature, 3e38))
    const shares = softmax(scores)
    // A class stays while the likelier ones have not reached topP: the first always does.
    const reached = sub(cumsum(shares, -1), shares)
    const weights = topP === 1 ? shares : where(less(reached, Math.max(topP, 1.1754943508222875e-38)), shares, 0)
    const places = multinomial(weights, 1, { generator })
    return reshape(gather(indices, -1, places), x.shape.slice(0, -1))
  })
}

function checkScores(op: string, x: Tensor): void {
  if (tracing()) return
  const scores = x.data() as Float32Array
  const classes = x.shape.at(-1) as number
  for (let start = 0; start < scores.length; start += classes) {
    const most = scores.subarray(start, start + classes).reduce((a, b) => Math.max(a, b), -Infinity)
    if (!Number.isFinite(most))
      throw new RangeError(
        `${op}: logits ${x.ndim === 2 ? `of row ${start / classes} ` : ''}have ${most} as their largest, expected a finite number`,
      )
  }
}
