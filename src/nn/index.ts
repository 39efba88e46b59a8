export { ReLU, Sigmoid, Tanh } from './activation.ts'
export { type Layer, ModuleDict, ModuleList, Sequential } from './container.ts'
export {
  Conv1d,
  type Conv1dOptions,
  Conv2d,
  type Conv2dOptions,
  ConvTranspose2d,
  type ConvTranspose2dOptions,
} from './conv.ts'
export { Linear, type LinearOptions } from './linear.ts'
export { Buffer, type ForwardHook, Module, Parameter, type StateDict } from './module.ts'
export { AdaptiveAvgPool2d, AvgPool1d, AvgPool2d, MaxPool1d, MaxPool2d } from './pool.ts'
export { PixelShuffle, Upsample, ZeroPad2d } from './resample.ts'
export { summary } from './summary.ts'
