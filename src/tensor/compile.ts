// compile: trace a function once for each input shape, then run its program.

import { settle } from '../checks.ts'
import { copy, copyBytes } from '../core/commands.ts'
import { currentEngine, currentTrace, emit, type Program, Trace, withTrace } from '../core/engine.ts'
import type { Profile } from '../core/profile.ts'
import { resolve, type Storage } from '../core/storage.ts'
import { gradRecords, stateVersion } from './guards.ts'
import { tensorsIn } from './scope.ts'
import { sameShape, show } from './shape.ts'
import { recording } from './tape.ts'
import { empty, Tensor, tensor } from './tensor.ts'
import { type DType, dtypeOf, isNDArray, type NDArray } from './types.ts'

export type Input = Tensor | NDArray

/** Programs kept for one function; the one unused for longest goes first. */
const MAX_PROGRAMS = 64

export type Compiled<A extends readonly Input[], R> = ((...inputs: { [I in keyof A]: Input }) => R) & {
  /** Number of programs in the cache: one for each combination of input shapes seen. */
  readonly programs: number
  /** Where the time of the latest program went, command by command; null unless compiled with `profile`. */
  readonly profile: Profile | null
  /** Frees all programs, and the tensors they returned. */
  dispose(): void
}

interface Entry {
  program: Program
  /** Whether gradients were recorded: not inside noGrad. */
  recorded: boolean
  inputs: Tensor[]
  /** Whether the program reads the input at all. */
  wanted: boolean[]
  result: unknown
  /** The tensors in result that the program computes. */
  results: Tensor[]
  guards: (() => boolean)[]
  /** The state in which the guards were last seen to hold. */
  version: number
  gradients: { leaf: Tensor; needs: 'null' | 'value' | 'any'; after: Tensor | null }[]
}

export interface CompileOptions {
  /** Measure each command by itself (about half a microsecond a command); default false. */
  profile?: boolean | undefined
}

/** Turns a function of tensors into one that runs as a single call of the core.
 *
 *  `fn` is traced at the first call for each combination of input shapes and dtypes: its JavaScript runs
 *  once then, and values cannot be read inside. Parameters are updated in place; random draws are fresh
 *  at each run. Inputs may be tensors or { data, shape }. The tensors it returns are the same objects at
 *  every call, overwritten by the next one: read them, or clone() them, before. */
export function compile<A extends readonly Input[], R>(
  fn: (...inputs: { [I in keyof A]: Tensor }) => R,
  options: CompileOptions = {},
): Compiled<A, R> {
  const { profile } = settle('compile', options, { profile: false })
  if (typeof fn !== 'function') throw new TypeError(`compile: fn is ${typeof fn}, expected a function of tensors`)
  const cache: { entries: Entry[]; core: number } = { entries: [], core: 0 }
  const call = (...inputs: Input[]): R => {
    if (currentTrace())
      return fn(...(inputs.map((x) => (x instanceof Tensor ? x : tensor(x))) as { [I in keyof A]: Tensor }))
    const { id } = currentEngine('compile')
    // Programs of a core that was disposed are gone with it.
    if (cache.core !== id) Object.assign(cache, { entries: [], core: id })
    checkInputs(inputs)
    let entry = find(cache.entries, inputs)
    if (!entry) {
      // Programs that can serve no more go first: the new one may need their memory.
      const stale = cache.entries.filter(({ program }, i) => !program.current() || i >= MAX_PROGRAMS - 1)
      cache.entries = cache.entries.filter((old) => !stale.includes(old))
      for (const old of stale) free(old)
      entry = trace(fn as (...inputs: Tensor[]) => R, inputs, profile)
      cache.entries.unshift(entry)
    } else if (entry !== cache.entries[0]) {
      cache.entries.splice(cache.entries.indexOf(entry), 1)
      cache.entries.unshift(entry)
    }
    for (let i = 0; i < inputs.length; i++) if (entry.wanted[i]) copyIn(entry.inputs[i] as Tensor, inputs[i] as Input)
    try {
      entry.program.run()
    } catch (error) {
      throw blame(inputs, error)
    }
    for (let i = 0; i < entry.gradients.length; i++) {
      const { leaf, after } = entry.gradients[i] as Entry['gradients'][number]
      if (leaf.grad !== after) leaf.grad = after
    }
    return entry.result as R
  }
  programs.register(call, cache)
  Object.defineProperties(call, {
    programs: { get: () => cache.entries.length },
    profile: { get: () => cache.entries[0]?.program.profile ?? null },
  })
  return Object.assign(call, {
    dispose() {
      for (const entry of cache.entries) free(entry)
      cache.entries = []
    },
  }) as unknown as Compiled<A, R>
}

/** Frees the programs of functions that the garbage collector took; results live on with their tensors. */
const programs = new FinalizationRegistry<{ entries: Entry[] }>(({ entries }) => {
  for (const { program } of entries) program.dispose()
})

function free({ program, results }: Entry): void {
  for (const result of results) result.dispose()
  program.dispose()
}

/** The Error of a failed run, with the input named that cannot have been meant. */
function blame(inputs: readonly Input[], error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.includes('not finite')) return error
  for (const [i, input] of inputs.entries()) {
    const data = input instanceof Tensor ? input.data() : input.data
    const at = data.findIndex((x) => !Number.isFinite(x))
    if (at >= 0)
      return new RangeError(
        `compile: argument ${i} holds ${data[at]} at index ${at}, expected finite numbers; ${error.message}`,
      )
  }
  return error
}

