// Requests to the SuperLink: protobuf over HTTP, signed, timed, and told apart by whether they may be tried again.

import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { written } from '../checks.ts'
import { twoTo } from '../math.ts'
import { FlowerError } from './errors.ts'
import type { NodeKeys } from './keys.ts'
import { signedHeaders } from './keys.ts'

/** One verb of the Fleet API. */
export interface Verb<I extends DescMessage, O extends DescMessage> {
  readonly path: string
  readonly request: I
  readonly response: O
}

export interface WireOptions {
  superlink: URL
  keys: NodeKeys
  fetch: typeof fetch
  clock: () => number
  /** Milliseconds without progress after which a request has failed. */
  timeout: number
}

export interface CallOptions {
  signal?: AbortSignal | undefined
  /** Most bytes of the answer. */
  limit?: number
  /** Milliseconds, where not the wire's own. */
  timeout?: number
}

/** Most bytes of an answer that holds no object: trees of messages with a hundred thousand objects fit. */
const MAX_ANSWER = 16 * 1_048_576
/** Bytes a second that a line must carry at least: the time of a request grows by its body. */
const SLOWEST = 32 * 1024
/** Seconds by which the SuperLink lets a clock differ: ahead, behind. */
const AHEAD = 5
const BEHIND = 305

/** Statuses of proxies and of a server that is overrun or starts again: the same request may do later. */
const transient = new Set([408, 425, 429, 500, 502, 503, 504])

export class Wire {
  readonly #options: WireOptions
  readonly traffic = { requests: 0, sent: 0, received: 0 }

  constructor(options: WireOptions) {
    this.#options = options
  }

  /** Asks once. Rejects with a FlowerError, `unreachable` where asking again may help, or with the signal's reason. */
  async ask<I extends DescMessage, O extends DescMessage>(
    verb: Verb<I, O>,
    request: MessageInitShape<I>,
    { signal, limit = MAX_ANSWER, timeout = this.#options.timeout }: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const { keys, clock, fetch } = this.#options
    const body = toBinary(verb.request, create(verb.request, request)) as Uint8Array<ArrayBuffer>
    const deadline = new Deadline(timeout, signal)
    deadline.extend((1000 * body.length) / SLOWEST)
    try {
      const headers = { ...(await signedHeaders(keys, clock())), 'content-type': 'application/protobuf' }
      this.traffic.requests++
      this.traffic.sent += body.length
      // Fetch is called on its own: browsers want no other `this`.
      const response = await fetch(this.#url(verb), {
        method: 'POST',
        headers,
        body,
        signal: deadline.signal,
        // Signatures are for this server alone.
        redirect: 'manual',
      })
      const bytes = await this.#read(verb, response, limit, deadline)
      if (response.status !== 200) throw this.#refusal(verb, response, bytes, body.length)
      return this.#decode(verb, response, bytes)
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (error instanceof FlowerError) throw error
      const what = deadline.signal.aborted ? `nothing came for ${timeout} ms` : reasonOf(error)
      throw new FlowerError('unreachable', `${verb.path}: ${this.#options.superlink.origin} does not answer: ${what}`, {
        cause: error,
      })
    } finally {
      deadline.clear()
    }
  }

  #url({ path }: { path: string }): URL {
    const { superlink } = this.#options
    return new URL(`${superlink.pathname.replace(/\/$/, '')}/v1/fleet/${path}`, superlink)
  }

  async #read({ path }: { path: string }, response: Response, limit: number, deadline: Deadline): Promise<Uint8Array> {
    const claimed = Number(response.headers.get('content-length') ?? 0)
    const chunks: Uint8Array[] = []
    let length = 0
    const check = (bytes: number): void => {
      if (bytes > limit) {
        deadline.abort()
        throw new FlowerError('limit', `${path}: the answer has ${bytes} bytes or more, expected at most ${limit}`)
      }
    }
    check(claimed)
    if (response.body) {
      const reader = response.body.getReader()
      for (;;) {
        const { done, value } = await reader.read()
        if (done) break
        length += value.length
        check(length)
        chunks.push(value)
        deadline.extend(0)
      }
    }
    this.traffic.received += length
    return chunks.length === 1 ? (chunks[0] as Uint8Array) : join(chunks, length)
  }

  #decode<O extends DescMessage>(verb: Verb<DescMessage, O>, response: Response, bytes: Uint8Array): MessageShape<O> {
    const type = response.headers.get('content-type') ?? ''
    if (!type.startsWith('application/protobuf'))
      throw new FlowerError(
        'protocol',
        `${verb.path}: ${this.#url(verb)} answers ${written(type)}, expected application/protobuf; is it a SuperLink of ` +
          'flwr 1.40 or newer, or a bridge that forwards /v1/fleet/ to one?',
      )
    try {
      return fromBinary(verb.response, bytes)
    } catch (cause) {
      throw new FlowerError(
        'unreachable',
        `${verb.path}: the answer of ${bytes.length} bytes is no ${verb.response.name}`,
        {
          cause,
        },
      )
    }
  }

  /** The Error for a status other than 200. */
  #refusal(verb: { path: string }, response: Response, bytes: Uint8Array, sent: number): FlowerError {
    const { status } = response
    const told = readRefusal(bytes)
    const text = `${verb.path}: ${status}${told.message ? ` ${told.message}` : ''}`
    if (status === 401) return this.#unauthorized(verb, response)
    if (status === 403 && told.code === 2007)
      return new FlowerError('ended', `${text}; the run is over, its message is dropped`)
    if (status === 412) return new FlowerError('key', text, { cause: told.code })
    if (status === 413)
      return new FlowerError(
        'limit',
        `${text}; something between refuses a body of ${sent} bytes: raise its limit, or send smaller chunks by chunkBytes`,
      )
    if (transient.has(status)) return new FlowerError('unreachable', text, { cause: retryAfter(response) })
    if (status < 400 || status === 404 || status === 405)
      return new FlowerError(
        'protocol',
        `${text}${status < 400 ? ' (a redirection)' : ''}; expected a SuperLink of flwr 1.40 or newer, or a bridge that forwards POST /v1/fleet/ to one, at ${this.#url(verb)}`,
      )
    return new FlowerError('protocol', text)
  }

  #unauthorized({ path }: { path: string }, response: Response): FlowerError {
    const date = new Date(response.headers.get('date') ?? '').getTime()
    // Dates in headers are cut to whole seconds.
    const ahead = (this.#options.clock() - date) / 1000 - 0.5
    if (ahead > AHEAD - 1 || ahead < 1 - BEHIND) {
      const off = Math.abs(Math.round(ahead))
      return new FlowerError(
        'clock',
        `${path}: 401; the clock of this machine is ${off} s ${ahead > 0 ? 'ahead of' : 'behind'} the SuperLink's, which takes ` +
          `signatures from ${AHEAD} s ahead to ${BEHIND} s behind: set it right, or pass clock`,
      )
    }
    return new FlowerError(
      'unauthorized',
      `${path}: 401; the SuperLink does not know this key or this node` +
        (Number.isNaN(date) ? ', or the clock of this machine is off (its answer has no date to compare with)' : ''),
    )
  }
}

