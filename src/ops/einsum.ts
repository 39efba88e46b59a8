// Einstein summation, by permutations, broadcast products and matrix products: their gradients are its own.

import { misshaped, show, sizeOf } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { permute, reshape } from './copy.ts'
import { mul } from './elementwise.ts'
import { matmul } from './gemm.ts'
import { float, type Value } from './input.ts'
import { slice } from './part.ts'
import { sum } from './reduce.ts'

/** A tensor with a label for each axis: a letter, or '.0', '.1', … for those of an ellipsis, from the last. */
interface Labelled {
  x: Tensor
  labels: string[]
}

/** The labels of one side's term, with `rank` axes in its ellipsis. */
function labelsOf(equation: string, term: string, rank: number): string[] {
  const parts = term.split('...')
  if (parts.length > 2 || !/^[A-Za-z]*$/.test(parts.join('')))
    throw new RangeError(`einsum: '${term}' of equation '${equation}' has more than letters and one ...`)
  const dots = parts.length === 2 ? Array.from({ length: rank }, (_, i) => `.${rank - 1 - i}`) : []
  return [...(parts[0] as string), ...dots, ...(parts[1] ?? '')]
}

/** The diagonal of every pair of axes with the same label. */
function withoutRepeats({ x, labels }: Labelled): Labelled {
  const first = labels.findIndex((label, i) => labels.indexOf(label) !== i)
  if (first < 0) return { x, labels }
  const other = labels.indexOf(labels[first] as string)
  const size = x.shape[first] as number
  const rest = labels.flatMap((_, i) => (i === first || i === other ? [] : [i]))
  const shape = rest.map((i) => x.shape[i] as number)
  // The elements of a diagonal are n + 1 apart in the n² of the two axes.
  const square = reshape(permute(x, [...rest, other, first]), [...shape, size * size])
  const diagonal = slice(square, ...shape.map(() => null), { step: size + 1 })
  return withoutRepeats({
    x: diagonal,
    labels: [...rest.map((i) => labels[i] as string), labels[first] as string],
  })
}

/** Summed over the axes that are not wanted. */
function summed({ x, labels }: Labelled, wanted: ReadonlySet<string>): Labelled {
  const axis = labels.flatMap((label, i) => (wanted.has(label) ? [] : [i]))
  return axis.length === 0 ? { x, labels } : { x: sum(x, { axis }), labels: labels.filter((l) => wanted.has(l)) }
}

/** The axes in the order of `labels`, which are the same ones. */
function ordered({ x, labels: own }: Labelled, labels: readonly string[]): Tensor {
  const order = labels.map((label) => own.indexOf(label))
  return order.every((axis, i) => axis === i) ? x : permute(x, order)
}

/** Product of a and b, summed over the labels of both that are not wanted. */
function contract(a: Labelled, b: Labelled, wanted: ReadonlySet<string>): Labelled {
  const shared = a.labels.filter((label) => b.labels.includes(label))
  const batch = shared.filter((label) => wanted.has(label))
  const inner = shared.filter((label) => !wanted.has(label))
  const rows = a.labels.filter((label) => !shared.includes(label))
  const columns = b.labels.filter((label) => !shared.includes(label))
  const sizes = (from: Labelled, labels: readonly string[]): number[] =>
    labels.map((label) => from.x.shape[from.labels.indexOf(label)] as number)
  const [n, m, k, l] = [sizes(a, batch), sizes(a, rows), sizes(a, inner), sizes(b, columns)]
  const labels = [...batch, ...rows, ...columns]
  // Products without a sum, and sums without rows or columns, are no work for matrix products.
  if (inner.length === 0 || (rows.length === 0 && columns.length === 0)) {
    const left = reshape(ordered(a, [...batch, ...rows, ...inner]), [...n, ...m, ...l.map(() => 1), ...k])
    const right = reshape(ordered(b, [...batch, ...columns, ...inner]), [...n, ...m.map(() => 1), ...l, ...k])
    const products = mul(left, right)
    return { x: k.length === 0 ? products : sum(products, { axis: k.map((_, i) => -1 - i) }), labels }
  }
  const left = reshape(
    ordered(a, [...batch, ...rows, ...inner]),
    [sizeOf(n), sizeOf(m), sizeOf(k)].slice(n.length ? 0 : 1),
  )
  const right = reshape(
    ordered(b, [...batch, ...inner, ...columns]),
    [sizeOf(n), sizeOf(k), sizeOf(l)].slice(n.length ? 0 : 1),
  )
  return { x: reshape(matmul(left, right), [...n, ...m, ...l]), labels }
}

