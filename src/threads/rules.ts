// For each kernel how its command is cut into parts, or why it is for one thread: rows of a product, images of a
// convolution, elements of an update. What a kernel computes of a row or an element does not depend on how many it is
// given, so parts compute the bits of the whole.

import type { Command } from '../core/command.ts'
import { COLUMN_ROWS, Geometry, SUMMED_ELEMENTS, SUMMED_ROWS } from '../core/commands.ts'
import type { Operand } from '../core/storage.ts'
import { Args, along, byChannel, type Cut, each, flat, LINES, type Rule, reach, strided } from './cut.ts'

/** Nanoseconds of a multiplication and an addition in a product: 40 GFLOP/s. */
const PRODUCT_NS = 0.05

/** Rows of out, or its columns: whichever are more, since each part packs the other factor whole. */
const gemm: Rule = (args) => {
  const { m, n, k, lda, ldb, ldc } = args.numbers
  const rows = m >= n
  return {
    units: rows ? m : n,
    grain: 16,
    cost: PRODUCT_NS * m * n * k,
    part(from, to) {
      const count = to - from
      if (rows) {
        return args.with({
          out: args.span('out', from * ldc, (count - 1) * ldc + n),
          a: args.get('transposeA')
            ? args.span('a', from, (k - 1) * lda + count)
            : args.span('a', from * lda, count * lda),
          sums: args.span('sums', from, count),
          m: count,
        })
      }
      return args.with({
        out: args.span('out', from, (m - 1) * ldc + count),
        b: args.get('transposeB')
          ? args.span('b', from * ldb, count * ldb)
          : args.span('b', from, (k - 1) * ldb + count),
        bias: args.span('bias', from, count),
        sums: from === 0 ? args.get('sums') : null,
        n: count,
      })
    },
  }
}

const geometryOf = (args: Args) => (field: keyof typeof Geometry) => args.list('geometry')[Geometry[field]] as number

function convolutionCost(args: Args): number {
  const of = geometryOf(args)
  const patch = (of('channels') / of('groups')) * of('kernelHeight') * of('kernelWidth')
  return PRODUCT_NS * of('batch') * of('outChannels') * of('outHeight') * of('outWidth') * patch
}

/** Image by image; `images` and `maps` are its operands on both sides. */
const images = (input: string, output: string): Rule => {
  return (args) => {
    const of = geometryOf(args)
    const inputs = of('channels') * of('height') * of('width')
    const outputs = of('outChannels') * of('outHeight') * of('outWidth')
    return {
      units: of('batch'),
      grain: 1,
      cost: convolutionCost(args),
      part: (from, to) =>
        args.with({
          [input]: args.span(input, from * inputs, (to - from) * inputs),
          [output]: args.span(output, from * outputs, (to - from) * outputs),
          geometry: args.list('geometry').with(Geometry.batch, to - from),
        }),
    }
  }
}

/** Elements of a patch: columns of dw, by halves of a panel: of 72 two threads have 40 and 32. */
const conv2dWeight: Rule = (args) => ({
  units: args.numbers.count,
  grain: 8,
  cost: convolutionCost(args),
  part: (from, to) =>
    args.with({ first: args.numbers.first + from, count: to - from, sums: from === 0 ? args.get('sums') : null }),
})

/** Sequences of a batch, or heads of the only one.  dims: assembly/kernels/attention.ts. */
const attention = (...operands: readonly (readonly [name: string, index: number])[]): Rule => {
  return (args) => {
    const dims = args.list('dims')
    const [batch, heads, T, S, D, Dv] = dims as readonly number[] & Record<0 | 1 | 2 | 3 | 4 | 5, number>
    const axis = batch > 1 ? 0 : 1
    const units = dims[axis] as number
    const rows = [T, S, S, T]
    const widths = [D, D, Dv, Dv]
    const share = batch > 1 ? heads * T * S : T * S
    return {
      units,
      grain: 1,
      // Forward and backward are 2 and 5 products.
      cost: (operands.length > 4 ? 5 : 2) * PRODUCT_NS * batch * heads * T * S * D,
      part(from, to) {
        const span = (name: string, index: number) => {
          const [ofBatch, ofHead, ofRow] = dims.slice(6 + 3 * index) as [number, number, number]
          const counts = axis === 0 ? [to - from, heads] : [1, to - from]
          const size =
            reach([
              [counts[0] as number, ofBatch],
              [counts[1] as number, ofHead],
              [rows[index] as number, ofRow],
            ]) +
            (widths[index] as number) -
            1
          return args.span(name, from * (axis === 0 ? ofBatch : ofHead), size)
        }
        const mask = args.has('mask') ? (args.get('mask') as Operand | null) : null
        const maskStep = dims[18 + axis] as number
        const dweights = args.has('dweights') && args.get('dweights')
        return args.with({
          ...Object.fromEntries(operands.map(([name, index]) => [name, span(name, index)])),
          probabilities: args.span('probabilities', from * share, (to - from) * share),
          ...(mask ? { mask: { ...mask, offset: mask.offset + 4 * from * maskStep } } : {}),
          ...(dweights ? { dweights: args.span('dweights', from * share, (to - from) * share) } : {}),
          dims: dims.with(axis, to - from),
          first: args.numbers.first + from * (axis === 0 ? heads : 1) * T,
        })
      },
    }
  }
}

