// A worker, from the side of the thread that starts it.

/** What a worker is given to begin with. */
export interface Assignment {
  readonly module: WebAssembly.Module
  readonly memory: WebAssembly.Memory
  readonly tileColumns: number
  /** Word of memory where control begins. */
  readonly control: number
  /** Number of the thread, from 1. */
  readonly self: number
}

/** A worker that runs. */
export interface Worker {
  /** Whether it still does; null where this place cannot tell without waiting. */
  alive(): boolean | null
  /** Resolves when it has come to an end, to why. */
  readonly ended: Promise<string>
  /** Brings it to an end. */
  end(): void
}
