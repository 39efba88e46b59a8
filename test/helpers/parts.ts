// Every command that tests run at once is run again in 2, 3 and 7 parts, the last part first: they must give the bits of
// the whole, or refuse what it refuses. A part sees and keeps nothing but the bytes that it says it needs: the others
// hold a NaN meanwhile.

import { type Command, operands, writes } from '../../src/core/command.ts'
import { Engine } from '../../src/core/engine.ts'
import { type Operand, resolve, Storage } from '../../src/core/storage.ts'
import { partsOf } from '../../src/threads/stages.ts'
import { fillCanary, isCanary } from './canary.ts'

/** Kernels that were cut, and into how many parts. */
export const cut = new Map<string, Set<number>>()

interface Bytes {
  readonly from: number
  readonly to: number
}

/** From the first byte of an operand to its last, or to that of its storage. */
function bytesOf(operand: Operand): Bytes {
  const { storage, offset } = resolve(operand)
  const from = storage.address + offset
  return { from, to: from + (operand.bytes ?? operand.storage.bytes - operand.offset) }
}

/** What of `all` is in none of `some`. */
function outside(all: readonly Bytes[], some: readonly Bytes[]): Bytes[] {
  return some.reduce<readonly Bytes[]>(
    (left, { from, to }) =>
      left.flatMap((b) =>
        [
          { from: b.from, to: Math.min(b.to, from) },
          { from: Math.max(b.from, to), to: b.to },
        ].filter((piece) => piece.from < piece.to),
      ),
    all,
  ) as Bytes[]
}

const { runNow } = Engine.prototype

function attempt(engine: Engine, command: Command): Error | null {
  try {
    runNow.call(engine, command)
    return null
  } catch (error) {
    return error as Error
  }
}

/** The part, while what it should not need is poisoned. */
function runApart(engine: Engine, command: Command, whole: readonly Bytes[]): Error | null {
  const { memory } = engine
  const others = outside(
    whole,
    operands(command).map(({ operand }) => bytesOf(operand)),
  )
  const saved = others.map(({ from, to }) => memory.u8.slice(from, to))
  for (const { from, to } of others) fillCanary(memory, from, to)
  const error = attempt(engine, command)
  const kept = others.every(({ from, to }) => isCanary(memory, from, to))
  others.forEach(({ from }, i) => {
    memory.u8.set(saved[i] as Uint8Array, from)
  })
  if (!kept) throw new Error(`${command.kernel.name}: a part wrote to bytes that it does not name`)
  return error
}

Engine.prototype.runNow = function (command: Command) {
  const { name } = command.kernel
  const outputs = operands(command)
    .filter(({ role }) => writes(role))
    .map(({ operand }) => bytesOf(operand))
  const all = operands(command)
    .filter(({ role }) => role !== 'scratch')
    .map(({ operand }) => bytesOf(operand))
  const copies = () => outputs.map(({ from, to }) => this.memory.u8.slice(from, to))
  const before = copies()
  const refusal = attempt(this, command)
  const whole = copies()
  for (const threads of [2, 3, 7]) {
    const own: Storage[] = []
    const twin = ({ bytes, owner }: Storage) => {
      const scratch = Storage.held(this.memory, bytes, owner)
      own.push(scratch)
      return scratch
    }
    const { commands } = partsOf(command, { threads, least: Number.MIN_VALUE, twin })
    if (commands.length > 1) {
      outputs.forEach(({ from }, i) => {
        this.memory.u8.set(before[i] as Uint8Array, from)
      })
      const refusals = commands
        .toReversed()
        .map((part) => runApart(this, part, all))
        .reverse()
      const first = refusals.find((error) => error !== null) ?? null
      const what = `${name} in ${commands.length} parts`
      if (first?.message !== refusal?.message)
        throw new Error(`${what}: ${first?.message ?? 'is done'}, the whole: ${refusal?.message ?? 'is done'}`)
      const found = copies()
      if (!refusal)
        whole.forEach((bytes, i) => {
          const ours = found[i] as Uint8Array
          if (Buffer.compare(bytes, ours) === 0) return
          const at = bytes.findIndex((byte, k) => byte !== ours[k])
          throw new Error(`${what}: output ${i} differs from the whole at byte ${at} of ${bytes.length}`)
        })
      cut.set(name, (cut.get(name) ?? new Set()).add(commands.length))
    }
    for (const scratch of own) scratch.release()
  }
  if (refusal) throw refusal
}
