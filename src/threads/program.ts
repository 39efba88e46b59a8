// A program that threads share: its table in linear memory (walk.ts), and what a run that failed has to say.

import { type Command, operands, writes } from '../core/command.ts'
import { encode, encodedWords } from '../core/encode.ts'
import type { Memory } from '../core/memory.ts'
import type { Stage } from '../core/plan.ts'
import { GRADIENTS, resolve, Storage } from '../core/storage.ts'
import { cutOf } from './rules.ts'
import { Part } from './walk.ts'

/** How a run ended: `lost` is the thread that died within a part. */
export type Outcome = 'done' | 'refused' | { readonly lost: number }

/** What runs it: a team. */
interface Runner {
  readonly size: number
  /** Runs so far: unlike their numbers they do not wrap around. */
  readonly runs: number
  /** Number of the latest run. */
  readonly latest: number
  /** Runs the program whose table is at word `table`. */
  run(table: number, cost: number): Outcome
  /** Waits until no worker is within a run that is over: what it read may then be overwritten. */
  settle(): void
}

/** Nanoseconds of what can be cut, on one thread. */
export const costOf = (commands: readonly Command[]): number =>
  commands.reduce((sum, command) => sum + (cutOf(command)?.cost ?? 0), 0)

/** Stages in linear memory. */
export class TeamProgram {
  readonly #team: Runner
  readonly #memory: Memory
  readonly #stages: readonly Stage[]
  readonly #words: Storage
  readonly #held: ReadonlySet<Storage>
  /** Runs of the team at the latest of this program. */
  #stamped: number
  /** Nanoseconds on one thread, roughly. */
  readonly #cost: number

  constructor(team: Runner, memory: Memory, stages: readonly Stage[], held: ReadonlySet<Storage>) {
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
