// From the commands of a program to stages: commands are cut into parts, and what follows joins the stage before as long
// as each part depends on one other at most, which the same thread has done.

import { type Command, operands, reads, writes } from '../core/command.ts'
import type { Placed, Stage } from '../core/plan.ts'
import { type Operand, resolve, type Storage } from '../core/storage.ts'
import { cutOf } from './rules.ts'

/** Bytes that a command of the stage touches. */
interface Access {
  /** Planned storages have no address yet; held ones may lie within each other. */
  readonly storage: Storage | null
  readonly from: number
  readonly to: number
  readonly writes: boolean
}

/** How work is shared out. */
export interface Sharing {
  readonly threads: number
  /** A command is cut where each part takes so many nanoseconds, or more. */
  readonly least: number
  /** Scratch for a part, like that of the whole. */
  twin(scratch: Storage): Storage
}

/** The parts of a command, and the cost of one in nanoseconds. */
export function partsOf(command: Command, { threads, least, twin }: Sharing): { commands: Command[]; cost: number } {
  const cut = cutOf(command)
  if (!cut) return { commands: [command], cost: 0 }
  const blocks = Math.ceil(cut.units / cut.grain)
  const count = Math.min(threads, blocks, Math.floor(cut.cost / least))
  // Whole, it still tells what it touches.
  if (!(count > 1)) return { commands: [cut.units > 0 ? cut.part(0, cut.units) : command], cost: cut.cost }
  const at = (i: number) => Math.min(cut.units, cut.grain * Math.round((i * blocks) / count))
  const commands = Array.from({ length: count }, (_, i) => {
    const part = cut.part(at(i), at(i + 1))
    return i === 0 ? part : withScratch(part, twin)
  })
  return { commands, cost: cut.cost / count }
}

/** The same command with scratch of its own. */
function withScratch({ args, ...command }: Command, twin: Sharing['twin']): Command {
  const { roles } = command.kernel
  const own = (arg: Command['args'][number], i: number) =>
    roles[i] === 'scratch' ? { storage: twin((arg as Operand).storage), offset: (arg as Operand).offset } : arg
  return { ...command, args: args.map(own) }
}

function accesses(command: Command): Access[] {
  return operands(command).map(({ role, operand }) => {
    const { storage, offset } = resolve(operand)
    const start = storage.planned ? offset : storage.address + offset
    const { bytes = operand.storage.bytes - operand.offset, before = 0 } = operand
    return {
      storage: storage.planned ? storage : null,
      from: start - before,
      to: start + bytes,
      writes: writes(role) || !reads(role),
    }
  })
}

/** What the commands of one thread touch in a stage, so that what another touches is found by its storage: a stage of an
 *  unrolled loop has thousands of commands. */
class Touched {
  readonly #reads = new Map<Storage | null, Map<number, number>>()
  readonly #writes = new Map<Storage | null, Map<number, number>>()

  add({ storage, from, to, writes }: Access): void {
    const all = writes ? this.#writes : this.#reads
    const own = all.get(storage) ?? new Map<number, number>()
    all.set(storage, own)
    own.set(from, Math.max(to, own.get(from) ?? 0))
  }

  /** Whether an access has bytes in common with one of these, and one of the two writes them. */
  meets({ storage, from, to, writes }: Access): boolean {
    const overlaps = (own: Map<number, number> | undefined): boolean => {
      if (own) for (const [start, end] of own) if (start < to && from < end) return true
      return false
    }
    return overlaps(this.#writes.get(storage)) || (writes && overlaps(this.#reads.get(storage)))
  }
}

/** The stages of a program. */
export function stagesOf(commands: readonly Command[], sharing: Sharing): Stage[] {
  const stages: Stage[] = []
  let stage = new Gathered(sharing)
  const end = () => {
    stages.push(...stage.ended())
    stage = new Gathered(sharing)
  }
  commands.forEach((command, place) => {
    const { commands: parts, cost } = partsOf(command, sharing)
    if (!stage.takes(parts, place, cost)) {
      end()
      stage.takes(parts, place, cost)
    }
    // What may refuse its data does so before anything that it should keep from running.
    if (command.explain) end()
  })
  end()
  return stages
}

/** What one thread does in a stage. */
interface Hand {
  readonly list: Placed[]
  readonly touched: Touched
  cost: number
}

/** A stage that grows. */
class Gathered {
  readonly #threads: Hand[]
  readonly #least: number

  constructor({ threads, least }: Sharing) {
    this.#least = least
    this.#threads = Array.from({ length: threads }, () => ({ list: [], touched: new Touched(), cost: 0 }))
  }

  ended(): Stage[] {
    const busy = this.#threads.map(({ list }) => list).filter(({ length }) => length > 0)
    return busy.length > 0 ? [busy] : []
  }

  /** Adds a command in parts; false, and nothing is added, where one of them needs what another thread does. */
  takes(parts: readonly Command[], place: number, cost: number): boolean {
    const touches = parts.map(accesses)
    const needed = touches.map((own) => this.#needed(own))
    // Part i is for thread i. What is not cut goes where it has to; else the first thread does what is little, and the
    // one that has least to do what is much.
    const threads =
      parts.length > 1 ? parts.map((_, i) => i) : [needed[0]?.[0] ?? (cost < this.#least ? 0 : this.#idlest())]
    if (needed.some((others, i) => others.some((thread) => thread !== threads[i]))) return false
    parts.forEach((command, i) => {
      const thread = this.#threads[threads[i] as number] as Hand
      thread.list.push({ command, place })
      for (const access of touches[i] as Access[]) thread.touched.add(access)
      thread.cost += cost
    })
    return true
  }

  /** Threads that touch what these accesses must not meet. */
  #needed(own: readonly Access[]): number[] {
    return this.#threads.flatMap(({ touched }, thread) => (own.some((access) => touched.meets(access)) ? [thread] : []))
  }

  #idlest(): number {
    const costs = this.#threads.map(({ cost }) => cost)
    return costs.indexOf(Math.min(...costs))
  }
}
