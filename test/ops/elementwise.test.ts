import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { type Tensor, tensor } from '../../src/index.ts'
import { check, expectClose, type Tolerance } from '../helpers/check.ts'
import { both, few, length, odd, sizes, some } from '../helpers/drawn.ts'
import { covers } from '../helpers/guard.ts'
import { map, type Ref, zip } from '../reference/array.ts'
import * as reference from '../reference/ops.ts'

beforeAll(() => lw.init())

covers('activation', 'elementwise')

/** Around the edges of vectors, pairs of vectors, and unrolled loops. */
const lengths = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33].map((n) => [n])
const shapes = [...lengths, [], [2, 3], [1, 1], [3, 1, 5]]

const pairs = [
  ...shapes.map((s) => [s, s]),
  [[3, 4], [4]],
  [
    [3, 1],
    [1, 5],
  ],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [[], [5]],
  [[9], []],
  [[1], [7]],
  [[0, 3], [3]],
  [
    [2, 1, 3, 1],
    [1, 4, 1, 9],
  ],
  [
    [2, 3, 2, 3, 2],
    [3, 1, 3, 1],
  ],
] as [number[], number[]][]

type Unary = (x: Tensor) => Tensor
type Binary = (a: Tensor, b: Tensor) => Tensor

const unary: [string, Unary, (x: Ref) => Ref, { range?: [number, number]; tolerance?: Tolerance }?][] = [
  ['neg', lw.neg, reference.neg],
  ['abs', lw.abs, map(Math.abs)],
  ['sign', lw.sign, map(Math.sign)],
  ['exp', lw.exp, reference.exp, { range: [-20, 20] }],
  ['expm1', lw.expm1, map(Math.expm1), { range: [-10, 10] }],
  ['log', lw.log, reference.log, { range: [0.01, 20], tolerance: { absolute: 1 } }],
  ['sqrt', lw.sqrt, reference.sqrt, { range: [0.01, 20] }],
  ['rsqrt', lw.rsqrt, reference.rsqrt, { range: [0.01, 20] }],
  ['log1p', lw.log1p, map(Math.log1p), { range: [-0.9, 20] }],
  // Where cos crosses 0 a rounding of the slope's factors is all that is left: absolute, of size 2.
  ['sin', lw.sin, map(Math.sin), { range: [-20, 20], tolerance: { absolute: 2 } }],
  ['cos', lw.cos, map(Math.cos), { range: [-20, 20], tolerance: { absolute: 2 } }],
  // exp(-x²) carries the rounding of x², up to 9 U of it.
  ['erf', lw.erf, reference.erf, { range: [-3, 3], tolerance: { gradient: { ulps: 32, absolute: 16 } } }],
  // Below 1 in size the logarithm's error is relative to its terms.
  ['log2', lw.log2, map(Math.log2), { range: [0.01, 20], tolerance: { absolute: 2 } }],
  ['sinh', lw.sinh, map(Math.sinh), { range: [-10, 10], tolerance: { ulps: 8 } }],
  ['cosh', lw.cosh, map(Math.cosh), { range: [-10, 10], tolerance: { ulps: 8 } }],
  ['atan', lw.atan, map(Math.atan), { range: [-8, 8] }],
  ['ceil', lw.ceil, map(Math.ceil)],
  ['trunc', lw.trunc, map(Math.trunc)],
  ['floor', lw.floor, map(Math.floor)],
  ['round', lw.round, reference.round],
  [
    'clamp',
    (x) => lw.clamp(x, { min: -0.7, max: 1.1 }),
    (x) => reference.clamp(x, Math.fround(-0.7), Math.fround(1.1)),
  ],
  ['clampMin', (x) => lw.clampMin(x, -0.7), (x) => reference.clamp(x, Math.fround(-0.7), Infinity)],
  ['clampMax', (x) => lw.clampMax(x, 1.1), (x) => reference.clamp(x, -Infinity, Math.fround(1.1))],
  ['pow 2', (x) => lw.pow(x, 2), (x) => reference.mul(x, x)],
  [
    'pow 3',
    (x) => lw.pow(x, 3),
    (x) => reference.mul(x, reference.mul(x, x)),
    { tolerance: { gradient: { ulps: 16, absolute: 32 } } },
  ],
  [
    'pow -1',
    (x) => lw.pow(x, -1),
    (x) => reference.div({ shape: [], data: Float64Array.of(1) }, x),
    { range: [0.25, 2] },
  ],
  [
    'pow 1/2 and -1/2',
    (x) => lw.mul(lw.pow(x, 0.5), lw.pow(x, -0.5)),
    (x) => reference.mul(reference.sqrt(x), reference.rsqrt(x)),
    { range: [0.25, 2], tolerance: { gradient: { ulps: 0, absolute: 64 } } },
  ],
  ['pow 1', (x) => lw.pow(x, 1), (x) => reference.neg(reference.neg(x))],
  ['relu', lw.relu, reference.relu],
  // 1 - y² cancels near |y| = 1: an error of 1.3 ULP of y is one of about 3 U in the difference.
  ['tanh', lw.tanh, map(Math.tanh), { range: [-4, 4] }],
  ['sigmoid', lw.sigmoid, map((x) => 1 / (1 + Math.exp(-x))), { range: [-8, 8], tolerance: { ulps: 6 } }],
  ['leakyRelu', lw.leakyRelu, reference.leakyRelu(Math.fround(0.01))],
  ['leakyRelu 1.5', (x) => lw.leakyRelu(x, { negativeSlope: 1.5 }), reference.leakyRelu(1.5)],
  ['elu', lw.elu, reference.elu(1), { range: [-8, 8], tolerance: { ulps: 8 } }],
  ['elu -0.5', (x) => lw.elu(x, { alpha: -0.5 }), reference.elu(-0.5), { tolerance: { ulps: 8 } }],
  ['selu', lw.selu, reference.elu(1.6732632423543772, 1.0507009873554805), { tolerance: { ulps: 8 } }],
  // 1 + erf cancels below 0: roundings of U x remain.
  ['gelu', lw.gelu, reference.gelu, { range: [-6, 6], tolerance: { ulps: 6, absolute: 12 } }],
  // An error of u, 4 U |u|, is one of x σ (1 - σ) |u| 4 U in the product, below 4 x U.
  [
    'gelu by tanh',
    (x) => lw.gelu(x, { approximate: 'tanh' }),
    map((x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))),
    { range: [-6, 6], tolerance: { ulps: 8, absolute: 24 } },
  ],
  ['silu', lw.silu, map((x) => x / (1 + Math.exp(-x))), { range: [-8, 8], tolerance: { ulps: 8 } }],
  ['mish', lw.mish, map((x) => x * Math.tanh(Math.log1p(Math.exp(x)))), { range: [-8, 24], tolerance: { ulps: 10 } }],
  // At -3 and 3 themselves slopes differ from both sides.
  ['hardswish', lw.hardswish, reference.hardswish, { range: [-2.9, 2.9], tolerance: { absolute: 6 } }],
  ['hardswish beyond', lw.hardswish, reference.hardswish, { range: [3.5, 6] }],
  ['hardsigmoid', lw.hardsigmoid, reference.hardsigmoid, { range: [-2.9, 2.9], tolerance: { absolute: 4 } }],
  ['hardsigmoid beyond', lw.hardsigmoid, reference.hardsigmoid, { range: [-6, -3.5] }],
  ['softplus', lw.softplus, reference.softplus(1, 20), { range: [-8, 25], tolerance: { ulps: 8 } }],
  [
    'softplus 2, 3',
    (x) => lw.softplus(x, { beta: 2, threshold: 3 }),
    reference.softplus(2, 3),
    { range: [-3, 3], tolerance: { ulps: 8 } },
  ],
]
describe.each(unary)('%s', (_, ours, ref, options) => {
  test.each(shapes)('follows its reference, with its gradient: %j', (...shape) =>
    check({ shapes: [shape], ours, reference: ref, ...options }),
  )
  test('parts give the bits of the whole', () =>
    sizes([length], (n) => both(ours(some([n], ...(options?.range ?? []))))))
})

