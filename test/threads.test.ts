// Rules by which commands are cut into parts: helpers/parts.ts runs every command of this file also in 2, 3 and 7 parts.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import './helpers/guard.ts'
import * as lw from '../src/index.ts'
import { losses, nn, optim, type Tensor, tensor } from '../src/index.ts'
import { rules } from '../src/threads/rules.ts'
import { signatures } from '../src/threads/signatures.ts'
import { numbers } from './helpers/check.ts'
import { cut } from './helpers/parts.ts'

beforeAll(() => lw.init())

test('each kernel has a rule, or a reason to be for one thread', () => {
  expect(Object.keys(rules).sort()).toEqual(Object.keys(signatures).sort())
})

afterAll(() => {
  const whole = Object.keys(rules).filter(
    (name) => typeof rules[name] === 'function' && ![2, 3, 7].every((parts) => cut.get(name)?.has(parts)),
  )
  // stridedWrite is never cut; its rule tells what it touches.
  expect(whole, 'kernels that were not cut into 2, 3 and 7 parts').toEqual(['stridedWrite'])
})

const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1)
/** A leaf of random numbers. */
const some = (shape: number[], low = -2, high = 2): Tensor =>
  tensor(numbers(size(shape), size(shape) + 1, low, high), { shape, requiresGrad: true })
const classes = (shape: number[], limit: number): Tensor =>
  tensor(
    Int32Array.from({ length: size(shape) }, (_, i) => (7 * i) % limit),
    { shape },
  )
/** Forward, and backward from gradients that differ. */
const both = (y: Tensor): void => {
  if (y.requiresGrad) lw.backward(y, { gradient: some(y.shape as number[]).detach() })
}

/** Seven rows, images or planes at least, or seven times 64 elements, and up to 30 more. */
const length = fc.integer({ min: 400, max: 500 })
const few = fc.integer({ min: 7, max: 10 })
const odd = fc.integer({ min: 1, max: 9 })
/** Runs `body` on sizes that are drawn anew. */
const sizes = <T extends readonly unknown[]>(
  arbitrary: { [K in keyof T]: fc.Arbitrary<T[K]> },
  body: (...values: T) => void,
) =>
  fc.assert(
    fc.property(fc.tuple(...arbitrary), (values) => {
      lw.scope(() => {
        body(...(values as unknown as T))
        return null
      })
    }),
    { numRuns: 4 },
  )

describe('elements', () => {
  const { prelu, ...unary } = {
    ...{ relu: lw.relu, tanh: lw.tanh, sigmoid: lw.sigmoid, leakyRelu: lw.leakyRelu, elu: lw.elu, gelu: lw.gelu },
    ...{ silu: lw.silu, mish: lw.mish, hardswish: lw.hardswish, hardsigmoid: lw.hardsigmoid, softplus: lw.softplus },
    ...{ neg: lw.neg, abs: lw.abs, sign: lw.sign, exp: lw.exp, sin: lw.sin, cos: lw.cos, erf: lw.erf },
    ...{ floor: lw.floor, round: lw.round, log: lw.log, sqrt: lw.sqrt, rsqrt: lw.rsqrt, log1p: lw.log1p },
    geluTanh: (x: Tensor) => lw.gelu(x, { approximate: 'tanh' }),
    prelu: lw.prelu,
  }
  test.each(Object.entries(unary))('%s', (_, op) => {
    sizes([length], (n) => both(op(some([n], 0.1, 2))))
  })
  test('prelu', () =>
    sizes([few, odd, odd], (n, c, s) => {
      both(prelu(some([n, c, s]), some([c])))
      both(prelu(some([128 * n - s, c]), some([c])))
      both(prelu(some([n, 1024, 1]), some([1])))
    }))
  test.each([
    ...[lw.add, lw.sub, lw.mul, lw.div, lw.minimum, lw.maximum, lw.pow],
    ...[lw.equal, lw.notEqual, lw.less, lw.lessEqual, lw.greater, lw.greaterEqual],
  ])('%o', (op) => {
    sizes([length, odd], (n, m) => both(op(some([n, m], 0.1, 2), some([m], 0.1, 2))))
    sizes([few], (n) => both(op(some([n, 70], 0.1, 2), some([n, 1], 0.1, 2))))
  })
  test('where', () => sizes([length], (n) => both(lw.where(some([n]).greater(0), some([n]), some([n])))))
  test('copies', () =>
    sizes([length, few, odd], (n, m, k) => {
      const whole = classes([n], 9)
      lw.full([n], 3)
      lw.to(lw.to(whole, 'f32'), 'i32')
      const bytes = tensor(Uint8Array.from({ length: 4 * n }, (_, i) => i))
      both(lw.clone(some([n])))
      for (const x of [lw.to(bytes, 'f32'), lw.to(bytes, 'i32'), lw.clone(bytes)]) lw.to(x, 'f32').sum()
      both(lw.transpose(some([m, n, k])).mul(2))
      both(lw.permute(some([m, n, k]), [2, 0, 1]).mul(2))
      both(lw.tril(some([m, k, 5])))
      lw.oneHot(classes([n], k), k)
    }))
  test('draws', () =>
    sizes([length], (n) => {
      for (const x of [lw.uniform([n]), lw.normal([n]), lw.bernoulli(lw.full([n], 0.3))]) x.sum()
      lw.randint([n], 0, 100)
      both(lw.dropout(some([n]), 0.3))
    }))
})

