// A message and its reply: objects pulled, checked and put together; a reply taken apart and pushed.

import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { written } from '../checks.ts'
import type { AnyNDArray } from '../io/dtypes.ts'
import { FileOf, makeArray, planArray } from './arrays.ts'
import { FlowerError } from './errors.ts'
import { type Message, MessageSchema, type Metadata, MetadataSchema } from './fleet_pb.ts'
import {
  brief,
  type FlowerObject,
  jsonBody,
  makeObject,
  namedChildren,
  type ObjectType,
  type OutgoingObject,
} from './objects.ts'
import { readValues, writeValues } from './records.ts'
import type { FlowerRecord, FlowerReply, MetricRecord, ReceivedArrays, ReceivedRecords } from './types.ts'
import { inOrder } from './wire.ts'

export interface Limits {
  /** Objects under way at once, up or down. */
  parallel: number
  /** Most bytes of all objects of a message. */
  maxBytes: number
  /** Bytes of a chunk of an array that is sent. */
  chunkBytes: number
}

/** Most objects of a message, and most bytes of one: Flower's own chunks have 5 MiB. */
const MAX_OBJECTS = 100_000
const MAX_OBJECT = 64 * 1_048_576

/** Pulls the records of a message. `pull`: an object of at most `limit` bytes. */
export async function receive(
  metadata: Metadata,
  pull: (id: string, limit: number) => Promise<FlowerObject>,
  { parallel, maxBytes }: Limits,
): Promise<ReceivedRecords> {
  let left = maxBytes
  let objects = 0
  const get = async (id: string, ...expected: ObjectType[]): Promise<FlowerObject> => {
    if (++objects > MAX_OBJECTS) throw new FlowerError('limit', `the message has more than ${MAX_OBJECTS} objects`)
    const object = await pull(id, Math.min(left, MAX_OBJECT))
    left -= object.length
    if (left < 0)
      throw new FlowerError('limit', `the message has more than ${maxBytes} bytes; raise maxBytes if that is right`)
    if (!expected.includes(object.type))
      throw new FlowerError(
        'corrupt',
        `object ${brief(id)} is of type ${object.type}, expected ${expected.join(' or ')}`,
      )
    return object
  }

  const root = await get(metadata.messageId, 'Message')
  checkRoot(root, metadata)
  const dictId = root.children[0] as string
  const named = namedChildren(await get(dictId, 'RecordDict'), dictId)
  const records: ReceivedRecords = Object.create(null)
  /** Names of arrays, by the ids of their objects, with where they belong. */
  const arrays: { id: string; name: string; into: ReceivedArrays }[] = []
  const kinds = ['ArrayRecord', 'MetricRecord', 'ConfigRecord'] as const
  const pulled = inOrder(named, parallel, ([, id]) => get(id, ...kinds))
  for (const [name, id] of named) {
    const object = (await pulled.next()).value as FlowerObject
    if (object.type === 'ArrayRecord') {
      const into: ReceivedArrays = Object.create(null)
      records[name] = { kind: 'arrays', value: into }
      for (const [array, child] of namedChildren(object, id)) arrays.push({ id: child, name: array, into })
    } else if (object.type === 'ConfigRecord') records[name] = { kind: 'config', value: readValues(object.body) }
    else records[name] = { kind: 'metrics', value: readValues(object.body) as MetricRecord }
  }

  // Chunks are pulled in the order of arrays, so one array is put together at a time.
  const described = inOrder(arrays, parallel, ({ id }) => get(id, 'Array'))
  const plans = []
  for (const { name, id } of arrays)
    plans.push(planArray(name, id, (await described.next()).value as FlowerObject, maxBytes))
  const ids = plans.flatMap(({ chunks }) => chunks)
  // The same chunk many times in a row, as zeros are, is pulled once.
  let last: { id: string; object: Promise<FlowerObject> } | null = null
  const chunks = inOrder(ids, parallel, (id) => {
    if (last?.id !== id) last = { id, object: get(id, 'ArrayChunk') }
    return last.object
  })
  for (const [i, plan] of plans.entries()) {
    for (const _ of plan.chunks) plan.add(((await chunks.next()).value as FlowerObject).body)
    const { name, into } = arrays[i] as (typeof arrays)[number]
    into[name] = plan.finish()
  }
  return records
}

