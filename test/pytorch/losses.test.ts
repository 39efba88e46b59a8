// Each loss against PyTorch: every option with every reduction, gradients, and ten steps of training on it.

import { beforeAll, describe, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { losses, nn, type Tensor, tensor } from '../../src/index.ts'
import { fixture, followsPyTorch, recordAccuracy } from '../helpers/pytorch.ts'

beforeAll(() => lw.init())
recordAccuracy('losses')

const arrays = fixture('losses')
const cases = [...new Set(Object.keys(arrays).flatMap((name) => name.match(/^(.+)\/output$/)?.[1] ?? []))]

type Options = Record<string, unknown>
type Loss = (options: Options, ...inputs: Tensor[]) => Tensor

const weight = () => tensor([0.25, 2, 0.5, 1, 0, 3])
const row = () => tensor([0.5, 3, 1, 0.25])
const classOptions: Record<string, () => Options> = {
  plain: () => ({}),
  weight: () => ({ weight: weight() }),
  ignore: () => ({ ignoreIndex: 2 }),
  both: () => ({ weight: weight(), ignoreIndex: 3 }),
  smooth: () => ({ labelSmoothing: 0.125 }),
  'smooth-weight': () => ({ labelSmoothing: 0.25, weight: weight() }),
  'smooth-all': () => ({ labelSmoothing: 0.25, weight: weight(), ignoreIndex: 2 }),
}
const margins = { plain: () => ({}), margin: () => ({ margin: 0.5 }) }
const gauss = { plain: () => ({}), full: () => ({ full: true }), eps: () => ({ eps: 0.5 }) }
const triplet = {
  plain: () => ({}),
  margin: () => ({ margin: 0.25 }),
  p1: () => ({ p: 1 }),
  p3: () => ({ p: 3, eps: 0.125 }),
  swap: () => ({ swap: true }),
}
const logistic = {
  plain: () => ({}),
  weight: () => ({ weight: row() }),
  posWeight: () => ({ posWeight: row() }),
  both: () => ({ weight: row(), posWeight: row() }),
}
const plain = { plain: () => ({}) }
/** Targets of 1 and -1 are stored as whole numbers. */
const signed =
  (loss: (...args: never[]) => Tensor): Loss =>
  (options, ...inputs) =>
    loss(...([...inputs.slice(0, -1), (inputs.at(-1) as Tensor).to('f32'), options] as never[]))
const direct =
  (loss: (...args: never[]) => Tensor): Loss =>
  (options, ...inputs) =>
    loss(...([...inputs, options] as never[]))

const focal = {
  classes: () => ({}),
  alpha: () => ({ alpha: weight(), gamma: 1 }),
  ignore: () => ({ ignoreIndex: 4 }),
}
const nce = { ...plain, temperature: () => ({ temperature: 0.5 }) }
const spelled =
  (more: object): Loss =>
  (options, x, ...rest) =>
    losses.ctc((x as Tensor).logSoftmax(), ...(rest as [Tensor, Tensor, Tensor]), { ...options, ...more })

/** By group of the fixture: the exported name, the call, the options by their label, and slack where the loss is
 *  a difference of terms larger than itself. */
const groups: Record<string, [keyof typeof losses, Loss, Record<string, () => Options>, number?]> = {
  crossEntropy: ['crossEntropy', direct(losses.crossEntropy), classOptions],
  crossEntropyMasked: ['crossEntropy', direct(losses.crossEntropy), classOptions],
  crossEntropySoft: ['crossEntropy', direct(losses.crossEntropy), classOptions],
  crossEntropyInner: ['crossEntropy', direct(losses.crossEntropy), classOptions],
  crossEntropySoftInner: ['crossEntropy', direct(losses.crossEntropy), classOptions],
  crossEntropyOne: ['crossEntropy', direct(losses.crossEntropy), classOptions],
  nll: ['nll', direct(losses.nll), classOptions],
  nllInner: ['nll', direct(losses.nll), classOptions],
  bce: ['bce', direct(losses.bce), { plain: () => ({}), weight: () => ({ weight: row() }) }],
  bceWithLogits: ['bceWithLogits', direct(losses.bceWithLogits), logistic],
  bceWithLogitsHard: ['bceWithLogits', direct(losses.bceWithLogits), logistic],
  mse: ['mse', direct(losses.mse), plain],
  mae: ['mae', direct(losses.mae), plain],
  smoothL1: [
    'smoothL1',
    direct(losses.smoothL1),
    { ...plain, beta: () => ({ beta: 0.25 }), zero: () => ({ beta: 0 }) },
  ],
  huber: ['huber', direct(losses.huber), { ...plain, delta: () => ({ delta: 0.25 }) }],
  klDiv: ['klDiv', direct(losses.klDiv), { ...plain, logTarget: () => ({ logTarget: true }) }],
  hinge: ['hinge', signed(losses.hinge), plain],
  hingeEmbedding: ['hingeEmbedding', signed(losses.hingeEmbedding), margins],
  marginRanking: ['marginRanking', signed(losses.marginRanking), margins],
  cosineEmbedding: ['cosineEmbedding', signed(losses.cosineEmbedding), margins],
  cosineEmbeddingOne: ['cosineEmbedding', signed(losses.cosineEmbedding), margins],
  tripletMargin: ['tripletMargin', direct(losses.tripletMargin), triplet],
  tripletMarginOne: ['tripletMargin', direct(losses.tripletMargin), triplet],
  poissonNll: [
    'poissonNll',
    direct(losses.poissonNll),
    {
      ...plain,
      full: () => ({ full: true }),
      rate: () => ({ logInput: false }),
      'rate-full': () => ({ logInput: false, full: true, eps: 0.125 }),
    },
  ],
  gaussianNll24: ['gaussianNll', direct(losses.gaussianNll), gauss],
  gaussianNll21: ['gaussianNll', direct(losses.gaussianNll), gauss],
  gaussianNll15: ['gaussianNll', direct(losses.gaussianNll), gauss],
  multiMargin: [
    'multiMargin',
    direct(losses.multiMargin),
    {
      ...plain,
      p2: () => ({ p: 2 }),
      margin: () => ({ margin: 0.5 }),
      weight: () => ({ weight: weight() }),
    },
  ],
  multiMarginOne: ['multiMargin', direct(losses.multiMargin), plain],
  focalBinary: [
    'focal',
    direct(losses.focal),
    { ...plain, gamma: () => ({ gamma: 0.5, alpha: 0.75 }), none: () => ({ alpha: null }) },
  ],
  focal: ['focal', direct(losses.focal), focal],
  focalInner: ['focal', direct(losses.focal), focal],
  infoNCE: ['infoNCE', direct(losses.infoNCE), nce],
  infoNCEOthers: [
    'infoNCE',
    (options, query, key, negatives) => losses.infoNCE(query as Tensor, key as Tensor, { ...options, negatives }),
    nce,
  ],
  ctc: ['ctc', spelled({}), plain],
  ctcBlank: ['ctc', spelled({ blank: 4 }), plain],
  ctcOne: ['ctc', spelled({}), plain],
}

class Bare extends nn.Module {
  forward(x: Tensor): Tensor {
    return x
  }
}
const bare = () => new Bare()

describe.each(Object.entries(groups))('%s', (group, [name, loss, options, slack]) => {
  for (const at of cases.filter((c) => c.startsWith(`${group}/`))) {
    const [, label = '', reduction] = at.split('/')
    const option = options[label]
    if (!option) continue
    // Without reduction in the options: the default.
    const call = (_: nn.Module, ...inputs: Tensor[]): Tensor =>
      loss({ ...option(), ...(reduction !== 'mean' && { reduction }) }, ...inputs)
    followsPyTorch(arrays, {
      kind: 'losses',
      name,
      at,
      depth: 24,
      ...(slack && { slack }),
      make: bare,
      call,
    })
  }
})

describe('probabilities of 0 and 1', () => {
  followsPyTorch(arrays, {
    kind: 'losses',
    name: 'bce',
    at: 'bce/edge/sum',
    depth: 24,
    make: bare,
    call: (_, x) => losses.bce(x as Tensor, tensor([0, 1, 1, 0, 1]), { reduction: 'sum' }),
  })
})

describe('cosineSimilarity', () => {
  const common = { kind: 'ops', name: 'cosineSimilarity', depth: 24, make: bare }
  const cosine = (a: unknown, b: unknown, options = {}) => lw.cosineSimilarity(a as Tensor, b as Tensor, options)
  followsPyTorch(arrays, { ...common, at: 'cosineSimilarity/plain', call: (_, a, b) => cosine(a, b) })
  followsPyTorch(arrays, { ...common, at: 'cosineSimilarity/axis', call: (_, a, b) => cosine(a, b, { axis: -1 }) })
})

test('every case of the fixture is compared', () => {
  const others = /^(bce\/edge|cosineSimilarity|train)\//
  const unknown = cases.filter((c) => {
    const [group = '', label = ''] = c.split('/')
    return !others.test(c) && !groups[group]?.[2][label]
  })
  expect(unknown).toEqual([])
})

describe('training', () => {
  type Training = {
    outputs?: number
    call?: (model: nn.Module, x: Tensor) => Tensor
    lr?: number
    loss: (y: Tensor, t: Tensor) => Tensor
  }
  const columns = (y: Tensor, start: number, end: number) => lw.slice(y, null, { start, end })
  const logProbabilities = (model: nn.Module, x: Tensor): Tensor => {
    const y = model.forward(x) as Tensor
    return y.sub(y.logSumExp({ axis: -1, keepDim: true }))
  }
  const trainings: Record<string, Training> = {
    crossEntropy: { lr: 0.5, loss: (y, t) => losses.crossEntropy(y, t, { labelSmoothing: 0.125, ignoreIndex: 1 }) },
    nll: { lr: 0.5, call: logProbabilities, loss: (y, t) => losses.nll(y, t) },
    bce: { lr: 0.5, call: (model, x) => (model.forward(x) as Tensor).sigmoid(), loss: (y, t) => losses.bce(y, t) },
    bceWithLogits: { lr: 0.5, loss: (y, t) => losses.bceWithLogits(y, t.to('f32')) },
    mse: { loss: (y, t) => losses.mse(y, t) },
    mae: { loss: (y, t) => losses.mae(y, t) },
    smoothL1: { loss: (y, t) => losses.smoothL1(y, t) },
    huber: { loss: (y, t) => losses.huber(y, t) },
    klDiv: { lr: 0.5, call: logProbabilities, loss: (y, t) => losses.klDiv(y, t, { reduction: 'batchMean' }) },
    hinge: { loss: (y, t) => losses.hinge(y, t) },
    hingeEmbedding: {
      call: (model, x) => (model.forward(x) as Tensor).abs(),
      loss: (y, t) => losses.hingeEmbedding(y, t),
    },
    marginRanking: {
      outputs: 2,
      loss: (y, t) => losses.marginRanking(lw.select(y, 1, 0), lw.select(y, 1, 1), t, { margin: 0.5 }),
    },
    cosineEmbedding: {
      outputs: 6,
      loss: (y, t) => losses.cosineEmbedding(columns(y, 0, 3), columns(y, 3, 6), t),
    },
    tripletMargin: {
      outputs: 6,
      loss: (y, t) => losses.tripletMargin(columns(y, 0, 3), columns(y, 3, 6), t),
    },
    poissonNll: { loss: (y, t) => losses.poissonNll(y, t) },
    gaussianNll: { loss: (y, t) => losses.gaussianNll(columns(y, 0, 2), t, columns(y, 2, 4).exp()) },
    multiMargin: { loss: (y, t) => losses.multiMargin(y, t) },
    focal: { lr: 0.5, loss: (y, t) => losses.focal(y, t) },
    infoNCE: { loss: (y, t) => losses.infoNCE(y, t, { temperature: 0.5 }) },
    ctc: {
      loss: (y, t) => losses.ctc(y.reshape([8, 1, 4]).logSoftmax(), t, Int32Array.of(8), Int32Array.of(3)),
    },
  }
  test('every loss is trained on', () => expect(Object.keys(trainings).sort()).toEqual(Object.keys(losses).sort()))
  for (const [name, { outputs = 4, call, lr, loss }] of Object.entries(trainings))
    followsPyTorch(arrays, {
      kind: 'losses',
      name,
      at: `train/${name}`,
      depth: 24,
      make: () => new nn.Linear(5, outputs),
      ...(call && { call: (model, ...inputs) => call(model, inputs[0] as Tensor) }),
      ...(lr && { lr }),
      loss,
    })
})
