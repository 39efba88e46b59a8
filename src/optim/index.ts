export {
  Adadelta,
  type AdadeltaOptions,
  Adagrad,
  type AdagradOptions,
  RMSprop,
  type RMSpropOptions,
} from './adagrad.ts'
export {
  Adam,
  Adamax,
  type AdamOptions,
  AdamW,
  type MomentsOptions,
  NAdam,
  type NAdamOptions,
  RAdam,
} from './adam.ts'
export { ExponentialMovingAverage } from './average.ts'
export { type ClipGradNormOptions, clipGradNorm, clipGradValue } from './clip.ts'
export { CyclicLR, type CyclicLROptions, OneCycleLR, type OneCycleLROptions } from './cyclic.ts'
export { LBFGS, type LBFGSOptions } from './lbfgs.ts'
export { Lion, type LionOptions } from './lion.ts'
export { Muon, type MuonOptions } from './muon.ts'
export { Optimizer } from './optimizer.ts'
export { type OptimizerState, ParameterGroups } from './parameters.ts'
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from './plateau.ts'
export { Rprop, type RpropOptions } from './rprop.ts'
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
