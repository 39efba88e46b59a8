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
import { expand } from './ops/broadcast.ts'
import { clone, flatten, permute, reshape, to, transpose } from './ops/copy.ts'
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
import { gather, indexSelect, scatterAdd } from './ops/gather.ts'
import { dot, matmul, outer } from './ops/gemm.ts'
import { flip, pad, roll, select, slice, split, squeeze, tril, triu, unsqueeze } from './ops/part.ts'
import { argmax, argmin, cumsum, logSumExp, max, mean, min, norm, prod, std, sum, variance } from './ops/reduce.ts'
import { logSoftmax, softmax } from './ops/softmax.ts'
import { sort, topk } from './ops/sort.ts'
import { backward } from './tensor/tape.ts'
import { Tensor } from './tensor/tensor.ts'

const methods = {
  abs,
  add,
  argmax,
  argmin,
  backward,
  clamp,
  clone,
  cos,
  cumsum,
  div,
  dot,
  elu,
  equal,
  erf,
  exp,
  expand,
  flatten,
  flip,
  floor,
  gather,
  gelu,
  glu,
  greater,
  greaterEqual,
  hardsigmoid,
  hardswish,
  indexSelect,
  leakyRelu,
  less,
  lessEqual,
  log,
  log1p,
  logSoftmax,
  logSumExp,
  matmul,
  max,
  maximum,
  mean,
  min,
  minimum,
  mish,
  mul,
  neg,
  norm,
  notEqual,
  outer,
  pad,
  permute,
  pow,
  prelu,
  prod,
  relu,
  reshape,
  roll,
  round,
  rsqrt,
  scatterAdd,
  select,
  selu,
  sigmoid,
  sign,
  silu,
  sin,
  slice,
  softmax,
  softplus,
  sort,
  split,
  sqrt,
  squeeze,
  std,
  sub,
  sum,
  tanh,
  to,
  topk,
  transpose,
  tril,
  triu,
  unsqueeze,
  variance,
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
