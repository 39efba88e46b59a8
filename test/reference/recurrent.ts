// Recurrent layers by definition, in f64: one layer, one direction, x: [steps, batch, inputs].

import { get, type Ref, ref } from './array.ts'

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))

export type Kind = 'tanh' | 'relu' | 'lstm' | 'gru'

/** The states of all steps [steps, batch, H] and the last cell [batch, H]. */
export function recurrent(
  kind: Kind,
  x: Ref,
  { wih, whh, bih, bhh, h0, c0 }: { wih: Ref; whh: Ref; bih?: Ref; bhh?: Ref; h0?: Ref; c0?: Ref },
  reverse = false,
): { output: Ref; cell: Ref } {
  const [steps, batch, inputs] = x.shape as [number, number, number]
  const H = whh.shape[1] as number
  const output = new Float64Array(steps * batch * H)
  const lastCell = new Float64Array(batch * H)
  for (let b = 0; b < batch; b++) {
    let h = Array.from({ length: H }, (_, j) => (h0 ? get(h0, [b, j]) : 0))
    let c = Array.from({ length: H }, (_, j) => (c0 ? get(c0, [b, j]) : 0))
    for (let s = 0; s < steps; s++) {
      const t = reverse ? steps - 1 - s : s
      const fromX = (row: number) => {
        let sum = bih ? (bih.data[row] as number) : 0
        for (let d = 0; d < inputs; d++) sum += (wih.data[row * inputs + d] as number) * get(x, [t, b, d])
        return sum
      }
      const fromH = (row: number) => {
        let sum = bhh ? (bhh.data[row] as number) : 0
        for (let d = 0; d < H; d++) sum += (whh.data[row * H + d] as number) * (h[d] as number)
        return sum
      }
      const sum = (g: number, j: number) => fromX(g * H + j) + fromH(g * H + j)
      const nextC = [...c]
      h = h.map((before, j) => {
        if (kind === 'tanh') return Math.tanh(sum(0, j))
        if (kind === 'relu') return Math.max(0, sum(0, j))
        if (kind === 'gru') {
          const n = Math.tanh(fromX(2 * H + j) + sigmoid(sum(0, j)) * fromH(2 * H + j))
          const z = sigmoid(sum(1, j))
          return (1 - z) * n + z * before
        }
        nextC[j] = sigmoid(sum(1, j)) * (c[j] as number) + sigmoid(sum(0, j)) * Math.tanh(sum(2, j))
        return sigmoid(sum(3, j)) * Math.tanh(nextC[j] as number)
      })
      c = nextC
      output.set(h, (t * batch + b) * H)
    }
    lastCell.set(c, b * H)
  }
  return { output: ref([steps, batch, H], output), cell: ref([batch, H], lastCell) }
}
