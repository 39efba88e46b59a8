// A node that joins a federation and stays: heartbeat, messages one after the other, and a leave that waits for its reply to
// be taken. And one that only visits, for runtimes that live as long as a request.

import {
  callback,
  check,
  flag,
  instanceOf,
  type Kind,
  kind,
  number,
  option,
  required,
  type Settled,
  settle,
  whole,
  written,
} from '../checks.ts'
import { FlowerError, isFault } from './errors.ts'
import { generateKeys, type NodeKeys, nodeKeys } from './keys.ts'
import type { OutgoingReply } from './messages.ts'
import { BOUNCE, Session, type SessionOptions } from './session.ts'
import type { FlowerEvent, FlowerNode, Handlers, LeaveOptions, Traffic } from './types.ts'
import { LONGEST_TIMER, retrying, sleep } from './wire.ts'

export interface VisitOptions {
  /** Address of the SuperLink, or of the folder under which a bridge forwards /v1/fleet/. Plain http only to this machine,
   *  unless `insecure`. */
  superlink: string | URL
  /** What is done with messages, by their type. */
  handlers: Handlers
  /** The key that the node is known by. */
  keys: NodeKeys
  /** The node's number from an earlier time with this key, to go on as that node. */
  nodeId?: bigint | undefined
  /** Ends all at once. */
  signal?: AbortSignal | undefined
  /** Allow http to other machines: who listens on the way reads and changes what is sent. Default false. */
  insecure?: boolean | undefined
  /** Seconds between heartbeats at most, 10 to 1800: after twice as many without one the node counts as offline. Default 60;
   *  of a visit 1800. */
  heartbeat?: number | undefined
  /** Milliseconds without progress after which a request has failed. Default 30 000. */
  timeout?: number | undefined
  /** Milliseconds for which a SuperLink that does not answer is asked again. Default 300 000; of a visit 20 000. */
  patience?: number | undefined
  /** Objects under way at once. Default 4. */
  parallel?: number | undefined
  /** Most bytes of a message. Default 2^30. */
  maxBytes?: number | undefined
  /** Bytes of a chunk of an array that is sent. Default 5 242 880, as Flower's. */
  chunkBytes?: number | undefined
  /** Called with what happens, for logs. */
  onEvent?: ((event: FlowerEvent) => void) | undefined
  /** Instead of the runtime's fetch. */
  fetch?: typeof fetch | undefined
  /** The time, in milliseconds since 1970. Default Date.now. */
  clock?: (() => number) | undefined
}

export interface JoinOptions extends Omit<VisitOptions, 'keys'> {
  /** The key that the node is known by. Default: a new one, which is given up when the node leaves. */
  keys?: NodeKeys | undefined
  /** Milliseconds between two questions for messages; up to a fifth is added at random. Default 3000. */
  poll?: number | undefined
}

const MAX_ID = 0xffff_ffff_ffff_ffffn
/** Milliseconds between two looks whether a reply was taken. */
const TAKEN_WAIT = 1000
/** Milliseconds that an aborted node spends on saying that it is gone. */
const GOODBYE = 3000

/** Joins a federation, and serves its messages until it leaves. Resolves when the node is online. Throws a FlowerError where
 *  the SuperLink does not answer within `patience`, refuses the key, or the clock is off. */
export async function join(options: JoinOptions): Promise<FlowerNode> {
  const {
    poll,
    keys: own,
    ...given
  } = settle('join', options, {
    ...known({ heartbeat: 60, patience: 300_000 }),
    keys: option(nodeKeys),
    poll: option(number(100, LONGEST_TIMER), 3000),
  })
  const { nodeId, signal } = given
  const settings = settled('join', { ...given, keys: own ?? (await generateKeys()) })
  const session = new Session(settings, nodeId ?? null)
  await session.enter({ signal, fresh: true })
  settings.tell('joined', `node ${session.id} is online at ${settings.superlink.href}`)
  return new LivingNode(session, settings, { poll, signal, temporary: !own })
}

/** Goes on as a node for one message at most, and returns: for Cloudflare's Workers and others that live as long as a
 *  request. Keep the `nodeId` that it gives for the next visit; between visits the node stays online for twice `heartbeat`. */