describe('rows', () => {
  test('sums, products and orders', () =>
    sizes([few, odd, odd], (n, m, k) => {
      const x = () => some([n, m, k], 0.5, 1.5)
      both(lw.sum(x(), { axis: 1 }))
      both(lw.max(x(), { axis: 1 }).values)
      both(lw.prod(x(), { axis: 1 }))
      both(lw.cumsum(x(), 1))
      lw.sort(x(), { axis: 1 })
      lw.topk(x(), 1, { axis: 1 })
    }))
  test('softmax and gates', () =>
    sizes([few, odd], (n, m) => {
      both(lw.softmax(some([n, m])))
      both(lw.logSoftmax(some([n, m])))
      both(lw.glu(some([n, 2 * m])))
    }))
  test('norms', () =>
    sizes([few, odd, odd, fc.boolean()], (n, c, s, learned) => {
      const affine = (d: number) => (learned ? { weight: some([d]), bias: some([d]) } : {})
      both(lw.layerNorm(some([64 * n, c]), [c], affine(c)))
      both(lw.rmsNorm(some([n, c]), [c]))
      both(lw.groupNorm(some([n, 2 * c, s]), 2, affine(2 * c)))
      both(lw.groupNorm(some([64 * n - s, 2 * c]), 2, affine(2 * c)))
    }))
  test('norms over a batch', () =>
    sizes([few, odd, odd, fc.boolean()], (n, c, s, average) => {
      // Sixteen channels at a time where each has one element of a sample.
      for (const shape of [
        [n, 7 + c, s + 1],
        [n, 112 + c],
      ]) {
        const of = (low: number, high: number) => some([shape[1] as number], low, high)
        const state = () => ({ runningMean: of(-1, 1).detach(), runningVar: of(0.5, 2).detach() })
        const counted = { batchesTracked: tensor(Int32Array.of(3)), momentum: average ? null : 0.25 }
        both(lw.batchNorm(some(shape), { training: true, ...state(), ...counted, weight: of(-1, 1), bias: of(-1, 1) }))
        both(lw.batchNorm(some(shape), { training: true }))
        both(lw.batchNorm(some(shape), { ...state(), weight: of(-1, 1), bias: of(-1, 1) }))
        both(lw.batchNorm(some(shape), state()))
        expect(counted.batchesTracked.item()).toBe(4)
      }
    }))
  test('gathered', () =>
    sizes([few, odd, odd], (n, m, k) => {
      both(lw.embedding(classes([n], m), some([m, k])))
      both(lw.gather(some([n, m, k]), 1, classes([n, m, k], m)))
      lw.oneHot(classes([n], m), m)
    }))
  test('losses', () =>
    sizes([length, few, odd], (n, rows, k) => {
      const target = some([n], 0.1, 0.9).detach()
      for (const loss of [losses.mse, losses.mae, losses.huber, losses.bce, losses.bceWithLogits]) {
        for (const reduction of ['none', 'mean'] as const) both(loss(some([n], 0.1, 0.9), target, { reduction }))
      }
      for (const smoothing of [0, 0.1])
        for (const reduction of ['none', 'mean'] as const) {
          const options = { reduction, labelSmoothing: smoothing }
          both(losses.crossEntropy(some([rows, k]), classes([rows], k), options))
          both(losses.crossEntropy(some([rows, k]), some([rows, k], 0.1, 0.9).detach(), options))
          both(losses.nll(some([rows, k, 3]), classes([rows, 3], k), { reduction, weight: some([k]).detach() }))
        }
      const signs = lw.sign(some([n])).detach()
      losses.hinge(some([n]), signs)
      losses.poissonNll(some([n]), signs)
    }))
})

