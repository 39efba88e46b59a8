// Messages and their objects, against what flwr itself writes; and whatever else a server may send.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fromBinary } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FlowerError } from '../../src/flower/errors.ts'
import { MessageSchema, MetadataSchema } from '../../src/flower/fleet_pb.ts'
import { receive, replyTo } from '../../src/flower/messages.ts'
import { contentOf, eachOnce, type FlowerObject, jsonBody, readObject } from '../../src/flower/objects.ts'
import { readValues, writeValues } from '../../src/flower/records.ts'
import type { FlowerReply, ReceivedArrays, ReceivedRecords } from '../../src/flower/types.ts'
import { writeNpy } from '../../src/io/index.ts'

const fixture = JSON.parse(readFileSync(new URL('../fixtures/flower.json', import.meta.url), 'utf8'))
const bytes = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'))
const metadata = fromBinary(MetadataSchema, bytes(fixture.metadata))
const stored = new Map(Object.entries<string>(fixture.objects).map(([id, base64]) => [id, bytes(base64)]))
const limits = { parallel: 4, maxBytes: 2 ** 20, chunkBytes: 100 }

const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

/** Pulls out of a map, as a server would answer. */
const puller =
  (objects: ReadonlyMap<string, Uint8Array>) =>
  async (id: string): Promise<FlowerObject> => {
    const content = objects.get(id)
    if (!content) throw new FlowerError('corrupt', `object ${id} is gone`)
    return readObject(id, content)
  }

/** A message with these contents, by the names of their objects; each may name others by @name in its body. */
function message(objects: Record<string, [type: string, children: string[], body: Uint8Array | object]>) {
  const ids = new Map<string, string>()
  const made = new Map<string, Uint8Array>()
  for (const [name, [type, children, body]] of Object.entries(objects)) {
    const filled =
      body instanceof Uint8Array
        ? body
        : jsonBody(JSON.parse(JSON.stringify(body).replaceAll(/@(\w+)/g, (_, other) => ids.get(other) as string)))
    const content = contentOf(
      type as 'Array',
      children.map((child) => ids.get(child) as string),
      filled,
    )
    ids.set(name, sha256(content))
    made.set(ids.get(name) as string, content)
  }
  return { metadata: { ...metadata, messageId: ids.get('message') as string }, objects: made }
}

const root = (stored.get(fixture.id) as Uint8Array).subarray((stored.get(fixture.id) as Uint8Array).indexOf(0) + 1)

/** A message of one array. */
function oneArray(array: object, file: Uint8Array, chunkBytes = file.length) {
  const chunks = Array.from({ length: Math.ceil(file.length / chunkBytes) }, (_, i) =>
    file.subarray(i * chunkBytes, (i + 1) * chunkBytes),
  )
  const texts = chunks.map((chunk) => sha256(chunk))
  // Equal chunks are one object.
  const names = [...new Set(texts)].map((_, i) => `chunk${i}`)
  const indices = texts.map((text) => [...new Set(texts)].indexOf(text))
  const distinct = names.map((_, i) => chunks[texts.findIndex((_, at) => indices[at] === i)] as Uint8Array)
  return message({
    ...Object.fromEntries(names.map((name, i) => [name, ['ArrayChunk', [], distinct[i] as Uint8Array]])),
    array: ['Array', names, { stype: 'numpy.ndarray', arraychunk_ids: indices, ...array }],
    record: ['ArrayRecord', ['array'], { w: '@array' }],
    dict: ['RecordDict', ['record'], { arrays: '@record' }],
    message: ['Message', ['dict'], root],
  })
}

const read = ({ metadata, objects }: ReturnType<typeof message>) => receive(metadata, puller(objects), limits)
const six = { data: Float32Array.from([1, 2, 3, 4, 5, 6]), shape: [2, 3] }

