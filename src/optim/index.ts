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
export { ExponentialMovingAverage } from './average.ts'
export { type ClipGradNormOptions, clipGradNorm, clipGradValue } from './clip.ts'
export { CyclicLR, type CyclicLROptions, OneCycleLR, type OneCycleLROptions } from './cyclic.ts'
export { LBFGS, type LBFGSOptions } from './lbfgs.ts'
export { Lion, type LionOptions } from './lion.ts'
export { Muon, type MuonOptions } from './muon.ts'
export { Optimizer, type OptimizerState, ParameterGroups } from './optimizer.ts'
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from './plateau.ts'
export {
  ChainedScheduler,
  ConstantLR,
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  ExponentialLR,
  LambdaLR,
  LinearLR,
  type LinearLROptions,
  MultiplicativeLR,
  MultiStepLR,
  type PerGroup,
  PolynomialLR,
  Schedule,
  type ScheduleState,
  SequentialLR,
  StepLR,
} from './schedule.ts'
export { SGD, type SGDOptions } from './sgd.ts'
