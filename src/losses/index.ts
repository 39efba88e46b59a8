export { type LossOptions, mae, mse, type Reduction } from '../ops/loss.ts'
export { crossEntropy } from '../ops/softmax.ts'
