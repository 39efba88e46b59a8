export {
  ELU,
  GELU,
  GLU,
  Hardsigmoid,
  Hardswish,
  LeakyReLU,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  SELU,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
} from './activation.ts'
export {
  KeyValueCache,
  MultiheadAttention,
  type MultiheadAttentionOptions,
  type MultiheadMasks,
  RotaryEmbedding,
  type RotaryEmbeddingOptions,
} from './attention.ts'
export { Bilinear, type BilinearOptions } from './bilinear.ts'
export { type Layer, ModuleDict, ModuleList, Sequential } from './container.ts'
export {
  Conv1d,
  type Conv1dOptions,
  Conv2d,
  type Conv2dOptions,
  ConvTranspose2d,
  type ConvTranspose2dOptions,
} from './conv.ts'
export { Dropout, Dropout2d, type DropoutOptions } from './dropout.ts'
export { Embedding, type EmbeddingOptions } from './embedding.ts'
export * as init from './initializers.ts'
export { Linear, type LinearOptions } from './linear.ts'
export { Buffer, type ForwardHook, Module, Parameter, type StateDict } from './module.ts'
export {
  BatchNorm1d,
  BatchNorm2d,
  type BatchNormLayerOptions,
  GroupNorm,
  type GroupNormOptions,
  LayerNorm,
  type LayerNormOptions,
  RMSNorm,
  type RMSNormOptions,
} from './norm.ts'
export { AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d } from './pool.ts'
export {
  GRU,
  GRUCell,
  LSTM,
  LSTMCell,
  type LSTMState,
  type RecurrentCellOptions,
  type RecurrentOptions,
  type RecurrentOutput,
  RNN,
  RNNCell,
  type RNNCellOptions,
  type RNNOptions,
} from './recurrent.ts'
export { PixelShuffle, Upsample, ZeroPad2d } from './resample.ts'
export { Flatten, Identity, Unflatten } from './shape.ts'
export { summary } from './summary.ts'
export {
  TransformerDecoderBlock,
  type TransformerDecoderBlockOptions,
  TransformerEncoder,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
  type TransformerMasks,
} from './transformer.ts'
