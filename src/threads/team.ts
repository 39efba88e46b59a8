// The threads of a core: this one, which starts runs, and workers over the same memory.

import { cores, obstacle, spawn } from '#workers'
import { type Command, operands, writes } from '../core/command.ts'
import { encode, encodedWords } from '../core/encode.ts'
import type { Memory } from '../core/memory.ts'
import { type Core, newMemory } from '../core/module.ts'
import { written } from '../core/options.ts'
import type { Stage } from '../core/plan.ts'
import { GRADIENTS, resolve, Storage } from '../core/storage.ts'
import { cutOf } from './rules.ts'
import { partsOf, type Sharing, stagesOf } from './stages.ts'
import { Control, MAX_THREADS, NEVER, Part, type Walker, wake, walk } from './walk.ts'

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

/** A part that takes this long, and a hundred times what the whole program was reckoned to take, has died with its
 *  worker, in places that cannot tell. */
const PATIENCE_MS = 10_000
/** What counts of the time between two looks: a machine that slept in between has not waited. */
const LOOK_MS = 200

/** How many threads there will be where so many are asked for, and why. */
export function available(asked: number | 'auto'): { threads: number; reason: string } {
  if (asked !== 'auto' && !(Number.isInteger(asked) && asked >= 1 && asked <= MAX_THREADS)) {
    throw new RangeError(
      `init: threads is ${written(asked)}, expected a whole number from 1 to ${MAX_THREADS}, or 'auto'`,
    )
  }
  const place = obstacle()
  if (place !== null) return { threads: 1, reason: place }
  const present = cores()
  const all = `${present} core${present === 1 ? '' : 's'}`
  if (asked === 'auto') return { threads: Math.min(present, MAX_THREADS), reason: `one for each of ${all}` }
  return { threads: asked, reason: `as asked, on ${all}` }
}

const LEAST_PAGES = 4096

/** Shared memory of so many pages; where nobody wished for them, and they are not to be had at once, half, and so on. */
export function reserve(pages: number, yielding: boolean): WebAssembly.Memory {
  try {
    return newMemory(pages, pages, true)
  } catch (error) {
    if (!yielding || pages <= LEAST_PAGES) throw error
    return reserve(pages / 2, yielding)
  }
}

/** The core with its memory import marked as shared, one bit: nothing else sets a core for threads apart from one
 *  without. Bytes that are no core come back as they are: compiling them tells. */
export function share(source: WebAssembly.Module | BufferSource): BufferSource {
  if (source instanceof WebAssembly.Module) {
    throw new TypeError(
      'init: wasm is a compiled WebAssembly.Module, for one thread; with threads pass bytes, a URL or a Response',
    )
  }
  const bytes = ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength).slice()
    : new Uint8Array(source).slice()
  const memory = [3, ...'env'].concat(6, ...'memory', 2).map((x) => (typeof x === 'string' ? x.charCodeAt(0) : x))
  const at = bytes.findIndex((_, i) => memory.every((byte, j) => bytes[i + j] === byte))
  const limits = at + memory.length
  // 1: it may grow, to a given size; 3: it is shared besides.
  if (at >= 0 && bytes[limits] === 1) bytes[limits] = 3
  return bytes
}

interface Terms {
  readonly threads: number
  /** Nanoseconds that a part takes at least. */
  readonly least: number
  readonly eagerAlone: boolean
  readonly reason: string
}

export class Team {
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

/** Nanoseconds of what can be cut, on one thread. */
const costOf = (commands: readonly Command[]): number =>
  commands.reduce((sum, command) => sum + (cutOf(command)?.cost ?? 0), 0)

/** Bytes of operands from which an eager command may be worth the while: telling costs a microsecond, too. */
const EAGER_BYTES = 32768

function bytesOf({ args }: Command): number {
  let bytes = 0
  for (const arg of args) if (typeof arg === 'object' && arg !== null && 'storage' in arg) bytes += arg.storage.bytes
  return bytes
}

/** How a run ended: `lost` is the thread that died within a part. */
type Outcome = 'done' | 'refused' | { readonly lost: number }

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

/** Stages in linear memory. */
export class TeamProgram {
  readonly #team: Team
  readonly #memory: Memory
  readonly #stages: readonly Stage[]
  readonly #words: Storage
  readonly #held: ReadonlySet<Storage>
  /** Runs of the team at the latest of this program. */
  #stamped: number
  /** Nanoseconds on one thread, roughly. */
  readonly #cost: number

