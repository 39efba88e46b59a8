// Entry lanewise/learn: fits that need no gradient descent, and draws from what was learnt. Needs init() as all else.

export {
  type GaussianMixture,
  type GaussianMixtureOptions,
  gaussianMixture,
  type KMeans,
  type KMeansOptions,
  kMeans,
} from './cluster.ts'
export { type Pca, pca } from './decompose.ts'
export { type SampleOptions, sample } from './generate.ts'
export {
  type LeastSquares,
  type LeastSquaresOptions,
  type LinearFit,
  type LogisticRegression,
  type LogisticRegressionOptions,
  leastSquares,
  logisticRegression,
} from './linear.ts'
