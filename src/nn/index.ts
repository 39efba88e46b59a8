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
export { type Layer, ModuleDict, ModuleList, Sequential } from './container.ts'
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
export { summary } from './summary.ts'
