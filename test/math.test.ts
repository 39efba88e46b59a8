import { beforeAll, expect, test } from 'vitest'
import { ulps } from '../scripts/ulps.mjs'
import { cos, elu, erf, exp, init, log, log1p, sigmoid, sin, type Tensor, tanh, tensor } from '../src/index.ts'
import { erfOf } from './reference/ops.ts'

beforeAll(() => init())

// The bounds that assembly/math.ts states, found over every input; here over each 4001st, in all binades.
test.each([
  ['exp', exp, Math.exp, 1.0],
  ['log', log, Math.log, 0.9],
  ['tanh', tanh, Math.tanh, 1.5],
  ['log1p', log1p, Math.log1p, 3],
  ['erf', erf, erfOf, 2.5],
  // elu is expm1 below 0.
  ['expm1', elu, (x: number) => (x > 0 ? x : Math.expm1(x)), 1.5],
  ['sin', sin, Math.sin, 2],
  ['cos', cos, Math.cos, 2],
  ['sigmoid', sigmoid, (x: number) => 1 / (1 + Math.exp(-x)), 2.5],
] as [string, (x: Tensor) => Tensor, (x: number) => number, number][])(
  '%s is within its stated error',
  (_, op, exact, bound) => {
    const bits = Uint32Array.from({ length: Math.floor(2 ** 32 / 4001) }, (_, i) => i * 4001)
    const x = new Float32Array(bits.buffer)
    const y = op(tensor(x)).data()
    let worst = 0
    for (let i = 0; i < x.length; i++) {
      const error = ulps(y[i] as number, exact(x[i] as number))
      if (!(error <= worst)) worst = error
    }
    expect(worst).toBeLessThanOrEqual(bound)
  },
)

test('the ends of the range', () => {
  const inputs = [0, -0, Infinity, -Infinity, Number.NaN, 1e-45, 88.8, -103, -104.5]
  expect([...exp(tensor(inputs)).data()]).toEqual(inputs.map((x) => Math.fround(Math.exp(x))))
  expect([...log(tensor(inputs.slice(0, 5))).data()]).toEqual([-Infinity, -Infinity, Infinity, Number.NaN, Number.NaN])
  expect([...tanh(tensor(inputs.slice(0, 6))).data()]).toEqual([0, -0, 1, -1, Number.NaN, Math.fround(1e-45)])
  expect([...sigmoid(tensor(inputs.slice(0, 5))).data()]).toEqual([0.5, 0.5, 1, 0, Number.NaN])
})