/** Sequences of a batch: a part runs all steps of its own. `rows` have so many times H elements for a step of a sequence,
 *  `states` H for a sequence; `ns`: of an element of a gate, without the product. Where steps lie outermost, the rows of
 *  the parts take turns in memory. */
const recurrent = (gates: number, ns: number, rows: Readonly<Record<string, number>>, ...states: string[]): Rule => {
  return (args) => {
    const { batch, steps, H, ahead, apart } = args.numbers
    return {
      units: batch,
      // Strips of the product, or two where one step has to pay for the weights that each part packs by itself.
      grain: steps > 1 ? 4 : 8,
      cost: steps * batch * gates * H * (PRODUCT_NS * H + ns),
      part(from, to) {
        const count = to - from
        const reached = reach([
          [count, apart],
          [steps, ahead],
        ])
        const span = (name: string, width: number) => args.span(name, from * apart * width * H, reached * width * H)
        return args.with({
          ...Object.fromEntries(Object.entries(rows).map(([name, width]) => [name, span(name, width)])),
          ...Object.fromEntries(states.map((name) => [name, args.span(name, from * H, count * H)])),
          batch: count,
        })
      },
    }
  }
}

/** Sequences of a batch, whose steps lie outermost. */
const sequences = (ns: number, rows: string, ...values: readonly string[]): Rule => {
  return (args) => {
    const { batch, steps, classes, S, apart } = args.numbers
    const width = 4 * Math.ceil((2 * S + 1) / 4) + 4
    return {
      units: batch,
      grain: 1,
      cost: ns * batch * steps * width,
      part(from, to) {
        const count = to - from
        const reached = reach([
          [count, classes],
          [steps, apart],
        ])
        const logp = (name: string) => args.span(name, from * classes, reached + classes - 1)
        return args.with(
          {
            ...Object.fromEntries(['logp', ...(args.has(rows) ? [rows] : [])].map((name) => [name, logp(name)])),
            ...Object.fromEntries(
              ['loss', 'inputLengths', 'targetLengths', ...values].map((name) => [name, args.span(name, from, count)]),
            ),
            alpha: args.span('alpha', from * steps * width, count * steps * width),
            target: args.span('target', from * S, count * S),
            batch: count,
          },
          from * S,
        )
      },
    }
  }
}

const drawing = each(2.5, () => ({ generator: 0 }))
/** SUMMED_ROWS rows of d together, and what they have in the sums of layerNormBackward. */
const rowSums = (d: number) => ({ grain: SUMMED_ROWS, sums: 8 * Math.ceil(d / 4) })

/** Samples; of one weight for all, elements. */
const prelu = (ns: number, ...operands: readonly string[]): Rule => {
  const of = (size: number) => Object.fromEntries(operands.map((name) => [name, size]))
  const samples = along(
    'outer',
    ns,
    ({ channels, inner }) => of(channels * inner),
    ({ channels, inner }) =>
      inner === 1 ? { grain: COLUMN_ROWS, sums: channels } : { sums: channels * Math.ceil(inner / SUMMED_ELEMENTS) },
  )
  const elements = along(
    'inner',
    ns,
    () => of(1),
    () => ({ grain: SUMMED_ELEMENTS, sums: 1 }),
  )
  return (args) => (args.numbers.outer * args.numbers.channels === 1 ? elements : samples)(args)
}

