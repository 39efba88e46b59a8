// The bridge to the wasm module: one instance, its memory, and the two ways a command goes: run at once
// (eager), or onto the list of the trace that is being made (compile).

import type { Team } from '../threads/team.ts'
import type { Command } from './command.ts'
import { encode, encodedWords } from './encode.ts'
import { Memory, type MemoryStats } from './memory.ts'
import { loadCore, newMemory, type WasmSource } from './module.ts'
import { checkOptions, written } from './options.ts'
import { type Plan, plan } from './plan.ts'
import type { Precision } from './precision.ts'
import { Profile } from './profile.ts'
import { Storage } from './storage.ts'

export interface InitOptions {
  /** Threads that share the work, from 1 to 16; 'auto': one for each core. Where there can be no others (a page that is
   *  not cross-origin isolated, an edge runtime) it is one, and threads() tells why. Results are the same, bit for bit.
   *  Default 1. */
  threads?: number | 'auto'
  /** 'reproducible', the default: the same bits on every engine. 'fast': products are added without being rounded first
   *  (relaxed SIMD), 1.1 to 1.2 times as fast; results differ in their last digits from those of 'reproducible', and from
   *  engine to engine; an Error where the engine cannot. 'auto': fast where it is to be had, else reproducible.
   *  precision() tells which. */
  precision?: Precision | 'auto'
  /** Bytes that linear memory may reach; default 2 GiB, at most 4 GiB. With threads they are reserved at once. */
  maxMemory?: number
  /** The core, kernels.wasm of this package (to be fast: kernels-relaxed.wasm), where it should not come from within the
   *  script: compiled, as bytes, as a URL to fetch, or as the response that will bring it. */
  wasm?: WasmSource | Promise<WasmSource>
}

const PAGE = 65536
const INITIAL_PAGES = 16

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

/** An encoded program. */
interface Code {
  readonly profile?: Profile
  run(): void
  dispose(): void
}

let engines = 0
let disposals = 0
let ending: Promise<unknown> = Promise.resolve()
let engine: Engine | null = null
let running: Machine | null = null
/** Why there is one thread, where there is no team. */
let reason = ''
/** Whether the core is the fast one. */
let fused = false
let starting: Promise<void> | null = null
let trace: Trace | null = null

/** What the core is told of the machine it runs on. No result depends on it. */
export interface Machine {
  /** Columns of a tile of the matrix product: 16 where the engine joins neighbouring vectors (lanewise/node), else 8. */
  readonly tileColumns: 8 | 16
  /** Nanoseconds of work that a part of a command has at least, where threads share it; default LEAST_PART_NS. */
  readonly leastPart?: number
  /** Whether commands outside of programs are for one thread: tests compare. */
  readonly eagerAlone?: boolean
}

/** What it takes to find a part, and to wait for the last of a stage, is a few tenths of this. */
const LEAST_PART_NS = 1000

/** Loads the wasm core; await it once, before anything else. Calls after that return at once, and ignore what their
 *  options ask for; after one that threw, the next begins anew.
 *  Throws for options of other names; when threads is not a whole number from 1 to 16 or 'auto'; when precision is 'fast' and the engine has no relaxed SIMD, or its core is not
 *  there; when maxMemory is not a size in bytes from 1 MiB to 4 GiB, or cannot be reserved;
 *  when the engine has no WebAssembly, no SIMD, or is forbidden to compile (Content-Security-Policy); when wasm cannot be
 *  fetched, or is no core of this version. */
export function init(options: InitOptions = {}): Promise<void> {
  return initOn({ tileColumns: 8 }, options)
}

/** init, for a machine that is known better. */
export async function initOn(machine: Machine, options: InitOptions): Promise<void> {
  checkOptions('init', options, ['threads', 'precision', 'maxMemory', 'wasm'])
  if (!starting) {
    const begun = start(machine, options).catch((error) => {
      if (starting === begun) starting = null
      throw error
    })
    starting = begun
  }
  return starting
}

async function start(machine: Machine, options: InitOptions): Promise<void> {
  const before = disposals
  const { threads = 1, precision = 'reproducible', maxMemory = 0x80000000, wasm } = options
  if (!Number.isInteger(maxMemory) || maxMemory < INITIAL_PAGES * PAGE || maxMemory > 0x100000000) {
    throw new RangeError(
      `init: maxMemory is ${written(maxMemory)}, expected bytes from ${INITIAL_PAGES * PAGE} to ${0x100000000}`,
    )
  }
  // Most pages have one thread and the reproducible core: what others need is loaded when they ask.
  if (precision !== 'reproducible') (await import('./precision.ts')).checkPrecision(precision)
  const crew = threads === 1 ? null : await import('../threads/team.ts')
  const plan = crew?.available(threads) ?? { threads: 1, reason: 'as asked' }
  const shared = crew && plan.threads > 1 ? crew : null
  const memory = shared
    ? shared.reserve(maxMemory / PAGE, options.maxMemory === undefined)
    : newMemory(INITIAL_PAGES, maxMemory / PAGE)
  const env = { memory, tileColumns: machine.tileColumns }
  const { core, module } = await loadCore(wasm, env, precision, shared?.share)
  const limit = shared ? memory.buffer.byteLength : Math.floor(maxMemory / PAGE) * PAGE
  const started = new Engine(new Memory(memory, limit, core.heapBase()), core.run)
  if (shared) {
    const { tileColumns, leastPart: least = LEAST_PART_NS, eagerAlone = false } = machine
    started.team = await shared.Team.assemble(started.memory, core, {
      ...plan,
      least,
      eagerAlone,
      module,
      memory,
      tileColumns,
    })
  }
  if (before !== disposals) {
    await started.close()
    throw new Error('init: dispose() was called before it was done')
  }
  engine = started
  running = machine
  fused = core.fused() !== 0
  reason = plan.reason
}

/** How many threads share the work, and why so many. */
export function threads(): { count: number; reason: string } {
  const { team } = currentEngine('threads')
  return team ? { count: team.size, reason: team.reason } : { count: 1, reason }
}

/** Ends the threads and lets go of all memory; every tensor of before throws from then on. After it init begins anew.
 *  Await it: until then threads may still be there. */
export async function dispose(): Promise<void> {
  checkUntraced('dispose')
  disposals++
  ending = Promise.all([ending, starting?.catch(() => {}), engine?.close()])
  engine = running = starting = null
  await ending
}

/** What the core was told when it started; null before. */
export const runningOn = (): Machine | null => running

/** Which core runs: 'fast' where init was asked for it, or for 'auto', and the engine could. */
export function precision(): Precision {
  currentEngine('precision')
  return fused ? 'fast' : 'reproducible'
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
