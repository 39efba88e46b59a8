// Where data comes from, the same in Node, in a page and at the edge: one interface over bytes, Blobs, Responses, streams,
// addresses and files (openFile of lanewise/node). What is gzipped comes out inflated.

import { kind, written } from '../checks.ts'

/** Bytes that can be read in pieces: in any order, or from the beginning to the end. */
export interface ByteSource {
  /** What Errors call it; may be empty. */
  readonly name: string
  /** Null where nobody knows before the end. */
  readonly byteLength: number | null
  /** The bytes from `start` to before `end`. */
  slice(start: number, end: number): Promise<Uint8Array>
  stream(): AsyncIterable<Uint8Array>
  /** The file of this name beside this one. */
  sibling?(name: string): ByteSource | Promise<ByteSource>
}

/** What functions that read take. */
export type Source = Uint8Array | ArrayBuffer | Blob | Response | ReadableStream<Uint8Array> | URL | ByteSource

/** Bytes that a file may have, or become when it is inflated, where whoever reads does not say. */
export const MOST_BYTES = 0x80000000

export const maxBytesKind = /* @__PURE__ */ kind<number>(
  'number',
  'a whole number of bytes >= 0',
  (bytes) => Number.isSafeInteger(bytes) && bytes >= 0,
)

const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1)

/** A file's bytes in memory as a plain view, also of Node's Buffer, whose methods differ; null for anything else. By tags:
 *  what comes from another realm, an iframe or a test runner, is no instance of ours. */
function view(file: unknown): Uint8Array | null {
  if (ArrayBuffer.isView(file) && tagOf(file) === 'Uint8Array')
    return new Uint8Array(file.buffer, file.byteOffset, file.byteLength)
  return tagOf(file) === 'ArrayBuffer' ? new Uint8Array(file as ArrayBuffer) : null
}

/** The bytes that a function takes which is not asynchronous. */
export function plain(caller: string, file: unknown): Uint8Array {
  const bytes = view(file)
  if (!bytes) throw new TypeError(`${caller}: file is ${written(file)}, expected a Uint8Array or an ArrayBuffer`)
  return bytes
}

/** The beginning of an Error about a source. */
export const at = (caller: string, { name }: { name: string }): string => (name ? `${caller}: ${name}` : caller)

/** Any source as a ByteSource. */
export async function sourceOf(caller: string, source: Source): Promise<ByteSource> {
  const bytes = view(source)
  if (bytes) return fromBytes('', bytes)
  const tag = tagOf(source)
  if (tag === 'Blob' || tag === 'File') return fromBlob(source as Blob)
  if (tag === 'Response') return fromResponse(caller, source as Response)
  if (tag === 'URL') return openUrl(source as URL)
  if (tag === 'ReadableStream') return once(caller, '', source as ReadableStream<Uint8Array>)
  const given = source as ByteSource | null
  if (typeof given?.slice === 'function' && typeof given.stream === 'function') return given
  const mend =
    typeof source === 'string' ? '; openFile(path) of lanewise/node opens a file, new Blob([text]) holds a text' : ''
  throw new TypeError(
    `${caller}: source is ${written(source)}, expected bytes, a Blob, a Response, a ReadableStream, a URL or what openFile gives${mend}`,
  )
}

function fromBytes(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    byteLength: bytes.length,
    slice: async (start, end) => bytes.subarray(start, end),
    async *stream() {
      yield bytes
    },
  }
}

function fromBlob(blob: Blob): ByteSource {
  return {
    name: (blob as Partial<File>).name ?? '',
    byteLength: blob.size,
    slice: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
    async *stream() {
      // Not blob.stream(), whose chunks are as small as an engine likes.
      for (let start = 0; start < blob.size; start += CHUNK)
        yield new Uint8Array(await blob.slice(start, start + CHUNK).arrayBuffer())
    },
  }
}

/** Bytes of a Blob or a file that are read at a time. */
export const CHUNK = 0x80000

function fromResponse(caller: string, response: Response): ByteSource {
  const name = response.url
  if (!response.ok)
    throw new Error(
      `${caller}: the response for ${name || 'the data'} has status ${response.status} ${response.statusText}, expected 200`,
    )
  if (response.bodyUsed)
    throw new TypeError(
      `${caller}: the response for ${name || 'the data'} was read already; fetch it again, or clone() it first`,
    )
  return once(caller, name, response.body ?? new Blob([]).stream())
}

/** What can be read from the beginning, and once; a slice keeps all of it. */
function once(caller: string, name: string, body: ReadableStream<Uint8Array>): ByteSource {
  let all: Promise<Uint8Array> | null = null
  let taken = false
  const stream = (): AsyncIterable<Uint8Array> => {
    if (taken || body.locked)
      throw new TypeError(`${at(caller, { name })}: the stream was read already; make a new one`)
    taken = true
    return reading(body)
  }
  return {
    name,
    byteLength: null,
    async slice(start, end) {
      all ??= joined(caller, stream(), MOST_BYTES)
      return (await all).subarray(start, end)
    },
    stream,
  }
}

/** The chunks of a stream: `for await` over streams is not everywhere. */
async function* reading(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // Whoever stops early needs no more of it.
    reader.cancel().catch(() => {})
  }
}

/** What lies at an address, by requests for ranges where the server takes them; else as one stream.
 *  `init`: headers and whatever else fetch takes. */