function checkInputs(inputs: readonly Input[]): void {
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i]
    if (input instanceof Tensor) input.check('compile')
    else if (!isNDArray(input)) {
      throw new TypeError(
        `compile: argument ${i} of the compiled function is ${describe(input)}, expected a Tensor or { data, shape }; values that change belong in a tensor, constants in the function`,
      )
    } else {
      let size = 1
      for (let d = 0; d < input.shape.length; d++) size *= input.shape[d] as number
      if (size !== input.data.length)
        throw new RangeError(
          `compile: argument ${i} has ${input.data.length} elements, expected ${size} for its shape ${show(input.shape)}`,
        )
    }
  }
}

const describe = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value

const dtype = (input: Input): DType => (input instanceof Tensor ? input.dtype : dtypeOf(input.data))

/** The program for these inputs, in the present state of modules and gradients. */
function find(entries: Entry[], inputs: readonly Input[]): Entry | undefined {
  const version = stateVersion()
  for (let e = 0; e < entries.length; e++) {
    const entry = entries[e] as Entry
    if (
      entry.recorded === recording() &&
      fits(entry, inputs) &&
      (entry.version === version || holds(entry, version)) &&
      gradientsFit(entry)
    )
      return entry
  }
  return undefined
}

function fits(entry: Entry, inputs: readonly Input[]): boolean {
  if (entry.inputs.length !== inputs.length) return false
  for (let i = 0; i < inputs.length; i++) {
    const known = entry.inputs[i] as Tensor
    const given = inputs[i] as Input
    if (known.dtype !== dtype(given) || !sameShape(known.shape, given.shape)) return false
  }
  return true
}

function holds(entry: Entry, version: number): boolean {
  if (!entry.program.current() || !entry.guards.every((guard) => guard())) return false
  entry.version = version
  return true
}

function gradientsFit({ gradients }: Entry): boolean {
  for (let i = 0; i < gradients.length; i++) {
    const { leaf, needs } = gradients[i] as Entry['gradients'][number]
    if (needs !== 'any' && (needs === 'null') !== (leaf.grad === null)) return false
  }
  return true
}

function copyIn(to: Tensor, from: Input): void {
  const { memory } = currentEngine('compile')
  const address = to.storage.address
  if (from instanceof Tensor) {
    const { storage, offset } = resolve(from)
    const start = storage.address + offset
    if (start !== address) memory.u8.copyWithin(address, start, start + to.storage.bytes)
  } else if (to.dtype === 'f32') memory.f32.set(from.data, address >>> 2)
  else if (to.dtype === 'i32') memory.i32.set(from.data, address >>> 2)
  else memory.u8.set(from.data, address)
}

function trace(fn: (...inputs: Tensor[]) => unknown, given: readonly Input[], profile: boolean): Entry {
  const engine = currentEngine('compile')
  const commands = new Trace()
  const records = gradRecords<Tensor>(commands)
  // The trace computes nothing: until a run succeeds, leaves keep the gradients they had.
  const restore = (): void => {
    for (const [leaf, { before }] of records) leaf.grad = before
  }
  try {
    return withTrace(commands, () => {
      const inputs = given.map((input) => empty('compile', input.shape, dtype(input)))
      const returned = fn(...inputs)
      if (returned instanceof Promise)
        throw new TypeError('compile: the function returned a Promise, expected synchronous work')
      // An input that is returned, as it is or under another shape, gets bytes of its own: the next call writes
      // over the input's, or leaves them alone where no command reads them.
      const isInput = (output: Tensor) => inputs.some(({ storage }) => storage === output.storage)
      const result = replaceTensors(returned, (output) => (isInput(output) ? copyOf(output) : output))
      const results = [...new Set(tensorsIn<Tensor>(result))].filter(({ storage }) => storage.planned)
      const kept = new Map<Storage, number>()
      for (const { storage } of results) kept.set(storage, (kept.get(storage) ?? 0) + 1)
      // Reading gradients here must not be recorded.
      const gradients = withTrace(null, () =>
        [...records].map(([leaf, { before, read }]) => ({
          leaf,
          needs: read ? (before ? ('value' as const) : ('null' as const)) : ('any' as const),
          after: leaf.grad,
        })),
      )
      const program = engine.load(commands, kept, 'compile', profile)
      for (const output of results) output.settle()
      const read = new Set<Storage>()
      for (const { args } of program.commands)
        for (const arg of args) if (arg && typeof arg === 'object' && 'storage' in arg) read.add(arg.storage)
      const wanted = inputs.map((input) => read.has(input.storage))
      withTrace(null, restore)
      const { guards } = commands
      return {
        program,
        recorded: recording(),
        inputs,
        wanted,
        result,
        results,
        guards,
        version: stateVersion(),
        gradients,
      }
    })
  } catch (error) {
    restore()
    throw error
  }
}

/** Arrays and plain objects rebuilt with their tensors replaced. */
function replaceTensors(value: unknown, replace: (tensor: Tensor) => Tensor): unknown {
  if (value instanceof Tensor) return replace(value)
  if (Array.isArray(value)) return value.map((item) => replaceTensors(item, replace))
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaceTensors(item, replace)]))
  }
  return value
}

function copyOf(x: Tensor): Tensor {
  const out = empty('compile', x.shape, x.dtype)
  emit(x.dtype === 'u8' ? copyBytes(out, x, x.size) : copy(out, x, x.size))
  return out
}
