import './chain.ts'

export { memoryStats } from './core/engine.ts'
export type { MemoryStats } from './core/memory.ts'
export type { Precision } from './core/precision.ts'
export type { Profile, ProfileRow } from './core/profile.ts'
export { type Dataset, randomSplit, Subset, TensorDataset } from './data/dataset.ts'
export { DataLoader, type DataLoaderOptions } from './data/loader.ts'
export type {
  BceOptions,
  CrossEntropyOptions,
  CtcOptions,
  FocalOptions,
  GaussianNllOptions,
  InfoNCEOptions,
  KlDivOptions,
  LossOptions,
  MarginOptions,
  MultiMarginOptions,
  NllOptions,
  PoissonNllOptions,
  Reduction,
  TripletMarginOptions,
} from './losses/index.ts'
export * as losses from './losses/index.ts'
export * from './methods.ts'
export type { AccuracyOptions, AverageOptions, Metric, MetricInput, PerplexityOptions } from './metrics/index.ts'
export * as metrics from './metrics/index.ts'
export * as nn from './nn/index.ts'
export { type AttentionOptions, type RotaryOptions, rotary, scaledDotProductAttention } from './ops/attention.ts'
export {
  type ConvOptions,
  type ConvOptions1d,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  convTranspose2d,
  type Pair,
} from './ops/conv.ts'
export { arange, eye, full, linspace, meshgrid, ones, onesLike, zeros, zerosLike } from './ops/create.ts'
export { dropout, dropout2d } from './ops/dropout.ts'
export { einsum } from './ops/einsum.ts'
export { where } from './ops/elementwise.ts'
export { embedding, oneHot } from './ops/gather.ts'
export { linear } from './ops/gemm.ts'
export type { Value } from './ops/input.ts'
export {
  type BatchNormOptions,
  batchNorm,
  groupNorm,
  layerNorm,
  type NormOptions,
  type RmsNormOptions,
  rmsNorm,
} from './ops/norm.ts'
export { cat, stack } from './ops/part.ts'
export {
  type AvgPool1dOptions,
  type AvgPool2dOptions,
  adaptiveAvgPool2d,
  avgPool1d,
  avgPool2d,
  type MaxPool1dOptions,
  type MaxPool2dOptions,
  maxPool1d,
  maxPool2d,
  type OutputSize,
} from './ops/pool.ts'
export { Generator, getRngState, manualSeed, normal, type RngState, setRngState, uniform } from './ops/random.ts'
export { cosineSimilarity } from './ops/reduce.ts'
export { type InterpolateOptions, interpolate, pixelShuffle } from './ops/resample.ts'
export { bernoulli, type MultinomialOptions, multinomial, permutation, randint } from './ops/sample.ts'
export { searchSorted } from './ops/sort.ts'
export * as optim from './optim/index.ts'
export { dispose, type InitOptions, init, precision, threads } from './start.ts'
export { type Compiled, type CompileOptions, compile, type Input } from './tensor/compile.ts'
export { scope } from './tensor/scope.ts'
export { noGrad } from './tensor/tape.ts'
export { type NestedNumbers, Tensor, type TensorOptions, tensor } from './tensor/tensor.ts'
export type { DType, NDArray, TypedArray } from './tensor/types.ts'
