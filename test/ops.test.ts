import { beforeAll, describe, expect, test } from 'vitest'
import { DEPTH, ROWS } from '../src/core/commands.ts'
import * as lw from '../src/index.ts'
import { type Tensor, tensor } from '../src/index.ts'
import { check, numbers, type Tolerance } from './helpers/check.ts'
import { covers } from './helpers/guard.ts'
import type { Ref } from './reference/array.ts'
import * as reference from './reference/ops.ts'

beforeAll(() => lw.init())

covers('activation', 'copy', 'elementwise', 'gemm', 'part', 'random', 'reduce', 'softmax')

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
  ['abs', lw.abs, reference.abs],
  ['sign', lw.sign, reference.sign],
  ['exp', lw.exp, reference.exp, { range: [-20, 20] }],
  ['log', lw.log, reference.log, { range: [0.01, 20], tolerance: { absolute: 1 } }],
  ['sqrt', lw.sqrt, reference.sqrt, { range: [0.01, 20] }],
  ['rsqrt', lw.rsqrt, reference.rsqrt, { range: [0.01, 20] }],
  ['log1p', lw.log1p, reference.log1p, { range: [-0.9, 20] }],
  // Where cos crosses 0 a rounding of the slope's factors is all that is left: absolute, of size 2.
  ['sin', lw.sin, reference.sin, { range: [-20, 20], tolerance: { absolute: 2 } }],
  ['cos', lw.cos, reference.cos, { range: [-20, 20], tolerance: { absolute: 2 } }],
  // exp(-x²) carries the rounding of x², up to 9 U of it.
  ['erf', lw.erf, reference.erf, { range: [-3, 3], tolerance: { gradient: { ulps: 32, absolute: 16 } } }],
  ['floor', lw.floor, reference.floor],
  ['round', lw.round, reference.round],
  [
    'clamp',
    (x) => lw.clamp(x, { min: -0.7, max: 1.1 }),
    (x) => reference.clamp(x, Math.fround(-0.7), Math.fround(1.1)),
  ],
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
  ['tanh', lw.tanh, reference.tanh, { range: [-4, 4] }],
  ['sigmoid', lw.sigmoid, reference.sigmoid, { range: [-8, 8], tolerance: { ulps: 6 } }],
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
    reference.geluTanh,
    { range: [-6, 6], tolerance: { ulps: 8, absolute: 24 } },
  ],
  ['silu', lw.silu, reference.silu, { range: [-8, 8], tolerance: { ulps: 8 } }],
  ['mish', lw.mish, reference.mish, { range: [-8, 24], tolerance: { ulps: 10 } }],
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
})

describe('prelu, glu and logSoftmax', () => {
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

  test.each([
    [[1], 0],
    [[5], 0],
    [[3, 9], 1],
    [[4, 3], 0],
    [[2, 3, 17], -1],
    [[2, 3, 2], 1],
    [[0, 3], 1],
    [[3, 0], 1],
  ] as [number[], number][])('logSoftmax of %j along axis %i', (shape, axis) =>
    check({
      shapes: [shape],
      ours: (x) => lw.logSoftmax(x, axis),
      reference: (x) => reference.logSoftmax(x, axis < 0 ? axis + shape.length : axis),
      // Σ dy of up to 17 terms of size 2 within the gradient.
      tolerance: { absolute: 16, gradient: { ulps: 16, absolute: 8 * 17 } },
    }),
  )

  test('logSoftmax stays finite where softmax is 0', () => {
    expect(lw.logSoftmax(tensor([1000, 0])).tolist()).toEqual([0, -1000])
  })

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
  ['minimum', lw.minimum, reference.minimum],
  ['maximum', lw.maximum, reference.maximum],
  ['pow', lw.pow, reference.pow, { range: [0.25, 2] }],
  ['equal', lw.equal, reference.equal, flat],
  ['notEqual', lw.notEqual, reference.notEqual, flat],
  ['less', lw.less, reference.less, flat],
  ['lessEqual', lw.lessEqual, reference.lessEqual, flat],
  ['greater', lw.greater, reference.greater, flat],
  ['greaterEqual', lw.greaterEqual, reference.greaterEqual, flat],
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
})

