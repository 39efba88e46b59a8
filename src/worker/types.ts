import type { NDArray } from '../tensor/types.ts'

/** What a training is handed by `serve`, besides its options. */
export interface Context<Progress = never, State = Record<string, NDArray>> {
  /** Aborted when the page asks to stop. A training that sees it may end by itself and return what there is; one that
   *  yields again is ended there. Given to fetch, it ends a download. */
  readonly signal: AbortSignal
  /** Names what `Training.weights` asks: a model, or whatever has a stateDict() whose arrays are copies, since they are
   *  moved to the page. The last one named counts, also after the training has ended. */
  share(source: { stateDict(): State }): void
  /** Sends a progress that no later one may replace, as the accuracy after an epoch. */
  report(progress: Progress): void
}

/** A training: a generator, where each `yield` says that a step is done. There it may be paused, stopped, or asked for
 *  weights. What it yields, if anything, is progress for the page: the newest, at most one a frame. What it returns is
 *  the result. Options, progress and result are copied between threads: plain values and typed arrays. */
export type Train<Options = undefined, Progress = undefined, Result = void, State = Record<string, NDArray>> = (
  options: Options,
  context: Context<Progress, State>,
) => Generator<Progress | undefined, Result, undefined> | AsyncGenerator<Progress | undefined, Result, undefined>

// biome-ignore lint/suspicious/noExplicitAny: any training
export type AnyTrain = (options: any, context: Context<any, any>) => Generator | AsyncGenerator

export type OptionsOf<T extends AnyTrain> = Parameters<T> extends [] ? undefined : Parameters<T>[0]

type Yielded<T extends AnyTrain> =
  ReturnType<T> extends Generator<infer Y> | AsyncGenerator<infer Y> ? Exclude<Y, undefined> : never
type Reported<T extends AnyTrain> = Parameters<T> extends [unknown, Context<infer Progress, infer _>] ? Progress : never

/** What a training yields, or reports. */
export type ProgressOf<T extends AnyTrain> = Yielded<T> | Reported<T>

export type ResultOf<T extends AnyTrain> =
  ReturnType<T> extends Generator<infer _, infer Result> | AsyncGenerator<infer _, infer Result> ? Result : never

/** What the shared source's stateDict() gives: a model's, unless the training's context says otherwise. */
export type StateOf<T extends AnyTrain> =
  Parameters<T> extends [unknown, Context<infer _, infer State>] ? State : Record<string, NDArray>
