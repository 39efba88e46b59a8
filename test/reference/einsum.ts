// Einstein summation in f64, by definition: one loop over all letters. An ellipsis is written out by the caller.

import { build, coordinates, get, type Ref, size } from './array.ts'

/** `right` and the terms of `left` as strings of letters; operands may have size 1 where others are longer. */
export function einsum(left: string[], right: string, ...operands: Ref[]): Ref {
  const sizes = new Map<string, number>()
  left.forEach((term, i) => {
    for (const [d, letter] of [...term].entries())
      sizes.set(letter, Math.max(sizes.get(letter) ?? 0, operands[i]?.shape[d] as number))
    for (const [d, letter] of [...term].entries()) if (operands[i]?.shape[d] === 0) sizes.set(letter, 0)
  })
  const inner = [...sizes.keys()].filter((letter) => !right.includes(letter))
  const innerShape = inner.map((letter) => sizes.get(letter) as number)
  return build(
    [...right].map((letter) => sizes.get(letter) as number),
    (at) => {
      let total = 0
      for (let n = 0; n < size(innerShape); n++) {
        const summed = coordinates(innerShape, n)
        const place = (letter: string): number =>
          (right.includes(letter) ? at[right.indexOf(letter)] : summed[inner.indexOf(letter)]) as number
        total += left.reduce((p, term, i) => p * get(operands[i] as Ref, [...term].map(place)), 1)
      }
      return total
    },
  )
}
