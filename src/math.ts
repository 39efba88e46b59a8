// Elementary functions of the host, for schedules, tables, fits and metrics. ECMAScript leaves the last bits of Math.exp,
// log, pow, sin and ** to the engine, and engines differ; these are made of +, -, *, / and Math.sqrt alone, which IEEE 754
// rounds the same way everywhere. Errors are the largest found against 200-bit integers (test/host-math.test.ts).
//
// Where a double is too short for a step, a value is a pair hi + lo, |lo| <= ulp(hi) / 2.

/** The distance from 1 to the next f32. */
export const FLOAT_EPSILON = 1.1920928955078125e-7

export const square = (x: number): number => x * x

/** A value to twice a double's digits. */
interface Pair {
  readonly hi: number
  readonly lo: number
}

/** a + b for |a| >= |b|, and what was rounded off. */
function fastSum(a: number, b: number): Pair {
  const hi = a + b
  return { hi, lo: b - (hi - a) }
}

/** a b, and what was rounded off (Dekker). */
function product(a: number, b: number): Pair {
  const { hi: a1, lo: a0 } = halves(a)
  const { hi: b1, lo: b0 } = halves(b)
  const hi = a * b
  return { hi, lo: a0 * b0 - (hi - a1 * b1 - a0 * b1 - a1 * b0) }
}

/** a as two numbers of 26 bits (Veltkamp). */
function halves(a: number): Pair {
  const t = 0x8000001 * a
  const hi = t - (t - a)
  return { hi, lo: a - hi }
}

const view = new DataView(new ArrayBuffer(8))

/** 2^n for a whole n from -1022 to 1023. */
export function twoTo(n: number): number {
  view.setUint32(0, (n + 1023) << 20)
  view.setUint32(4, 0)
  return view.getFloat64(0)
}

/** Σ c_i x^i. */
const polynomial = (x: number, c: readonly number[]): number => c.reduceRight((sum, term) => sum * x + term, 0)

/** 1 / n! for n = first, first + step, …: `count` of them, with alternating signs where `step` is 2. */
function inverseFactorials(first: number, step: 1 | 2, count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    let factorial = step === 2 && i % 2 === 1 ? -1 : 1
    for (let k = 2; k <= first + step * i; k++) factorial *= k
    return 1 / factorial
  })
}

/** ln 2, the first part with 21 trailing zero bits: n times it is exact. */
const LN2: Pair = { hi: 0.6931471803691238, lo: 1.9082149292705877e-10 }
const EXP = inverseFactorials(3, 1, 12)

/** e^(hi + lo) = 2^n e^r, |r| <= ln 2 / 2, e^r = 1 + r + r²/2 + r³ (1/6 + …). */
function expOf({ hi, lo }: Pair): number {
  if (!(hi < 710)) return hi * Number.POSITIVE_INFINITY
  if (hi < -746) return 0
  const n = Math.round(hi / (LN2.hi + LN2.lo))
  const reduced = fastSum(hi - n * LN2.hi, -n * LN2.lo)
  const r = fastSum(reduced.hi, reduced.lo + lo)
  const square = product(r.hi, r.hi)
  const rest = r.lo + r.hi * r.lo + square.lo / 2 + r.hi * square.hi * polynomial(r.hi, EXP)
  const first = fastSum(1, r.hi)
  const second = fastSum(first.hi, square.hi / 2)
  const sum = second.hi + (second.lo + (first.lo + rest))
  // Twice, since 2^n alone may leave the range where the product does not.
  const half = Math.trunc(n / 2)
  return sum * twoTo(half) * twoTo(n - half)
}

/** 2 / 5, 2 / 7, …: what follows 2 s + 2 s³ / 3 in ln((1 + s) / (1 - s)), over s⁵. */
const LOG = Array.from({ length: 11 }, (_, i) => 2 / (2 * i + 5))
const THIRD: Pair = { hi: 2 / 3, lo: 3.700743415417188e-17 }

/** ln x for a finite x > 0: x = 2^n m, √½ <= m < √2, ln m = ln((1 + s) / (1 - s)), s = (m - 1) / (m + 1). */
function logOf(x: number): Pair {
  const normal = x < 2.2250738585072014e-308 ? x * twoTo(54) : x
  view.setFloat64(0, normal)
  const top = view.getUint32(0)
  // √½ in the upper 20 bits of its fraction.
  const above = (top & 0xfffff) >= 0x6a09e ? 1 : 0
  const n = (top >> 20) - 1023 + above - (normal === x ? 0 : 54)
  view.setUint32(0, (top & 0xfffff) | ((1023 - above) << 20))
  const m = view.getFloat64(0)
  const f = m - 1
  const d = fastSum(2, f)
  const quotient = f / d.hi
  const back = product(quotient, d.hi)
  const s = fastSum(quotient, (f - back.hi - back.lo - quotient * d.lo) / d.hi)
  const z = product(s.hi, s.hi)
  const cube = product(z.hi, s.hi)
  const cubeLow = cube.lo + (z.lo + 2 * s.hi * s.lo) * s.hi + z.hi * s.lo
  const third = product(cube.hi, THIRD.hi)
  const rest = z.hi * z.hi * s.hi * polynomial(z.hi, LOG)
  const own = fastSum(2 * s.hi, third.hi)
  const low = own.lo + (2 * s.lo + (third.lo + cube.hi * THIRD.lo + cubeLow * THIRD.hi + rest))
  if (n === 0) return fastSum(own.hi, low)
  const whole = fastSum(n * LN2.hi, own.hi)
  return fastSum(whole.hi, whole.lo + (low + n * LN2.lo))
}

