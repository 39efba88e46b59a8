// From the commands of a trace to addresses: fuse neighbours, drop what nobody reads, decide what is done at the same
// time, and lay the values that remain into one arena, where values that never live at the same time share bytes.

import { type Command, operands, reads, writes } from './command.ts'
import { fuse } from './fuse.ts'
import { resolve, type Storage } from './storage.ts'

const ALIGN = 64

/** A command, and the place in the program of the one that it is, or is a part of. */
export interface Placed {
  readonly command: Command
  readonly place: number
}

/** Lists of commands that do not depend on each other: one for each thread that has something to do. */
export type Stage = readonly (readonly Placed[])[]

/** The stages of a program for one thread. */
const alone = (commands: readonly Command[]): Stage[] => [[commands.map((command, place) => ({ command, place }))]]

export interface Plan {
  commands: Command[]
  stages: Stage[]
  /** Bytes of the arena. */
  arena: number
  /** Where each planned storage lies in the arena. */
  places: Map<Storage, number>
  /** Storages outside the arena that the program works on. */
  held: Set<Storage>
}

/** `kept` are planned storages whose values are wanted after the program. */
export function plan(
  trace: readonly Command[],
  keep: Iterable<Storage>,
  schedule: ((commands: readonly Command[]) => Stage[]) | null,
): Plan {
  const kept = new Set<Storage>()
  for (const storage of keep) kept.add(storage).add(resolve({ storage, offset: 0 }).storage)
  const commands = dropDead(fuse(trace, kept), kept)
  const stages = (schedule ?? alone)(commands)
  const held = new Set<Storage>()
  const lives = new Map<Storage, { first: number; last: number }>()
  let time = 0
  const use = (command: Command): void => {
    for (const { role, operand } of operands(command)) {
      const { storage } = resolve(operand)
      if (!storage.planned) held.add(storage)
      else {
        const life = lives.get(storage)
        // A value that is read before anything wrote it is an input: it is there from the start.
        if (!life) lives.set(storage, { first: reads(role) ? -1 : time, last: time })
        else life.last = time
      }
    }
  }
  for (const stage of stages) {
    // Threads are not in step: what one of them does in a stage happens at all times of it.
    const together = stage.length > 1
    for (const part of stage) {
      for (const { command } of part) {
        use(command)
        if (!together) time++
      }
    }
    if (together) time++
  }
  // Results share bytes with nothing, not even inputs: they may come back as inputs of the next run.
  for (const storage of kept) {
    if (storage.planned && !storage.redirect) lives.set(storage, { first: -1, last: Number.POSITIVE_INFINITY })
  }
  return { commands, stages, held, ...layOut(lives) }
}

/** Commands whose results reach nothing: neither a storage that outlives the program nor a live command. */
function dropDead(commands: readonly Command[], kept: ReadonlySet<Storage>): Command[] {
  const wanted = new Set(kept)
  const live: Command[] = []
  for (let i = commands.length - 1; i >= 0; i--) {
    const command = commands[i] as Command
    const used = operands(command).map(({ role, operand }) => ({ role, storage: resolve(operand).storage }))
    const outputs = used.filter(({ role }) => writes(role))
    // What may refuse its data is wanted for that: eagerly it would. (checkFinite has no output at all.)
    if (
      !command.explain &&
      outputs.length > 0 &&
      !outputs.some(({ storage }) => !storage.planned || wanted.has(storage))
    )
      continue
    for (const { role, storage } of used) if (reads(role)) wanted.add(storage)
    live.push(command)
  }
  return live.reverse()
}

/** Greedy by size: the largest value first, each at the lowest place that is free while it lives. */
function layOut(lives: Map<Storage, { first: number; last: number }>): { arena: number; places: Map<Storage, number> } {
  const order = [...lives].sort((a, b) => b[0].bytes - a[0].bytes || a[1].first - b[1].first)
  const placed: { from: number; to: number; first: number; last: number }[] = []
  const places = new Map<Storage, number>()
  let arena = 0
  for (const [storage, { first, last }] of order) {
    let from = 0
    for (const other of placed) {
      if (other.first > last || other.last < first) continue
      if (from + storage.bytes <= other.from) break
      from = Math.max(from, other.to)
    }
    const to = from + Math.max(ALIGN, Math.ceil(storage.bytes / ALIGN) * ALIGN)
    const index = placed.findIndex((other) => other.from > from)
    placed.splice(index < 0 ? placed.length : index, 0, { from, to, first, last })
    places.set(storage, from)
    arena = Math.max(arena, to)
  }
  return { arena, places }
}
