// The host's elementary functions (src/math.ts) against fixed-point integers of 400 bits, and against hashes that all
// engines have to give (npm run bits runs the same sweep).

import { expect, test } from 'vitest'
import { cos, exp, log, pow, sin } from '../src/math.ts'

const BITS = 400n
const ONE = 1n << BITS

/** A double as a fixed-point integer, exact for the magnitudes of these tests. */
function fixed(x: number): bigint {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, x)
  const bits = view.getBigUint64(0)
  const field = (bits >> 52n) & 0x7ffn
  const fraction = (bits & ((1n << 52n) - 1n)) | (field ? 1n << 52n : 0n)
  const shift = BITS + (field || 1n) - 1075n
  const size = shift >= 0n ? fraction << shift : fraction >> -shift
  return x < 0 ? -size : size
}

const mul = (a: bigint, b: bigint): bigint => (a * b) >> BITS
const round = (a: bigint, b: bigint): bigint => (2n * a + b) / (2n * b)

/** Σ term_i, each made of the one before until it is 0. */
function series(first: bigint, next: (term: bigint, i: bigint) => bigint): bigint {
  let total = 0n
  let term = first
  for (let i = 1n; term !== 0n && term !== -1n; i++) {
    total += term
    term = next(term, i)
  }
  return total
}

const smallExp = (x: bigint) => series(ONE, (term, i) => mul(term, x) / i)
const atanhSeries = (s: bigint): bigint => {
  const z = mul(s, s)
  let power = s
  let total = 0n
  for (let i = 1n; power !== 0n && power !== -1n; i += 2n) {
    total += power / i
    power = mul(power, z)
  }
  return total
}
const LN2 = 2n * atanhSeries(ONE / 3n)
/** Machin: π = 16 atan(1/5) - 4 atan(1/239). */
const atanInverse = (n: bigint) => {
  let total = 0n
  let power = ONE / n
  for (let i = 1n; power !== 0n; i += 2n) {
    total += (i % 4n === 1n ? power : -power) / i
    power /= n * n
  }
  return total
}
const PI = 16n * atanInverse(5n) - 4n * atanInverse(239n)

/** [e^x 2^-n, n] of a fixed-point x. */
function expFixed(x: bigint): { value: bigint; n: bigint } {
  const n = x >= 0n ? round(x, LN2) : -round(-x, LN2)
  return { value: smallExp(x - n * LN2), n }
}

function logFixed(x: number): bigint {
  let value = fixed(x)
  let n = 0n
  while (value > 2n * ONE) {
    value >>= 1n
    n++
  }
  // A sweep of normal numbers: what is shifted in is exact.
  while (value < ONE) {
    value <<= 1n
    n--
  }
  return 2n * atanhSeries(((value - ONE) << BITS) / (value + ONE)) + n * LN2
}

function sinFixed(x: bigint): bigint {
  const n = x >= 0n ? round(x, PI) : -round(-x, PI)
  const r = x - n * PI
  const z = mul(r, r)
  const value = series(r, (term, i) => -mul(term, z) / (2n * i * (2n * i + 1n)))
  return n % 2n === 0n ? value : -value
}

/** |got - exact| in units of the last place of the exact value, exact = value 2^n. */
function ulps(got: number, value: bigint, n = 0n): number {
  const size = value < 0n ? -value : value
  const exponent = BigInt(size.toString(2).length) - BITS + n
  // In steps of 2^-60 of the last place.
  const unit = exponent - 53n
  const scaled = (x: bigint, by: bigint) => (by >= 0n ? x << by : x >> -by)
  const difference = scaled(fixed(got / 2 ** Number(n)), n - unit + 60n) - scaled(value, n - unit + 60n)
  return Math.abs(Number(difference >> BITS)) / 2 ** 60
}

/** n doubles from low to high, evenly spread, their last bits mixed. */
const sweep = (low: number, high: number, n: number): number[] =>
  Array.from({ length: n }, (_, i) => low + ((high - low) * (i + ((i * 0.6180339887498949) % 1))) / n)

const worst = (xs: readonly number[], error: (x: number) => number): number =>
  xs.reduce((most, x) => Math.max(most, error(x)), 0)

