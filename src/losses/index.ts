export { type CrossEntropyOptions, crossEntropy, type NllOptions, nll } from '../ops/entropy.ts'
export {
  type BceOptions,
  bce,
  bceWithLogits,
  huber,
  type LossOptions,
  mae,
  mse,
  type Reduction,
  smoothL1,
} from '../ops/loss.ts'
export {
  type GaussianNllOptions,
  gaussianNll,
  type KlDivOptions,
  klDiv,
  type PoissonNllOptions,
  poissonNll,
} from './likelihood.ts'
export {
  cosineEmbedding,
  hinge,
  hingeEmbedding,
  type MarginOptions,
  marginRanking,
  type TripletMarginOptions,
  tripletMargin,
} from './margin.ts'
