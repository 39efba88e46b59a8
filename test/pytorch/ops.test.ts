// Functions of tensors against PyTorch: values and gradients.

import { beforeAll, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { nn, type Tensor } from '../../src/index.ts'
import { fixture, followsPyTorch, recordAccuracy } from '../helpers/pytorch.ts'

beforeAll(() => lw.init())
recordAccuracy('ops')

const arrays = fixture('ops')

class Bare extends nn.Module {
  forward(x: Tensor): Tensor {
    return x
  }
}

type Two = (x: Tensor, y: Tensor) => Tensor
const shares = [0, 0.3, 0.5, 1]
const quantile = (interpolation: 'linear' | 'lower' | 'higher' | 'midpoint' | 'nearest'): Two => {
  return (x) => lw.quantile(x, shares, { axis: 1, interpolation })
}
/** By case of the fixture; the name of an op is what stands before a slash. */
const cases: Record<string, Two> = {
  ...{ log2: lw.log2, atan: lw.atan, atan2: lw.atan2, sinh: lw.sinh, cosh: lw.cosh, ceil: lw.ceil, trunc: lw.trunc },
  clampMin: (x) => lw.clampMin(x, 0.5),
  clampMax: (x) => lw.clampMax(x, 0.5),
  cumprod: (x) => lw.cumprod(x, 1),
  trace: lw.trace,
  'normalize/plain': (x) => lw.normalize(x),
  'normalize/p1': (x) => lw.normalize(x, { p: 1, axis: 0 }),
  'median/rows': (x) => lw.median(x, { axis: 1 }).values,
  'median/all': (x) => lw.median(x).values,
  'quantile/linear': quantile('linear'),
  'quantile/lower': quantile('lower'),
  'quantile/higher': quantile('higher'),
  'quantile/midpoint': quantile('midpoint'),
  'quantile/nearest': quantile('nearest'),
  'quantile/kept': (x) => lw.quantile(x, 0.25, { axis: 0, keepDim: true }),
  maskedFill: (x, mask) => lw.maskedFill(x, mask, 2.5),
  repeat: (x) => lw.repeat(x, [2, 1, 3]),
  tile: (x) => lw.tile(x, [3]),
  chunk: (x) =>
    lw.cat(
      lw.chunk(x, 3, 1).map((part, i) => part.mul(i + 1)),
      1,
    ),
  unfold: (x) => lw.unfold(x, 1, 3, 2),
  'diag/matrix': (x) => lw.diag(x, -1),
  'diag/vector': (x) => lw.diag(x, 1),
  meshgrid: (x, y) => lw.cat(lw.meshgrid([x, y], { indexing: 'xy' })),
  bincount: (x, weights) => lw.scatterAdd(lw.zeros([6]), 0, x, weights),
  searchSorted: (s, v) => lw.searchSorted(s, v).to('f32').add(s.sum().add(v.sum()).mul(0)),
}

for (const [at, call] of Object.entries(cases))
  followsPyTorch(arrays, {
    kind: 'ops',
    name: at.split('/')[0] as string,
    at,
    depth: 8,
    make: () => new Bare(),
    call: (_, ...x) => call(...(x as [Tensor, Tensor])),
  })

test('maskedSelect and bincount, which no program can hold, follow PyTorch', () => {
  const read = (name: string) => arrays[name] as lw.NDArray
  const x = lw.tensor(read('maskedSelect/in/0'), { requiresGrad: true })
  const y = x.maskedSelect(read('maskedSelect/in/1'))
  expect(y.data()).toEqual(read('maskedSelect/output').data)
  y.backward({ gradient: lw.tensor(read('maskedSelect/doutput')) })
  expect(x.grad?.data()).toEqual(read('maskedSelect/din/0').data)
  const weights = lw.tensor(read('bincount/in/1'))
  const counted = lw.bincount(read('bincount/in/0'), { weights })
  counted.data().forEach((v, i) => {
    expect(v).toBeCloseTo(read('bincount/output').data[i] as number, 6)
  })
})

test('every case of the fixture is compared', () => {
  const found = Object.keys(arrays).flatMap((name) => name.match(/^(.+)\/output$/)?.[1] ?? [])
  expect(found.sort()).toEqual([...Object.keys(cases), 'maskedSelect'].sort())
})