const dims: [number[], number[] | undefined, boolean][] = [
  [[5], undefined, false],
  [[], undefined, false],
  [[0], undefined, false],
  [[3, 0], [0], false],
  [[1], [0], true],
  [[2049], undefined, false],
  [[3, 4], [0], false],
  [[3, 4], [1], true],
  [[17, 9], [0], true],
  [[2, 3, 4, 5], [1, 2], false],
  [[2, 3, 4, 5], [0, 2], true],
  [[2, 3, 4, 5], [0, 1, 2, 3], true],
  [[2, 3, 4, 5], [], false],
]
describe.each([
  ['sum', lw.sum, reference.sum],
  ['mean', lw.mean, reference.mean],
] as const)('%s', (_, ours, ref) => {
  test.each(dims)('%j over axes %j, keepDim %s', (shape, axis, keepDim) =>
    check({
      shapes: [shape],
      ours: (x) => ours(x, { ...(axis && { axis }), keepDim }),
      reference: (x) => ref(x, axis, keepDim),
      // 128 additions in a lane, of partial sums that random signs keep below 32.
      tolerance: { absolute: 128 * 32 },
    }),
  )
})

describe.each([
  ['variance', (x, o) => lw.variance(x, o), reference.variance(1)],
  ['variance of the sample', (x, o) => lw.variance(x, { ...o, correction: 0 }), reference.variance(0)],
  ['std', (x, o) => lw.std(x, o), (x, a, k) => reference.sqrt(reference.variance(1)(x, a, k))],
  ['logSumExp', (x, o) => lw.logSumExp(x, o), reference.logSumExp],
  ['norm', (x, o) => lw.norm(x, o), reference.norm(2)],
  ['norm 1', (x, o) => lw.norm(x, { ...o, p: 1 }), reference.norm(1)],
  ['norm 3', (x, o) => lw.norm(x, { ...o, p: 3 }), reference.norm(3)],
  ['norm Infinity', (x, o) => lw.norm(x, { ...o, p: Infinity }), reference.norm(Infinity)],
] as [string, (x: Tensor, options: lw.ReduceOptions) => Tensor, (x: Ref, axes?: number[], keepDim?: boolean) => Ref][])(
  '%s',
  (_, ours, ref) => {
    test.each([
      [[5], undefined, false],
      [[3, 4], [0], false],
      [[3, 4], [1], true],
      [[2, 3, 4], [0, 2], false],
      [[2, 3, 2, 3], [1, 2], true],
    ] as [number[], number[] | undefined, boolean][])('%j over axes %j, keepDim %s', (shape, axis, keepDim) =>
      check({
        shapes: [shape],
        ours: (x) => ours(x, { ...(axis && { axis }), keepDim }),
        reference: (x) => ref(x, axis, keepDim),
        // Some eight roundings of terms up to 16, over up to 24 of them, before a root or a quotient.
        tolerance: { ulps: 16, absolute: 8 * 24, gradient: { ulps: 64, absolute: 16 * 24 } },
      }),
    )
  },
)

