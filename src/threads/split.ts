// What of a command can be computed apart: rows of a product, images of a convolution, elements of an update. A part is
// a command of the same kernel on parts of the operands. What a kernel computes of a row or an element does not depend on
// how many it is given, so parts compute the bits of the whole. What is not listed here is run by one thread.

import type { Command, Operand } from '../core/command.ts'
import { Geometry, SUMMED_ROWS } from '../core/commands.ts'
import { signatures } from './signatures.ts'

type Arg = Command['args'][number]

/** How a command may be cut. */
export interface Cut {
  /** What can be counted off: rows, images, elements; cuts lie at multiples of `grain`. */
  readonly units: number
  readonly grain: number
  /** Nanoseconds of the whole on one thread, roughly. */
  readonly cost: number
  part(from: number, to: number): Command
}

type Rule = (args: Args) => Cut | null

const names = new Map<string, readonly string[]>()

/** A command whose arguments have names. */
class Args {
  readonly command: Command
  readonly #names: readonly string[]

  constructor(command: Command) {
    const { name } = command.kernel
    this.command = command
    this.#names = names.get(name) ?? (signatures[name] as string).split(' ')
    names.set(name, this.#names)
  }

  has(name: string): boolean {
    return this.#names.includes(name)
  }

  get(name: string): Arg {
    const place = this.#names.indexOf(name)
    if (place < 0) throw new Error(`${this.command.kernel.name}: has no parameter ${name}`)
    return this.command.args[place] as Arg
  }

  list(name: string): readonly number[] {
    return this.get(name) as readonly number[]
  }

  /** A number, an argument, half of one (rounded down), or a product of these: 4, 'rows', 'height*width/2'. */
  number(what: string | number): number {
    if (typeof what === 'number') return what
    return what.split('*').reduce((product, factor) => {
      if (factor === '2') return product * 2
      const [name, divisor] = factor.split('/') as [string, string?]
      const value = this.get(name) as number
      return product * (divisor ? Math.floor(value / Number(divisor)) : value)
    }, 1)
  }

  numbers<Name extends string>(...names: readonly Name[]): Record<Name, number> {
    return Object.fromEntries(names.map((name) => [name, this.get(name) as number])) as Record<Name, number>
  }

  /** Operands that are read or written, by name. */
  operands(): string[] {
    return this.#names.filter((_, i) => ['in', 'out', 'inout'].includes(this.command.kernel.roles[i] as string))
  }

  /** `size` elements (of 4 bytes) of an operand from element `start` on, and `before` that; null where it is absent. */
  span(name: string, start: number, size: number, before = 0): Operand | null {
    const operand = this.get(name) as Operand | null
    return (
      operand && {
        storage: operand.storage,
        offset: operand.offset + 4 * start,
        bytes: Math.ceil(4 * size),
        before: 4 * before,
      }
    )
  }

  /** The command with some arguments changed. `skipped`: how many positions, as it may refuse them, lie before. */
  with(changes: Readonly<Record<string, Arg>>, skipped = 0): Command {
    const { kernel, args, explain } = this.command
    for (const name of Object.keys(changes)) this.get(name)
    const changed = args.map((arg, i) => {
      const name = this.#names[i] as string
      return Object.hasOwn(changes, name) ? (changes[name] as Arg) : arg
    })
    return { kernel, args: changed, ...(explain ? { explain: (position) => explain(skipped + position) } : {}) }
  }
}

/** Elements of a line of the cache, times four: threads should not write to the same line. */
const LINES = 64

interface Along {
  readonly grain?: number
  /** Positions that a kernel may refuse, in a unit; default 1. */
  readonly positions?: string | number
}

/** Cut along argument `unit`: each operand in `steps` has so many elements a unit, the others are the same for all
 *  parts. `ns`: of an element of the first operand named. */
function along(
  unit: string,
  ns: number,
  steps: Readonly<Record<string, string | number>>,
  { grain = 1, positions = 1 }: Along = {},
): Rule {
  return (args) => {
    const sizes = Object.entries(steps).map(([name, step]) => [name, args.number(step)] as const)
    const units = args.number(unit)
    return {
      units,
      grain,
      cost: ns * units * (sizes[0] as (typeof sizes)[number])[1],
      part(from, to) {
        const spans = sizes.map(([name, size]) => [
          name,
          size === 0 ? args.get(name) : args.span(name, from * size, (to - from) * size),
        ])
        const drawn = args.has('first') ? { first: args.number('first') + from } : {}
        return args.with({ ...Object.fromEntries(spans), [unit]: to - from, ...drawn }, from * args.number(positions))
      },
    }
  }
}

/** Element by element: every operand has n, but for those named here. */
const each = (ns: number, steps: Record<string, string | number> = {}): Rule => {
  return (args) => {
    const all = Object.fromEntries(args.operands().map((name) => [name, 1]))
    return along('n', ns, { ...all, ...steps }, { grain: LINES })(args)
  }
}

/** Elements from the first on, it included, that axes with these (size, stride) reach. */
const reach = (axes: readonly (readonly [number, number])[]): number =>
  axes.reduce((sum, [size, stride]) => sum + (size - 1) * Math.max(0, stride), 1)

/** Those before the first: axes with a negative stride. */
const reachBack = (axes: readonly (readonly [number, number])[]): number =>
  axes.reduce((sum, [size, stride]) => sum + (size - 1) * Math.max(0, -stride), 0)

/** Cut along the first axis of `dims`: rank, then for each axis its size and its strides in `operands`; those in
 *  `contiguous` have none there. */
function strided(ns: number, operands: readonly string[], contiguous: readonly string[]): Rule {
  return (args) => {
    const [rank, ...axes] = args.list('dims') as [number, ...number[]]
    const width = operands.length + 1
    const sizes = Array.from({ length: rank }, (_, axis) => axes[width * axis] as number)
    const [units, ...rest] = sizes as [number, ...number[]]
    const run = rest.reduce((product, size) => product * size, 1)
    const span = (name: string, o: number, from: number, to: number) => {
      const strides = sizes.map((_, axis) => axes[width * axis + 1 + o] as number)
      const first = strides[0] as number
      const reached = sizes.map((n, d) => [d ? n : to - from, strides[d] as number] as const)
      return args.span(name, from * first, reach(reached), reachBack(reached))
    }
    return {
      units,
      grain: Math.max(1, Math.ceil(LINES / run)),
      cost: ns * units * run,
      part: (from, to) =>
        args.with({
          ...Object.fromEntries(operands.map((name, o) => [name, span(name, o, from, to)])),
          ...Object.fromEntries(contiguous.map((name) => [name, args.span(name, from * run, (to - from) * run)])),
          dims: [rank, to - from, ...axes.slice(1)],
        }),
    }
  }
}

/** Bytes of a parameter's counters: assembly/kernels/optim.ts. */
const COUNTERS = 24

/** Cut across the stretches of a flat block: `sizes` holds their number, then the elements of each, which begin at
 *  multiples of 16. */
function flat(ns: number, ...operands: readonly string[]): Rule {
  return (args) => {
    const sizes = args.list('sizes').slice(1)
    const units = sizes.reduce((sum, n) => sum + blockOf(n), 0)
    return {
      units,
      grain: LINES,
      cost: ns * units,
      part(from, to) {
        let start = 0
        let before = 0
        const own: number[] = []
        for (const n of sizes) {
          const end = start + n
          const count = Math.min(end, to) - Math.max(start, from)
          // One without elements has counters, too.
          if (count > 0 || (n === 0 && own.length > 0)) own.push(count)
          else if (own.length === 0) before++
          start += blockOf(n)
        }
        const counters = args.has('counters') ? (args.get('counters') as Operand) : null
        return args.with({
          ...Object.fromEntries(operands.map((name) => [name, args.span(name, from, to - from)])),
          ...(counters ? { counters: { ...counters, offset: counters.offset + COUNTERS * before } } : {}),
          sizes: [own.length, ...own],
        })
      },
    }
  }
}

const blockOf = (n: number): number => 16 * Math.ceil(n / 16)

/** Nanoseconds of a multiplication and an addition in a product: 40 GFLOP/s. */
const PRODUCT_NS = 0.05

/** Rows of out, or its columns: whichever are more, since each part packs the other factor whole. */
const gemm: Rule = (args) => {
  const { m, n, k, lda, ldb, ldc } = args.numbers('m', 'n', 'k', 'lda', 'ldb', 'ldc')
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

/** Elements of a patch: columns of dw. */
const conv2dWeight: Rule = (args) => ({
  units: args.number('count'),
  grain: 16,
  cost: convolutionCost(args),
  part: (from, to) =>
    args.with({ first: args.number('first') + from, count: to - from, sums: from === 0 ? args.get('sums') : null }),
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
          first: args.number('first') + from * (axis === 0 ? heads : 1) * T,
        })
      },
    }
  }
}

