// The threads of a core: this one, which starts runs, and workers over the same memory.

import { spawn } from '#workers'
import type { Command } from '../core/command.ts'
import type { Team as CoreTeam } from '../core/engine.ts'
import type { Memory } from '../core/memory.ts'
import type { Core } from '../core/module.ts'
import type { Stage } from '../core/plan.ts'
import { Storage } from '../core/storage.ts'
import { costOf, type Outcome, TeamProgram } from './program.ts'
import { partsOf, type Sharing, stagesOf } from './stages.ts'
import { Control, MAX_THREADS, NEVER, type Walker, wake, walk } from './walk.ts'
import type { Assignment, Worker } from './worker.ts'

/** A part that takes this long, and a hundred times what the whole program was reckoned to take, has died with its
 *  worker, in places that cannot tell. */
const PATIENCE_MS = 10_000
/** What counts of the time between two looks: a machine that slept in between has not waited. */
const LOOK_MS = 200

interface Terms {
  readonly threads: number
  /** Nanoseconds that a part takes at least. */
  readonly least: number
  readonly eagerAlone: boolean
  readonly reason: string
}

export class Team implements CoreTeam {
  readonly #memory: Memory
  readonly #control: number
  readonly #walker: Walker
  readonly #workers = new Map<number, Worker>()
  readonly #sharing: Omit<Sharing, 'twin'>
  readonly #eagerAlone: boolean
  /** Number of the latest run. */
  #run = 0
  /** Runs so far. */
  #runs = 0
  #reason: string
  #ended = false

