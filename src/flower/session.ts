// What a node does, one thing at a time: enter, beat, pull, handle, push, leave. How often and when is for others to say.

import type { DescMessage } from '@bufbuild/protobuf'
import { FlowerError, isFault } from './errors.ts'
import {
  ActivateNodeRequestSchema,
  ActivateNodeResponseSchema,
  ConfirmMessageReceivedRequestSchema,
  ConfirmMessageReceivedResponseSchema,
  DeactivateNodeRequestSchema,
  DeactivateNodeResponseSchema,
  type Metadata,
  PullMessagesRequestSchema,
  PullMessagesResponseSchema,
  PullObjectRequestSchema,
  PullObjectResponseSchema,
  PushMessagesRequestSchema,
  PushMessagesResponseSchema,
  PushObjectRequestSchema,
  PushObjectResponseSchema,
  RegisterNodeFleetRequestSchema,
  RegisterNodeFleetResponseSchema,
  SendNodeHeartbeatRequestSchema,
  SendNodeHeartbeatResponseSchema,
  UnregisterNodeFleetRequestSchema,
  UnregisterNodeFleetResponseSchema,
} from './fleet_pb.ts'
import { type Answer, type Limits, type OutgoingReply, receive, replyTo } from './messages.ts'
import { brief, eachOnce, type FlowerObject, type OutgoingObject, readObject } from './objects.ts'
import type {
  ConfigRecord,
  FlowerEvent,
  FlowerRequest,
  Handler,
  Handlers,
  MetricRecord,
  ReceivedArrays,
  ReceivedRecords,
} from './types.ts'
import { type CallOptions, inOrder, LONGEST_TIMER, retrying, sleep, type Verb, Wire, type WireOptions } from './wire.ts'

const verb = <I extends DescMessage, O extends DescMessage>(path: string, request: I, response: O): Verb<I, O> => ({
  path,
  request,
  response,
})

const verbs = {
  register: verb('register-node', RegisterNodeFleetRequestSchema, RegisterNodeFleetResponseSchema),
  activate: verb('activate-node', ActivateNodeRequestSchema, ActivateNodeResponseSchema),
  beat: verb('send-node-heartbeat', SendNodeHeartbeatRequestSchema, SendNodeHeartbeatResponseSchema),
  deactivate: verb('deactivate-node', DeactivateNodeRequestSchema, DeactivateNodeResponseSchema),
  unregister: verb('unregister-node', UnregisterNodeFleetRequestSchema, UnregisterNodeFleetResponseSchema),
  pull: verb('pull-messages', PullMessagesRequestSchema, PullMessagesResponseSchema),
  confirm: verb('confirm-message-received', ConfirmMessageReceivedRequestSchema, ConfirmMessageReceivedResponseSchema),
  push: verb('push-messages', PushMessagesRequestSchema, PushMessagesResponseSchema),
  pullObject: verb('pull-object', PullObjectRequestSchema, PullObjectResponseSchema),
  pushObject: verb('push-object', PushObjectRequestSchema, PushObjectResponseSchema),
}

/** Codes of Flower's in answers with status 412. */
const KEY_IN_USE = 23
const REGISTRATION_DISABLED = 2001
const NOT_ACTIVATED = 2004

/** Codes of Flower's in replies that are errors. */
const HANDLER_FAILED = 2
const MESSAGE_UNAVAILABLE = 3

/** Seconds of the heartbeat's interval at first, the fewest that the SuperLink takes: where the answer to an activation is
 *  lost, the node is offline, and may be activated again, after twice as many. */
const FIRST_INTERVAL = 10
/** Milliseconds between two looks whether an object is there yet. */
const OBJECT_WAIT = 1000
/** Tries for an object whose bytes come damaged. */
const OBJECT_TRIES = 3
/** Milliseconds for which an offline node stays so: the ServerApp looks every 3 s. */
export const BOUNCE = 4000
/** Characters of an Error that travel. */
const MAX_REASON = 500

export interface SessionOptions extends WireOptions, Limits {
  handlers: Handlers
  /** Seconds. */
  heartbeat: number
  /** Milliseconds. */
  patience: number
  tell: (type: FlowerEvent['type'], text: string, error?: Error) => void
}

export class Session {
  readonly wire: Wire
  readonly #options: SessionOptions
  #id: bigint | null
  #registered = false

  constructor(options: SessionOptions, id: bigint | null) {
    this.#options = options
    this.#id = id
    this.wire = new Wire(options)
  }