export async function visit(
  options: VisitOptions,
): Promise<{ nodeId: bigint; handled: string | null; traffic: Traffic }> {
  const given = settle('visit', options, {
    ...known({ heartbeat: 1800, patience: 20_000 }),
    keys: required(nodeKeys),
  })
  const { nodeId, signal = new AbortController().signal } = given
  const settings = settled('visit', given)
  const session = new Session(settings, nodeId ?? null)
  await session.enter({ signal })
  let message: Awaited<ReturnType<Session['pull']>>
  try {
    message = await session.pull(signal)
  } catch (error) {
    // A message may be lost with the answer: as offline, the node keeps no run waiting. The next visit is its return.
    if (isFault(error, 'unreachable')) await session.offline(signal).catch(() => {})
    throw error
  }
  const reply = message && (await session.handle(message, signal))
  return {
    nodeId: session.id,
    handled: reply && (message?.messageType as string),
    traffic: { ...session.wire.traffic },
  }
}

class LivingNode implements FlowerNode {
  readonly done: Promise<void>
  readonly #session: Session
  readonly #settings: SessionOptions
  readonly #poll: number
  readonly #temporary: boolean
  /** Ends what is under way. */
  readonly #stop = new AbortController()
  /** Ends the wait for a message. */
  readonly #rest = new AbortController()
  #leaving: { within: number } | null = null
  #last: { runId: bigint; reply: OutgoingReply } | null = null
  #beats: Promise<void>

  constructor(
    session: Session,
    settings: SessionOptions,
    { poll, signal, temporary }: { poll: number; signal: AbortSignal | undefined; temporary: boolean },
  ) {
    this.#session = session
    this.#settings = settings
    this.#poll = poll
    this.#temporary = temporary
    const abort = (): void => this.#stop.abort(signal?.reason)
    if (signal?.aborted) abort()
    signal?.addEventListener('abort', abort, { once: true })
    this.#stop.signal.addEventListener('abort', () => this.#rest.abort(), { once: true })
    this.#beats = this.#beat()
    this.done = this.#live().finally(() => signal?.removeEventListener('abort', abort))
  }

  get id(): bigint {
    return this.#session.id
  }

  get traffic(): Traffic {
    return { ...this.#session.wire.traffic }
  }

  leave(options: LeaveOptions = {}): Promise<void> {
    this.#leaving ??= settle('leave', options, { within: option(number(0), 60_000) })
    this.#rest.abort()
    return this.done
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave()
  }

  async #live(): Promise<void> {
    const { tell } = this.#settings
    const { signal } = this.#stop
    try {
      while (!this.#leaving && !signal.aborted) {
        try {
          if (!(await this.#serve())) await this.#pause()
        } catch (error) {
          if (!isFault(error, 'unauthorized') || signal.aborted) throw error
          // A SuperLink that starts anew without its state knows no node: enter once more, or say why not.
          tell('offline', `${(error as Error).message}; entering again`, error as Error)
          await this.#session.enter({ signal })
          tell('joined', `node ${this.id} is online again`)
        }
      }
      await this.#takenOrLate()
    } catch (error) {
      if (!signal.aborted) {
        tell('failed', `node ${this.id} gives up: ${(error as Error).message}`, error as Error)
        throw error
      }
    } finally {
      this.#stop.abort(new FlowerError('left', 'the node has left'))
      await this.#beats
      await this.#goodbye()
    }
  }

  /** Waits for the next look for messages, or for leave(). */
  async #pause(): Promise<void> {
    const ms = this.#poll * (1 + Math.random() / 5)
    await sleep(ms, this.#rest.signal).catch(() => {})
  }

  /** Takes a message and answers it; whether there was one. */
  async #serve(): Promise<boolean> {
    const message = await this.#pull()
    if (!message) return false
    const reply = await this.#session.handle(message, this.#stop.signal)
    if (reply) this.#last = { runId: message.runId, reply }
    return true
  }

  async #pull(): Promise<Awaited<ReturnType<Session['pull']>>> {
    const { patience, tell } = this.#settings
    const { signal } = this.#stop
    let lost = false
    const message = await retrying(() => this.#session.pull(signal), {
      signal,
      patience,
      onRetry: (error, wait) => {
        lost = true
        tell('retry', `${error.message}; asking again in ${Math.round(wait)} ms`, error)
      },
    })
    if (message || !lost) return message
    // With an answer a message may be lost, and would be waited for to the run's timeout: a node that was offline for a
    // moment is not waited for.
    tell(
      'offline',
      `an answer to pull-messages was lost: offline for ${BOUNCE} ms, so that no run waits for what was in it`,
    )
    if (await this.#session.offline(signal)) await sleep(BOUNCE, signal)
    await this.#session.enter({ signal })
    return null
  }