describe('receive', () => {
  test('reads what flwr writes', async () => {
    const records = await receive(metadata, puller(stored), limits)
    expect(Object.keys(records).sort()).toEqual(['arrays', 'config', 'metrics'])
    const arrays = records.arrays!.value as ReceivedArrays
    expect(arrays['0.weight']).toEqual({
      dtype: 'f32',
      shape: [2, 3],
      data: Float32Array.from([0, 1, 2, 3, 4, 5], (x) => Math.fround(x) / Math.fround(7)),
    })
    expect(arrays['0.bias']).toEqual({ dtype: 'f64', shape: [2], data: Float32Array.of(1.5, -2.5) })
    expect(arrays['1']).toEqual({ dtype: 'i64', shape: [3], data: Int32Array.of(1, -2, 2 ** 31 - 1) })
    expect(arrays.raw).toEqual({ dtype: 'u8', shape: [2, 2], data: Uint8Array.of(0, 255, 7, 8) })
    expect(arrays.scalar).toEqual({ dtype: 'f32', shape: [], data: Float32Array.of(0.25) })
    for (const name of ['zeros', 'zeros again'])
      expect(arrays[name]).toEqual({ dtype: 'f32', shape: [300], data: new Float32Array(300) })
    expect(arrays.zeros!.data).not.toBe(arrays['zeros again']!.data)
    expect(records.metrics!.value).toEqual({
      loss: 0.5,
      count: 7,
      large: 2n ** 64n - 1n,
      list: [1, 2.5],
      ints: [1n, -(2n ** 60n)],
    })
    expect(records.config!.value).toEqual({
      lr: 0.1,
      'server-round': 3,
      negative: -(2n ** 62n),
      yes: true,
      text: 'grün',
      bytes: Uint8Array.of(0, 1),
      texts: ['a', 'b'],
      flags: [true, false],
      blobs: [Uint8Array.of(120), Uint8Array.of()],
      none: [],
    })
  })

  test('pulls at most as many objects at once as it may, and each chunk of zeros once', async () => {
    let under = 0
    let most = 0
    const pulled: string[] = []
    const pull = async (id: string): Promise<FlowerObject> => {
      pulled.push(id)
      most = Math.max(most, ++under)
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 3))
      under--
      return puller(stored)(id)
    }
    await receive(metadata, pull, { ...limits, parallel: 3 })
    expect(most).toBe(3)
    // The array of zeros is there twice, in a first chunk, five equal ones and a last.
    expect(pulled.length).toBeLessThan(stored.size + 6)
  })

  test.each([
    [
      'another shape',
      { dtype: 'float32', shape: [3, 2] },
      writeNpy(six),
      'claims float32 [3, 2], but its NPY file holds f32 [2, 3]',
    ],
    [
      'another dtype',
      { dtype: 'int32', shape: [2, 3] },
      writeNpy(six),
      'claims int32 [2, 3], but its NPY file holds f32',
    ],
    [
      'an unknown dtype',
      { dtype: 'complex64', shape: [2, 3] },
      writeNpy(six),
      'has dtype "complex64", expected one of float64',
    ],
    ['objects', { dtype: 'object', shape: [2] }, writeNpy(six), 'has dtype "object"'],
    [
      'another stype',
      { dtype: 'float32', shape: [2, 3], stype: 'torch.save' },
      writeNpy(six),
      'is stored as "torch.save"',
    ],
    ['too few bytes', { dtype: 'float32', shape: [2, 4] }, writeNpy(six), 'expected 160 for float32 [2, 4]'],
    ['too many bytes', { dtype: 'float32', shape: [2, 2] }, writeNpy(six), 'or more in its chunks, expected 144'],
    ['a shape that is none', { dtype: 'float32', shape: [-1] }, writeNpy(six), 'has a shape that is no list'],
    [
      'chunks that are none',
      { dtype: 'float32', shape: [2, 3], arraychunk_ids: [7] },
      writeNpy(six),
      'no list of its children',
    ],
    ['no NPY file', { dtype: 'float32', shape: [17] }, new Uint8Array(80), 'does not read: readNpy'],
    [
      'a pickle',
      { dtype: 'float32', shape: [4] },
      new TextEncoder().encode('\x80\x04cos\nsystem\n(S"id"\ntR.'),
      'has an NPY header of',
    ],
  ])('refuses an array of %s', async (_, array, file, text) => {
    await expect(read(oneArray(array, file))).rejects.toThrow(text)
    await expect(read(oneArray(array, file))).rejects.toMatchObject({ name: 'FlowerError', code: 'corrupt' })
  })

  test('puts arrays together from chunks of any size', async () => {
    for (const size of [13, 64, 128, 151]) {
      const found = await read(oneArray({ dtype: 'float32', shape: [2, 3] }, writeNpy(six), size))
      expect(found.arrays!.value).toEqual({ w: { ...six, dtype: 'f32' } })
    }
  })

  test('refuses more bytes than allowed before it allocates them', async () => {
    await expect(read(oneArray({ dtype: 'float32', shape: [2 ** 40] }, writeNpy(six)))).rejects.toMatchObject({
      code: 'limit',
      message: expect.stringContaining('4398046511104 bytes, expected at most 1048576'),
    })
    await expect(receive(metadata, puller(stored), { ...limits, maxBytes: 2000 })).rejects.toMatchObject({
      code: 'limit',
    })
  })

  test('refuses damaged bytes, other types, and names that are no children', async () => {
    const damaged = new Map(stored)
    const [id, content] = [...stored][0] as [string, Uint8Array]
    damaged.set(
      id,
      content.map((byte, i) => (i === content.length - 1 ? byte ^ 1 : byte)),
    )
    await expect(receive(metadata, puller(damaged), limits)).rejects.toThrow(/came with bytes whose SHA-256 is/)
    const chunk: [string, string[], Uint8Array] = ['ArrayChunk', [], Uint8Array.of(1)]
    const refused: [Parameters<typeof message>[0], RegExp][] = [
      [{ chunk, message: ['Message', ['chunk'], root] }, /is of type ArrayChunk, expected RecordDict/],
      [
        { chunk, dict: ['RecordDict', [], { a: '@chunk' }], message: ['Message', ['dict'], root] },
        /names others than its children/,
      ],
      [
        { chunk, dict: ['RecordDict', ['chunk'], {}], message: ['Message', ['dict'], root] },
        /names others than its children/,
      ],
      [
        { chunk, dict: ['RecordDict', ['chunk'], { a: '@chunk' }], message: ['Message', ['dict'], root] },
        /is of type ArrayChunk, expected ArrayRecord or/,
      ],
      [
        { dict: ['RecordDict', [], Uint8Array.of(123)], message: ['Message', ['dict'], root] },
        /has a body that is no JSON object/,
      ],
      [
        { dict: ['RecordDict', [], {}], message: ['Message', ['dict'], Uint8Array.of(9)] },
        /is no protobuf of a Message/,
      ],
      [{ message: ['Message', [], root] }, /holds another than it was announced as/],
    ]
    for (const [objects, text] of refused) await expect(read(message(objects))).rejects.toThrow(text)
    const other = message({ dict: ['RecordDict', [], {}], message: ['Message', ['dict'], root] })
    await expect(read({ ...other, metadata: { ...other.metadata, runId: 1n } })).rejects.toThrow(/holds another/)
  })

  test('whatever bytes come under right hashes: a FlowerError, or the records', async () => {
    const names = [...stored.keys()]
    await fc.assert(
      fc.asyncProperty(fc.nat(names.length - 1), fc.nat(), fc.nat(255), fc.boolean(), async (which, at, byte, cut) => {
        // A changed object has another name, which those above it take over.
        const changed = new Map<string, Uint8Array>()
        const renamed = new Map<string, string>()
        for (const [i, id] of names.entries()) {
          let content = stored.get(id) as Uint8Array
          if (i === which) {
            content = cut ? content.subarray(0, at % content.length) : content.slice()
            if (!cut) content[at % content.length] = byte
          }
          let text = Buffer.from(content).toString('latin1')
          for (const [from, to] of renamed) text = text.replaceAll(from, to)
          const own = new Uint8Array(Buffer.from(text, 'latin1'))
          const hash = sha256(own)
          if (hash !== id) renamed.set(id, hash)
          changed.set(hash, own)
        }
        const id = renamed.get(fixture.id) ?? fixture.id
        try {
          await receive({ ...metadata, messageId: id }, puller(changed), limits)
        } catch (error) {
          expect(error).toBeInstanceOf(FlowerError)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('replyTo', () => {
  /** The records that a reply carries, read again, by way of its objects alone. */
  async function roundTrip(reply: FlowerReply): Promise<ReceivedRecords> {
    const made = await replyTo(metadata, { reply }, 1_800_000_000, limits)
    const objects = new Map<string, Uint8Array>()
    for (const object of eachOnce(made.root)) objects.set(object.id, object.content())
    for (const [id, content] of objects) expect(sha256(content)).toBe(id)
    const own = made.message.metadata!
    expect(own.messageId).toBe(made.root.id)
    return receive(own, puller(objects), limits)
  }

  test('carries arrays, metrics and config, in chunks', async () => {
    const weights = { data: Float32Array.from({ length: 300 }, (_, i) => i / 3), shape: [10, 30] }
    const found = await roundTrip({
      arrays: {
        w: weights,
        steps: { data: Int32Array.of(5), shape: [] },
        doubles: { data: Float64Array.of(0.5), shape: [1] },
      },
      metrics: { 'num-examples': 10n, loss: 3, list: [1, 2], large: 2n ** 63n },
      config: { name: 'a', on: false, raw: Uint8Array.of(1, 2) },
      records: { more: { kind: 'metrics', value: { x: -1n } } },
    })
    expect(found.arrays!.value).toEqual({
      w: { ...weights, dtype: 'f32' },
      steps: { data: Int32Array.of(5), shape: [], dtype: 'i32' },
      doubles: { data: Float32Array.of(0.5), shape: [1], dtype: 'f64' },
    })
    expect(found.metrics!.value).toEqual({ 'num-examples': 10, loss: 3, list: [1, 2], large: 2n ** 63n })
    expect(found.config!.value).toEqual({ name: 'a', on: false, raw: Uint8Array.of(1, 2) })
    expect(found.more).toEqual({ kind: 'metrics', value: { x: -1 } })
  })

  test('answers the message: swapped ends, what is left of its time', async () => {
    const { message } = await replyTo(metadata, { failure: { code: 2, reason: 'no' } }, metadata.createdAt + 60, limits)
    const own = message.metadata!
    expect([own.srcNodeId, own.dstNodeId, own.replyToMessageId]).toEqual([
      metadata.dstNodeId,
      metadata.srcNodeId,
      metadata.messageId,
    ])
    expect([own.runId, own.messageType]).toEqual([metadata.runId, 'train'])
    expect(own.dstTaskId).toBe(metadata.srcTaskId)
    expect(own.createdAt + own.ttl).toBeCloseTo(metadata.createdAt + metadata.ttl, 3)
    expect(message.content).toBeUndefined()
    expect(message.error).toMatchObject({ code: 2n, reason: 'no' })
    const inner = fromBinary(MessageSchema, (await readRoot(message.metadata!)).body)
    expect(inner.metadata!.messageId).toBe('')
    async function readRoot(own: { messageId: string }): Promise<FlowerObject> {
      const { root } = await replyTo(metadata, { failure: { code: 2, reason: 'no' } }, metadata.createdAt + 60, limits)
      return readObject(own.messageId, root.content())
    }
  })

  test.each([
    [undefined, /it gave undefined, expected an object/],
    [{ weights: {} }, /the reply has weights, expected arrays, metrics, config or records/],
    [{ arrays: { w: 1 } }, /array 'w' is 1, expected \{ data, shape \}/],
    [{ arrays: { w: { data: new Float32Array(2), shape: [3] } } }, /has 2 elements, expected 3/],
    [{ metrics: { a: 'text' } }, /metrics.a is 'text', expected a number, a bigint/],
    [{ metrics: { a: [1, 2n] } }, /metrics.a is \[1, 2n\]/],
    [{ metrics: { a: 2n ** 64n } }, /expected integers of 64 bits/],
    [{ metrics: { a: [2n ** 63n, -1n] } }, /expected integers of 64 bits/],
    [{ config: { a: {} } }, /config.a is Object, expected a number, bigint, boolean/],
    [{ records: { a: { kind: 'files' } } }, /record 'a' is Object, expected \{ kind/],
    [{ arrays: {}, records: { arrays: { kind: 'arrays', value: {} } } }, /two records of one name/],
  ])('refuses %o', async (reply, text) => {
    await expect(replyTo(metadata, { reply: reply as FlowerReply }, 1_800_000_000, limits)).rejects.toThrow(text)
  })
})

test('records of any values come back', () => {
  const value = fc.oneof(
    fc.double(),
    fc.bigInt(-(2n ** 63n), 2n ** 64n - 1n),
    fc.boolean(),
    fc.string(),
    fc.uint8Array(),
    fc.array(fc.double({ noNaN: true }), { minLength: 1 }),
    fc.array(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), { minLength: 1 }),
    fc.array(fc.string(), { minLength: 1 }),
  )
  const whole = (x: unknown): unknown =>
    typeof x === 'bigint' && Number.isSafeInteger(Number(x))
      ? Number(x)
      : Array.isArray(x) && x.every((y) => Number.isSafeInteger(Number(y))) && typeof x[0] === 'bigint'
        ? x.map(Number)
        : x
  fc.assert(
    fc.property(fc.dictionary(fc.string(), value), (record) => {
      const back = readValues(writeValues('test', 'config', record as never))
      expect({ ...back }).toEqual(Object.fromEntries(Object.entries(record).map(([key, x]) => [key, whole(x)])))
    }),
  )
})