const arithmetic = strided(0.4, ['a', 'b'], ['out'])
const unary = each(0.4)
const curve = each(2)
const pair = each(0.6)
const pairBackward = each(0.6, ({ each }) => ({ dy: each }))
const row = along('rows', 2, ({ d }) => ({ out: d, x: d }))
const rowBackward = along('rows', 1, ({ d }) => ({ dx: d, dy: d, y: d }))
/** Planes of height × width on one side and outHeight × outWidth on the other. */
const planes = (ns: number, input: string, ...outputs: readonly string[]): Rule =>
  along('planes', ns, ({ height, width, outHeight, outWidth }) => ({
    [input]: height * width,
    ...Object.fromEntries(outputs.map((name) => [name, outHeight * outWidth])),
  }))
/** Planes of which the other side has half the height and width, rounded down. */
const halved = (ns: number, input: string, ...outputs: readonly string[]): Rule =>
  along('planes', ns, ({ height, width }) => ({
    [input]: height * width,
    ...Object.fromEntries(outputs.map((name) => [name, Math.floor(height / 2) * Math.floor(width / 2)])),
  }))
const plane = planes(1, 'x', 'out')
const planeBackward = planes(1, 'dx', 'dy')
const reduction = along('outer', 0.3, ({ inner, size }) => ({ x: size * inner, out: inner }))