  /** Sends heartbeats; one that fails is made good by the next, or by the pulls, which tell what is wrong. */
  async #beat(): Promise<void> {
    const { signal } = this.#stop
    try {
      for (;;) {
        await sleep(1000 * this.#settings.heartbeat * (0.5 + Math.random() / 5), signal)
        await this.#session.beat(signal, true).catch(() => {})
      }
    } catch {
      // Stopped.
    }
  }

  /** Waits until the server has taken the last reply: a node that is offline before is counted as a failure. */
  async #takenOrLate(): Promise<void> {
    const { signal } = this.#stop
    if (!this.#last || !this.#leaving || signal.aborted) return
    const { within } = this.#leaving
    const { runId, reply } = this.#last
    const until = performance.now() + within
    while (!(await this.#session.taken(runId, reply, signal))) {
      if (performance.now() > until) {
        this.#settings.tell('dropped', `the server has not taken the last reply within ${within} ms`)
        return
      }
      await sleep(TAKEN_WAIT, signal)
    }
    this.#settings.tell('taken', 'the server has taken the last reply')
  }

  /** Says that the node is gone, as far as that goes through. */
  async #goodbye(): Promise<void> {
    const signal = AbortSignal.timeout(GOODBYE)
    try {
      await this.#session.offline(signal)
      if (this.#temporary && this.#session.registered) await this.#session.unregister(signal)
      this.#settings.tell('left', `node ${this.id} has left`)
    } catch (error) {
      this.#settings.tell('left', `node ${this.id} has left, and could not say so: ${reason(error)}`, error as Error)
    }
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const address = kind<string | URL>('object', 'an address')
const handlerTable = kind<Handlers>('object', 'an object with train, evaluate or query', (x) => x !== null)
const id: Kind<bigint> = {
  expected: 'the bigint that an earlier join gave',
  type: 'object',
  fits: (x): x is bigint => typeof x === 'bigint' && x >= 0n && x <= MAX_ID,
}

/** The options that join and visit share. */
const known = ({ heartbeat, patience }: { heartbeat: number; patience: number }) => ({
  superlink: required({ ...address, fits: (x): x is string | URL => typeof x === 'string' || x instanceof URL }),
  handlers: required(handlerTable),
  nodeId: option(id),
  signal: option(instanceOf(AbortSignal, 'an AbortSignal')),
  insecure: option(flag, false),
  heartbeat: option(number(10, 1800), heartbeat),
  timeout: option(number(100, LONGEST_TIMER), 30_000),
  patience: option(number(0), patience),
  parallel: option(whole(1, 64), 4),
  maxBytes: option(whole(1024), 1_073_741_824),
  chunkBytes: option(whole(1024, 32 * 1_048_576), 5_242_880),
  onEvent: option(callback),
  fetch: option(callback),
  clock: option(callback, Date.now),
})

type Given = Settled<Omit<VisitOptions, 'keys'>, ReturnType<typeof known>> & { keys: NodeKeys }

/** What a session needs of the options. */
function settled(
  caller: string,
  { superlink, insecure, handlers, onEvent, fetch: own, ...rest }: Given,
): SessionOptions {
  for (const [type, handler] of Object.entries(handlers)) {
    if (!/^(train|evaluate|query)(\..+)?$/.test(type))
      throw new TypeError(
        `${caller}: unknown handler ${type}, expected train, evaluate, query, or one of them with .name`,
      )
    check(caller, `handlers.${type}`, handler, callback)
  }
  return {
    ...rest,
    superlink: addressOf(caller, superlink, insecure),
    handlers,
    // On its own: browsers want no other `this`.
    fetch: own ?? ((input, init) => fetch(input, init)),
    tell: (type, text, error) => {
      try {
        onEvent?.({ type, text, ...(error ? { error } : {}) })
      } catch (thrown) {
        // A log that fails is no failure of the node, but must not be lost either.
        queueMicrotask(() => {
          throw thrown
        })
      }
    },
  }
}

function addressOf(caller: string, superlink: string | URL, insecure: boolean): URL {
  let url: URL
  try {
    url = new URL(superlink)
  } catch {
    throw new TypeError(
      `${caller}: superlink is ${written(superlink)}, expected an address such as 'https://example.org:8000'`,
    )
  }
  const here = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && (here || insecure)))
    throw new TypeError(
      `${caller}: superlink is ${written(String(superlink))}, expected https; plain http to another machine can be read and ` +
        'changed on the way: pass insecure: true where the network is your own',
    )
  return url
}