test('exp is within 0.51 ULP', () => {
  const error = (x: number) => {
    const { value, n } = expFixed(fixed(x))
    return ulps(exp(x), value, n)
  }
  expect(worst([...sweep(-700, 709, 3000), ...sweep(-1, 1, 2000), 1e-300, -1e-20], error)).toBeLessThan(0.51)
  expect([exp(0), exp(-Infinity), exp(Infinity), exp(710), exp(-746), exp(NaN)]).toEqual([
    1,
    0,
    Infinity,
    Infinity,
    0,
    NaN,
  ])
  expect(exp(-745.1)).toBe(5e-324)
})

test('log is within 0.51 ULP', () => {
  const error = (x: number) => ulps(log(x), logFixed(x))
  const near = sweep(-0.4, 0.4, 2000).map((x) => 1 + x)
  const wide = sweep(-80, 80, 2000).map((x) => Math.exp(x))
  const close = sweep(-1e-8, 1e-8, 500).map((x) => 1 + x)
  expect(
    worst(
      [...near, ...wide, ...close].filter((x) => x !== 1),
      error,
    ),
  ).toBeLessThan(0.51)
  expect([log(1), log(0), log(-1), log(Infinity), log(NaN)]).toEqual([0, -Infinity, NaN, Infinity, NaN])
  expect(log(5e-324)).toBeCloseTo(-744.4400719213812, 12)
})

test('pow is within 0.52 ULP, exact where the result is a double', () => {
  const error = (x: number, y: number) => {
    const { value, n } = expFixed(mul(logFixed(x), fixed(y)))
    // Results below the normal range have fewer digits.
    return n < -1022n ? 0 : ulps(pow(x, y), value, n)
  }
  const bases = sweep(0.01, 3, 60)
  const exponents = [...sweep(-60, 60, 60), ...[2, 3, 10, 300].map(Math.fround), 0.5, 0.9]
  let most = 0
  for (const x of bases) for (const y of exponents) most = Math.max(most, error(x, y))
  expect(most).toBeLessThan(0.52)
  for (const t of [1, 100, 10_000, 100_000]) expect(error(0.9999, t)).toBeLessThan(0.52)
  for (let n = -1022; n <= 1023; n++) expect(pow(2, n)).toBe(2 ** n)
  for (let n = 0; n <= 22; n++) expect(pow(10, n)).toBe(Number(`1e${n}`))
  for (const x of [-Infinity, -2.5, -2, -1, -0, 0, 0.5, 1, 2, Infinity, NaN])
    for (const y of [-Infinity, -3, -2, -0.5, -0, 0, 0.5, 1, 2, 3, 2 ** 53, Infinity, NaN]) {
      // ECMAScript alone says NaN for (±1)^±Infinity and 1^NaN; C and Python say 1.
      const expected = x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y
      // V8's own roots are up to 0.66 ULP off.
      const root = Math.abs(y) === 0.5 && x > 0 && x !== Infinity
      expect(pow(x, y), `${x} ** ${y}`).toBe(root ? Math.sqrt(y > 0 ? x : 1 / x) : expected)
    }
  expect([pow(1e300, 2), pow(1e-300, 2), pow(1e300, -1e300)]).toEqual([Infinity, 0, 0])
})

test('sin and cos are within 0.8 ULP, also far from 0', () => {
  const far = [1e3, 1e6, 1e9, 1e12, 1e15].flatMap((x) => sweep(-x, x, 400))
  const xs = [...sweep(-10, 10, 3000), ...far, Math.PI, Math.PI / 2, 1e-200]
  expect(worst(xs, (x) => ulps(sin(x), sinFixed(fixed(x))))).toBeLessThan(0.8)
  expect(worst(xs, (x) => ulps(cos(x), sinFixed(fixed(x) + PI / 2n)))).toBeLessThan(0.8)
  expect([sin(0), cos(0), sin(Infinity), cos(NaN)]).toEqual([0, 1, NaN, NaN])
  expect(() => sin(2 ** 51)).toThrow(/^sin: the angle is 2251799813685248, expected at most/)
})
