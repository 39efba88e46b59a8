// Ops as methods of Tensor: x.matmul(w).relu(). The only file that knows of both; nothing below does.

import { relu, sigmoid, tanh } from './ops/activation.ts'
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
import { gather, indexSelect, scatterAdd } from './ops/gather.ts'
import { dot, matmul, outer } from './ops/gemm.ts'
import { flip, pad, roll, select, slice, split, squeeze, tril, triu, unsqueeze } from './ops/part.ts'
import { argmax, argmin, cumsum, logSumExp, max, mean, min, norm, prod, std, sum, variance } from './ops/reduce.ts'
import { softmax } from './ops/softmax.ts'
import { sort, topk } from './ops/sort.ts'
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
  dot,
  exp,
  expand,
  flatten,
  gather,
  indexSelect,
  log,
  matmul,
  max,
  mean,
  mul,
  neg,
  outer,
  permute,
  relu,
  reshape,
  rsqrt,
  scatterAdd,
  sigmoid,
  sign,
  softmax,
  sort,
  sqrt,
  sub,
  sum,
  tanh,
  to,
  topk,
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
