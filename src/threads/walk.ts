// How threads run one program together. It is a list of stages, each of up to as many parts as there are threads; parts of
// a stage do not depend on each other. A thread claims a part, runs it, marks it done, and goes on when all of the stage
// are. Whoever comes finds what is left: a thread that sleeps, or never wakes up again, holds nobody up unless it dies
// within a part. No message is sent, no thread waits inside of wasm.
//
// All of it lies in linear memory, in words of 32 bits; `at` and places below count words.
//
//   control   STARTED, OPEN, TABLE, …           one for all programs
//   table     stages, then for each its parts, then for each part
//               PROGRAM, REFUSED × 2, CLAIMED, DONE
//
// A run has a number; DONE holds that of the latest run, CLAIMED the same plus the number of the thread. Nothing is
// reset between runs, and a thread that comes late to a run that is over finds nothing to claim. Numbers wrap around.

/** Words of `control`, each on a line of the cache of its own where threads spin on it. */
export const Control = {
  /** Number of the latest run; threads sleep on it. */
  started: 0,
  /** The same while the run lasts, else -1: who enters may stay. */
  open: 16,
  /** Where its table lies. */
  table: 17,
  /** One for each thread: whether it is inside of a run. */
  inside: 32,
  /** Threads that sleep until the next run. */
  asleep: 48,
  /** Counts what those who sleep within a run wait for, and how many they are. */
  progress: 64,
  waiting: 65,
  /** 1 when threads shall end. */
  ended: 81,
  words: 96,
} as const

/** Words of a part in a table. */
export const Part = { program: 0, index: 1, position: 2, claimed: 3, done: 4, words: 5 } as const

/** Threads at most, and from the number of a run to the next. */
export const MAX_THREADS = 16

/** Number of a run that never is. */
export const NEVER = -1

/** Whether run a is after run b, or after the claim b of a run. */
const after = (a: number, b: number): boolean => ((a - b) | 0) > 0

export interface Walker {
  /** Linear memory; at least the control and tables. */
  words: Int32Array
  /** Where control begins. */
  readonly control: number
  /** 0 is the thread that starts runs. */
  readonly self: number
  /** The core's run. */
  run: (program: number, failure: number) => number
  /** Whether this thread may sleep: not the main thread of a page. */
  readonly sleeps: boolean
}

/** Milliseconds of looking before a thread goes to sleep: within a run, and between runs, where a step that follows
 *  finds it awake. Sleeping and waking takes about 0.02 to 0.05. */
const SPIN_WITHIN_MS = 0.1
const SPIN_BETWEEN_MS = 0.2
/** Looks at what others have not begun before it is taken from them: a few microseconds. */
const LOOKS_BEFORE_TAKING = 1000

/** Looks until `come` or for `ms`; whether it came. */
function spin(ms: number, come: () => boolean): boolean {
  const end = performance.now() + ms
  do {
    for (let i = 0; i < 100; i++) if (come()) return true
  } while (performance.now() < end)
  return false
}

/** Runs what is left of run number `run`. False when it stopped: a command refused its data, the run was closed, or
 *  `lost`, which is asked now and then while others work, says of a thread that it will not come back. */
export function walk(walker: Walker, table: number, run: number, lost: (owner: number) => boolean): boolean {
  const { words, control, self } = walker
  const stages = words[table] as number
  let at = table + 1
  for (let s = 0; s < stages; s++) {
    const parts = words[at++] as number
    if (self < parts) take(walker, at + Part.words * self, run)
    // The others have the same program before them, and what is theirs is warm in their caches. The first thread is
    // awake: what is its own is never taken from it.
    for (let i = 0; i < LOOKS_BEFORE_TAKING && !begun(words, at, parts, run); i++);
    for (let i = 1; i < parts; i++) take(walker, at + Part.words * i, run)
    if (!finish(walker, at, parts, run, lost)) return false
    // All threads must find the same, also those that look when others are ahead: only parts of this stage count.
    for (let i = 0; i < parts; i++) if (Atomics.load(words, at + Part.words * i + Part.position) !== 0) return false
    if (Atomics.load(words, control + Control.open) !== run) return false
    at += Part.words * parts
  }
  return true
}

/** Claims and runs the part at `at`, unless another has. */
function take({ words, control, self, run: core }: Walker, at: number, run: number): void {
  const claimed = Atomics.load(words, at + Part.claimed)
  if (!after(run, claimed) || Atomics.compareExchange(words, at + Part.claimed, claimed, run + self) !== claimed) return
  core((words[at + Part.program] as number) << 2, (at + Part.index) << 2)
  Atomics.store(words, at + Part.done, run)
  if (Atomics.load(words, control + Control.waiting) > 0) wake(words, control)
}

/** Tells those who sleep within a run to look again. */
export function wake(words: Int32Array, control: number): void {
  Atomics.add(words, control + Control.progress, 1)
  Atomics.notify(words, control + Control.progress)
}

function begun(words: Int32Array, at: number, parts: number, run: number): boolean {
  for (let i = 1; i < parts; i++) if (after(run, Atomics.load(words, at + Part.words * i + Part.claimed))) return false
  return true
}

/** Place of the first part that is not done, or 0. */
function firstUndone(words: Int32Array, at: number, parts: number, run: number): number {
  for (let i = 0; i < parts; i++) {
    const part = at + Part.words * i
    if (after(run, Atomics.load(words, part + Part.done))) return part
  }
  return 0
}

/** Waits until all parts at `at` are done. False when that will not be. */
function finish(walker: Walker, at: number, parts: number, run: number, lost: (owner: number) => boolean): boolean {
  const { words, control, sleeps } = walker
  const done = () => firstUndone(words, at, parts, run) === 0
  // The run that is closed before its end has failed; only the first thread closes it.
  const closed = () => Atomics.load(words, control + Control.open) !== run
  for (;;) {
    if (spin(SPIN_WITHIN_MS, done)) return true
    if (closed()) return done()
    const part = firstUndone(words, at, parts, run)
    if (part === 0) return true
    if (lost(Atomics.load(words, part + Part.claimed) - run)) return false
    if (!sleeps) continue
    Atomics.add(words, control + Control.waiting, 1)
    const progress = Atomics.load(words, control + Control.progress)
    if (!done() && !closed()) Atomics.wait(words, control + Control.progress, progress, 50)
    Atomics.sub(words, control + Control.waiting, 1)
  }
}

/** The life of a thread other than the first: a part in each run, until the end. */
export function serve(walker: Walker): void {
  const { words, control } = walker
  const never = () => false
  let seen = NEVER
  for (;;) {
    const started = () => Atomics.load(words, control + Control.started) !== seen
    if (!spin(SPIN_BETWEEN_MS, started)) {
      Atomics.add(words, control + Control.asleep, 1)
      Atomics.wait(words, control + Control.started, seen)
      Atomics.sub(words, control + Control.asleep, 1)
      continue
    }
    seen = Atomics.load(words, control + Control.started)
    if (Atomics.load(words, control + Control.ended) === 1) return
    Atomics.store(words, control + Control.inside + walker.self, 1)
    // The table first: where the run is still open after that, it is this run's.
    const table = Atomics.load(words, control + Control.table)
    if (Atomics.load(words, control + Control.open) === seen) walk(walker, table, seen, never)
    Atomics.store(words, control + Control.inside + walker.self, 0)
  }
}
