// Where checkpoints are kept: a few files by name, each written as a whole or not at all.

import { callback, check, kind, option, settle, whole, written } from '../checks.ts'

/** Files by name. folderStore of lanewise/node, opfsStore, indexedDbStore and keyValueStore make one. */
export interface Store {
  list(): Promise<string[]>
  /** Throws where there is none of this name. */
  read(name: string): Promise<Uint8Array>
  /** Writes a file, or leaves the one of this name as it was. */
  write(name: string, bytes: Uint8Array): Promise<void>
  delete(name: string): Promise<void>
  /** Takes away what a write left behind that did not end. */
  sweep?(): Promise<void>
}

/** A key-value store by four functions: Cloudflare's KV and Durable Objects, R2, Redis, a Map. */
export interface KeyValue {
  get(key: string): unknown
  put(key: string, value: Uint8Array): unknown
  delete(key: string): unknown
  /** All keys that begin with `prefix`. */
  list(prefix: string): Promise<Iterable<string>> | Iterable<string>
}

function toBytes(value: unknown): Uint8Array<ArrayBuffer> | null {
  if (value === null || value === undefined) return null
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength)
    : new Uint8Array(value as ArrayBuffer)
}

/** Two hashes of 32 bits: a name for contents. */
function fingerprint(bytes: Uint8Array): string {
  let a = 0x811c9dc5
  let b = 0x1b873593
  for (let i = 0; i < bytes.length; i++) {
    a = Math.imul(a ^ (bytes[i] as number), 0x01000193)
    b = Math.imul(b ^ (bytes[i] as number), 0x85ebca6b) ^ (b >>> 13)
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
}

interface Manifest {
  readonly bytes: number
  readonly parts: number
  readonly id: string
}

function manifestOf(bytes: Uint8Array): Manifest | null {
  try {
    const found = JSON.parse(new TextDecoder().decode(bytes)) as Manifest
    const fits = Number.isSafeInteger(found.bytes) && Number.isSafeInteger(found.parts) && typeof found.id === 'string'
    return fits ? found : null
  } catch {
    return null
  }
}

/** A store over four functions. Files are cut into values of at most `maxValueBytes` (default 100 000, what all of Cloudflare's
 *  stores take; KV takes 25 MB); the list of a file's parts is written last, so that it is there as a whole or not at all.
 *  `prefix` stands before all keys; default 'lanewise/'. */
export function keyValueStore(
  values: KeyValue,
  options: { maxValueBytes?: number | undefined; prefix?: string | undefined } = {},
): Store {
  const caller = 'keyValueStore'
  const { maxValueBytes, prefix } = settle(caller, options, {
    maxValueBytes: option(whole(1024), 100_000),
    prefix: option(kind<string>('string', 'a text'), 'lanewise/'),
  })
  for (const name of ['get', 'put', 'delete', 'list'] as const) check(caller, name, values?.[name], callback)
  const fileKey = (name: string): string => `${prefix}file/${name}`
  const partKey = (name: string, id: string, i: number): string => `${prefix}part/${name}/${id}/${i}`
  const partsOf = (name: string, found: Manifest | null): string[] =>
    found ? Array.from({ length: found.parts }, (_, i) => partKey(name, found.id, i)) : []
  const manifest = async (name: string): Promise<Manifest | null> => {
    const bytes = toBytes(await values.get(fileKey(name)))
    return bytes && manifestOf(bytes)
  }
  const keys = async (start: string): Promise<string[]> =>
    [...(await values.list(start))].filter((key) => key.startsWith(start))
  const list = async (): Promise<string[]> => (await keys(fileKey(''))).map((key) => key.slice(fileKey('').length))
  return {
    list,
    async read(name) {
      const bytes = toBytes(await values.get(fileKey(name)))
      if (!bytes) throw new Error(`${caller}: there is no ${written(name)}`)
      const found = manifestOf(bytes)
      if (!found) throw new Error(`${caller}: the list of parts of ${written(name)} is damaged`)
      const parts: Uint8Array[] = []
      for (const [i, key] of partsOf(name, found).entries()) {
        const part = toBytes(await values.get(key))
        if (!part) throw new Error(`${caller}: part ${i} of ${written(name)} is missing`)
        parts.push(part)
      }
      const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
      let at = 0
      for (const part of parts) {
        all.set(part, at)
        at += part.length
      }
      if (all.length !== found.bytes || fingerprint(all) !== found.id)
        throw new Error(`${caller}: ${written(name)} does not match its list of parts, it is damaged`)
      return all
    },
    async write(name, bytes) {
      const before = await manifest(name)
      const next: Manifest = {
        bytes: bytes.length,
        parts: Math.ceil(bytes.length / maxValueBytes),
        id: fingerprint(bytes),
      }
      for (const [i, key] of partsOf(name, next).entries())
        await values.put(key, Uint8Array.from(bytes.subarray(i * maxValueBytes, (i + 1) * maxValueBytes)))
      await values.put(fileKey(name), new TextEncoder().encode(JSON.stringify(next)))
      if (before?.id !== next.id) for (const key of partsOf(name, before)) await values.delete(key)
    },
    async delete(name) {
      const found = await manifest(name)
      await values.delete(fileKey(name))
      for (const key of partsOf(name, found)) await values.delete(key)
    },
    async sweep() {
      const used = new Set<string>()
      for (const name of await list()) for (const key of partsOf(name, await manifest(name))) used.add(key)
      for (const key of await keys(`${prefix}part/`)) if (!used.has(key)) await values.delete(key)
    },
  }
}

/** A store in memory: for what need not outlive the page, and for tests. */
export function memoryStore(): Store {
  const values = new Map<string, Uint8Array>()
  return keyValueStore({
    get: (key) => values.get(key),
    put: (key, value) => values.set(key, value),
    delete: (key) => values.delete(key),
    list: (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)),
  })
}

