// Starts the core, alone or with threads: the one file that knows of both.

import { anything, option, type Settled, settle, written } from './checks.ts'
import { checkUntraced, currentEngine, Engine, setEngine } from './core/engine.ts'
import { Memory } from './core/memory.ts'
import { loadCore, newMemory, type WasmSource } from './core/module.ts'
import type { Precision } from './core/precision.ts'

export interface InitOptions {
  /** Threads that share the work, from 1 to 16; 'auto': one for each core. Where there can be no others (a page that is
   *  not cross-origin isolated, an edge runtime) it is one, and threads() tells why. Results are the same, bit for bit.
   *  Default 1. */
  threads?: number | 'auto' | undefined
  /** 'reproducible', the default: the same bits on every engine. 'fast': products are added without being rounded first
   *  (relaxed SIMD), 1.1 to 1.2 times as fast; results differ in their last digits from those of 'reproducible', and from
   *  engine to engine; an Error where the engine cannot. 'auto': fast where it is to be had, else reproducible.
   *  precision() tells which. */
  precision?: Precision | 'auto' | undefined
  /** Bytes that linear memory may reach; default 2 GiB, at most 4 GiB. With threads they are reserved at once. */
  maxMemory?: number | undefined
  /** The core, kernels.wasm of this package (to be fast: kernels-relaxed.wasm), where it should not come from within the
   *  script: compiled, as bytes, as a URL to fetch, or as the response that will bring it. */
  wasm?: WasmSource | Promise<WasmSource> | undefined
}

/** Threads and precision are looked at by what is loaded for them. */
export const initOptions = {
  threads: /* @__PURE__ */ option(anything, 1),
  precision: /* @__PURE__ */ option(anything, 'reproducible'),
  maxMemory: undefined,
  wasm: undefined,
}

const PAGE = 65536
const INITIAL_PAGES = 16

let disposals = 0
let ending: Promise<unknown> = Promise.resolve()
let running: Machine | null = null
/** Why there is one thread, where there is no team. */
let reason = ''
/** Whether the core is the fast one. */
let fused = false
let starting: Promise<void> | null = null

/** What the core is told of the machine it runs on. No result depends on it. */
export interface Machine {
  /** Columns of a tile of the matrix product: 16 where the engine joins neighbouring vectors (lanewise/node), else 8. */
  readonly tileColumns: 8 | 16
  /** Nanoseconds of work that a part of a command has at least, where threads share it; default LEAST_PART_NS. */
  readonly leastPart?: number | undefined
  /** Whether commands outside of programs are for one thread: tests compare. */
  readonly eagerAlone?: boolean | undefined
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
  const settled = settle('init', options, initOptions)
  if (!starting) {
    const begun = start(machine, settled).catch((error) => {
      if (starting === begun) starting = null
      throw error
    })
    starting = begun
  }
  return starting
}

async function start(machine: Machine, options: Settled<InitOptions, typeof initOptions>): Promise<void> {
  const before = disposals
  const { threads, precision, maxMemory = 0x80000000, wasm } = options
  if (!Number.isInteger(maxMemory) || maxMemory < INITIAL_PAGES * PAGE || maxMemory > 0x100000000) {
    throw new RangeError(
      `init: maxMemory is ${written(maxMemory)}, expected bytes from ${INITIAL_PAGES * PAGE} to ${0x100000000}`,
    )
  }
  // Most pages have one thread and the reproducible core: what others need is loaded when they ask.
  if (precision !== 'reproducible') (await import('./core/precision.ts')).checkPrecision(precision)
  const crew = threads === 1 ? null : await import('./threads/index.ts')
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
  setEngine(started)
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
  ending = Promise.all([ending, starting?.catch(() => {}), setEngine(null)?.close()])
  running = starting = null
  await ending
}

/** What the core was told when it started; null before. */
export const runningOn = (): Machine | null => running

/** Which core runs: 'fast' where init was asked for it, or for 'auto', and the engine could. */
export function precision(): Precision {
  currentEngine('precision')
  return fused ? 'fast' : 'reproducible'
}