  /** The node's number; known once it has entered. */
  get id(): bigint {
    if (this.#id === null) throw new FlowerError('left', 'the node has not entered')
    return this.#id
  }

  /** Whether it was this session that registered the key. */
  get registered(): boolean {
    return this.#registered
  }

  get #node(): { nodeId: bigint } {
    return { nodeId: this.id }
  }

  /** Asks until there is an answer. */
  #ask: Session['wire']['ask'] = (verb, request, options = {}) =>
    this.#again(verb.path, () => this.wire.ask(verb, request, options), options)

  #again<T>(what: string, attempt: () => Promise<T>, { signal }: CallOptions): Promise<T> {
    const { patience, tell } = this.#options
    return retrying(attempt, {
      signal,
      patience,
      onRetry: (error, wait) => tell('retry', `${error.message}; ${what} again in ${Math.round(wait)} ms`, error),
    })
  }

  /** Brings the node online. `fresh`: what an earlier life of it took and did not answer is given up, so that no run
   *  waits for it. */
  async enter({ signal, fresh = false }: { signal?: AbortSignal | undefined; fresh?: boolean }): Promise<void> {
    const { keys } = this.#options
    if (this.#id !== null) {
      // Only a node that is still online, whose earlier life did not leave, has something to give up.
      if (fresh && (await this.offline(signal))) await sleep(BOUNCE, signal)
      if (await this.beat(signal).catch(forgiving('unauthorized', false))) return
    }
    const publicKey = new TextEncoder().encode(keys.publicKey)
    this.#id = await this.#register(publicKey, signal)
    if (!(await this.beat(signal)))
      throw new FlowerError('unauthorized', `the SuperLink does not know node ${this.#id} of this key any more`)
  }

  /** The number of the node with this key: a new one, or that which the key was registered for. */
  async #register(publicKey: Uint8Array, signal: AbortSignal | undefined): Promise<bigint> {
    try {
      const { nodeId } = await this.#ask(verbs.register, { publicKey }, { signal })
      this.#registered = true
      return nodeId
    } catch (error) {
      const code = codeOf(error)
      if (code !== REGISTRATION_DISABLED && code !== KEY_IN_USE) throw error
      return this.#activate(publicKey, code === REGISTRATION_DISABLED, signal)
    }
  }

  async #activate(publicKey: Uint8Array, disabled: boolean, signal: AbortSignal | undefined): Promise<bigint> {
    const request = { publicKey, heartbeatInterval: FIRST_INTERVAL }
    // Where the answer to a try was lost, the node is online, and may be activated again a while later.
    const until = performance.now() + 2 * 1000 * FIRST_INTERVAL + BOUNCE
    let lost = false
    const attempt = async (): Promise<bigint> => {
      try {
        return (await this.wire.ask(verbs.activate, request, { signal })).nodeId
      } catch (error) {
        lost ||= isFault(error, 'unreachable')
        throw error
      }
    }
    for (;;) {
      try {
        return await this.#again(verbs.activate.path, attempt, { signal })
      } catch (error) {
        if (codeOf(error) !== NOT_ACTIVATED) throw error
        if (!lost || performance.now() > until)
          throw new FlowerError(
            'key',
            disabled
              ? 'the SuperLink does not know this key, and takes registered ones alone (--enable-supernode-auth): register ' +
                  'what sshPublicKey(keys) gives by `flwr supernode register`; or a node with this key is online already'
              : 'this key is in use: a node with it is online, or was until a moment ago (wait for twice its heartbeat, or ' +
                  'pass its nodeId to go on as that node); or it was unregistered, and cannot come back (make new keys)',
            { cause: error },
          )
        await sleep(1000, signal)
      }
    }
  }

  /** Says that the node is there; whether the SuperLink knows it. */
  async beat(signal?: AbortSignal, once = false): Promise<boolean> {
    const request = { node: this.#node, heartbeatInterval: this.#options.heartbeat }
    const options = { signal, timeout: Math.min(this.#options.timeout, 500 * this.#options.heartbeat) }
    const { success } = await (once
      ? this.wire.ask(verbs.beat, request, options)
      : this.#ask(verbs.beat, request, options))
    return success
  }

  /** Says that the node is gone, so that no run waits for it; false where it was not online. */
  async offline(signal?: AbortSignal): Promise<boolean> {
    try {
      await this.#ask(verbs.deactivate, { nodeId: this.id }, { signal })
      return true
    } catch (error) {
      if (isFault(error, 'key') || isFault(error, 'unauthorized')) return false
      throw error
    }
  }

  /** Gives the key up for good. */
  async unregister(signal?: AbortSignal): Promise<void> {
    await this.#ask(verbs.unregister, { nodeId: this.id }, { signal })
    this.#registered = false
  }

  /** The next message, null where none waits. The SuperLink gives each out once: where its answer is lost, so is it. */
  async pull(signal?: AbortSignal): Promise<Metadata | null> {
    const { messagesList } = await this.wire.ask(verbs.pull, { node: this.#node }, { signal })
    const metadata = messagesList[0]?.metadata
    if (metadata && metadata.dstNodeId !== this.id)
      throw new FlowerError(
        'protocol',
        `pull-messages: a message for node ${metadata.dstNodeId} came to node ${this.id}`,
      )
    return metadata ?? null
  }

  /** Handles a message from its objects to its reply; the reply that the SuperLink has now, null where it has none. What
   *  goes wrong on the way is told to the server, and by an event. */
  async handle(metadata: Metadata, signal: AbortSignal): Promise<OutgoingReply | null> {
    const { tell } = this.#options
    const what = `${metadata.messageType} ${brief(metadata.messageId)} of run ${metadata.runId}`
    const started = performance.now()
    try {
      tell('message', `${what} came`)
      const reply = await this.#answer(metadata, what, signal)
      await this.#push(metadata, reply, (performance.now() - started) / 1000, signal)
      const error = reply.message.error?.reason
      tell('replied', `${what}: ${error ? `told the server of the failure` : 'answered'}`)
      return reply
    } catch (error) {
      if (signal.aborted || !(error instanceof FlowerError)) throw error
      if (error.code !== 'ended' && error.code !== 'refused' && error.code !== 'limit') throw error
      tell('dropped', `${what}: ${error.message}`, error)
      return null
    }
  }

  async #answer(metadata: Metadata, what: string, signal: AbortSignal): Promise<OutgoingReply> {
    const { tell, clock } = this.#options
    const answer = (content: Answer): Promise<OutgoingReply> =>
      replyTo(metadata, content, clock() / 1000, this.#options)
    const failed = (code: number, error: Error): Promise<OutgoingReply> => {
      tell('failed', `${what}: ${error.message}`, error)
      return answer({ failure: { code, reason: `${error.name}: ${error.message}`.slice(0, MAX_REASON) } })
    }
    let records: ReceivedRecords
    try {
      records = await receive(
        metadata,
        (id, limit) => this.#pullObject(metadata.runId, id, limit, signal),
        this.#options,
      )
    } catch (error) {
      if (isFault(error, 'corrupt') || isFault(error, 'limit')) return failed(MESSAGE_UNAVAILABLE, error as Error)
      throw error
    }
    await this.#ask(
      verbs.confirm,
      { node: this.#node, runId: metadata.runId, messageObjectId: metadata.messageId },
      { signal },
    )
    const expiry = new Expiry(1000 * (metadata.createdAt + metadata.ttl) - clock(), signal)
    try {
      const handler = handlerFor(this.#options.handlers, metadata.messageType)
      const reply = await expiry.race(async () => handler(requestOf(metadata, records, expiry.signal)))
      return await answer({ reply })
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (expiry.signal.aborted) throw expiry.signal.reason
      return failed(HANDLER_FAILED, error instanceof Error ? error : new Error(String(error)))
    } finally {
      expiry.clear()
    }
  }

  /** An object; one whose bytes come damaged is asked for again. */
  async #pullObject(runId: bigint, id: string, limit: number, signal: AbortSignal): Promise<FlowerObject> {
    for (let n = 1; ; n++) {
      try {
        return await readObject(id, await this.#availableObject(runId, id, limit, signal))
      } catch (error) {
        if (!isFault(error, 'corrupt') || n === OBJECT_TRIES) throw error
        this.#options.tell('retry', `${(error as Error).message}; asking for it again`, error as Error)
      }
    }
  }

  async #availableObject(runId: bigint, id: string, limit: number, signal: AbortSignal): Promise<Uint8Array> {
    for (;;) {
      const { objectFound, objectAvailable, objectContent } = await this.#ask(
        verbs.pullObject,
        { node: this.#node, runId, objectId: id },
        // The answer wraps the object in a few bytes.
        { signal, limit: limit + 64 },
      )
      if (objectAvailable) return objectContent
      if (!objectFound) throw new FlowerError('corrupt', `object ${brief(id)} of the message is gone`)
      // The server is still sending it.
      await sleep(OBJECT_WAIT * (0.5 + Math.random()), signal)
    }
  }

  async #push(metadata: Metadata, reply: OutgoingReply, seconds: number, signal: AbortSignal): Promise<void> {
    const { patience, parallel } = this.#options
    const { runId } = metadata
    const objects = [...eachOnce(reply.root)]
    const until = performance.now() + patience
    for (let n = 1; ; n++) {
      // The SuperLink knows a message by its bytes, so pushing it again is pushing it once.
      const { objectsToPush, sessionId } = await this.#ask(
        verbs.push,
        {
          node: this.#node,
          messagesList: [reply.message],
          messageObjectTrees: [treeOf(reply.root)],
          clientappRuntimeList: [seconds],
        },
        { signal },
      )
      const wanted = new Set(objectsToPush)
      // The root is of this reply alone: where it is not wanted, it is there already, or the reply is refused.
      if (!wanted.has(reply.root.id)) {
        if (n > 1) return
        throw new FlowerError(
          'refused',
          'the SuperLink did not take the reply: the message has expired, was answered before, or is not known any more',
        )
      }
      const pushed = inOrder(
        objects.filter(({ id }) => wanted.has(id)),
        parallel,
        (object) => this.#pushObject(runId, object, sessionId, signal),
      )
      let stored = true
      for await (const each of pushed) stored &&= each
      if (stored) return
      if (performance.now() > until)
        throw new FlowerError('refused', 'the SuperLink did not store the objects of the reply')
      // The session of the push has ended, as it does after 180 s without an object, or the answer to a try was lost: a new
      // push tells what is missing.
      await sleep(OBJECT_WAIT * (0.5 + Math.random()), signal)
    }
  }

  async #pushObject(runId: bigint, object: OutgoingObject, sessionId: string, signal: AbortSignal): Promise<boolean> {
    const request = { node: this.#node, runId, objectId: object.id, objectContent: object.content(), sessionId }
    return (await this.#ask(verbs.pushObject, request, { signal })).stored
  }

  /** Whether the server has taken a reply: its root object is there until then. */
  async taken(runId: bigint, { root }: OutgoingReply, signal?: AbortSignal): Promise<boolean> {
    try {
      const request = { node: this.#node, runId, objectId: root.id }
      return !(await this.#ask(verbs.pullObject, request, { signal })).objectFound
    } catch (error) {
      if (isFault(error, 'ended')) return true
      throw error
    }
  }
}

const codeOf = (error: unknown): unknown => (isFault(error, 'key') ? (error as Error).cause : undefined)

const forgiving =
  <T>(code: FlowerError['code'], value: T) =>
  (error: unknown): T => {
    if (isFault(error, code)) return value
    throw error
  }

function handlerFor(handlers: Handlers, type: string): Handler {
  const [category] = type.split('.') as [string]
  for (const key of [type, category]) if (Object.hasOwn(handlers, key)) return handlers[key as 'train'] as Handler
  throw new Error(`this node has no handler for messages of type '${type}'`)
}

function requestOf(metadata: Metadata, records: ReceivedRecords, signal: AbortSignal): FlowerRequest {
  const only = (kind: string): unknown => {
    const fitting = Object.entries(records).filter(([, record]) => record.kind === kind)
    const one = fitting.length === 1 ? fitting[0] : fitting.find(([name]) => name === kind)
    if (fitting.length > 1 && !one)
      throw new Error(
        `the message has several records of ${kind}, ${fitting.map(([name]) => name).join(', ')}; use records`,
      )
    return one?.[1].value ?? Object.create(null)
  }
  return {
    type: metadata.messageType,
    runId: metadata.runId,
    messageId: metadata.messageId,
    expires: 1000 * (metadata.createdAt + metadata.ttl),
    get arrays() {
      return only('arrays') as ReceivedArrays
    },
    get metrics() {
      return only('metrics') as MetricRecord
    },
    get config() {
      return only('config') as ConfigRecord
    },
    records,
    signal,
  }
}

function treeOf({ id, children }: OutgoingObject): { objectId: string; children: ReturnType<typeof treeOf>[] } {
  return { objectId: id, children: children.map(treeOf) }
}

/** A signal that aborts with another, or when a message expires. */
class Expiry {
  readonly #controller = new AbortController()
  readonly #timer: ReturnType<typeof setTimeout>
  readonly #outer: AbortSignal
  readonly #abort = (): void => this.#controller.abort(this.#outer.reason)

  constructor(ms: number, outer: AbortSignal) {
    this.#outer = outer
    outer.throwIfAborted()
    outer.addEventListener('abort', this.#abort, { once: true })
    const expired = new FlowerError('refused', 'the message has expired before it was answered')
    this.#timer = setTimeout(() => this.#controller.abort(expired), Math.min(Math.max(ms, 0), LONGEST_TIMER))
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The result of `work`, which is left to itself where it goes on after the signal. */
  async race<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this
    signal.throwIfAborted()
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    return Promise.race([work(), aborted])
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#outer.removeEventListener('abort', this.#abort)
  }
}
