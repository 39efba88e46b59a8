import { beforeAll, expect, test } from 'vitest'
import * as lw from '../../src/index.ts'
import { nn } from '../../src/index.ts'
import { fixture, followsPyTorch, recordAccuracy } from '../helpers/pytorch.ts'

beforeAll(() => lw.init())
recordAccuracy('activations')

const arrays = fixture('activations')
const follows = (name: string, at: string, make: () => nn.Module, depth = 1) =>
  followsPyTorch(arrays, { name, at, depth, make })

follows('ReLU', 'relu', () => new nn.ReLU())
follows('Tanh', 'tanh', () => new nn.Tanh())
follows('Sigmoid', 'sigmoid', () => new nn.Sigmoid())
follows('LeakyReLU', 'leaky-relu', () => new nn.LeakyReLU())
follows('LeakyReLU', 'leaky-relu-slope', () => new nn.LeakyReLU({ negativeSlope: 0.3 }))
follows('ELU', 'elu', () => new nn.ELU())
follows('ELU', 'elu-alpha', () => new nn.ELU({ alpha: 0.4 }))
follows('SELU', 'selu', () => new nn.SELU())
follows('GELU', 'gelu', () => new nn.GELU())
follows('GELU', 'gelu-tanh', () => new nn.GELU({ approximate: 'tanh' }))
follows('SiLU', 'silu', () => new nn.SiLU())
follows('Mish', 'mish', () => new nn.Mish())
follows('Hardswish', 'hardswish', () => new nn.Hardswish())
follows('Hardsigmoid', 'hardsigmoid', () => new nn.Hardsigmoid())
follows('Softplus', 'softplus', () => new nn.Softplus())
follows('Softplus', 'softplus-options', () => new nn.Softplus({ beta: 2, threshold: 5 }))
follows('Softmax', 'softmax', () => new nn.Softmax(), 7)
follows('Softmax', 'softmax-first', () => new nn.Softmax(0), 5)
follows('LogSoftmax', 'log-softmax', () => new nn.LogSoftmax(), 7)
follows('LogSoftmax', 'log-softmax-first', () => new nn.LogSoftmax(0), 5)
follows('GLU', 'glu', () => new nn.GLU())
follows('GLU', 'glu-channels', () => new nn.GLU(1))
follows('PReLU', 'prelu', () => new nn.PReLU(), 35)
follows('PReLU', 'prelu-channels', () => new nn.PReLU(3, { init: 0.1 }), 40)
follows('PReLU', 'prelu-flat', () => new nn.PReLU(7), 5)

test('printed forms, and what layers say of wrong options', () => {
  expect(String(new nn.Sequential(new nn.LeakyReLU(), new nn.PReLU(3), new nn.GELU(), new nn.Softmax(1)))).toBe(
    "Sequential(\n  (0): LeakyReLU(negativeSlope=0.01)\n  (1): PReLU(numParameters=3)\n  (2): GELU(approximate='none')\n  (3): Softmax(axis=1)\n)",
  )
  expect(new nn.PReLU(2).weight.tolist()).toEqual([0.25, 0.25])
  expect(() => new nn.GELU({ approximate: 'erf' as 'tanh' })).toThrow(
    "nn.GELU: approximate is 'erf', expected 'none' or 'tanh'",
  )
  expect(() => new nn.PReLU(0)).toThrow('nn.PReLU: numParameters is 0')
  expect(() => new nn.Softplus({ beta: 0 })).toThrow('nn.Softplus: beta is 0, expected a number above 0')
  expect(() => new nn.LeakyReLU({ slope: 1 } as object)).toThrow('unknown option slope')
  expect(() => new nn.Softmax(0.5)).toThrow('nn.Softmax: axis is 0.5, expected a whole number')
})