export async function openUrl(url: URL | string, init: RequestInit = {}): Promise<ByteSource> {
  const address = String(url)
  const get = async (more: RequestInit): Promise<Response> => {
    const headers = new Headers(init.headers)
    new Headers(more.headers).forEach((value, name) => {
      headers.set(name, value)
    })
    const response = await fetch(address, { ...init, ...more, headers })
    if (!response.ok)
      throw new Error(`openUrl: ${address} answers ${response.status} ${response.statusText}, expected 200`)
    return response
  }
  const head = await get({ method: 'HEAD' }).catch(() => null)
  const length = head?.headers.get('content-length')
  const ranged = head?.headers.get('accept-ranges') === 'bytes' && !head.headers.get('content-encoding') && length
  const shared = { name: address, sibling: (name: string) => openUrl(new URL(name, address), init) }
  if (!ranged) return { ...once('openUrl', address, (await get({})).body ?? new Blob([]).stream()), ...shared }
  return {
    ...shared,
    byteLength: Number(length),
    async slice(start, end) {
      if (start >= end) return new Uint8Array()
      const response = await get({ headers: { range: `bytes=${start}-${end - 1}` } })
      const bytes = new Uint8Array(await response.arrayBuffer())
      const most = Math.min(end, Number(length)) - start
      if (response.status === 206 && bytes.length === most) return bytes
      if (response.status === 200 && bytes.length === Number(length)) return bytes.subarray(start, end)
      throw new Error(`openUrl: ${address} gave ${bytes.length} bytes for ${start} to ${end - 1}, expected ${most}`)
    },
    async *stream() {
      yield* reading((await get({})).body ?? new Blob([]).stream())
    },
  }
}

/** The chunks of a source, inflated where it is gzipped. Throws past `maxBytes`. */
export async function* chunksOf(
  caller: string,
  source: ByteSource,
  maxBytes = Number.POSITIVE_INFINITY,
): AsyncGenerator<Uint8Array> {
  let total = 0
  for await (const chunk of plainChunks(caller, source)) {
    total += chunk.length
    if (total > maxBytes)
      throw new RangeError(`${at(caller, source)} has more than ${maxBytes} bytes; raise maxBytes where this is meant`)
    yield chunk
  }
}

async function* plainChunks(caller: string, source: ByteSource): AsyncGenerator<Uint8Array> {
  const given = source.stream()[Symbol.asyncIterator]()
  // The first two bytes tell, however small the chunks are.
  let head = new Uint8Array()
  let done = false
  while (head.length < 2 && !done) {
    const next = await given.next()
    done = next.done === true
    if (!next.done) head = concat([head, checkChunk(caller, source, next.value)])
  }
  const rest = async function* () {
    try {
      if (head.length > 0) yield head
      while (!done) {
        const next = await given.next()
        if (next.done) return
        yield checkChunk(caller, source, next.value)
      }
    } finally {
      await given.return?.()
    }
  }
  if (head[0] === 0x1f && head[1] === 0x8b) yield* inflated(caller, source, rest())
  else yield* rest()
}

function checkChunk(caller: string, source: ByteSource, chunk: unknown): Uint8Array {
  const bytes = view(chunk)
  if (!bytes) throw new TypeError(`${at(caller, source)}: the stream gave ${written(chunk)}, expected a Uint8Array`)
  return bytes
}

async function* inflated(
  caller: string,
  source: ByteSource,
  chunks: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let pending = new Uint8Array()
  let broken: unknown = null
  const input = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        if (pending.length === 0) {
          const next = await chunks.next()
          if (next.done) return controller.close()
          pending = next.value as Uint8Array<ArrayBuffer>
        }
        // In small pieces: one of them becomes 16 MB at most.
        controller.enqueue(pending.slice(0, 0x4000) as Uint8Array<ArrayBuffer>)
        pending = pending.subarray(0x4000)
      } catch (error) {
        broken = error
        controller.error(error)
      }
    },
  })
  try {
    yield* reading(input.pipeThrough(new DecompressionStream('gzip')) as ReadableStream<Uint8Array>)
  } catch (cause) {
    if (broken) throw broken
    const size = source.byteLength === null ? '' : ` of ${source.byteLength} bytes`
    throw new Error(`${at(caller, source)}: the gzipped data${size} does not inflate; it is cut off or damaged`, {
      cause,
    })
  } finally {
    await chunks.return(undefined)
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let start = 0
  for (const part of parts) {
    all.set(part, start)
    start += part.length
  }
  return all
}

async function joined(caller: string, chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let total = 0
  for await (const chunk of chunks) {
    total += chunk.length
    if (total > maxBytes)
      throw new RangeError(`${caller}: the data has more than ${maxBytes} bytes, expected at most so many`)
    parts.push(chunk)
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : concat(parts)
}

/** All bytes of a source, inflated where it is gzipped. Throws past `maxBytes`. */
export async function bytesFrom(caller: string, source: Source, maxBytes = MOST_BYTES): Promise<Uint8Array> {
  const open = await sourceOf(caller, source)
  return joined(at(caller, open), chunksOf(caller, open, maxBytes), maxBytes)
}

/** All bytes of a source, inflated where it is gzipped. `maxBytes`: what it may have then, default 2^31. */
export function readBytes(source: Source, options: { maxBytes?: number | undefined } = {}): Promise<Uint8Array> {
  const { maxBytes = MOST_BYTES } = options
  return bytesFrom('readBytes', source, maxBytes)
}
