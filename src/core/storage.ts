import type { Memory } from './memory.ts'

/** Owner of the gradients of parameters and other leaves: what a backward makes anew is less to lose than other state. */
export const GRADIENTS = 'gradients'

/** Bytes that a command reads or writes: `storage` from byte `offset` on. A Tensor is one. */
export interface Operand {
  readonly storage: Storage
  readonly offset: number
  /** How many, where not to the end of `storage`: they may lie in what follows it, as in the flat block of an optimizer. */
  readonly bytes?: number | undefined
  /** How many besides lie before `offset`, for a negative stride; default 0. */
  readonly before?: number | undefined
}

/** A run of bytes in linear memory, shared by the tensors that view it and by the programs that use it.
 *
 *  - *held*: in a block of the allocator, until the last holder releases it;
 *  - *part*: inside another storage (a parameter in the flat block of its optimizer);
 *  - *planned*: a value of a trace. It has no address until the planner gives it one, and may be
 *    redirected: then its commands work on another operand's bytes. */
export class Storage {
  address = 0
  /** The trace that this value belongs to, while only that trace may use it. */
  trace: object | null = null
  redirect: Operand | null = null
  /** Whether a tensor left these bytes for others: programs that use them are out of date. */
  left = false
  readonly bytes: number
  /** Names the storage in an out-of-memory Error. */
  readonly owner: string
  planned: boolean
  #holders = 1
  #memory: Memory | null
  #free: (() => void) | null

  private constructor(bytes: number, owner: string, memory: Memory | null, free: (() => void) | null) {
    this.bytes = bytes
    this.owner = owner
    this.planned = memory === null
    this.#memory = memory
    this.#free = free
  }

  static held(memory: Memory, bytes: number, owner: string): Storage {
    const address = memory.allocate(bytes, owner)
    const storage = new Storage(bytes, owner, memory, () => memory.free(address))
    storage.address = address
    return storage
  }

  static part(whole: Storage, offset: number, bytes: number): Storage {
    const storage = new Storage(bytes, whole.owner, whole.#memory, () => whole.release())
    whole.retain()
    storage.address = whole.address + offset
    return storage
  }

  static planned(bytes: number, owner: string, trace: object): Storage {
    const storage = new Storage(bytes, owner, null, null)
    storage.trace = trace
    return storage
  }

  /** A value of the same trace and size. */
  twin(): Storage {
    return Storage.planned(this.bytes, this.owner, this.trace as object)
  }

  /** Turns a planned value into bytes of `whole`, held by the `holders` tensors that view it. */
  settle(whole: Storage, offset: number, holders: number): void {
    whole.retain()
    this.planned = false
    this.trace = null
    this.#memory = whole.#memory
    this.address = whole.address + offset
    this.#holders = holders
    this.#free = () => whole.release()
  }

  /** Whether nobody holds it any more, or the core is gone. */
  get disposed(): boolean {
    return this.#holders === 0 || this.#memory?.closed === true
  }

  /** Throws where nobody holds it any more, or its core is gone. */
  check(caller: string): void {
    if (this.disposed)
      throw new Error(`${caller}: used after dispose(), its own or that of all; make it anew after init()`)
  }

  retain(): void {
    this.#holders++
  }

  release(): void {
    if (this.#holders === 0) return
    this.#holders--
    if (this.#holders > 0) return
    this.address = 0
    this.#free?.()
    this.#free = null
  }
}

const collected = new FinalizationRegistry<Storage>((storage) => storage.release())

/** Releases `storage` when the garbage collector takes `owner`. */
export function releaseWith(owner: object, storage: Storage): void {
  collected.register(owner, storage, owner)
}

/** Takes back every releaseWith of `owner`. */
export function untie(owner: object): void {
  collected.unregister(owner)
}

/** Where an operand's bytes are, redirections followed. */
export function resolve(operand: Operand): Operand {
  let { storage, offset } = operand
  while (storage.redirect) {
    offset += storage.redirect.offset
    storage = storage.redirect.storage
  }
  return { storage, offset }
}
