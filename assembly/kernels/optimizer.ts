// What every optimizer does: counting (assembly/update.ts).

import { InOut, OptionalIn } from '../abi'
import { COUNTERS, power } from '../update'

/** counters (f64): steps += 1, β1^steps, β2^steps; for n parameters. Powers of the present betas, as in PyTorch:
 *  a schedule may cycle them. */
export function countSteps(counters: InOut, beta1: OptionalIn, beta2: OptionalIn, n: i32): void {
  for (let i = 0; i < n; i++) {
    const steps = load<f64>(counters) + 1
    store<f64>(counters, steps)
    if (beta1) store<f64>(counters, power(load<f64>(beta1), steps), 8)
    if (beta2) store<f64>(counters, power(load<f64>(beta2), steps), 16)
    counters += COUNTERS
  }
}
