// lanewise/train: what a training needs besides its loop.

export {
  type Checkpoint,
  checkpoints,
  type LoadOptions,
  loadCheckpoint,
  type Parts,
  type SaveOptions,
  saveCheckpoint,
} from './checkpoint.ts'
export type { Stateful } from './state.ts'
export { indexedDbStore, type KeyValue, keyValueStore, memoryStore, opfsStore, type Store } from './store.ts'
export { type LoadedWeights, load, type WeightsOptions } from './weights.ts'
