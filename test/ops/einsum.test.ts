import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { check } from '../helpers/check.ts'
import { einsum } from '../reference/einsum.ts'

beforeAll(() => lw.init())

/** Equation, shapes, and the same with the ellipsis and the right side written out. */
const cases: [string, number[][], string?][] = [
  [
    'ij,jk->ik',
    [
      [3, 4],
      [4, 5],
    ],
  ],
  [
    'ij,jk',
    [
      [3, 4],
      [4, 5],
    ],
    'ij,jk->ik',
  ],
  [
    'ij,kj->ki',
    [
      [3, 4],
      [5, 4],
    ],
  ],
  [
    'bij,bjk->bik',
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
  ],
  [
    'bhid,bhjd->bhij',
    [
      [2, 2, 3, 4],
      [2, 2, 5, 4],
    ],
  ],
  [
    'bi,bi->b',
    [
      [3, 5],
      [3, 5],
    ],
  ],
  ['i,i->', [[7], [7]]],
  ['i,j->ij', [[3], [4]]],
  ['i,j->ji', [[3], [4]]],
  ['ij->ji', [[3, 4]]],
  ['ba', [[3, 4]], 'ba->ab'],
  ['ij->', [[3, 4]]],
  ['ijk->j', [[2, 3, 4]]],
  ['ii->', [[4, 4]]],
  ['ii->i', [[4, 4]]],
  ['iji->ji', [[3, 2, 3]]],
  ['iii->i', [[3, 3, 3]]],
  [
    'ii,ij->j',
    [
      [3, 3],
      [3, 2],
    ],
  ],
  [
    'ijk,jl,kl->il',
    [
      [2, 3, 4],
      [3, 5],
      [4, 5],
    ],
  ],
  ['a,b,c,d->dcba', [[2], [3], [2], [3]]],
  [
    'ni,oij,nj->no',
    [
      [3, 2],
      [4, 2, 3],
      [3, 3],
    ],
  ],
  ['ij,k->ik', [[3, 4], [2]]],
  [
    '...ij,...jk->...ik',
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    'aij,ajk->aik',
  ],
  [
    '...ij,jk',
    [
      [2, 3, 4],
      [4, 5],
    ],
    'aij,jk->aik',
  ],
  [
    'i...,...i->...',
    [
      [4, 2, 3],
      [3, 4],
    ],
    'iab,bi->ab',
  ],
  ['...i->i', [[2, 3, 4]], 'abi->i'],
  ['...,...', [[2, 3], [3]], 'ab,b->ab'],
  [
    'ij,jk->ik',
    [
      [3, 1],
      [4, 5],
    ],
  ],
  [
    'bij,bjk->bik',
    [
      [1, 3, 4],
      [2, 4, 5],
    ],
  ],
  [
    'ij,ij->i',
    [
      [1, 4],
      [3, 1],
    ],
  ],
  [
    'ij,jk->ik',
    [
      [3, 0],
      [0, 5],
    ],
  ],
  [
    'ij,jk->ik',
    [
      [0, 3],
      [3, 5],
    ],
  ],
  ['A a, a -> A', [[2, 3], [3]], 'Aa,a->A'],
]

describe('einsum', () => {
  test.each(cases)('%s of %j', (equation, shapes, full = equation) => {
    const [left = '', right = ''] = full.split('->')
    check({
      shapes,
      ours: (...x) => lw.einsum(equation, ...x),
      reference: (...x) => einsum(left.split(','), right, ...x),
      // Up to 60 terms, each of up to four factors of size 2.
      tolerance: { absolute: 60 * 16 },
    })
  })

  test('says what is wrong', () => {
    const x = lw.zeros([2, 3])
    const bad = (equation: string, ...operands: lw.Tensor[]) => expect(() => lw.einsum(equation, ...operands))
    bad('ij,jk->ik', x).toThrow("einsum: got 1 operands, expected 2 for equation 'ij,jk->ik'")
    bad('ij,jk->ik', x, x).toThrow(
      "einsum: axis 0 ('j') of operand 1 has size 2, expected 3 (shape [2, 3], equation 'ij,jk->ik')",
    )
    bad('ijk', x).toThrow("operand 0 has shape [2, 3], expected as many axes as 'ijk' says")
    bad('i', x).toThrow("expected as many axes as 'i' says")
    bad('ii', x).toThrow('expected the same as its other axis of that letter')
    bad('ij->k', x).toThrow("'k' on the right of equation 'ij->k' is in no operand")
    bad('ij->ii', x).toThrow("'i' on the right of equation 'ij->ii' is there twice")
    bad('i1', x).toThrow("'i1' of equation 'i1' has more than letters and one ...")
    bad('ij->i->j', x).toThrow('more than one ->')
  })
})

describe('dot and outer', () => {
  test.each([0, 1, 3, 4, 9, 33])('of %i', (n) => {
    check({
      shapes: [[n], [n]],
      ours: (a, b) => a.dot(b),
      reference: (a, b) => einsum(['i', 'i'], '', a, b),
      tolerance: { absolute: 33 * 4 },
    })
    check({
      shapes: [[n], [5]],
      ours: (a, b) => a.outer(b),
      reference: (a, b) => einsum(['i', 'j'], 'ij', a, b),
      tolerance: { gradient: { absolute: 33 * 4 } },
    })
  })
  test('say what is wrong', () => {
    expect(() => lw.dot(lw.ones([2]), lw.ones([3]))).toThrow('dot: shapes [2] and [3], expected two vectors of one')
    expect(() => lw.outer(lw.ones([2, 1]), lw.ones([3]))).toThrow('outer: shapes [2, 1] and [3], expected two vectors')
  })
})
