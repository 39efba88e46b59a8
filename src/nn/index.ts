export { ReLU, Sigmoid, Tanh } from './activation.ts'
export { Linear, type LinearOptions } from './linear.ts'
export { Module, Parameter, type StateDict } from './module.ts'
export { type Layer, Sequential } from './sequential.ts'