/** The code and the sentence of Flower's or FastAPI's JSON. */
function readRefusal(bytes: Uint8Array): { code?: number; message: string } {
  const text = new TextDecoder().decode(bytes.subarray(0, 2048))
  try {
    const { code, message, detail } = JSON.parse(text) as Record<string, unknown>
    return { ...(typeof code === 'number' ? { code } : {}), message: String(message ?? detail ?? '').slice(0, 200) }
  } catch {
    return { message: '' }
  }
}

/** Milliseconds that a server asks to wait for, at most a minute; 0 where it says nothing. */
function retryAfter(response: Response): number {
  const seconds = Number(response.headers.get('retry-after') ?? 0)
  return Number.isFinite(seconds) ? 1000 * Math.min(60, Math.max(0, seconds)) : 0
}

/** The innermost message of what fetch threw: engines wrap it. */
function reasonOf(error: unknown): string {
  const inner = (error as { cause?: unknown } | null)?.cause
  return inner instanceof Error ? reasonOf(inner) : error instanceof Error ? error.message || error.name : String(error)
}

export function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** A signal that aborts with another, or after a time without progress. */
class Deadline {
  readonly #controller = new AbortController()
  readonly #timeout: number
  readonly #outer: AbortSignal | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly abort = (): void => this.#controller.abort()

  constructor(timeout: number, outer: AbortSignal | undefined) {
    this.#timeout = timeout
    this.#outer = outer
    if (outer?.aborted) this.abort()
    outer?.addEventListener('abort', this.abort, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Waits anew, and `more` milliseconds longer. */
  extend(more: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.abort, this.#timeout + more)
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#outer?.removeEventListener('abort', this.abort)
  }
}

/** Milliseconds before the first repetition; each wait is twice as long, up to the last. */
const FIRST_WAIT = 500
const LONGEST_WAIT = 20_000

/** The longest time that timers take, in milliseconds. */
export const LONGEST_TIMER = 0x7fff_ffff

export interface RetryOptions {
  signal?: AbortSignal | undefined
  /** Milliseconds of trying after which the last Error is thrown. */
  patience: number
  /** Most tries; default without bound. */
  tries?: number
  onRetry?: (error: FlowerError, wait: number) => void
}

/** Calls `attempt` until it resolves, throws what no repetition mends, or `patience` is used up. Time that the machine
 *  slept through counts as one wait. */
export async function retrying<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, patience, tries = Infinity, onRetry } = options
  let spent = 0
  for (let n = 1; ; n++) {
    const started = performance.now()
    try {
      return await attempt()
    } catch (error) {
      if (!(error instanceof FlowerError && error.code === 'unreachable')) throw error
      // Half of the wait is drawn at random: many nodes that lost one server do not come back at once.
      const doubled = Math.min(LONGEST_WAIT, FIRST_WAIT * twoTo(Math.min(n - 1, 9)))
      const asked = typeof error.cause === 'number' ? error.cause : 0
      const wait = Math.max(asked, doubled * (0.5 + Math.random() / 2))
      spent += Math.min(performance.now() - started, 2 * LONGEST_WAIT) + wait
      if (spent > patience || n >= tries) throw error
      onRetry?.(error, wait)
      await sleep(wait, signal)
    }
  }
}

/** Waits; rejects with the signal's reason. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal?.addEventListener('abort', stop, { once: true })
  })
}

/** Results of `get` in the order of `items`, of which at most `parallel` are under way or wait to be taken. */
export async function* inOrder<T, R>(
  items: Iterable<T>,
  parallel: number,
  get: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const under: Promise<R>[] = []
  const source = items[Symbol.iterator]()
  const fill = (): void => {
    while (under.length < parallel) {
      const { done, value } = source.next()
      if (done) return
      const result = get(value)
      // Whoever takes it learns of a failure; until then it is not unhandled.
      result.catch(() => {})
      under.push(result)
    }
  }
  for (fill(); under.length > 0; fill()) yield await (under.shift() as Promise<R>)
}