describe('prelu and glu', () => {
  test.each([
    [[5], [1]],
    [[2, 9], [1]],
    [[2, 9], []],
    [[4, 3], [3]],
    [[2, 3, 5], [3]],
    [[2, 2, 3, 4], [2]],
    [[0, 2], [2]],
    [[2, 2, 0], [2]],
  ] as [number[], number[]][])('prelu of %j with weights %j', (shape, weights) =>
    check({
      shapes: [shape, weights],
      ours: lw.prelu,
      reference: reference.prelu,
      tolerance: { gradient: { ulps: 16, absolute: 4 * 24 } },
    }),
  )

  test.each([
    [[2], 0],
    [[0], 0],
    [[3, 10], 1],
    [[4, 5], 0],
    [[2, 6, 3], 1],
    [[2, 3, 18], 2],
    [[0, 4], 1],
  ] as [number[], number][])('glu of %j along axis %i', (shape, axis) =>
    check({
      shapes: [shape],
      ours: (x) => lw.glu(x, axis),
      reference: (x) => reference.glu(x, axis),
      tolerance: { ulps: 8 },
    }),
  )

  test('parts give the bits of the whole', () =>
    sizes([few, odd, odd], (n, c, s) => {
      both(lw.prelu(some([n, c, s]), some([c])))
      both(lw.prelu(some([128 * n - s, c]), some([c])))
      both(lw.prelu(some([n, 1024, 1]), some([1])))
      both(lw.glu(some([n, 2 * c])))
    }))

  test('activations far from 0 are their limits', () => {
    for (const op of [lw.elu, lw.gelu, lw.silu, lw.mish, lw.softplus, lw.hardswish, lw.leakyRelu, lw.selu]) {
      const far = tensor([-1e30, -100, 100, 1e30], { requiresGrad: true })
      const y = op(far)
      expect(y.data().every(Number.isFinite), `${op.name} ${y}`).toBe(true)
      lw.backward(y.sum())
      expect(far.grad?.data().every(Number.isFinite), `${op.name} gradient ${far.grad}`).toBe(true)
    }
    for (const op of [lw.elu, lw.gelu, lw.silu, lw.mish, lw.softplus, lw.hardswish, lw.hardsigmoid, lw.leakyRelu])
      expect(op(tensor([Number.NaN])).item()).toBeNaN()
  })

  test('say what does not fit', () => {
    expect(() => lw.glu(lw.ones([3]))).toThrow('glu: axis 0 of x [3] has size 3, expected an even size, to halve')
    expect(() => lw.prelu(lw.ones([2, 3]), lw.ones([2]))).toThrow('prelu: weight has shape [2] for x [2, 3]')
    expect(() => lw.gelu(1, { approximate: true as never })).toThrow('gelu: approximate is true')
    expect(() => lw.softplus(1, { beta: -1 })).toThrow('softplus: beta is -1, expected a number above 0')
    expect(() => lw.elu(1, { alpha: 'a' as never })).toThrow("elu: alpha is 'a', expected a number")
    expect(() => lw.leakyRelu(1, { slope: 1 } as object)).toThrow('leakyRelu: unknown option slope')
  })
})