const drawing = each(2.5, { generator: 0 })
/** Rows; sums are of SUMMED_ROWS of them. */
const layerNormBackward: Rule = (args) => {
  const steps = { dx: 'd', dy: 'd', x: 'd', mean: 1, rstd: 1 }
  const cut = along('rows', 1.2, steps, { grain: SUMMED_ROWS })(args) as Cut
  const size = 8 * Math.ceil(args.number('d') / 4)
  const block = (rows: number) => size * Math.ceil(rows / SUMMED_ROWS)
  const part = (from: number, to: number) =>
    new Args(cut.part(from, to)).with({ sums: args.span('sums', block(from), block(to - from)) })
  return { ...cut, part }
}

const arithmetic = strided(0.4, ['a', 'b'], ['out'])
const unary = each(0.4)
const curve = each(2)
const pair = each(0.6)
const pairBackward = each(0.6, { dy: 'each' })
const row = along('rows', 2, { out: 'd', x: 'd' })
const rowBackward = along('rows', 1, { dx: 'd', dy: 'd', y: 'd' })
const plane = along('planes', 1, { x: 'height*width', out: 'outHeight*outWidth' })
const planeBackward = along('planes', 1, { dx: 'height*width', dy: 'outHeight*outWidth' })
const reduction = along('outer', 0.3, { x: 'size*inner', out: 'inner' })