/** A store in the page's IndexedDB, in a database of this name. */
export function indexedDbStore(name = 'lanewise'): Store {
  const caller = 'indexedDbStore'
  if (typeof indexedDB === 'undefined') throw new Error(`${caller}: this runtime has no IndexedDB`)
  let opened: Promise<IDBDatabase> | null = null
  const database = (): Promise<IDBDatabase> => {
    opened ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(name, 1)
      request.onupgradeneeded = () => request.result.createObjectStore('files')
      request.onsuccess = () => {
        // Another page may want to delete it, and is not kept waiting.
        request.result.onversionchange = () => {
          request.result.close()
          opened = null
        }
        resolve(request.result)
      }
      request.onerror = () => reject(new Error(`${caller}: ${name} does not open: ${request.error?.message}`))
    })
    return opened
  }
  const run = async <T>(mode: IDBTransactionMode, work: (files: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    const transaction = (await database()).transaction('files', mode)
    return new Promise((resolve, reject) => {
      const request = work(transaction.objectStore('files'))
      transaction.oncomplete = () => resolve(request.result)
      transaction.onabort = () => reject(new Error(`${caller}: ${name}: ${transaction.error?.message ?? 'given up'}`))
    })
  }
  return {
    list: async () => (await run('readonly', (files) => files.getAllKeys())).map(String),
    async read(file) {
      const found = toBytes(await run('readonly', (files) => files.get(file)))
      if (!found) throw new Error(`${caller}: there is no ${written(file)}`)
      return found
    },
    // A transaction is made as a whole or not at all.
    write: async (file, bytes) => void (await run('readwrite', (files) => files.put(bytes.slice(), file))),
    delete: async (file) => void (await run('readwrite', (files) => files.delete(file))),
  }
}

/** A store in the page's private file system (OPFS), in a folder of this name. */
export function opfsStore(folder = 'lanewise'): Store {
  const caller = 'opfsStore'
  if (typeof navigator === 'undefined' || !navigator.storage?.getDirectory)
    throw new Error(`${caller}: this runtime has no private file system; indexedDbStore keeps files, too`)
  const directory = async () => (await navigator.storage.getDirectory()).getDirectoryHandle(folder, { create: true })
  return {
    async list() {
      const found: string[] = []
      const handle = (await directory()) as unknown as { keys(): AsyncIterable<string> }
      for await (const name of handle.keys()) found.push(name)
      // What Chromium writes beside a file.
      return found.filter((name) => !name.endsWith('.crswap'))
    },
    async read(name) {
      const handle = await (await directory()).getFileHandle(name).catch((cause) => {
        throw new Error(`${caller}: there is no ${written(name)}`, { cause })
      })
      return new Uint8Array(await (await handle.getFile()).arrayBuffer())
    },
    async write(name, bytes) {
      const handle = await (await directory()).getFileHandle(name, { create: true })
      // What is written goes to a file beside it, which takes its place when it is closed.
      const writable = await handle.createWritable()
      try {
        await writable.write(bytes as Uint8Array<ArrayBuffer>)
        await writable.close()
      } catch (cause) {
        await writable.abort().catch(() => {})
        throw new Error(`${caller}: ${written(name)} was not written; what was there is as it was`, { cause })
      }
    },
    delete: async (name) => (await directory()).removeEntry(name).catch(() => {}),
  }
}
