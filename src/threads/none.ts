// Places without workers: edge runtimes.

import type { Worker } from './worker.ts'

/** One: there is no telling. */
export const cores = (): number => 1

/** Why there can be no workers over one memory here. */
export const obstacle = (): string => 'this runtime has no workers'

/** Never called. */
export const spawn = (): Promise<Worker> => Promise.reject(new Error(obstacle()))