/** For each kernel how it may be cut, or why it is for one thread. */
export const rules: Readonly<Record<string, Rule | string>> = {
  ...{ relu: unary, reluBackward: unary, leakyRelu: unary, leakyReluBackward: unary, hardswish: unary },
  ...{ hardswishBackward: unary, hardsigmoid: unary, hardsigmoidBackward: unary, tanhBackward: unary },
  ...{ sigmoidBackward: unary, tanh: curve, sigmoid: curve, elu: curve, eluBackward: curve, gelu: curve },
  ...{ geluBackward: curve, geluTanh: curve, geluTanhBackward: curve, silu: curve, siluBackward: curve, mish: curve },
  ...{ mishBackward: curve, softplus: curve, softplusBackward: curve },
  prelu: prelu(0.4, 'out', 'x'),
  ...{ preluBackward: prelu(0.6, 'dx', 'dy', 'x'), preluSums: 'little work' },
  glu: along('rows', 2, ({ half }) => ({ out: half, x: half * 2 })),
  gluBackward: along('rows', 2, ({ half }) => ({ dy: half, dx: half * 2, x: half * 2 })),

  attention: attention(['q', 0], ['k', 1], ['v', 2], ['out', 3]),
  attentionBackward: attention(['q', 0], ['k', 1], ['v', 2], ['dout', 3], ['dq', 0], ['dk', 1], ['dv', 2]),
  rotary: along('batch', 0.6, ({ D, T }) => ({ out: T * D, x: T * D })),

  ctc: sequences(15, 'logp'),
  ctcBackward: sequences(30, 'dlogp', 'dy'),

  conv2d: images('x', 'out'),
  conv2dInput: images('dx', 'dy'),
  conv2dWeight,

  fill: each(0.2),
  copy: each(0.2),
  copyBytes: along(
    'n',
    0.4,
    () => ({ out: 0.25, x: 0.25 }),
    () => ({ grain: 4 * LINES }),
  ),
  stridedCopy: strided(0.6, ['x'], ['out']),
  // For one thread: it writes between elements of others. The rule tells how far.
  stridedWrite: (args) => {
    const cut = strided(0.6, ['out'], ['x'])(args)
    return cut && { ...cut, grain: Math.max(1, cut.units) }
  },
  transpose: along('batch', 0.6, ({ columns, rows }) => ({ out: rows * columns, x: rows * columns })),
  u8ToF32: each(0.4, () => ({ x: 0.25 })),
  u8ToI32: each(0.4, () => ({ x: 0.25 })),
  ...{ i32ToF32: unary, f32ToI32: unary },

  dropout: each(2.5, () => ({ kept: 1 / 16, generator: 0 })),
  dropoutBackward: each(0.6, () => ({ kept: 1 / 16 })),

  ...{ neg: unary, abs: unary, sign: unary, sqrt: unary, rsqrt: unary, floor: unary, ceil: unary },
  ...{ trunc: unary, round: unary },
  ...{ exp: curve, expm1: curve, log: curve, log1p: curve, log2: curve, sin: curve, cos: curve, erf: curve },
  ...{ sinh: curve, cosh: curve },
  ...{ add: arithmetic, sub: arithmetic, mul: arithmetic, div: arithmetic, minimum: arithmetic, maximum: arithmetic },
  ...{ equal: arithmetic, notEqual: arithmetic, less: arithmetic, lessEqual: arithmetic, greater: arithmetic },
  ...{ greaterEqual: arithmetic, pow: strided(12, ['a', 'b'], ['out']), atan2: strided(3, ['a', 'b'], ['out']) },
  where: strided(0.6, ['condition', 'a', 'b'], ['out']),

  crossEntropy: along('rows', 2, ({ d }) => ({ probabilities: d, loss: 1, x: d, target: 1 })),
  countTargets: 'little work',
  crossEntropyBackward: along('rows', 0.6, ({ d, each }) => ({ dx: d, probabilities: d, target: 1, dy: each })),
  softCrossEntropy: along('rows', 3, ({ d }) => ({ probabilities: d, loss: 1, x: d, target: d })),
  softCrossEntropyBackward: along('rows', 0.6, ({ d, each }) => ({ dx: d, probabilities: d, target: d, dy: each })),

  nll: along(
    'outer',
    3,
    ({ classes, inner }) => ({ loss: inner, x: classes * inner, target: inner }),
    ({ inner }) => ({ positions: inner }),
  ),
  nllBackward: along('outer', 0.2, ({ classes, each, inner }) => ({
    dx: classes * inner,
    target: inner,
    dy: each * inner,
  })),
  gatherRows: (args) =>
    args.numbers.outer === 1 ? along('count', 0.4, ({ inner }) => ({ out: inner, index: 1 }))(args) : null,
  gatherRowsBackward: 'indices may repeat',
  gather: along(
    'outer',
    1,
    ({ count, inner, size }) => ({ out: count * inner, x: size * inner, index: count * inner }),
    ({ count, inner }) => ({ positions: count * inner }),
  ),
  scatterAdd: 'indices may repeat',
  oneHot: along('n', 0.4, ({ classes }) => ({ out: classes, index: 1 })),

  gemm,

  ...{ squaredError: pair, absoluteError: pair, huberError: pair, binaryEntropy: curve },
  ...{ squaredErrorBackward: pairBackward, absoluteErrorBackward: pairBackward, huberErrorBackward: pairBackward },
  ...{ binaryEntropyBackward: pairBackward },
  logisticEntropy: curve,
  logisticEntropyBackward: each(2, ({ each }) => ({ dy: each })),
  ...{ checkFinite: 'little work', checkRange: unary, checkSign: unary },

  layerNorm: along('rows', 1, ({ d }) => ({ out: d, x: d, mean: 2, rstd: 1 })),
  layerNormBackward: along(
    'rows',
    1.2,
    ({ d }) => ({ dx: d, dy: d, x: d, mean: 2, rstd: 1 }),
    ({ d }) => rowSums(d),
  ),
  layerNormSums: 'little work',
  groupNorm: along('n', 1, ({ channels, groups, inner }) => ({
    out: channels * inner,
    x: channels * inner,
    mean: 2 * groups,
    rstd: groups,
  })),
  groupNormBackward: along(
    'n',
    1.2,
    ({ channels, groups, inner }) => ({
      dx: channels * inner,
      dy: channels * inner,
      x: channels * inner,
      mean: 2 * groups,
      rstd: groups,
    }),
    ({ channels, inner }) => (inner === 1 ? rowSums(channels) : { sums: 4 * channels }),
  ),
  groupNormSums: 'little work',

  countBatch: 'little work',
  batchNorm: byChannel(1, ['out', 'x'], ['rstd', 'runningMean', 'runningVar', 'weight', 'bias'], ['mean']),
  batchNormFixed: byChannel(0.4, ['out', 'x'], ['rstd', 'runningMean', 'runningVar', 'weight', 'bias'], ['mean']),
  batchNormBackward: byChannel(1, ['dx', 'dy', 'x'], ['dweight', 'dbias', 'rstd', 'weight'], ['mean']),

  ...{ countSteps: 'little work', countNadam: 'little work' },
  sgd: flat(0.4, 'param', 'grad', 'velocity'),
  adam: flat(0.6, 'param', 'grad', 'm', 'v', 'most'),
  adamw: flat(0.6, 'param', 'grad', 'm', 'v', 'most'),
  lion: flat(0.5, 'param', 'grad', 'm'),
  nadam: flat(0.7, 'param', 'grad', 'm', 'v'),
  radam: flat(0.7, 'param', 'grad', 'm', 'v'),
  adamax: flat(0.7, 'param', 'grad', 'm', 'most'),
  adagrad: flat(0.6, 'param', 'grad', 'sum'),
  adadelta: flat(0.8, 'param', 'grad', 'v', 'a'),
  rmsprop: flat(0.7, 'param', 'grad', 'v', 'velocity', 'mean'),
  rprop: flat(0.7, 'param', 'grad', 'prev', 'size'),
  muonMomentum: flat(0.4, 'out', 'grad', 'velocity'),
  scaleToNorm: flat(0.3, 'grad'),
  clampGradient: flat(0.3, 'grad'),
  averageWeights: flat(0.5, 'average', 'param'),
  ...{ normalize: 'a norm of all', gradientPowers: 'sums over all', normOfPowers: 'little work' },
  mixInto: unary,
  muonStep: each(0.5, () => ({ lr: 0, weightDecay: 0 })),

  maxPool2d: planes(2, 'x', 'out', 'argmax'),
  maxPool2dBackward: along('planes', 1, ({ height, positions, width }) => ({
    dx: height * width,
    dy: positions,
    argmax: positions,
  })),
  maxPool2x2: halved(1, 'x', 'out', 'argmax'),
  maxPool2x2Backward: halved(1, 'dx', 'dy', 'argmax'),
  averagePool2x2: halved(0.6, 'x', 'out'),
  averagePool2x2Backward: halved(0.6, 'dx', 'dy'),
  averagePool2d: plane,
  averagePool2dBackward: planeBackward,

  ...{ nextDraw: 'little work', uniform: drawing, normal: drawing, bernoulli: drawing, randint: drawing },
  ...{ permutation: 'an exchange needs those before', multinomial: 'little work', multinomialDistinct: 'little work' },

  rnn: recurrent(1, 2, { h: 1, x: 1 }, 'h0'),
  rnnBackward: recurrent(1, 1, { dx: 1, before: 1, dh: 1, h: 1 }, 'dh0', 'h0'),
  lstm: recurrent(4, 2, { h: 1, c: 1, gates: 5, x: 4 }, 'h0', 'c0'),
  lstmBackward: recurrent(4, 1, { dx: 4, before: 1, dh: 1, h: 1, c: 1, gates: 5 }, 'dh0', 'dc0', 'dcell', 'h0', 'c0'),
  gru: recurrent(3, 2, { h: 1, gates: 4, x: 3 }, 'h0'),
  gruBackward: recurrent(3, 1, { dx: 3, dm: 3, before: 1, dh: 1, h: 1, gates: 4 }, 'dh0', 'h0'),

  sum: reduction,
  max: along('outer', 1, ({ inner, size }) => ({ x: size * inner, values: inner, indices: inner })),
  maxBackward: along('outer', 0.4, ({ inner, size }) => ({ dx: size * inner, dy: inner, indices: inner })),
  prod: along('outer', 1, ({ inner, size }) => ({ x: size * inner, out: inner })),
  prodBackward: along('outer', 2, ({ inner, size }) => ({ dx: size * inner, x: size * inner, dy: inner })),
  cumprod: along('outer', 1, ({ inner, size }) => ({ out: size * inner, x: size * inner })),
  cumprodBackward: along('outer', 2, ({ inner, size }) => ({
    dx: size * inner,
    dy: size * inner,
    x: size * inner,
    out: size * inner,
  })),
  cumsum: along('outer', 1, ({ inner, size }) => ({ out: size * inner, x: size * inner })),

  ...{ nearest2d: plane, nearest2dBackward: planeBackward, bilinear2d: plane, bilinear2dBackward: planeBackward },

  softmax: row,
  softmaxBackward: rowBackward,
  logSoftmax: row,
  logSoftmaxBackward: rowBackward,

  leastSquares: 'little work',
  sort: along('outer', 20, ({ inner, size }) => ({ x: size * inner, values: size * inner, indices: size * inner })),
  topk: along('outer', 5, ({ inner, k, size }) => ({ x: size * inner, values: k * inner, indices: k * inner })),
  searchSorted: along('rows', 20, ({ each, m, n }) => ({ out: m, values: m, sorted: each * n })),
  triangle: along('batch', 1, ({ columns, rows }) => ({ out: rows * columns, x: rows * columns })),
}

/** How a command may be cut; null where it is for one thread. */
export function cutOf(command: Command): Cut | null {
  const rule = rules[command.kernel.name]
  return typeof rule === 'function' ? rule(new Args(command)) : null
}
