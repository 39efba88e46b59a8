// lanewise/data: from files to batches.

export type { Column, ColumnKind, NumericColumn, Skipped, TextColumn } from '../io/columns.ts'
export type { CsvOptions } from '../io/csv.ts'
export type { JsonlOptions } from '../io/jsonl.ts'
export type { ParquetOptions } from '../io/parquet.ts'
export type { ByteSource, Source } from '../io/source.ts'
export { type Dataset, randomSplit, type Samples, Subset, TensorDataset } from './dataset.ts'
export {
  type AsyncDataset,
  type BatchTransform,
  balanced,
  DataLoader,
  type DataLoaderOptions,
  type LoaderState,
  type Sampler,
  StreamLoader,
  type StreamLoaderOptions,
  WeightedSampler,
} from './loader.ts'
export { Pipeline, type PipelineOptions, type PipelineState } from './pipeline.ts'
export { kFold, leaks, type SplitOptions, splitIndices } from './split.ts'
export {
  type Cell,
  type Row,
  readCsv,
  readJsonl,
  readParquet,
  streamCsv,
  streamJsonl,
  streamParquet,
  Table,
  type TableSplitOptions,
} from './table.ts'
export {
  type CategoryOptions,
  countedWords,
  type DatePart,
  dateParts,
  embedding,
  hashedWords,
  minMax,
  type NumberOptions,
  oneHot,
  ordinal,
  robust,
  standard,
  type Transform,
  type TransformState,
  unscaled,
} from './transforms.ts'