/** e^x.  Max error 0.51 ULP; one step of the least number below the normal range. */
export const exp = (x: number): number => (Number.isNaN(x) ? x : expOf({ hi: x, lo: 0 }))

/** The natural logarithm: -Infinity of 0, NaN below.  Max error 0.51 ULP. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? Number.NEGATIVE_INFINITY : Number.NaN
  return x === Number.POSITIVE_INFINITY ? x : logOf(x).hi
}

/** x^y with the cases of IEEE 754's pow, as C's and Python's: 1 for y = 0 or x = 1 whatever the other is, NaN for a negative x
 *  and a fractional y.  Max error 0.52 ULP. */
export function pow(x: number, y: number): number {
  if (y === 0 || x === 1) return 1
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.NaN
  const size = Math.abs(x)
  const odd = Number.isInteger(y) && Math.abs(y) <= Number.MAX_SAFE_INTEGER && y % 2 !== 0
  const sign = odd && (x < 0 || Object.is(x, -0)) ? -1 : 1
  if (size === 0 || size === Number.POSITIVE_INFINITY) return sign * (size > 1 === y > 0 ? Number.POSITIVE_INFINITY : 0)
  if (Math.abs(y) === Number.POSITIVE_INFINITY)
    return size === 1 ? 1 : size > 1 === y > 0 ? Number.POSITIVE_INFINITY : 0
  if (x < 0 && !Number.isInteger(y)) return Number.NaN
  const { hi, lo } = logOf(size)
  // Beyond the range of e^x, and of what `halves` may take.
  if (Math.abs(hi * y) > 1000) return sign * (hi * y > 0 ? Number.POSITIVE_INFINITY : 0)
  const { hi: p, lo: q } = product(hi, y)
  return sign * expOf(fastSum(p, q + lo * y))
}

/** π / 2 in three doubles. */
const HALF_PI = [1.5707963267948966, 6.123233995736766e-17, -1.4973849048591833e-33] as const
/** Arguments whose multiple of π / 2 is a whole number with room to spare. */
const LARGEST_ANGLE = 0x4000000000000
const SIN = inverseFactorials(3, 2, 8).map((c) => -c)
const COS = inverseFactorials(4, 2, 8)

/** x - n π / 2, |result| <= π / 4, and the last two bits of n. */
function turned(caller: string, x: number): { r: Pair; quarter: number } {
  if (Math.abs(x) > LARGEST_ANGLE)
    throw new RangeError(`${caller}: the angle is ${x}, expected at most ${LARGEST_ANGLE} on either side of 0`)
  const n = Math.round(x / HALF_PI[0])
  if (n === 0) return { r: { hi: x, lo: 0 }, quarter: 0 }
  const first = product(n, HALF_PI[0])
  const second = product(n, HALF_PI[1])
  // The first difference is exact; the others keep what they round off.
  const a = x - first.hi
  const b = sum(a, -first.lo)
  const c = sum(b.hi, -second.hi)
  const r = fastSum(c.hi, b.lo + c.lo - second.lo - n * HALF_PI[2])
  return { r, quarter: ((n % 4) + 4) % 4 }
}

/** a + b, and what was rounded off (Knuth). */
function sum(a: number, b: number): Pair {
  const hi = a + b
  const shadow = hi - a
  return { hi, lo: a - (hi - shadow) + (b - shadow) }
}

/** sin(hi + lo) within π / 4. */
function sinOf({ hi, lo }: Pair): number {
  const z = hi * hi
  return hi + (lo * (1 - z / 2) + hi * z * polynomial(z, SIN))
}

/** cos(hi + lo) within π / 4. */
function cosOf({ hi, lo }: Pair): number {
  const z = hi * hi
  const first = 1 - z / 2
  return first + (1 - first - z / 2 + (z * z * polynomial(z, COS) - hi * lo))
}

/** The sine of x radians, |x| <= 2^50.  Max error 0.8 ULP.
 *  @throws RangeError for a larger angle */
export function sin(x: number): number {
  if (!Number.isFinite(x)) return Number.NaN
  const { r, quarter } = turned('sin', x)
  const value = quarter % 2 === 0 ? sinOf(r) : cosOf(r)
  return quarter < 2 ? value : -value
}

/** The cosine of x radians, |x| <= 2^50.  Max error 0.8 ULP.
 *  @throws RangeError for a larger angle */
export function cos(x: number): number {
  if (!Number.isFinite(x)) return Number.NaN
  const { r, quarter } = turned('cos', x)
  const value = quarter % 2 === 0 ? cosOf(r) : sinOf(r)
  return quarter === 0 || quarter === 3 ? value : -value
}