/** Steps: no gradient. */
const flat = { differentiable: false }
const binary: [string, Binary, (a: Ref, b: Ref) => Ref, { range?: [number, number]; differentiable?: boolean }?][] = [
  ['add', lw.add, reference.add],
  ['sub', lw.sub, reference.sub],
  ['mul', lw.mul, reference.mul],
  ['div', lw.div, reference.div, { range: [0.25, 2] }],
  ['minimum', lw.minimum, zip(Math.min)],
  ['maximum', lw.maximum, zip(Math.max)],
  ['pow', lw.pow, zip((x, y) => x ** y), { range: [0.25, 2] }],
  ['atan2', lw.atan2, zip(Math.atan2), { range: [0.25, 2] }],
  ['equal', lw.equal, zip((x, y) => Number(x === y)), flat],
  ['notEqual', lw.notEqual, zip((x, y) => Number(x !== y)), flat],
  ['less', lw.less, zip((x, y) => Number(x < y)), flat],
  ['lessEqual', lw.lessEqual, zip((x, y) => Number(x <= y)), flat],
  ['greater', lw.greater, reference.greater, flat],
  ['greaterEqual', lw.greaterEqual, zip((x, y) => Number(x >= y)), flat],
  [
    'where',
    (a, b) => lw.where(lw.greater(a, 0.5), a, b),
    (a, b) => reference.where(reference.greater(a, { shape: [], data: Float64Array.of(0.5) }), a, b),
  ],
]
describe.each(binary)('%s', (_, ours, ref, options) => {
  // A gradient is a sum over broadcast axes: up to 60 terms of size 16 (2 / 0.25²).
  test.each(pairs)('broadcasts %j with %j', (...pair) =>
    check({ shapes: pair, ours, reference: ref, ...options, tolerance: { gradient: { ulps: 16, absolute: 60 * 16 } } }),
  )
  test('parts give the bits of the whole', () => {
    const operand = (shape: number[]) => some(shape, ...(options?.range ?? []))
    sizes([length, odd], (n, m) => both(ours(operand([n, m]), operand([m]))))
    sizes([few], (n) => both(ours(operand([n, 70]), operand([n, 1]))))
  })
})