/** For each kernel how it may be cut, or why it is for one thread. */
export const rules: Readonly<Record<string, Rule | string>> = {
  ...{ relu: unary, reluBackward: unary, leakyRelu: unary, leakyReluBackward: unary, hardswish: unary },
  ...{ hardswishBackward: unary, hardsigmoid: unary, hardsigmoidBackward: unary, tanhBackward: unary },
  ...{ sigmoidBackward: unary, tanh: curve, sigmoid: curve, elu: curve, eluBackward: curve, gelu: curve },
  ...{ geluBackward: curve, geluTanh: curve, geluTanhBackward: curve, silu: curve, siluBackward: curve, mish: curve },
  ...{ mishBackward: curve, softplus: curve, softplusBackward: curve },
  prelu: along('outer', 0.4, { out: 'channels*inner', x: 'channels*inner' }),
  preluBackward: 'sums over the batch',
  glu: along('rows', 2, { out: 'half', x: 'half*2' }),
  gluBackward: along('rows', 2, { dy: 'half', dx: 'half*2', x: 'half*2' }),

  attention: attention(['q', 0], ['k', 1], ['v', 2], ['out', 3]),
  attentionBackward: attention(['q', 0], ['k', 1], ['v', 2], ['dout', 3], ['dq', 0], ['dk', 1], ['dv', 2]),
  rotary: along('batch', 0.6, { out: 'T*D', x: 'T*D' }),

  conv2d: images('x', 'out'),
  conv2dInput: images('dx', 'dy'),
  conv2dWeight,

  fill: each(0.2),
  copy: each(0.2),
  copyBytes: along('n', 0.4, { out: 0.25, x: 0.25 }, { grain: 4 * LINES }),
  stridedCopy: strided(0.6, ['x'], ['out']),
  // For one thread: it writes between elements of others. The rule tells how far.
  stridedWrite: (args) => {
    const cut = strided(0.6, ['out'], ['x'])(args)
    return cut && { ...cut, grain: Math.max(1, cut.units) }
  },
  transpose: along('batch', 0.6, { out: 'rows*columns', x: 'rows*columns' }),
  u8ToF32: each(0.4, { x: 0.25 }),
  u8ToI32: each(0.4, { x: 0.25 }),
  ...{ i32ToF32: unary, f32ToI32: unary },

  dropout: each(2.5, { kept: 1 / 16, generator: 0 }),
  dropoutBackward: each(0.6, { kept: 1 / 16 }),

  ...{ neg: unary, abs: unary, sign: unary, sqrt: unary, rsqrt: unary, floor: unary, round: unary },
  ...{ exp: curve, log: curve, log1p: curve, sin: curve, cos: curve, erf: curve },
  ...{ add: arithmetic, sub: arithmetic, mul: arithmetic, div: arithmetic, minimum: arithmetic, maximum: arithmetic },
  ...{ equal: arithmetic, notEqual: arithmetic, less: arithmetic, lessEqual: arithmetic, greater: arithmetic },
  ...{ greaterEqual: arithmetic, pow: strided(12, ['a', 'b'], ['out']) },
  where: strided(0.6, ['condition', 'a', 'b'], ['out']),

  crossEntropy: 'counts the targets of all rows',
  crossEntropyBackward: along('rows', 0.6, { dx: 'd', probabilities: 'd', target: 1, dy: 'each' }),
  softCrossEntropy: along('rows', 3, { probabilities: 'd', loss: 1, x: 'd', target: 'd' }),
  softCrossEntropyBackward: along('rows', 0.6, { dx: 'd', probabilities: 'd', target: 'd', dy: 'each' }),

  ...{ nll: 'counts the targets of all rows', nllBackward: 'little work' },
  gatherRows: (args) => (args.number('outer') === 1 ? along('count', 0.4, { out: 'inner', index: 1 })(args) : null),
  gatherRowsBackward: 'indices may repeat',
  gather: along(
    'outer',
    1,
    { out: 'count*inner', x: 'size*inner', index: 'count*inner' },
    { positions: 'count*inner' },
  ),
  scatterAdd: 'indices may repeat',
  oneHot: along('n', 0.4, { out: 'classes', index: 1 }),

  gemm,

  ...{ squaredError: pair, absoluteError: pair, huberError: pair, binaryEntropy: curve },
  ...{ squaredErrorBackward: pairBackward, absoluteErrorBackward: pairBackward, huberErrorBackward: pairBackward },
  ...{ binaryEntropyBackward: pairBackward },
  logisticEntropy: curve,
  logisticEntropyBackward: each(2, { dy: 'each' }),
  ...{ checkFinite: 'little work', checkRange: unary, checkSign: unary },

  layerNorm: along('rows', 1, { out: 'd', x: 'd', mean: 1, rstd: 1 }),
  layerNormBackward,
  layerNormSums: 'little work',
  groupNorm: along('n', 1, { out: 'channels*inner', x: 'channels*inner', mean: 'groups', rstd: 'groups' }),
  groupNormBackward: (args) =>
    args.get('dweight') || args.get('dbias')
      ? null
      : along('n', 1, {
          dx: 'channels*inner',
          dy: 'channels*inner',
          x: 'channels*inner',
          mean: 'groups',
          rstd: 'groups',
        })(args),

  ...{ batchNorm: 'sums over the batch', batchNormBackward: 'sums over the batch', batchNormFixed: 'little work' },

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
  muonStep: each(0.5, { lr: 0, weightDecay: 0 }),

  maxPool2d: along('planes', 2, { x: 'height*width', out: 'outHeight*outWidth', argmax: 'outHeight*outWidth' }),
  maxPool2dBackward: along('planes', 1, { dx: 'height*width', dy: 'positions', argmax: 'positions' }),
  maxPool2x2: along('planes', 1, { x: 'height*width', out: 'height/2*width/2', argmax: 'height/2*width/2' }),
  maxPool2x2Backward: along('planes', 1, { dx: 'height*width', dy: 'height/2*width/2', argmax: 'height/2*width/2' }),
  averagePool2x2: along('planes', 0.6, { x: 'height*width', out: 'height/2*width/2' }),
  averagePool2x2Backward: along('planes', 0.6, { dx: 'height*width', dy: 'height/2*width/2' }),
  averagePool2d: plane,
  averagePool2dBackward: planeBackward,

  ...{ nextDraw: 'little work', uniform: drawing, normal: drawing, bernoulli: drawing, randint: drawing },
  ...{ permutation: 'an exchange needs those before', multinomial: 'little work', multinomialDistinct: 'little work' },

  ...{ rnn: 'a step needs the one before', lstm: 'a step needs the one before', gru: 'a step needs the one before' },
  ...{ rnnBackward: 'a step needs the one after', lstmBackward: 'a step needs the one after' },
  gruBackward: 'a step needs the one after',

  sum: reduction,
  max: along('outer', 1, { x: 'size*inner', values: 'inner', indices: 'inner' }),
  maxBackward: along('outer', 0.4, { dx: 'size*inner', dy: 'inner', indices: 'inner' }),
  prod: along('outer', 1, { x: 'size*inner', out: 'inner' }),
  prodBackward: along('outer', 2, { dx: 'size*inner', x: 'size*inner', dy: 'inner' }),
  cumsum: along('outer', 1, { out: 'size*inner', x: 'size*inner' }),

  ...{ nearest2d: plane, nearest2dBackward: planeBackward, bilinear2d: plane, bilinear2dBackward: planeBackward },

  softmax: row,
  softmaxBackward: rowBackward,
  logSoftmax: row,
  logSoftmaxBackward: rowBackward,

  leastSquares: 'little work',
  sort: along('outer', 20, { x: 'size*inner', values: 'size*inner', indices: 'size*inner' }),
  topk: along('outer', 5, { x: 'size*inner', values: 'k*inner', indices: 'k*inner' }),
  triangle: along('batch', 1, { out: 'rows*columns', x: 'rows*columns' }),
}

/** How a command may be cut; null where it is for one thread. */
export function cutOf(command: Command): Cut | null {
  const rule = rules[command.kernel.name]
  return typeof rule === 'function' ? rule(new Args(command)) : null
}
