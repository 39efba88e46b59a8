// The bridge to the wasm module: one instance, its memory, and the two ways a command goes: run at once
// (eager), or onto the list of the trace that is being made (compile).

import type { Command } from './command.ts'
import { encode, encodedWords } from './encode.ts'
import type { Memory, MemoryStats } from './memory.ts'
import { type Plan, plan, type Stage } from './plan.ts'
import { Profile } from './profile.ts'
import { Storage } from './storage.ts'

/** A run of commands, encoded. */
export interface Program {
  readonly commands: readonly Command[]
  /** Times of the commands, when the program was loaded to be profiled. */
  readonly profile: Profile | null
  run(): void
  /** Whether all storages are still where the program knows them. */
  current(): boolean
  dispose(): void
}

/** What a trace collects while a function is being compiled. */
export class Trace {
  readonly commands: Command[] = []
  /** What the program depends on besides its inputs; it serves only while all of these hold. */
  readonly guards: (() => boolean)[] = []
}

/** Threads that share programs out among them, where there is more than this one (src/threads). */
export interface Team {
  readonly size: number
  readonly reason: string
  /** What the threads do at the same time, for the commands of a program. */
  stages(commands: readonly Command[]): Stage[]
  /** Encodes stages, whose operands have their addresses; `held` are storages that outlive the program. */
  program(stages: readonly Stage[], held: ReadonlySet<Storage>): Code
  /** One command in parts, at once; false where it is for one thread. */
  runNow(command: Command): boolean
  /** Ends the other threads. */
  dispose(): Promise<void>
}

/** An encoded program. */
interface Code {
  readonly profile?: Profile | undefined
  run(): void
  dispose(): void
}

export class Engine {
  /** Tells cores apart; from 1. */
  readonly id = ++engines
  readonly memory: Memory
  /** The threads, where there is more than this one. */
  team: Team | null = null
  #run: (program: number, failure: number) => number
  readonly #failure: number
  /** The block for the single command of eager mode. */
  #eager: { address: number; words: number }

  constructor(memory: Memory, run: (program: number, failure: number) => number) {
    this.memory = memory
    this.#run = run
    this.#failure = memory.allocate(8, 'engine')
    this.#eager = { address: memory.allocate(1024, 'engine'), words: 256 }
  }

  /** Ends the threads, and lets go of the core and its memory. */
  async close(): Promise<void> {
    this.memory.close()
    this.#run = () => 0
    await this.team?.dispose()
  }