describe('pow, minimum, maximum and where at their edges', () => {
  const slopes = (f: (x: Tensor) => Tensor, values: number[]) => {
    const x = tensor(values, { requiresGrad: true })
    lw.sum(f(x)).backward()
    return x.grad?.tolist()
  }
  test('equal elements share the gradient of minimum and maximum', () => {
    expect(slopes((x) => lw.maximum(x, tensor([1, 1, 1])), [0, 1, 2])).toEqual([0, 0.5, 1])
    expect(slopes((x) => lw.minimum(x, tensor([1, 1, 1])), [0, 1, 2])).toEqual([1, 0.5, 0])
    expect(lw.maximum(tensor([Number.NaN, 1]), tensor([0, Number.NaN])).tolist()).toEqual([Number.NaN, Number.NaN])
  })
  test('pow has the slopes of its limits at 0, and NaN for roots of negative numbers', () => {
    expect(slopes((x) => lw.pow(x, 0), [0, 2])).toEqual([0, 0])
    expect(slopes((y) => lw.pow(tensor([0, 0]), y), [1, 3])).toEqual([0, 0])
    expect(lw.pow(tensor([-8, -2, 0, 4]), tensor([1 / 3, 3, -1, 2.5])).tolist()).toEqual([Number.NaN, -8, Infinity, 32])
  })
  test('where passes nothing to the side that was not chosen, not even NaN', () => {
    expect(slopes((x) => lw.where(lw.greater(x, 0), lw.log(lw.maximum(x, 1)), 0), [-1, 2])).toEqual([0, 0.5])
  })
  test('round takes halves to the even number', () => {
    expect(lw.round(tensor([0.5, 1.5, 2.5, -0.5, -1.5])).tolist()).toEqual([0, 2, 2, -0, -2])
  })
})

