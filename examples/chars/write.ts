import { nn, noGrad, scope, select } from 'lanewise'
import { type SampleOptions, sample } from 'lanewise/learn'
import type { Gpt } from './model.ts'

/** Continues characters, given by number, until there are `length` of them. Keys and values of what was read stay in
 *  caches, so that each new character costs the forward of one step. */
export function write(model: Gpt, start: readonly number[], length: number, options: SampleOptions): number[] {
  const text = [...start]
  const block = model.positions.weight.shape[0] as number
  const caches = model.blocks.map(() => new nn.KeyValueCache())
  const held = () => caches[0]?.length as number
  while (text.length < length) {
    // Positions end at `block`: the caches then begin anew, with the second half of it.
    if (held() === block) for (const cache of caches) cache.clear()
    const unseen = held() > 0 ? text.slice(-1) : text.slice(-Math.ceil(block / 2))
    const next = scope(() => {
      const input = { shape: [1, unseen.length], data: Int32Array.from(unseen) }
      const logits = noGrad(() => model.forward(input, caches))
      return sample(select(select(logits, 0, 0), 0, unseen.length - 1), options).item()
    })
    text.push(next)
  }
  for (const cache of caches) cache.clear()
  return text
}
