// A whole training in a Worker: `serve` there, `Training` on the page. Neither brings the core along.

export { serve } from './serve.ts'
export { type StartOptions, Training, type TrainingOptions } from './training.ts'
export type { AnyTrain, Context, OptionsOf, ProgressOf, ResultOf, StateOf, Train } from './types.ts'
