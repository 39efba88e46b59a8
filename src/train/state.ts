// Whatever changes while training has a state: JSON in which arrays may stand. A checkpoint is one safetensors file: the
// arrays as tensors, named by where they stand, and the JSON in its metadata.

import { written } from '../checks.ts'
import { type AnyTypedArray, readSafetensors, writeSafetensors } from '../io/index.ts'

/** What has a state: modules, optimizers, schedules, averages, loaders, generators, pipelines, metrics, and your own. */
export interface Stateful {
  stateDict(): unknown
  // biome-ignore lint/suspicious/noExplicitAny: each takes what its own stateDict gives, which differs from one to the next
  loadStateDict(state: any): unknown
}

/** The file's version: a reader refuses those that came later. */
const VERSION = '1'

const arrays = {
  Float64Array,
  Float32Array,
  Int32Array,
  Uint32Array,
  Int16Array,
  Uint16Array,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  BigInt64Array,
  BigUint64Array,
} as const
type ArrayName = keyof typeof arrays

const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1)

const typedArray = (value: unknown): AnyTypedArray | null =>
  ArrayBuffer.isView(value) && Object.hasOwn(arrays, tagOf(value)) ? (value as AnyTypedArray) : null

/** Deeper than anybody nests, and less than the stack holds. */
const DEEPEST = 200

/** The bytes of a checkpoint: parts by name, and `facts` that stand beside them. */
export function encodeState(
  caller: string,
  parts: Readonly<Record<string, unknown>>,
  facts: Readonly<Record<string, unknown>>,
): Uint8Array<ArrayBuffer> {
  const tensors: Record<string, { shape: number[]; data: AnyTypedArray }> = Object.create(null)
  const inside = new Set<unknown>()
  let count = 0
  const packArray = (array: AnyTypedArray, path: string): unknown => {
    const type = tagOf(array)
    const own = type === 'Float32Array' || type === 'Int32Array' || type === 'Uint8Array'
    // Bits and no numbers, where a reader would change them.
    const data = own ? array : new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength)
    // Two places may have one path: keys may hold dots.
    const name = path in tensors ? `${path} (${++count})` : path
    tensors[name] = { shape: [data.length], data }
    return { $array: name, type }
  }
  const pack = (value: unknown, path: string, depth: number): unknown => {
    if (depth > DEEPEST || inside.has(value))
      throw new TypeError(`${caller}: ${path.slice(0, 100)} is nested without end, expected JSON and arrays`)
    if (typeof value === 'number')
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $number: Object.is(value, -0) ? '-0' : String(value) }
    if (typeof value === 'bigint') return { $bigint: String(value) }
    if (value === undefined) return { $undefined: true }
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
    const array = typedArray(value)
    if (array) return packArray(array, path)
    if (typeof value !== 'object' || (!Array.isArray(value) && tagOf(value) !== 'Object'))
      throw new TypeError(`${caller}: ${path.slice(0, 100)} is ${written(value)}, expected JSON and arrays`)
    inside.add(value)
    // Objects as lists of pairs: those of JavaScript put keys like "10" first, and have a __proto__.
    const packed = Array.isArray(value)
      ? value.map((item, i) => pack(item, `${path}.${i}`, depth + 1))
      : { $object: Object.entries(value).map(([key, item]) => [key, pack(item, `${path}.${key}`, depth + 1)]) }
    inside.delete(value)
    return packed
  }
  const state = Object.entries(parts).map(([name, part]) => [name, pack(part, name, 0)])
  return writeSafetensors(tensors, {
    'lanewise.version': VERSION,
    'lanewise.state': JSON.stringify(state),
    'lanewise.facts': JSON.stringify(pack(facts, 'facts', 0)),
  })
}

/** The parts and facts of a checkpoint. */
export function decodeState(
  where: string,
  bytes: Uint8Array,
): { parts: Map<string, unknown>; facts: Record<string, unknown> } {
  const fail = (what: string): never => {
    throw new Error(`${where}: ${what}`)
  }
  const guarded = <T>(work: () => T, what: string): T => {
    try {
      return work()
    } catch (cause) {
      throw new Error(`${where}: ${what}: ${(cause as Error).message}`, { cause })
    }
  }
  const { metadata, tensors } = guarded(() => readSafetensors(bytes), 'the file is damaged')
  const version = metadata['lanewise.version']
  if (version === undefined) return fail('the file is a safetensors file, but no checkpoint of lanewise')
  if (version !== VERSION)
    return fail(`the file has version ${written(version)}, expected ${VERSION}; a newer lanewise reads it`)
  const unpackArray = (name: string, type: string, path: string): AnyTypedArray => {
    const data = Object.hasOwn(tensors, name) ? tensors[name]?.data : undefined
    if (!data || !Object.hasOwn(arrays, type))
      return fail(`${path} has no array ${written(name)} of type ${written(type)}`)
    if (tagOf(data) === type) return data
    const Type = arrays[type as ArrayName]
    if (tagOf(data) !== 'Uint8Array' || data.length % Type.BYTES_PER_ELEMENT !== 0)
      return fail(`${path} has bytes that are no ${type}`)
    return new Type(data.slice().buffer as ArrayBuffer)
  }
  const unpack = (value: unknown, path: string, depth = 0): unknown => {
    if (depth > 3 * DEEPEST) return fail(`${path.slice(0, 100)} is nested too deep`)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item, i) => unpack(item, `${path}.${i}`, depth + 1))
    const { $number, $bigint, $undefined, $array, $object, type } = value as Record<string, unknown>
    if (typeof $number === 'string') return Number($number)
    if (typeof $bigint === 'string' && /^-?\d{1,1000}$/.test($bigint)) return BigInt($bigint)
    if ($undefined === true) return undefined
    if (typeof $array === 'string') return unpackArray($array, String(type), path)
    if (!Array.isArray($object)) return fail(`${path} is not what a checkpoint holds`)
    const object = {}
    for (const pair of $object) {
      if (!Array.isArray(pair) || typeof pair[0] !== 'string') return fail(`${path} is not what a checkpoint holds`)
      const [key, item] = pair
      const property = { enumerable: true, writable: true, configurable: true }
      Object.defineProperty(object, key, { value: unpack(item, `${path}.${key}`, depth + 1), ...property })
    }
    return object
  }
  const json = (key: string): unknown => guarded(() => JSON.parse(metadata[key] ?? ''), `${key} is no JSON`)
  const state = json('lanewise.state')
  if (!Array.isArray(state) || !state.every((pair) => Array.isArray(pair) && typeof pair[0] === 'string'))
    return fail('the checkpoint has no list of parts')
  const parts = new Map<string, unknown>(state.map(([name, part]) => [name, unpack(part, name)]))
  return { parts, facts: unpack(json('lanewise.facts'), 'facts') as Record<string, unknown> }
}