/** Throws unless the root object is that of the message that was pulled. */
function checkRoot(root: FlowerObject, metadata: Metadata): void {
  let inner: Message
  try {
    inner = fromBinary(MessageSchema, root.body)
  } catch (cause) {
    throw new FlowerError('corrupt', `the message ${brief(metadata.messageId)} is no protobuf of a Message`, { cause })
  }
  const own = inner.metadata
  if (
    own?.runId !== metadata.runId ||
    own.dstNodeId !== metadata.dstNodeId ||
    own.messageType !== metadata.messageType ||
    root.children.length !== 1
  )
    throw new FlowerError('corrupt', `the message ${brief(metadata.messageId)} holds another than it was announced as`)
}

/** A reply that is ready to be pushed: the same bytes at each try, so that the SuperLink knows it again. */
export interface OutgoingReply {
  readonly message: Message
  readonly root: OutgoingObject
}

/** What a message is answered by. */
export type Answer = { reply: FlowerReply } | { failure: { code: number; reason: string } }

/** The reply to a message. `now`: seconds since 1970. */
export async function replyTo(
  metadata: Metadata,
  content: Answer,
  now: number,
  limits: Limits,
): Promise<OutgoingReply> {
  const own = create(MetadataSchema, {
    runId: metadata.runId,
    srcNodeId: metadata.dstNodeId,
    dstNodeId: metadata.srcNodeId,
    replyToMessageId: metadata.messageId,
    groupId: metadata.groupId,
    messageType: metadata.messageType,
    createdAt: now,
    // It may not outlive the message that it answers.
    ttl: metadata.createdAt + metadata.ttl - now,
    ...(metadata.dstTaskId === undefined ? {} : { srcTaskId: metadata.dstTaskId }),
    ...(metadata.srcTaskId === undefined ? {} : { dstTaskId: metadata.srcTaskId }),
  })
  const failed = 'failure' in content
  const error = failed ? { error: { code: BigInt(content.failure.code), reason: content.failure.reason } } : {}
  const children = failed ? [] : [await makeRecords(content.reply, limits)]
  const body = toBinary(MessageSchema, create(MessageSchema, { metadata: own, ...error }))
  const root = await makeObject('Message', children, body)
  const message = create(MessageSchema, {
    metadata: { ...own, messageId: root.id },
    ...(failed ? error : { content: {} }),
  })
  return { message, root }
}

async function makeRecords(reply: FlowerReply, limits: Limits): Promise<OutgoingObject> {
  const { arrays, metrics, config, records = {}, ...rest } = checkReply(reply)
  const unknown = Object.keys(rest)[0]
  if (unknown) throw new TypeError(`handler: the reply has ${unknown}, expected arrays, metrics, config or records`)
  const all: [string, FlowerRecord][] = [
    ...(arrays ? [['arrays', { kind: 'arrays', value: arrays }] as [string, FlowerRecord]] : []),
    ...(metrics ? [['metrics', { kind: 'metrics', value: metrics }] as [string, FlowerRecord]] : []),
    ...(config ? [['config', { kind: 'config', value: config }] as [string, FlowerRecord]] : []),
    ...Object.entries(records),
  ]
  const names = all.map(([name]) => name)
  if (new Set(names).size !== names.length) throw new TypeError('handler: the reply has two records of one name')
  const files = new FileOf()
  const ids: Record<string, string> = Object.create(null)
  const children: OutgoingObject[] = []
  for (const [name, record] of all) {
    const child = await makeRecord(name, record, limits, files)
    ids[name] = child.id
    children.push(child)
  }
  return makeObject('RecordDict', children, jsonBody(ids))
}

function checkReply(reply: unknown): FlowerReply {
  if (typeof reply !== 'object' || reply === null)
    throw new TypeError(
      `handler: it gave ${written(reply)}, expected an object with arrays, metrics, config or records`,
    )
  return reply
}

async function makeRecord(
  name: string,
  record: FlowerRecord,
  { chunkBytes }: Limits,
  files: FileOf,
): Promise<OutgoingObject> {
  if (record?.kind === 'metrics' || record?.kind === 'config') {
    const type = record.kind === 'config' ? 'ConfigRecord' : 'MetricRecord'
    return makeObject(type, [], writeValues('handler', record.kind, record.value))
  }
  if (record?.kind !== 'arrays' || typeof record.value !== 'object' || record.value === null)
    throw new TypeError(
      `handler: record '${name}' is ${written(record)}, expected { kind: 'arrays' | 'metrics' | 'config', value }`,
    )
  const ids: Record<string, string> = Object.create(null)
  const children: OutgoingObject[] = []
  for (const [key, array] of Object.entries<AnyNDArray>(record.value)) {
    const child = await makeArray('handler', key, array, chunkBytes, files)
    ids[key] = child.id
    children.push(child)
  }
  return makeObject('ArrayRecord', children, jsonBody(ids))
}
