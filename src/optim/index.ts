export { Adam, type AdamOptions, AdamW } from './adam.ts'
export {
  Adadelta,
  type AdadeltaOptions,
  Adagrad,
  type AdagradOptions,
  Adamax,
  type MomentsOptions,
  NAdam,
  type NAdamOptions,
  RAdam,
  RMSprop,
  type RMSpropOptions,
  Rprop,
  type RpropOptions,
} from './adaptive.ts'
export { Lion, type LionOptions } from './lion.ts'
export { Optimizer, type OptimizerState } from './optimizer.ts'
export { SGD, type SGDOptions } from './sgd.ts'
