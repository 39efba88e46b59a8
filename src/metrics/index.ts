export {
  Accuracy,
  type AccuracyOptions,
  type AverageOptions,
  AveragePrecision,
  ConfusionMatrix,
  F1,
  Precision,
  Recall,
  ROCAUC,
  TopKAccuracy,
} from './classification.ts'
export type { Metric, MetricInput } from './input.ts'
export {
  MeanAbsoluteError,
  MeanSquaredError,
  Perplexity,
  type PerplexityOptions,
  R2Score,
  RootMeanSquaredError,
} from './regression.ts'
