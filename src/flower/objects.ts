// Flower's objects: what a message holds, in pieces named by the SHA-256 of their bytes.
//
//   head      <type> <id>,<id>,… <bytes of the body>      ASCII, then one zero byte
//   body      ArrayChunk: raw bytes · Array, ArrayRecord, RecordDict: JSON · MetricRecord, ConfigRecord, Message: protobuf
//   Message ─ RecordDict ─ ArrayRecord ─ Array ─ ArrayChunk …     each names its children in its head
//                        ─ MetricRecord, ConfigRecord

import { FlowerError } from './errors.ts'

export type ObjectType =
  | 'Message'
  | 'RecordDict'
  | 'ArrayRecord'
  | 'MetricRecord'
  | 'ConfigRecord'
  | 'Array'
  | 'ArrayChunk'

/** An object as it came: its parts are views of its bytes. */
export interface FlowerObject {
  readonly type: ObjectType
  readonly children: readonly string[]
  readonly body: Uint8Array
  /** Bytes of all. */
  readonly length: number
}

/** An object that is to be sent: its bytes are made when they are wanted. */
export interface OutgoingObject {
  readonly id: string
  readonly children: readonly OutgoingObject[]
  content(): Uint8Array
}

const types: readonly string[] = [
  'Message',
  'RecordDict',
  'ArrayRecord',
  'MetricRecord',
  'ConfigRecord',
  'Array',
  'ArrayChunk',
] satisfies ObjectType[]

/** The name of some bytes. */
export async function idOf(content: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', content as Uint8Array<ArrayBuffer>))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The parts of an object. Throws where the bytes are not those of its name, or no object. */
export async function readObject(id: string, content: Uint8Array): Promise<FlowerObject> {
  const hash = await idOf(content)
  if (hash !== id)
    throw new FlowerError(
      'corrupt',
      `object ${brief(id)} came with bytes whose SHA-256 is ${brief(hash)}; they are damaged`,
    )
  const fail = (what: string): never => {
    throw new FlowerError('corrupt', `object ${brief(id)} ${what}`)
  }
  const end = content.indexOf(0)
  if (end < 0) return fail('has no head')
  const head = new TextDecoder().decode(content.subarray(0, end))
  const [type, list, length, ...rest] = head.split(' ') as [string, string, string]
  if (rest.length > 0 || !types.includes(type))
    fail(`has the head '${head.slice(0, 64)}', expected a type, ids, a length`)
  const children = list ? list.split(',') : []
  if (!children.every((child) => /^[0-9a-f]{64}$/.test(child))) fail('names children by something else than SHA-256')
  if (new Set(children).size !== children.length) fail('names a child twice')
  const body = content.subarray(end + 1)
  if (length !== String(body.length)) fail(`has a body of ${body.length} bytes, but its head says ${length}`)
  return { type: type as ObjectType, children, body, length: content.length }
}

/** An object of a body that is small enough to keep. */
export async function makeObject(
  type: ObjectType,
  children: readonly OutgoingObject[],
  body: Uint8Array,
): Promise<OutgoingObject> {
  // Two children of the same bytes are one.
  const distinct = [...new Map(children.map((child) => [child.id, child])).values()]
  const content = contentOf(
    type,
    distinct.map(({ id }) => id),
    body,
  )
  return { id: await idOf(content), children: distinct, content: () => content }
}

/** The bytes of an object. */
export function contentOf(type: ObjectType, children: readonly string[], body: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`${type} ${children.join(',')} ${body.length}`)
  const content = new Uint8Array(head.length + 1 + body.length)
  content.set(head)
  content.set(body, head.length + 1)
  return content
}

/** A JSON body. Its values are strings or whatever else the reader checks. */
export function jsonOf({ body, type }: FlowerObject, id: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw new FlowerError('corrupt', `object ${brief(id)} of type ${type} has a body that is no JSON object`)
}

/** The children of an ArrayRecord or a RecordDict by name: exactly those that its head names. */
export function namedChildren(object: FlowerObject, id: string): [name: string, child: string][] {
  const named = Object.entries(jsonOf(object, id)) as [string, string][]
  const wanted = new Set(named.map(([, child]) => child))
  if (wanted.size !== object.children.length || !object.children.every((child) => wanted.has(child)))
    throw new FlowerError('corrupt', `object ${brief(id)} of type ${object.type} names others than its children`)
  return named
}

export const jsonBody = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

/** Each object once, children before what holds them. */
export function* eachOnce(root: OutgoingObject, seen = new Set<string>()): Generator<OutgoingObject> {
  if (seen.has(root.id)) return
  seen.add(root.id)
  for (const child of root.children) yield* eachOnce(child, seen)
  yield root
}

export const brief = (id: string): string => (id.length > 12 ? `${id.slice(0, 12)}…` : id)
