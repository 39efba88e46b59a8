// Differential privacy on the device: the update is clipped and gets noise before anything of it leaves.
//
// The clipped update is rounded towards zero to a grid, and the noise, a normal draw, to the same grid: the sum is then a
// rounding of (update + noise), so low bits of floating-point numbers tell nothing that the mechanism does not (Mironov,
// "On significance of the least significant bits for differential privacy", 2012).

import { callback, finite, number, option, required, settle, whole } from '../checks.ts'
import { cos, log, sin, square, twoTo } from '../math.ts'

export interface PrivacyOptions {
  /** Largest Euclidean norm of an update, over all parameters together; longer ones are scaled down to it. */
  clip: number
  /** Standard deviation of the noise on each parameter, in units of `clip`. 0: none, for a server that adds its own. */
  noise: number
  /** Trainings that this device takes part in at most, over all of its lives: more are refused. */
  rounds: number
  /** Trainings that it has taken part in before. Default 0. */
  spent?: number | undefined
  /** Called with the new count before the update leaves, and awaited: keep it where a restart finds it. */
  onSpent?: ((spent: number) => void | Promise<void>) | undefined
}

export const settlePrivacy = (caller: string, privacy: PrivacyOptions) =>
  settle(caller, privacy, {
    clip: required(finite(Number.MIN_VALUE)),
    noise: required(finite(0)),
    rounds: required(whole(1)),
    spent: option(whole(0), 0),
    onSpent: option(callback),
  })

/** Uniform numbers in (0, 1). */
export type Uniform = () => number

/** Steps of the grid in a standard deviation of the noise. */
const STEPS = 1024

/** ε of (ε, δ)-differential privacy of a device's whole data, against everybody, the server included, after `rounds`
 *  updates: with ρ = 2 · rounds / noise², ε = ρ + 2 √(ρ ln(1/δ)). Neighbours are any two data sets of the device, so an update
 *  may change by 2 · clip; no amplification by sampling is counted. Bun and Steinke, "Concentrated differential privacy",
 *  2016, propositions 1.3 and 1.6. */
export function epsilon(options: { noise: number; rounds: number; delta: number }): number {
  const { noise, rounds, delta } = settle('epsilon', options, {
    noise: required(number(0)),
    rounds: required(whole(0)),
    delta: required(number(Number.MIN_VALUE, 1)),
  })
  const rho = rounds === 0 ? 0 : (2 * rounds) / square(noise)
  return rho + 2 * Math.sqrt(rho * log(1 / delta))
}

/** Numbers from the system's generator: 53 bits each, and no way to seed it. */
export function systemUniform(): Uniform {
  // As many bytes as getRandomValues gives at once.
  const words = new Uint32Array(65_536 / 4)
  let at = words.length
  return () => {
    if (at === words.length) {
      crypto.getRandomValues(words)
      at = 0
    }
    const high = words[at++] as number
    const low = words[at++] as number
    return (high * 0x20_0000 + (low >>> 11) + 0.5) / 0x20_0000_0000_0000
  }
}

/** Standard normal numbers (Box and Muller). */
function normals(uniform: Uniform): () => number {
  let spare: number | null = null
  return () => {
    if (spare !== null) {
      const value = spare
      spare = null
      return value
    }
    const radius = Math.sqrt(-2 * log(uniform()))
    const angle = 2 * Math.PI * uniform()
    spare = radius * sin(angle)
    return radius * cos(angle)
  }
}

/** Clips the difference of `values` from `base`, over all arrays together, to the norm `clip`, in place; the norm before. */
export function clipUpdate(values: readonly Float32Array[], base: readonly Float32Array[], clip: number): number {
  const norm = Math.sqrt(squares(values, base))
  if (norm > clip)
    for (const [i, value] of values.entries()) {
      const from = base[i] as Float32Array
      for (let k = 0; k < value.length; k++)
        value[k] = (from[k] as number) + ((value[k] as number) - (from[k] as number)) * (clip / norm)
    }
  return norm
}

/** base + clipped update + noise, in place of `values`. `uniform`: a seeded one is for tests alone: noise that can be drawn
 *  again can be subtracted. */
export function privatize(
  values: readonly Float32Array[],
  base: readonly Float32Array[],
  { clip, noise }: { clip: number; noise: number },
  uniform: Uniform,
): void {
  if (noise === 0) {
    clipUpdate(values, base, clip)
    return
  }
  const deviation = clip * noise
  const step = twoTo(Math.floor(log(deviation / STEPS) / Math.LN2))
  const norm = Math.sqrt(squares(values, base))
  const scale = norm > clip ? clip / norm : 1
  const normal = normals(uniform)
  for (const [i, value] of values.entries()) {
    const from = base[i] as Float32Array
    for (let k = 0; k < value.length; k++) {
      const update = ((value[k] as number) - (from[k] as number)) * scale
      // Towards zero, so that the norm stays within the clip.
      const steps = Math.trunc(update / step) + Math.round((deviation * normal()) / step)
      value[k] = (from[k] as number) + steps * step
    }
  }
}

function squares(values: readonly Float32Array[], base: readonly Float32Array[]): number {
  let sum = 0
  for (const [i, value] of values.entries()) {
    const from = base[i] as Float32Array
    for (let k = 0; k < value.length; k++) sum += square((value[k] as number) - (from[k] as number))
  }
  return sum
}