describe('products', () => {
  test('matrices', () =>
    sizes([fc.integer({ min: 97, max: 130 }), fc.integer({ min: 1, max: 130 }), odd], (m, n, k) => {
      both(lw.linear(some([m, k]), some([n, k]), some([n])))
      both(lw.linear(some([n, k]), some([m, k]), some([m])))
    }))
  test('images', () =>
    sizes([few, odd, odd], (n, c, s) => {
      both(lw.conv2d(some([n, 12 + c, s + 3, s + 2]), some([c, 12 + c, 3, 3]), some([c]), { padding: 1 }))
      for (const options of [{ kernelSize: 2 }, { kernelSize: 3, stride: 2, padding: 1 }]) {
        both(lw.maxPool2d(some([n, c, s + 3, s + 2]), options))
        both(lw.avgPool2d(some([n, c, s + 3, s + 2]), options))
      }
      for (const mode of ['nearest', 'bilinear'] as const)
        both(lw.interpolate(some([n, c, s + 1, s]), { scaleFactor: 2, mode }))
    }))
  test('attention', () =>
    sizes([few, odd, odd, fc.boolean()], (n, t, d, one) => {
      for (const dropout of [0, 0.3]) {
        const x = () => some(one ? [1, n, t, d] : [n, 2, t, d])
        both(lw.scaledDotProductAttention(x(), x(), x(), { dropout, isCausal: t > 4 }))
      }
      const angles = () => some([t, d]).detach()
      both(lw.rotary(some([n, t, 2 * d]), angles(), angles()))
    }))
})

describe('sequences', () => {
  /** All that a layer gives, in one row, so that every gradient differs. */
  const joined = (...all: Tensor[]) => both(lw.cat(all.map((y) => y.flatten(0))))
  const run = (batch: number, H: number, steps: number, numLayers: number, started: boolean, bias: boolean) => {
    const start = () => (started ? some([2 * numLayers, batch, H]) : undefined)
    for (const batchFirst of [false, true]) {
      const x = () => some(batchFirst ? [batch, steps, 3] : [steps, batch, 3])
      const options = { numLayers, bias, batchFirst, bidirectional: true }
      for (const nonlinearity of ['tanh', 'relu'] as const) {
        const { output, hidden } = new nn.RNN(3, H, { nonlinearity, ...options }).forward(x(), start())
        joined(output, hidden)
      }
      const gru = new nn.GRU(3, H, options).forward(x(), start())
      joined(gru.output, gru.hidden)
      const lstm = new nn.LSTM(3, H, options)
      const [hidden, cell] = [start(), start()]
      const made = lstm.forward(x(), hidden && cell ? { hidden, cell } : {})
      joined(made.output, made.hidden, made.cell)
      // Nothing comes back through the cell.
      joined(lstm.forward(x()).output)
    }
  }
  test('a layer in both directions', () => {
    const widths = fc.integer({ min: 1, max: 13 })
    const steps = fc.integer({ min: 2, max: 4 })
    sizes([fc.integer({ min: 25, max: 34 }), widths, steps, fc.constant(1), fc.boolean(), fc.boolean()], run)
  })
  // One call of the inner product takes 256.
  test('two layers, more sequences than share a call', () => {
    lw.scope(() => {
      run(259, 2, 2, 2, true, true)
      return null
    })
  })
  test('cells', () =>
    sizes([fc.integer({ min: 49, max: 66 }), odd], (batch, H) => {
      joined(new nn.RNNCell(3, H).forward(some([batch, 3]), some([batch, H])))
      joined(new nn.GRUCell(3, H).forward(some([batch, 3]), some([batch, H])))
      const { hidden, cell } = new nn.LSTMCell(3, H).forward(some([batch, 3]), { hidden: some([batch, H]) })
      joined(hidden, cell)
    }))
})

describe('updates', () => {
  const kinds = {
    ...{ SGD: (p: Tensor[]) => new optim.SGD(p, { lr: 0.1, momentum: 0.9 }), Adam: (p: Tensor[]) => new optim.Adam(p) },
    ...{ AdamW: (p: Tensor[]) => new optim.AdamW(p), Lion: (p: Tensor[]) => new optim.Lion(p) },
    ...{ NAdam: (p: Tensor[]) => new optim.NAdam(p), RAdam: (p: Tensor[]) => new optim.RAdam(p) },
    ...{ Adamax: (p: Tensor[]) => new optim.Adamax(p), Adagrad: (p: Tensor[]) => new optim.Adagrad(p) },
    ...{ Adadelta: (p: Tensor[]) => new optim.Adadelta(p), Rprop: (p: Tensor[]) => new optim.Rprop(p) },
    RMSprop: (p: Tensor[]) => new optim.RMSprop(p, { momentum: 0.5, centered: true }),
    Muon: (p: Tensor[]) => new optim.Muon(p.filter(({ ndim }) => ndim === 2)),
  }
  test.each(Object.entries(kinds))('%s', (_, make) => {
    sizes([length, odd], (n, m) => {
      const parameters = [[n, m], [m], [30, 31]].map((shape) => new nn.Parameter(some(shape).detach()))
      const optimizer = make(parameters)
      const average = new optim.ExponentialMovingAverage(parameters)
      for (let step = 0; step < 2; step++) {
        for (const p of parameters) both(p.mul(p))
        optim.clipGradNorm(parameters, 0.1)
        optim.clipGradValue(parameters, 0.01)
        optimizer.step()
        average.update()
      }
      optimizer.dispose()
      average.dispose()
    })
  })
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
