// Ops that are functions of lanewise and methods of Tensor, x.matmul(w).relu(): the one list of both. Those that are
// functions alone stand in index.ts.

export {
  elu,
  type GeluOptions,
  gelu,
  glu,
  hardsigmoid,
  hardswish,
  leakyRelu,
  mish,
  prelu,
  relu,
  type SoftplusOptions,
  selu,
  sigmoid,
  silu,
  softplus,
  tanh,
} from './ops/activation.ts'
export { expand } from './ops/broadcast.ts'
export { clone, flatten, permute, reshape, to, transpose } from './ops/copy.ts'
export {
  abs,
  add,
  clamp,
  cos,
  div,
  equal,
  erf,
  exp,
  expm1,
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
export { gather, indexSelect, scatterAdd } from './ops/gather.ts'
export { dot, matmul, outer } from './ops/gemm.ts'
export { flip, pad, type Range, roll, select, slice, split, squeeze, tril, triu, unsqueeze } from './ops/part.ts'
export {
  argmax,
  argmin,
  cumsum,
  logSumExp,
  max,
  mean,
  min,
  norm,
  prod,
  type ReduceOptions,
  std,
  sum,
  type VarianceOptions,
  variance,
} from './ops/reduce.ts'
export { logSoftmax, softmax } from './ops/softmax.ts'
export { type SortOptions, sort, type TopkOptions, topk } from './ops/sort.ts'
export { type BackwardOptions, backward } from './tensor/tape.ts'