describe('the added ones at their edges', () => {
  test('atan2 is right in all octants, on the axes, at the origin and far out', () => {
    const edges = [0, -0, 1, -1, 0.3, -0.3, 1e-30, -1e30, Infinity, -Infinity]
    const pairs = [...edges.flatMap((y) => edges.map((x) => [y, x] as const)), [NaN, 1], [1, NaN], [NaN, NaN]]
    const [ys, xs] = [0, 1].map((i) => tensor(pairs.map((pair) => pair[i] as number))) as [Tensor, Tensor]
    const found = lw.atan2(ys, xs).data()
    const expected = [...ys.data()].map((y, i) => Math.atan2(y, xs.data()[i] as number))
    expectClose(found, expected, 4, 0, 'atan2')
    expected.forEach((angle, i) => {
      if (angle === 0) expect(Object.is(found[i], angle), `the sign of atan2(${pairs[i]})`).toBe(true)
    })
    const origin = tensor([0], { requiresGrad: true })
    lw.atan2(origin, origin).backward({ gradient: tensor([1]) })
    expect(origin.grad?.item()).toBe(0)
  })
  test('log2 is exact at powers of 2, and has the limits of a logarithm', () => {
    const powers = Array.from({ length: 277 }, (_, i) => i - 149)
    expect(lw.log2(tensor(powers.map((k) => 2 ** k))).tolist()).toEqual(powers)
    expect(lw.log2(tensor([0, -0, -1, Infinity, NaN])).tolist()).toEqual([-Infinity, -Infinity, NaN, Infinity, NaN])
  })
  test('sinh and cosh overflow where the result does', () => {
    const far = [89, -89, 90, -90, Infinity, -Infinity, NaN]
    expect(Array.from(lw.sinh(tensor(far)).data(), Number.isFinite)).toEqual([
      true,
      true,
      false,
      false,
      false,
      false,
      false,
    ])
    expect(lw.cosh(tensor(far)).tolist()).toEqual([
      ...lw.cosh(tensor([89, 89])).data(),
      ...[Infinity, Infinity, Infinity, Infinity, NaN],
    ])
    expect(lw.sinh(tensor([-0, 1e-40])).tolist()).toEqual([-0, Math.fround(1e-40)])
  })
  test('trunc and ceil keep what is whole, infinite or NaN', () => {
    const kept = [0, -0, 1e9, -1e9, Infinity, -Infinity, NaN]
    for (const op of [lw.trunc, lw.ceil]) expect(op(tensor(kept)).tolist()).toEqual(kept)
    expect(lw.trunc(tensor([-0.5, 0.5, -1.9])).tolist()).toEqual([-0, 0, -1])
  })
  test('isNaN and isFinite', () => {
    const x = tensor([0, NaN, Infinity, -Infinity, 3e38])
    expect(x.isNaN().tolist()).toEqual([0, 1, 0, 0, 0])
    expect(x.isFinite().tolist()).toEqual([1, 0, 0, 0, 1])
  })
  test('maskedFill takes masks of any dtype, and passes no gradient to what it fills', () => {
    for (const mask of [Uint8Array.of(0, 1, 1), Int32Array.of(0, 1, 1), tensor([0, 1, 1])]) {
      const x = tensor([[1, 2, 3]], { requiresGrad: true })
      const y = x.maskedFill(mask, -Infinity)
      expect(y.tolist()).toEqual([[1, -Infinity, -Infinity]])
      y.backward({ gradient: tensor([[5, 6, 7]]) })
      expect(x.grad?.tolist()).toEqual([[5, 0, 0]])
    }
    expect(lw.where(Uint8Array.of(1, 0), 1, 2).tolist()).toEqual([1, 2])
  })
  test('say what does not fit', () => {
    const x = lw.ones([3])
    expect(() => x.maskedFill(lw.ones([2, 3]), 0)).toThrow(
      'maskedFill: mask has shape [2, 3], expected one that broadcasts to x [3]',
    )
    expect(() => x.maskedFill(lw.ones([3]), x as never)).toThrow('maskedFill: value is')
    expect(() => x.clampMin(NaN)).toThrow('clampMin: min is NaN, expected a number')
    expect(() => x.clampMax(undefined as never)).toThrow('clampMax: max is undefined')
  })
})

test('activations keep Infinity and NaN, and their slopes are finite far out, as in PyTorch', () => {
  const far = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]
  for (const values of [far, [...far, 1, 2, 3, 4, 5, 6]]) {
    expect([...lw.gelu(tensor(values)).data().slice(0, 3)]).toEqual([Number.POSITIVE_INFINITY, 0, Number.NaN])
    expect([...lw.relu(tensor(values)).data().slice(0, 3)]).toEqual([Number.POSITIVE_INFINITY, 0, Number.NaN])
  }
  const slope = (op: (x: Tensor) => Tensor, at: number): number => {
    const x = tensor([at], { requiresGrad: true })
    op(x).backward({ gradient: tensor([1]) })
    return (x.grad as Tensor).item()
  }
  expect(slope(lw.relu, Number.NaN)).toBe(1)
  expect(slope(lw.mish, -3e38)).toBeCloseTo(0, 30)
})