/** Einstein summation, as 'bij,bjk->bik': products of the operands, summed over the letters that are not on the
 *  right. Without '->' the right has the letters that occur once, in order of the alphabet; '...' stands for any
 *  axes, broadcast; a letter repeated in one operand takes the diagonal. Operands are contracted from left to
 *  right. torch.einsum. */
export function einsum(equation: string, ...operands: Value[]): Tensor {
  if (typeof equation !== 'string') throw new TypeError(`einsum: equation is ${typeof equation}, expected a string`)
  const [left = '', right, more] = equation.replaceAll(' ', '').split('->')
  if (more !== undefined) throw new RangeError(`einsum: equation '${equation}' has more than one ->`)
  const terms = left.split(',')
  if (terms.length !== operands.length)
    throw new RangeError(`einsum: got ${operands.length} operands, expected ${terms.length} for equation '${equation}'`)
  const sizes = new Map<string, number>()
  let rank = 0
  const given = operands.map((operand, i) => {
    const x = float('einsum', `operand ${i}`, operand)
    const term = terms[i] as string
    const letters = term.replace('...', '').length
    const dots = x.ndim - letters
    if (dots < 0 || (dots > 0 && !term.includes('...')))
      throw misshaped('einsum', `operand ${i}`, x, `as many axes as '${term}' says`)
    const labels = labelsOf(equation, term, dots)
    if (term.includes('...')) rank = Math.max(rank, dots)
    labels.forEach((label, axis) => {
      const size = x.shape[axis] as number
      const known = sizes.get(label) ?? 1
      const repeated = labels.some((other, j) => other === label && x.shape[j] !== size)
      if (repeated || (known !== size && known !== 1 && size !== 1))
        throw new RangeError(
          `einsum: axis ${axis} ('${label}') of operand ${i} has size ${size}, expected ${repeated ? 'the same as its other axis of that letter' : known} (shape ${show(x.shape)}, equation '${equation}')`,
        )
      if (known === 1) sizes.set(label, size)
    })
    return { x, labels }
  })
  const counts = new Map<string, number>()
  for (const { labels } of given) for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1)
  const target =
    right === undefined
      ? [
          ...labelsOf(equation, '...', rank),
          ...[...counts].flatMap(([label, count]) => (count === 1 && !label.startsWith('.') ? [label] : [])).sort(),
        ]
      : labelsOf(equation, right, rank)
  const stray = target.find((label, i) => !sizes.has(label) || target.indexOf(label) !== i)
  if (stray !== undefined)
    throw new RangeError(
      `einsum: '${stray}' on the right of equation '${equation}' ${sizes.has(stray) ? 'is there twice' : 'is in no operand'}`,
    )
  const parts = given.map(withoutRepeats).map(({ x, labels }) => {
    // An axis of size 1 that others have longer is broadcast: products do without it.
    const kept = labels.filter((label, i) => !(x.shape[i] === 1 && sizes.get(label) !== 1))
    return {
      x:
        kept.length === labels.length
          ? x
          : reshape(
              x,
              kept.map((label) => x.shape[labels.indexOf(label)] as number),
            ),
      labels: kept,
    }
  })
  const needed = (from: number) => new Set([...target, ...parts.slice(from).flatMap(({ labels }) => labels)])
  let result = parts[0] as Labelled
  parts.slice(1).forEach((part, i) => {
    const wanted = needed(i + 2)
    const ofPart = new Set([...wanted, ...result.labels])
    result = contract(summed(result, new Set([...wanted, ...part.labels])), summed(part, ofPart), wanted)
  })
  result = summed(result, new Set(target))
  return ordered(result, target)
}
