// What threads are told of kernels. That parts give the bits of the whole is tested with each op: helpers/parts.ts.

import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import * as lw from '../src/index.ts'
import { losses, tensor } from '../src/index.ts'
import { rules } from '../src/threads/rules.ts'
import { signatures } from '../src/threads/signatures.ts'
import { length, sizes } from './helpers/drawn.ts'
import './helpers/guard.ts'

beforeAll(() => lw.init())

test('each kernel has a rule, or a reason to be for one thread', () => {
  expect(Object.keys(rules).sort()).toEqual(Object.keys(signatures).sort())
})

test('a part that refuses names the position of the whole', () =>
  sizes([length, fc.integer({ min: 0, max: 399 })], (n, bad) => {
    const p = new Float32Array(n).fill(0.5)
    p[bad] = 2
    expect(() => lw.bernoulli(tensor(p))).toThrow(`p is 2 at position ${bad}, expected`)
    expect(() => losses.bce(tensor(p), lw.zeros([n]))).toThrow(`${bad}`)
    const index = new Int32Array(n)
    index[bad] = 9
    expect(() => lw.oneHot(tensor(index), 3)).toThrow(`${bad}`)
    expect(() => lw.embedding(tensor(index), lw.zeros([3, 2]))).toThrow(`${bad}`)
    expect(() => losses.crossEntropy(lw.zeros([n, 3]), tensor(index))).toThrow(
      `target 9 at index ${bad} is out of range`,
    )
    const places = new Int32Array(2 * n)
    places[2 * bad + 1] = 9
    expect(() => losses.nll(lw.zeros([n, 3, 2]), tensor(places, { shape: [n, 2] }))).toThrow(`at index ${2 * bad + 1}`)
  }))