  constructor(team: Team, memory: Memory, stages: readonly Stage[], held: ReadonlySet<Storage>) {
    this.#team = team
    this.#memory = memory
    this.#stages = stages
    this.#held = held
    this.#stamped = team.runs
    this.#cost = costOf(stages.flat(2).map(({ command }) => command))
    const lists = stages.flat().map((part) => part.map(({ command }) => command))
    const tableWords = 1 + stages.length + Part.words * lists.length
    const sizes = lists.map(encodedWords)
    this.#words = Storage.held(memory, 4 * sizes.reduce((sum, size) => sum + size, tableWords), 'compile')
    const { i32 } = memory
    let at = this.#words.address >>> 2
    let program = at + tableWords
    let list = 0
    i32[at++] = stages.length
    for (const stage of stages) {
      i32[at++] = stage.length
      for (let i = 0; i < stage.length; i++) {
        encode(lists[list] as Command[], i32, program << 2)
        i32[at + Part.program] = program
        i32[at + Part.position] = 0
        i32[at + Part.claimed] = team.latest
        i32[at + Part.done] = team.latest
        program += sizes[list++] as number
        at += Part.words
      }
    }
  }

  /** Runs it. Throws what a command that refused its data has to say, or that a worker died. */
  run(): void {
    // Numbers of runs wrap around after 2^28: what waited half as long would be taken for a run to come.
    if (this.#team.runs - this.#stamped > 0x4000000) this.#stamp()
    this.#stamped = this.#team.runs
    const outcome = this.#team.run(this.#words.address >>> 2, this.#cost)
    if (outcome === 'done') return
    if (outcome === 'refused') throw this.#refusal()
    const changed = this.#begun()
    const gradients = changed.delete(GRADIENTS)
    this.#stamp()
    const rest = gradients ? '; gradients may be half written, zeroGrad() clears them' : ''
    const state =
      changed.size > 0
        ? `may be half changed: ${[...changed].join(', ')}; load a checkpoint`
        : `are as they were${rest}`
    throw new Error(
      `a thread of Lanewise died within a step (number ${outcome.lost}); parameters and other state ${state}. ` +
        `The run can go on, with ${this.#team.size} of its threads`,
    )
  }

  /** Marks all parts as done in the latest run, with nothing refused. */
  #stamp(): void {
    this.#team.settle()
    const { i32 } = this.#memory
    let at = (this.#words.address >>> 2) + 1
    for (const stage of this.#stages) {
      at++
      for (let i = 0; i < stage.length; i++) {
        i32[at + Part.claimed] = i32[at + Part.done] = this.#team.latest
        i32[at + Part.position] = 0
        at += Part.words
      }
    }
  }

  /** Owners of what outlives the program and was written by the stages that began, the last of which is not done. */
  #begun(): Set<string> {
    const { i32 } = this.#memory
    const owners = new Set<string>()
    let at = (this.#words.address >>> 2) + 1
    for (const stage of this.#stages) {
      at++
      for (const { command } of stage.flat()) {
        for (const { role, operand } of operands(command)) {
          const { storage } = resolve(operand)
          if (writes(role) && this.#held.has(storage)) owners.add(storage.owner)
        }
      }
      const done = stage.every((_, i) => i32[at + Part.words * i + Part.done] === this.#team.latest)
      at += Part.words * stage.length
      if (!done) break
    }
    return owners
  }

  /** What the first of the commands that refused, in the order of the program, has to say. */
  #refusal(): Error {
    const { i32 } = this.#memory
    let at = (this.#words.address >>> 2) + 1
    let first: { place: number; position: number; command: Command } | null = null
    for (const stage of this.#stages) {
      at++
      for (const part of stage) {
        const position = i32[at + Part.position] as number
        if (position !== 0) {
          const { command, place } = part[i32[at + Part.index] as number] as Stage[number][number]
          // Parts of one command are in the order of its elements.
          if (!first || place < first.place) first = { place, position, command }
          i32[at + Part.position] = 0
        }
        at += Part.words
      }
    }
    const { command, position } = first as NonNullable<typeof first>
    return new Error(command.explain?.(position - 1) ?? `${command.kernel.name}: refused element ${position - 1}`)
  }

  dispose(): void {
    this.#team.settle()
    this.#words.release()
  }
}
