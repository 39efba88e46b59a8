// Relu moves into the product that made its input, when nobody else wants that input. The fused kernel does the same
// arithmetic in the same order as the pair it replaces, so fusing never changes a bit.

import { type Command, operands, reads, writes } from './command.ts'
import { conv2dArgs, gemmArgs, reluArgs } from './commands.ts'
import { type Operand, resolve, type Storage } from './storage.ts'

/** gemm or conv2d, then relu of all its result: relu moves into the tiles that are stored. */
function reluIntoProduct(producer: Command, command: Command): Command | null {
  const args = { gemm: gemmArgs, conv2d: conv2dArgs }[producer.kernel.name]
  if (!args || producer.args[args.relu] === 1) return null
  // What else it writes may be read before the relu.
  if (operands(producer).filter(({ role }) => writes(role)).length > 1) return null
  if (4 * (command.args[reluArgs.n] as number) !== (producer.args[args.out] as Operand).storage.bytes) return null
  const fused = [...producer.args]
  fused[args.out] = command.args[reluArgs.out] as Operand
  fused[args.relu] = 1
  return { ...producer, args: fused }
}

/** `kept` are the storages whose values are wanted after the program. */
export function fuse(commands: readonly Command[], kept: ReadonlySet<Storage>): Command[] {
  const uses = new Map<Storage, number>()
  for (const command of commands) {
    for (const { operand } of operands(command)) uses.set(operand.storage, (uses.get(operand.storage) ?? 0) + 1)
  }
  const fused: (Command | null)[] = []
  const producers = new Map<Storage, number>()
  for (const command of commands) {
    const storage = command.kernel.name === 'relu' ? (command.args[reluArgs.x] as Operand).storage : undefined
    const place = storage && producers.get(storage)
    // One use as the product's output and one as this input: the value in between is nobody else's.
    const alone = storage?.planned && !storage.redirect && !kept.has(storage) && uses.get(storage) === 2
    const folded =
      alone && place !== undefined && movable(fused, place) && reluIntoProduct(fused[place] as Command, command)
    if (folded) fused[place as number] = null
    const result = folded || command
    producers.set((result.args[0] as Operand).storage, fused.length)
    fused.push(result)
  }
  return fused.filter((command) => command !== null)
}

/** Whether the command at `place` may run at the end of the list: nothing after it writes what it reads. Held
 *  storages may overlap (parameters in one block), so a write to any counts as a write to all. */
function movable(commands: readonly (Command | null)[], place: number): boolean {
  const inputs = new Set<Storage | 'held'>()
  const keyOf = (operand: Operand): Storage | 'held' => {
    const { storage } = resolve(operand)
    return storage.planned ? storage : 'held'
  }
  for (const { role, operand } of operands(commands[place] as Command)) if (reads(role)) inputs.add(keyOf(operand))
  for (let i = place + 1; i < commands.length; i++) {
    const command = commands[i]
    if (command && operands(command).some(({ role, operand }) => role !== 'in' && inputs.has(keyOf(operand))))
      return false
  }
  return true
}