  private constructor(memory: Memory, core: Core, { threads, least, eagerAlone, reason }: Terms) {
    this.#memory = memory
    this.#control = memory.allocate(4 * Control.words, 'threads') >>> 2
    memory.i32.fill(0, this.#control, this.#control + Control.words)
    memory.i32[this.#control + Control.open] = NEVER
    this.#sharing = { threads, least }
    this.#eagerAlone = eagerAlone
    this.#reason = reason
    this.#walker = { words: memory.i32, control: this.#control, self: 0, run: core.run, sleeps: maySleep(memory.i32) }
  }

  /** Starts workers; those that do not come up are missed in `size`, and named in `reason`. */
  static async assemble(
    memory: Memory,
    core: Core,
    { module, memory: shared, tileColumns, ...terms }: Terms & Omit<Assignment, 'control' | 'self'>,
  ): Promise<Team> {
    const team = new Team(memory, core, terms)
    const assignment = { module, memory: shared, tileColumns, control: team.#control }
    const starts = Array.from({ length: terms.threads - 1 }, (_, i) =>
      spawn({ ...assignment, self: i + 1 }).then((worker) => team.#join(i + 1, worker)),
    )
    for (const start of await Promise.allSettled(starts)) {
      if (start.status === 'rejected') team.#reason = (start.reason as Error).message
    }
    return team
  }

  /** Threads that take part. */
  get size(): number {
    return 1 + this.#workers.size
  }

  /** Why there are as many. */
  get reason(): string {
    return this.#reason
  }

  #join(self: number, worker: Worker): void {
    this.#workers.set(self, worker)
    worker.ended.then((why) => this.#leave(self, why))
  }

  #leave(self: number, why: string): void {
    if (this.#workers.delete(self) && !this.#ended) this.#reason = `a worker ended: ${why}`
  }

  /** Does without a worker that died within a step; why it did comes in a message, when this thread waits for one. */
  #lose(self: number): void {
    const worker = this.#workers.get(self)
    if (!worker) return
    const reason = 'a worker died within a step'
    this.#workers.delete(self)
    this.#reason = reason
    worker.ended.then((why) => {
      if (this.#reason === reason) this.#reason = `${reason}: ${why}`
    })
    worker.end()
  }

  /** What the threads do at the same time, for the commands of a program. */
  stages(commands: readonly Command[]): Stage[] {
    const alone = this.size === 1 || !this.#worthwhile(commands)
    const twin = (scratch: Storage) => scratch.twin()
    return stagesOf(commands, alone ? { threads: 1, least: 1, twin } : { ...this.#sharing, twin })
  }

  #worthwhile(commands: readonly Command[]): boolean {
    return costOf(commands) >= LEAST_PARTS * this.#sharing.least
  }

  /** One command in parts, at once; false where it is for one thread. */
  runNow(command: Command): boolean {
    if (this.size === 1 || this.#eagerAlone || bytesOf(command) < EAGER_BYTES || !this.#worthwhile([command]))
      return false
    const own: Storage[] = []
    const twin = ({ bytes, owner }: Storage) => {
      const scratch = Storage.held(this.#memory, bytes, owner)
      own.push(scratch)
      return scratch
    }
    try {
      const { commands } = partsOf(command, { ...this.#sharing, twin })
      if (commands.length === 1) return false
      const program = this.program([commands.map((part) => [{ command: part, place: 0 }])], new Set())
      try {
        program.run()
      } finally {
        program.dispose()
      }
      return true
    } finally {
      for (const scratch of own) scratch.release()
    }
  }

  /** Encodes stages, whose operands have their addresses; `held` are storages that outlive the program. */
  program(stages: readonly Stage[], held: ReadonlySet<Storage>): TeamProgram {
    return new TeamProgram(this, this.#memory, stages, held)
  }

  /** Runs so far: unlike their numbers they do not wrap around. */
  get runs(): number {
    return this.#runs
  }

  /** Number of the latest run. */
  get latest(): number {
    return this.#run
  }

  /** Runs the program whose table is at word `table`. */
  run(table: number, cost: number): Outcome {
    const { words } = this.#walker
    const control = this.#control
    this.#run = (this.#run + MAX_THREADS) | 0
    this.#runs++
    const run = this.#run
    Atomics.store(words, control + Control.table, table)
    Atomics.store(words, control + Control.open, run)
    Atomics.store(words, control + Control.started, run)
    if (Atomics.load(words, control + Control.asleep) > 0) Atomics.notify(words, control + Control.started)
    let lost = 0
    let waited = 0
    let looked = performance.now()
    const isLost = (thread: number): boolean => {
      const worker = this.#workers.get(thread)
      const now = performance.now()
      waited += Math.min(now - looked, LOOK_MS)
      looked = now
      const late = waited > PATIENCE_MS + (100 * cost) / 1e6
      if (worker && (worker.alive() ?? !late)) return false
      lost = thread
      return true
    }
    let done = false
    try {
      done = walk(this.#walker, table, run, isLost)
    } finally {
      Atomics.store(words, control + Control.open, NEVER)
      if (Atomics.load(words, control + Control.waiting) > 0) wake(words, control)
      if (lost > 0) this.#lose(lost)
      // A run that failed leaves parts that others have begun: nobody may write behind the back of what comes next.
      if (!done) this.settle()
    }
    if (done) return 'done'
    return lost === 0 ? 'refused' : { lost }
  }

  /** Waits until no worker is within a run that is over: what it read may then be overwritten. */
  settle(): void {
    const { words } = this.#walker
    const inside = (self: number) => Atomics.load(words, this.#control + Control.inside + self) === 1
    const end = performance.now() + PATIENCE_MS
    for (const [self, worker] of this.#workers) {
      for (let i = 1; inside(self); i++) {
        if (i % 10_000 === 0 && !(worker.alive() ?? performance.now() < end)) break
      }
    }
  }

  /** Lets the workers end. */
  async dispose(): Promise<void> {
    this.#ended = true
    const { words } = this.#walker
    Atomics.store(words, this.#control + Control.ended, 1)
    Atomics.add(words, this.#control + Control.started, 1)
    Atomics.notify(words, this.#control + Control.started)
    const workers = [...this.#workers.values()]
    for (const worker of workers) worker.end()
    await Promise.all(workers.map(({ ended }) => ended))
    this.#workers.clear()
    this.#walker.words = new Int32Array()
    this.#walker.run = () => 0
  }
}

/** A program is shared out when it has the work of as many parts as this. What a thread has just written is slow to come
 *  to another: with 37 µs a step (128-64-10, batch 32, Adam) two threads gain nothing, with 68 µs (256-64-10) a fifth. All
 *  of such a program is cut or nothing: products alone, and not the update, made both slower. */
const LEAST_PARTS = 50

/** Bytes of operands from which an eager command may be worth the while: telling costs a microsecond, too. */
const EAGER_BYTES = 32768

function bytesOf({ args }: Command): number {
  let bytes = 0
  for (const arg of args) if (typeof arg === 'object' && arg !== null && 'storage' in arg) bytes += arg.storage.bytes
  return bytes
}

/** Whether this thread may wait: the main thread of a page may not. */
function maySleep(words: Int32Array): boolean {
  try {
    // No word holds this and that: it returns at once where it is allowed at all.
    Atomics.wait(words, 0, ~(words[0] as number), 0)
    return true
  } catch {
    return false
  }
}
