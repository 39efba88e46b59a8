// Attention and rotary positions by definition, in f64.

import { build, coordinates, get, type Ref, ref, size } from './array.ts'

export interface AttentionReference {
  /** Added to the scores [..., T, S]. */
  mask?: Ref
  isCausal?: boolean
  scale?: number
  /** What each probability is multiplied by, as dropout does. */
  keep?: Ref
}

/** q: [..., T, D]; k: [..., S, D]; v: [..., S, Dv]. */
export function attention(q: Ref, k: Ref, v: Ref, options: AttentionReference = {}): Ref {
  const { mask, isCausal = false, keep } = options
  const lead = q.shape.slice(0, -2)
  const [T, D] = q.shape.slice(-2) as [number, number]
  const [S, Dv] = v.shape.slice(-2) as [number, number]
  const scale = options.scale ?? (D > 0 ? 1 / Math.sqrt(D) : 1)
  const out = new Float64Array(size(lead) * T * Dv)
  for (let head = 0; head < size(lead); head++) {
    for (let t = 0; t < T; t++) {
      const row = (x: Float64Array, width: number, s: number, d: number) => x[(head * S + s) * width + d] as number
      const scores = Array.from({ length: S }, (_, s) => {
        if (isCausal && s > t) return Number.NEGATIVE_INFINITY
        let dot = 0
        for (let d = 0; d < D; d++) dot += (q.data[(head * T + t) * D + d] as number) * row(k.data, D, s, d)
        return dot * scale + (mask ? get(mask, [...coordinates(lead, head), t, s]) : 0)
      })
      const most = Math.max(...scores)
      const exps = scores.map((x) => (most === Number.NEGATIVE_INFINITY ? 0 : Math.exp(x - most)))
      const total = exps.reduce((a, b) => a + b, 0)
      exps.forEach((e, s) => {
        if (e === 0) return
        const p = (e / total) * (keep ? (keep.data[(head * T + t) * S + s] as number) : 1)
        for (let d = 0; d < Dv; d++)
          out[(head * T + t) * Dv + d] = (out[(head * T + t) * Dv + d] as number) + p * row(v.data, Dv, s, d)
      })
    }
  }
  return ref([...lead, T, Dv], out)
}

/** x: [..., T, D], pair i of position t turned by (t + offset) base^(-2i / D). */
export function rotary(x: Ref, { base = 10000, offset = 0, interleaved = false } = {}): Ref {
  const D = x.shape.at(-1) as number
  return build(x.shape, (at) => {
    const d = at.at(-1) as number
    const second = interleaved ? d % 2 === 1 : d >= D / 2
    const i = interleaved ? Math.floor(d / 2) : d % (D / 2)
    const partner = interleaved ? d + (second ? -1 : 1) : d + ((second ? -1 : 1) * D) / 2
    const angle = ((at.at(-2) as number) + offset) * base ** ((-2 * i) / D)
    const other = get(x, [...at.slice(0, -1), partner])
    return get(x, at) * Math.cos(angle) + (second ? 1 : -1) * other * Math.sin(angle)
  })
}