  /** Runs the commands encoded at `address`: the one call into wasm. Throws what a refusing command has to say. */
  run(address: number, commands: readonly Command[]): void {
    if (this.#run(address, this.#failure) === 0) return
    const index = this.memory.i32[this.#failure >>> 2] as number
    const refused = this.memory.i32[(this.#failure >>> 2) + 1] as number
    const command = commands[index] as Command
    throw new Error(command.explain?.(refused - 1) ?? `${command.kernel.name}: refused element ${refused - 1}`)
  }

  runNow(command: Command): void {
    if (this.team?.runNow(command)) return
    const commands = [command]
    const words = encodedWords(commands)
    if (words > this.#eager.words) {
      this.memory.free(this.#eager.address)
      this.#eager = { address: this.memory.allocate(4 * words, 'engine'), words }
    }
    encode(commands, this.memory.i32, this.#eager.address)
    this.run(this.#eager.address, commands)
  }

  /** Places the values of a trace and writes its program. `kept` are values wanted after each run, with the
   *  number of tensors that view each: they become storages of their own, which outlive the program. A program
   *  to be profiled is encoded as one of its own for each command. */
  load(trace: Trace, kept: ReadonlyMap<Storage, number>, owner: string, profiled = false): Program {
    const { team } = this
    const schedule = team && !profiled ? (commands: readonly Command[]) => team.stages(commands) : null
    const planned: Plan = plan(trace.commands, kept.keys(), schedule)
    const arena = Storage.held(this.memory, planned.arena, owner)
    let code: Code
    try {
      for (const [storage, place] of planned.places) storage.address = arena.address + place
      code =
        team && planned.stages.some((stage) => stage.length > 1)
          ? team.program(planned.stages, planned.held)
          : this.#alone(planned.commands, owner, profiled)
    } catch (error) {
      arena.release()
      throw error
    }
    for (const [storage, holders] of kept) {
      const place = planned.places.get(storage)
      if (place !== undefined) storage.settle(arena, place, holders)
    }
    const held = [...planned.held]
    for (const storage of held) storage.retain()
    return {
      commands: planned.commands,
      profile: code.profile ?? null,
      run: () => code.run(),
      current: () => !held.some((storage) => storage.left),
      dispose() {
        code.dispose()
        for (const storage of [arena, ...held]) storage.release()
      },
    }
  }

  /** Commands in linear memory for this thread; to be profiled, each is a program of its own. */
  #alone(commands: readonly Command[], owner: string, profiled: boolean): Code {
    const parts = profiled ? commands.map((command) => [command]) : [commands]
    const sizes = parts.map((part) => 4 * encodedWords(part))
    const words = Storage.held(
      this.memory,
      sizes.reduce((sum, size) => sum + size, 0),
      owner,
    )
    let next = words.address
    const places = parts.map((part, i) => {
      const address = next
      encode(part, this.memory.i32, address)
      next += sizes[i] as number
      return address
    })
    const dispose = () => words.release()
    const start = places[0] as number
    if (!profiled) return { run: () => this.run(start, commands), dispose }
    const profile = new Profile(commands)
    return {
      profile,
      run: () => {
        profile.runs++
        for (let i = 0; i < parts.length; i++) {
          const before = performance.now()
          this.run(places[i] as number, parts[i] as readonly Command[])
          profile.add(i, performance.now() - before)
        }
      },
      dispose,
    }
  }
}

let engines = 0
let engine: Engine | null = null
let trace: Trace | null = null

/** Makes `next` the running engine, or none; the one before. */
export function setEngine(next: Engine | null): Engine | null {
  const before = engine
  engine = next
  return before
}

/** The running engine. `caller` is named in the Error when init was not awaited. */
export function currentEngine(caller: string): Engine {
  if (!engine) throw new Error(`${caller}: Lanewise is not ready; await init() first`)
  return engine
}

export function currentTrace(): Trace | null {
  return trace
}

/** Throws while compile() traces: what `caller` does belongs between the runs of a program. */
export function checkUntraced(caller: string, mend = 'call it outside of the compiled function'): void {
  if (trace) throw new Error(`${caller} while compile() traces; ${mend}`)
}

/** Runs fn with commands going onto `next` (null: run at once). */
export function withTrace<T>(next: Trace | null, fn: () => T): T {
  const before = trace
  trace = next
  try {
    return fn()
  } finally {
    trace = before
  }
}

/** Bytes for a value: of the allocator, or of the trace that is being made. */
export function newStorage(bytes: number, owner: string): Storage {
  return trace ? Storage.planned(bytes, owner, trace) : Storage.held(currentEngine(owner).memory, bytes, owner)
}

/** Bytes of the allocator, also while tracing. */
export function newHeldStorage(bytes: number, owner: string): Storage {
  return Storage.held(currentEngine(owner).memory, bytes, owner)
}

/** The one way of every command: onto the trace, or run at once. */
export function emit(command: Command, explain?: (position: number) => string): void {
  for (const arg of command.args) {
    if (typeof arg === 'object' && arg !== null && 'storage' in arg && arg.storage.disposed) {
      throw new Error(
        `${command.kernel.name}: needs a value that was freed: by dispose(), its own or of all, or at the end of its scope`,
      )
    }
  }
  if (explain) command.explain = explain
  if (trace) {
    trace.commands.push(command)
    return
  }
  currentEngine(command.kernel.name).runNow(command)
}

/** Scratch memory for one command: freed after it, or placed by the planner. */
export function withScratch(
  bytes: number,
  owner: string,
  use: (scratch: { storage: Storage; offset: number }) => void,
): void {
  const storage = newStorage(bytes, owner)
  try {
    use({ storage, offset: 0 })
  } finally {
    if (!storage.planned) storage.release()
  }
}

/** How much linear memory is in use, reserved, and allowed, in bytes. */
export function memoryStats(): MemoryStats {
  return currentEngine('memoryStats').memory.stats()
}
