import './chain.ts'

export { type InitOptions, init, memoryStats } from './core/engine.ts'
export type { MemoryStats } from './core/memory.ts'
export { type Dataset, randomSplit, Subset, TensorDataset } from './data/dataset.ts'
export { readIdx } from './data/idx.ts'
export { DataLoader, type DataLoaderOptions } from './data/loader.ts'
export type { Source } from './data/source.ts'
export { readSafetensors, type SafetensorsFile, writeSafetensors } from './io/safetensors.ts'
export type {
  BceOptions,
  CrossEntropyOptions,
  GaussianNllOptions,
  KlDivOptions,
  LossOptions,
  MarginOptions,
  NllOptions,
  PoissonNllOptions,
  Reduction,
  TripletMarginOptions,
} from './losses/index.ts'
export * as losses from './losses/index.ts'
export type { AccuracyOptions, AverageOptions, Metric, MetricInput, PerplexityOptions } from './metrics/index.ts'
export * as metrics from './metrics/index.ts'
export * as nn from './nn/index.ts'
export { relu, sigmoid, tanh } from './ops/activation.ts'
export { clone, expand, flatten, permute, reshape, to, transpose } from './ops/copy.ts'
export { full, ones, zeros } from './ops/create.ts'
export {
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
  where,
} from './ops/elementwise.ts'
export { linear, matmul } from './ops/gemm.ts'
export type { Value } from './ops/input.ts'
export {
  cat,
  flip,
  pad,
  type Range,
  roll,
  select,
  slice,
  split,
  squeeze,
  stack,
  tril,
  triu,
  unsqueeze,
} from './ops/part.ts'
export { Generator, manualSeed, normal, uniform } from './ops/random.ts'
export {
  argmax,
  argmin,
  cosineSimilarity,
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
export { softmax } from './ops/softmax.ts'
export * as optim from './optim/index.ts'
export { type Compiled, compile, type Input } from './tensor/compile.ts'
export { scope } from './tensor/scope.ts'
export { type BackwardOptions, backward, noGrad } from './tensor/tape.ts'
export { type NestedNumbers, Tensor, type TensorOptions, tensor } from './tensor/tensor.ts'
export type { DType, NDArray, TypedArray } from './tensor/types.ts'
