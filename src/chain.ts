// Ops as methods of Tensor: x.matmul(w).relu(). The only file that knows of both; nothing below does.

import {
  elu,
  gelu,
  glu,
  hardsigmoid,
  hardswish,
  leakyRelu,
  mish,
  prelu,
  relu,
  selu,
  sigmoid,
  silu,
  softplus,
  tanh,
} from './ops/activation.ts'
import { clone, expand, flatten, permute, reshape, to, transpose } from './ops/copy.ts'
import {
  abs,
  add,
  clamp,
  cos,
  div,
  equal,
  erf,
  exp,
  floor,
  greater,
  greaterEqual,
  less,
  lessEqual,
  log,
  log1p,
  maximum,
  minimum,
  mul,
  neg,
  notEqual,
  pow,
  round,
  rsqrt,
  sign,
  sin,
  sqrt,
  sub,
} from './ops/elementwise.ts'
import { matmul } from './ops/gemm.ts'
import { flip, pad, roll, select, slice, split, squeeze, tril, triu, unsqueeze } from './ops/part.ts'
import { argmax, argmin, cumsum, logSumExp, max, mean, min, norm, prod, std, sum, variance } from './ops/reduce.ts'
import { logSoftmax, softmax } from './ops/softmax.ts'
import { backward } from './tensor/tape.ts'
import { Tensor } from './tensor/tensor.ts'

const methods = {
  flip,
  pad,
  roll,
  select,
  slice,
  split,
  squeeze,
  tril,
  triu,
  unsqueeze,
  argmin,
  cumsum,
  logSumExp,
  min,
  norm,
  prod,
  std,
  variance,
  log1p,
  sin,
  cos,
  erf,
  floor,
  round,
  minimum,
  maximum,
  clamp,
  pow,
  equal,
  notEqual,
  less,
  lessEqual,
  greater,
  greaterEqual,
  abs,
  add,
  argmax,
  backward,
  clone,
  div,
  elu,
  exp,
  expand,
  flatten,
  gelu,
  glu,
  hardsigmoid,
  hardswish,
  leakyRelu,
  log,
  logSoftmax,
  matmul,
  max,
  mean,
  mish,
  mul,
  neg,
  permute,
  prelu,
  relu,
  reshape,
  rsqrt,
  selu,
  sigmoid,
  sign,
  silu,
  softmax,
  softplus,
  sqrt,
  sub,
  sum,
  tanh,
  to,
  transpose,
}

type Methods = {
  [Name in keyof typeof methods]: (typeof methods)[Name] extends (x: infer _, ...rest: infer Rest) => infer Result
    ? (...rest: Rest) => Result
    : never
}

declare module './tensor/tensor.ts' {
  interface Tensor extends Methods {}
}

for (const [name, op] of Object.entries(methods)) {
  Object.defineProperty(Tensor.prototype, name, {
    configurable: true,
    writable: true,
    value(this: Tensor, ...rest: unknown[]) {
      return (op as (x: Tensor, ...rest: unknown[]) => unknown)(this, ...rest)
    },
  })
}
