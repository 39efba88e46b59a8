// Peephole rules over the commands of a trace. A rule folds a command into the one that made its input,
// when nobody else wants that input. Every fused kernel does the same arithmetic in the same order as
// the pair it replaces, so fusing never changes a bit.

import { type Command, type Operand, operands, reads, writes } from './command.ts'
import { conv2dArgs, gemmArgs, reluArgs } from './commands.ts'
import { resolve, type Storage } from './storage.ts'

/** gemm or conv2d, then relu of all its result: relu moves into the tiles that are stored. */
function reluIntoProduct(producer: Command, command: Command): Command | null {
  if (command.kernel.name !== 'relu') return null
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

const rules = [reluIntoProduct]

/** `kept` are the storages whose values are wanted after the program. */
export function fuse(commands: readonly Command[], kept: ReadonlySet<Storage>): Command[] {
  const uses = new Map<Storage, number>()
  for (const command of commands) {
    for (const { operand } of operands(command)) uses.set(operand.storage, (uses.get(operand.storage) ?? 0) + 1)
  }
  const fused: (Command | null)[] = []
  const producers = new Map<Storage, number>()
  for (const command of commands) {
    let result: Command = command
    const input = command.args[1] as Operand | undefined
    const storage = command.kernel.roles[1] === 'in' ? input?.storage : undefined
    const place = storage && producers.get(storage)
    // One use as gemm's output and one as this input: the value in between is nobody else's.
    if (storage?.planned && !storage.redirect && !kept.has(storage) && uses.get(storage) === 2 && place !== undefined) {
      const producer = fused[place] as Command
      for (const rule of rules) {
        const folded = movable(fused, place) && rule(producer, command)
        if (!folded) continue
        fused[place] = null
        result = folded
        break
      }
    }
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
