// Programs in linear memory: for each command a head word, opcode | words << 16, and a word for each
// argument; then a head of 0; then the constant integer lists that commands point to.

import type { Command } from './command.ts'
import { type Operand, resolve } from './storage.ts'

const scratch = new Float32Array(1)
const scratchBits = new Int32Array(scratch.buffer)

/** The bits of x as a 32-bit float. */
export function floatBits(x: number): number {
  scratch[0] = x
  return scratchBits[0] as number
}

/** Words that `encode` will write. */
export function encodedWords(commands: readonly Command[]): number {
  let words = 1
  for (const { kernel, args } of commands) {
    words += 1 + args.length
    kernel.roles.forEach((role, i) => {
      if (role === 'ints') words += (args[i] as readonly number[]).length
    })
  }
  return words
}

/** Writes a program at byte address `base` of `memory`. */
export function encode(commands: readonly Command[], memory: Int32Array, base: number): void {
  let at = base >>> 2
  let ints = at + 1
  for (const { args } of commands) ints += 1 + args.length
  for (const { kernel, args } of commands) {
    memory[at++] = kernel.opcode | ((1 + args.length) << 16)
    for (let i = 0; i < args.length; i++) {
      const arg = args[i]
      const role = kernel.roles[i]
      if (role === 'i32') memory[at++] = arg as number
      else if (role === 'f32') memory[at++] = floatBits(arg as number)
      else if (role === 'ints') {
        memory[at++] = ints << 2
        memory.set(arg as readonly number[], ints)
        ints += (arg as readonly number[]).length
      } else if (arg === null) memory[at++] = 0
      else {
        const { storage, offset } = resolve(arg as Operand)
        memory[at++] = storage.address + offset
      }
    }
  }
  memory[at] = 0
}