describe('prod and cumsum', () => {
  test.each([
    [[7], 0],
    [[3, 5], 0],
    [[3, 5], 1],
    [[2, 3, 4], 1],
    [[1, 1], 0],
    [[0, 3], 1],
  ] as [number[], number][])('%j along axis %i', (shape, axis) => {
    check({
      shapes: [shape],
      ours: (x) => lw.prod(x, { axis, keepDim: true }),
      reference: (x) => reference.prod(x, [axis], true),
      tolerance: { ulps: 8, gradient: { ulps: 16, absolute: 64 } },
    })
    check({ shapes: [shape], ours: (x) => lw.cumsum(x, axis), reference: (x) => reference.cumsum(x, axis) })
    check({
      shapes: [shape],
      ours: (x) => lw.min(x, { axis }).values,
      reference: (x) => reference.neg(reference.max(reference.neg(x), axis)),
    })
    check({
      shapes: [shape],
      ours: (x) => lw.argmin(x, { axis }).to('f32'),
      reference: (x) => reference.argmax(reference.neg(x), axis),
      differentiable: false,
    })
  })
  test('the gradient of prod is right where elements are 0', () => {
    const x = tensor(
      [
        [2, 0, 3],
        [0, 0, 5],
      ],
      { requiresGrad: true },
    )
    lw.sum(lw.prod(x, { axis: 1 })).backward()
    expect(x.grad?.tolist()).toEqual([
      [0, 6, 0],
      [0, 0, 0],
    ])
  })
  test('logSumExp stays finite for large numbers, and is -Infinity for the sum of nothing', () => {
    expect(lw.logSumExp(tensor([1000, 1000])).item()).toBeCloseTo(1000 + Math.log(2), 3)
    expect(lw.logSumExp(tensor([-Infinity, -Infinity])).item()).toBe(-Infinity)
  })
  test('the gradient of a norm at 0 is 0', () => {
    const x = tensor([0, 0], { requiresGrad: true })
    lw.norm(x).backward()
    expect(x.grad?.tolist()).toEqual([0, 0])
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

describe('max', () => {
  test.each([
    [[7], 0],
    [[3, 5], 1],
    [[3, 5], 0],
    [[2, 9, 4], 1],
    [[1, 1], 0],
    [[0, 3], 1],
  ] as [number[], number][])('%j along axis %i', (shape, axis) => {
    check({
      shapes: [shape],
      ours: (x) => lw.max(x, { axis, keepDim: true }).values,
      reference: (x) => reference.max(x, axis, true),
    })
    check({
      shapes: [shape],
      ours: (x) => lw.argmax(x, { axis }).to('f32'),
      reference: (x) => reference.argmax(x, axis),
      differentiable: false,
    })
  })
  test('takes the first of equal elements, and NaN above all', () => {
    const { values, indices } = lw.max(
      tensor([
        [1, 3, 3],
        [Number.NaN, 9, Number.NaN],
      ]),
      { axis: 1 },
    )
    expect(values.tolist()).toEqual([3, Number.NaN])
    expect(indices.tolist()).toEqual([1, 0])
  })
})

describe('shape ops', () => {
  test.each([
    [
      [2, 3, 4],
      [4, 6],
    ],
    [[6], [2, 3]],
    [
      [0, 3],
      [3, 0],
    ],
    [[1], []],
  ] as [number[], number[]][])('reshape %j to %j', (from, to) =>
    check({ shapes: [from], ours: (x) => lw.reshape(x, to), reference: (x) => reference.reshape(x, to) }),
  )
  test.each([
    [
      [3, 1],
      [3, 5],
    ],
    [[4], [2, 3, 4]],
    [[], [3]],
    [
      [2, 1, 3, 1],
      [2, 5, 3, 7],
    ],
    [[1], [0]],
  ] as [number[], number[]][])('expand %j to %j', (from, to) =>
    check({
      shapes: [from],
      ours: (x) => lw.expand(x, to),
      reference: (x) => reference.expand(x, to),
      tolerance: { gradient: { ulps: 8, absolute: 120 } },
    }),
  )
  test.each([
    [
      [2, 3, 4],
      [2, 0, 1],
    ],
    [
      [2, 3, 4, 5],
      [0, 2, 1, 3],
    ],
    [[7], [0]],
    [
      [0, 2],
      [1, 0],
    ],
  ] as [number[], number[]][])('permute %j by %j', (shape, order) =>
    check({ shapes: [shape], ours: (x) => lw.permute(x, order), reference: (x) => reference.permute(x, order) }),
  )
  test.each([
    [[1, 1], 0, 1],
    [[3, 4], 0, 1],
    [[4, 4], 0, 1],
    [[9, 6], 0, 1],
    [[2, 8, 5], 1, 2],
    [[2, 3, 4], 0, 2],
    [[5, 0], 0, 1],
  ] as [number[], number, number][])('transpose %j: axes %i and %i', (shape, i, j) =>
    check({ shapes: [shape], ours: (x) => lw.transpose(x, i, j), reference: (x) => reference.transpose(x, i, j) }),
  )
  test('flatten merges all axes but the first', () => {
    check({ shapes: [[2, 3, 4]], ours: (x) => lw.flatten(x), reference: (x) => reference.reshape(x, [2, 12]) })
  })
  test('clone has its own elements', () => {
    check({
      shapes: [[5]],
      ours: (x) => lw.clone(x),
      reference: (x) => reference.mul(x, { shape: [], data: Float64Array.of(1) }),
    })
    const bytes = tensor(Uint8Array.of(1, 2, 255))
    const copy = bytes.clone()
    bytes.copyFrom([0, 0, 0])
    expect([...copy.data()]).toEqual([1, 2, 255])
  })
})

describe('parts of tensors', () => {
  const same = (shapes: number[][], ours: (...x: Tensor[]) => Tensor, ref: (...x: Ref[]) => Ref) =>
    check({ shapes, ours, reference: ref })
  test('slice takes ranges with steps, from both ends', () => {
    same(
      [[7]],
      (x) => lw.slice(x, { start: 1, end: 6, step: 2 }),
      (x) => reference.rearranged(x, [3], ([i]) => [1 + 2 * (i as number)]),
    )
    same(
      [[4, 5]],
      (x) => lw.slice(x, { start: -3, end: -1 }, { step: 3 }),
      (x) => reference.rearranged(x, [2, 2], ([i, j]) => [1 + (i as number), 3 * (j as number)]),
    )
    same(
      [[2, 3, 4]],
      (x) => lw.slice(x, null, { start: 2 }),
      (x) => reference.rearranged(x, [2, 1, 4], ([i, , k]) => [i as number, 2, k as number]),
    )
    same(
      [[3]],
      (x) => lw.slice(x, { start: 2, end: 1 }),
      (x) => reference.rearranged(x, [0], () => null),
    )
    same(
      [[3]],
      (x) => lw.slice(x, { start: -9, end: 9 }),
      (x) => reference.rearranged(x, [3], (at) => at),
    )
  })
  test('select, squeeze and unsqueeze change axes', () => {
    same(
      [[2, 3, 4]],
      (x) => lw.select(x, 1, -1),
      (x) => reference.rearranged(x, [2, 4], ([i, k]) => [i as number, 2, k as number]),
    )
    same(
      [[1, 3, 1]],
      (x) => lw.squeeze(x),
      (x) => reference.reshape(x, [3]),
    )
    same(
      [[1, 3, 1]],
      (x) => lw.squeeze(x, 0),
      (x) => reference.reshape(x, [3, 1]),
    )
    same(
      [[1, 3, 1]],
      (x) => lw.squeeze(x, 1),
      (x) => x.shape && reference.reshape(x, [1, 3, 1]),
    )
    same(
      [[2, 3]],
      (x) => lw.unsqueeze(x, -1),
      (x) => reference.reshape(x, [2, 3, 1]),
    )
  })
  test.each([
    [[2], [3], 0],
    [[2, 3], [4, 3], 0],
    [[2, 3], [2, 5], 1],
    [[2, 3, 4], [2, 1, 4], -2],
    [[0, 3], [2, 3], 0],
  ] as [number[], number[], number][])('cat %j and %j along axis %i', (a, b, axis) =>
    same(
      [a, b],
      (x, y) => lw.cat([x, y], axis),
      (x, y) => reference.cat(x, y, (axis + a.length) % a.length),
    ),
  )
  test('stack makes an axis, split undoes cat', () => {
    same(
      [
        [2, 3],
        [2, 3],
      ],
      (x, y) => lw.stack([x, y], 1),
      (x, y) => reference.cat(reference.reshape(x, [2, 1, 3]), reference.reshape(y, [2, 1, 3]), 1),
    )
    same(
      [[5, 2]],
      (x) => lw.cat(lw.split(x, 2).reverse()),
      (x) => reference.rearranged(x, [5, 2], ([i, j]) => [[4, 2, 3, 0, 1][i as number] as number, j as number]),
    )
    expect(lw.split(lw.zeros([5]), [1, 4]).map(({ shape }) => shape)).toEqual([[1], [4]])
  })
  test('flip reverses and roll goes round', () => {
    same(
      [[5]],
      (x) => lw.flip(x, 0),
      (x) => reference.rearranged(x, [5], ([i]) => [4 - (i as number)]),
    )
    same(
      [[2, 3, 4]],
      (x) => lw.flip(x, [0, -1]),
      (x) => reference.rearranged(x, [2, 3, 4], ([i, j, k]) => [1 - (i as number), j as number, 3 - (k as number)]),
    )
    same(
      [[2, 5]],
      (x) => lw.roll(x, 2, 1),
      (x) => reference.rearranged(x, [2, 5], ([i, j]) => [i as number, ((j as number) + 3) % 5]),
    )
    same(
      [[3]],
      (x) => lw.roll(x, -4, 0),
      (x) => reference.rearranged(x, [3], ([i]) => [((i as number) + 1) % 3]),
    )
    same(
      [[0]],
      (x) => lw.roll(x, 1, 0),
      (x) => reference.rearranged(x, [0], (at) => at),
    )
  })
  test('pad puts a value around', () => {
    same(
      [[2, 3]],
      (x) =>
        lw.pad(
          x,
          [
            [1, 0],
            [2, 1],
          ],
          7,
        ),
      (x) =>
        reference.rearranged(
          x,
          [3, 6],
          ([i, j]) =>
            (i as number) > 0 && (j as number) > 1 && (j as number) < 5 ? [(i as number) - 1, (j as number) - 2] : null,
          7,
        ),
    )
  })
  test.each([-1, 0, 1])('tril and triu keep one side of diagonal %i', (diagonal) => {
    const inside = (keep: (d: number) => boolean) => (at: number[]) =>
      keep((at.at(-1) as number) - (at.at(-2) as number)) ? at : null
    same(
      [[2, 3, 4]],
      (x) => lw.tril(x, diagonal),
      (x) =>
        reference.rearranged(
          x,
          [2, 3, 4],
          inside((d) => d <= diagonal),
        ),
    )
    same(
      [[4, 3]],
      (x) => lw.triu(x, diagonal),
      (x) =>
        reference.rearranged(
          x,
          [4, 3],
          inside((d) => d >= diagonal),
        ),
    )
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

describe('dtypes', () => {
  test.each([0, 1, 7, 8, 9, 31])('%i bytes are widened exactly', (n) => {
    const bytes = Uint8Array.from({ length: n }, (_, i) => 255 - i)
    expect([...tensor(bytes).to('f32').data()]).toEqual([...bytes])
    expect([...tensor(bytes).to('i32').data()]).toEqual([...bytes])
    expect([...tensor(bytes).div(255).data()]).toEqual([...bytes].map((x) => Math.fround(x / 255)))
  })
  test('f32 becomes i32 towards zero, saturating; NaN becomes 0', () => {
    expect([...tensor([1.9, -1.9, 3e9, -3e9, Number.NaN]).to('i32').data()]).toEqual([
      1, -1, 2147483647, -2147483648, 0,
    ])
    expect([...tensor(Int32Array.of(-7, 16777216)).to('f32').data()]).toEqual([-7, 16777216])
  })
})

/** Every m, n and k around the tile (4 rows, 8 or 16 columns, packing from 48 rows), then ones that are deeper and
 *  longer than a block. */
const products: [number, number, number][] = []
for (const m of [0, 1, 2, 3, 4, 5, 7, 8, 13])
  for (const n of [0, 1, 3, 4, 5, 8, 9, 12, 15, 16, 17, 33])
    for (const k of [0, 1, 3, 4, 5, 8]) products.push([m, k, n])
products.push([49, 5, 9], [48, 9, 16], [3, 511, 2], [2, DEPTH, 3], [7, DEPTH + 1, 5], [50, 2 * DEPTH + 1, 3])
products.push([ROWS + 1, 5, 9], [ROWS + 3, DEPTH + 1, 17], [2 * ROWS + 1, 3, 16])
/** Products of numbers in ±2 have the deviation 4/3: partial sums of k of them stay within 4 √k, three deviations. Each of
 *  k additions rounds one, up or down. */
const sums = (k: number): Tolerance => ({ ulps: 2, absolute: 4 * k ** 0.5 * k ** 0.5 + 4 })

describe('matmul', () => {
  test('follows its reference, with both gradients, for all sizes around the tiles', () => {
    for (const [m, k, n] of products) {
      const small = m * n * k < 250
      check({
        shapes: [
          [m, k],
          [k, n],
        ],
        ours: lw.matmul,
        reference: reference.matmul,
        tolerance: { ...sums(k), gradient: { ulps: 2, absolute: 2 * Math.max(m, n) + 16 } },
        differentiable: small,
      })
    }
  })
  test.each([
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
    [
      [2, 1, 3, 4],
      [3, 4, 2],
    ],
    [
      [3, 4],
      [2, 4, 5],
    ],
    [
      [2, 3, 4],
      [4, 5],
    ],
    [
      [0, 3, 4],
      [4, 5],
    ],
  ] as [number[], number[]][])('broadcasts the leading axes of %j and %j', (a, b) =>
    check({
      shapes: [a, b],
      ours: lw.matmul,
      reference: reference.matmul,
      tolerance: { ...sums(4), gradient: { ulps: 4, absolute: 64 } },
    }),
  )
  test('takes a vector as a row on the left and as a column on the right', () => {
    const a = tensor([1, 2, 3])
    const m = tensor([
      [1, 0],
      [0, 1],
      [2, 2],
    ])
    expect(a.matmul(m).tolist()).toEqual([7, 8])
    expect(m.transpose().matmul(a).tolist()).toEqual([7, 8])
    expect(a.matmul(a).tolist()).toBe(14)
  })
})

describe('linear', () => {
  const cases: [number[], number][] = [
    [[1, 1], 1],
    [[5, 3], 2],
    [[7, 9], 8],
    [[13, 20], 17],
    [[2, 3, 4], 5],
    [[4], 3],
    [[0, 3], 2],
    [[3, 0], 2],
  ]
  test.each(cases)('maps %j to %i features', (shape, out) => {
    const inputs = shape.at(-1) as number
    check({
      shapes: [shape, [out, inputs], [out]],
      ours: lw.linear,
      reference: reference.linear,
      tolerance: { ...sums(inputs), gradient: { ulps: 2, absolute: 2 * 50 + 32 } },
    })
    check({
      shapes: [shape, [out, inputs], [out]],
      ours: (x, w, b) => lw.relu(lw.linear(x, w, b)),
      reference: (x, w, b) => reference.relu(reference.linear(x, w, b)),
      tolerance: sums(inputs),
      differentiable: false,
    })
  })

  test('sums the gradient of the bias over more rows than a block has', () => {
    const out = ROWS + 5
    check({
      shapes: [[5, 1], [out, 1], [out]],
      ours: lw.linear,
      reference: reference.linear,
      tolerance: { ...sums(1), gradient: sums(out) },
    })
  })

  // A row alone goes another way through the kernel, and so do columns at the edge; k runs over two blocks.
  test.each([
    [1, 1],
    [7, 16],
    [515, 35],
    [1030, 48],
  ])('a sample of %i numbers gives the same %i bits alone as in a batch', (inputs, out) => {
    const x = tensor(numbers(9 * inputs, 1), { shape: [9, inputs] })
    const w = tensor(numbers(out * inputs, 2), { shape: [out, inputs] })
    const b = tensor(numbers(out, 3), { shape: [out] })
    const together = lw.relu(lw.linear(x, w, b)).data()
    const single = lw.compile((row: Tensor) => lw.relu(lw.linear(row, w, b)))
    for (let i = 0; i < 9; i++)
      expect(single(lw.slice(x, { start: i, end: i + 1 })).data()).toEqual(together.slice(i * out, (i + 1) * out))
  })
})

const rows: [number, number][] = [
  [0, 3],
  [1, 1],
  [3, 5],
  [2, 4],
  [5, 10],
  [3, 17],
]
test.each([
  [[5], 0],
  [[3, 17], 1],
  [[4, 3], 0],
  [[2, 3, 8], -1],
] as [number[], number][])('cosineSimilarity of %j along axis %i', (shape, axis) => {
  // A quotient of a sum of up to 17 products of size 4 and the square roots of two more.
  check({
    shapes: [shape, shape],
    ours: (a, b) => lw.cosineSimilarity(a, b, { axis }),
    reference: (a, b) => {
      const axes = [axis < 0 ? axis + shape.length : axis]
      const dot = reference.sum(reference.mul(a, b), axes)
      return reference.div(dot, reference.mul(reference.norm(2)(a, axes), reference.norm(2)(b, axes)))
    },
    tolerance: { ulps: 8, absolute: 17, gradient: { ulps: 16, absolute: 17 * 8 } },
  })
})

describe('softmax', () => {
  test.each(rows)('%i rows of %i', (r, d) => {
    // Each probability is a quotient of exponentials (1 ULP each) and a sum of d of them.
    check({
      shapes: [[r, d]],
      ours: (x) => lw.softmax(x),
      reference: (x) => reference.softmax(x, 1),
      tolerance: { ulps: 8, gradient: { ulps: 16, absolute: 16 } },
    })
    check({
      shapes: [[r, d, 2]],
      ours: (x) => lw.softmax(x, 1),
      reference: (x) => reference.softmax(x, 1),
      tolerance: { ulps: 8, gradient: { ulps: 16, absolute: 16 } },
    })
  })
  test('stays finite for large logits', () => {
    expect(
      lw
        .softmax(
          tensor([
            [1000, 1000],
            [-1000, 0],
          ]),
        )
        .tolist(),
    ).toEqual([
      [0.5, 0.5],
      [0, 1],
    ])
  })
})

describe('random', () => {
  test('philox gives the numbers of its authors', () => {
    // Random123's known answers: key and counter all ones give the first word 0x408f276d; zeros 0x6627e8d5.
    const generator = new lw.Generator(0)
    const [first] = lw.uniform([4], 0, 1, generator).data()
    expect(first).toBe((0x6627e8d5 >>> 8) * 2 ** -24)
  })
  test('draws follow from seed and draw alone', () => {
    const generator = new lw.Generator(7)
    const one = lw.normal([5], 0, 1, generator).tolist()
    const two = lw.normal([5], 0, 1, generator).tolist()
    expect(two).not.toEqual(one)
    expect(generator.draw).toBe(2)
    generator.seed(7, 1)
    expect(lw.normal([5], 0, 1, generator).tolist()).toEqual(two)
    generator.seed(7)
    expect(lw.normal([3], 0, 1, generator).tolist()).toEqual((one as number[]).slice(0, 3))
  })
  test('uniform and normal have the moments they should', () => {
    const n = 100_003
    const moments = (x: Tensor) => [lw.mean(x).item(), lw.mean(lw.mul(x, x)).item()] as [number, number]
    const [u1, u2] = moments(lw.uniform([n], -1, 3, new lw.Generator(3)))
    const [z1, z2] = moments(lw.normal([n], 2, 0.5, new lw.Generator(4)))
    // Five standard errors: √(var / n) of each moment.
    expect(Math.abs(u1 - 1)).toBeLessThan(5 * Math.sqrt(4 / 3 / n))
    expect(Math.abs(u2 - 7 / 3)).toBeLessThan(5 * Math.sqrt(6 / n))
    expect(Math.abs(z1 - 2)).toBeLessThan(5 * Math.sqrt(0.25 / n))
    expect(Math.abs(z2 - 4.25)).toBeLessThan(5 * Math.sqrt(4.125 / n))
  })
  test('a compiled program draws anew at each run', () => {
    lw.manualSeed(5)
    const draw = lw.compile(() => lw.uniform([3]))
    const compiled = [draw().tolist(), draw().tolist()]
    lw.manualSeed(5)
    expect([lw.uniform([3]).tolist(), lw.uniform([3]).tolist()]).toEqual(compiled)
  })
})

test('full, zeros and ones fill every element', () => {
  for (const [n] of lengths) {
    expect([...lw.full([n as number], 2.5).data()]).toEqual(new Array(n).fill(2.5))
    expect([...lw.zeros([n as number], 'i32').data()]).toEqual(new Array(n).fill(0))
    expect([...lw.ones([n as number]).data()]).toEqual(new Array(n).fill(1))
  }
})

describe('optimizers', () => {
  test.each(lengths)('update %i parameters and nothing around them', (n) => {
    for (const make of [
      (p: Tensor) => new lw.optim.SGD([p], { lr: 0.1, momentum: 0.9 }),
      (p: Tensor) => new lw.optim.Adam([p]),
      (p: Tensor) => new lw.optim.AdamW([p]),
      (p: Tensor) => new lw.optim.Lion([p]),
    ]) {
      const start = numbers(n, 3)
      const p = tensor(start, { requiresGrad: true })
      const optimizer = make(p)
      optimizer.minimize(lw.sum(lw.mul(p, 3)))
      expect(p.data()).toHaveLength(n)
      for (const [i, x] of p.data().entries()) expect(x).toBeLessThan(start[i] as number)
      optimizer.dispose()
    }
  })
})
