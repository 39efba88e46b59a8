export { type CtcOptions, ctc } from '../ops/ctc.ts'
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
export { type InfoNCEOptions, infoNCE } from './contrastive.ts'
export {
  type FocalOptions,
  focal,
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
  type MultiMarginOptions,
  marginRanking,
  multiMargin,
  type TripletMarginOptions,
  tripletMargin,
} from './margin.ts'
