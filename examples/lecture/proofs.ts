// Short proofs, sound or hand-waving, written for lesson 5. A proof is a claim and one sentence that should show it.
// The rule: it is sound when that sentence names a method, and hand-waving when it appeals to how the claim looks. The
// claims are the same for both, and so are most words of the sentences; "clear" and "obvious" occur in sound ones, too.

const claims = [
  'the sum of two even numbers is even',
  'the square of an odd number is odd',
  'there is no largest prime',
  'the root of two is irrational',
  'a continuous function on a closed interval is bounded',
  'the composition of injective maps is injective',
  'the kernel of a linear map is a subspace',
  'a convergent sequence has one limit',
  'every subgroup of a cyclic group is cyclic',
  'a finite union of closed sets is closed',
  'the harmonic series diverges',
  'a tree with n vertices has one edge less',
]

export const looks = ['obvious', 'clear', 'well-known', 'trivial', 'evident', 'plain', 'immediate', 'folklore']
const appeals = [
  (look: string) => `that is ${look}`,
  (look: string) => `it is ${look} that this holds in general`,
  (look: string) => `as the picture shows the claim is ${look}`,
  (look: string) => `this step is ${look} so we are done`,
]

export const methods = [
  'induction on n',
  'contradiction with the definition',
  'direct computation of both sides',
  'the triangle inequality',
  'multiplying out to clear denominators',
  'checking the obvious bijection on each element',
  'the lemma proved before',
  'counting each case once',
]
const arguments_ = [
  (method: string) => `that follows by ${method}`,
  (method: string) => `it holds in general by ${method}`,
  (method: string) => `as the claim is for all we use ${method}`,
  (method: string) => `this step is ${method} so we are done`,
]

export interface Proof {
  text: string
  /** 1: hand-waving, 0: sound */
  label: number
}

/** All proofs, in two parts: where claim and key word, or key word and sentence, are joined in a test proof, they are
 *  joined in no proof of training. */
export function proofs(): { train: Proof[]; test: Proof[] } {
  const train: Proof[] = []
  const test: Proof[] = []
  for (const [label, keys, sentences] of [
    [0, methods, arguments_],
    [1, looks, appeals],
  ] as const)
    for (const [a, claim] of claims.entries())
      for (const [b, key] of keys.entries())
        for (const [c, sentence] of sentences.entries()) {
          const proof = { text: `${claim}; ${sentence(key)}`, label }
          const apart = [(a + b) % 3 === 0, (b + c) % 4 === 0]
          if (apart.every(Boolean)) test.push(proof)
          else if (!apart.some(Boolean)) train.push(proof)
        }
  return { train, test }
}

export const words = (text: string): string[] => text.match(/[a-z-]+/g) ?? []
