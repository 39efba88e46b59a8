// What every program has: the engine, tensors with all their methods, gradients, compile.

export { compile, init, Tensor, tensor } from 'lanewise'
