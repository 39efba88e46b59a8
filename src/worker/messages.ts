// What the two sides of a training say to each other, over any port: a Worker and its scope, worker_threads of Node, or
// the two ends of a MessageChannel. The field `lanewise` names a message, so that others may use the same port.

/** From the page. A request with an id is answered once. `received` allows the next progress. */
export type Request =
  | { lanewise: 'hello' | 'resume' | 'stop' | 'received' }
  | { lanewise: 'start'; id: number; options: unknown }
  | { lanewise: 'pause' | 'weights'; id: number }

/** From the worker. `ready` comes when it serves, and in answer to `hello`. */
export type Reply =
  | { lanewise: 'ready' }
  | { lanewise: 'progress'; id: number; values: unknown[] }
  | { lanewise: 'done'; id: number; value: unknown }
  | { lanewise: 'failed'; id: number; error: Failure }

/** An Error as it travels: a structured clone would lose names of classes, and in some engines the stack. */
export interface Failure {
  name: string
  message: string
  stack?: string | undefined
  cause?: Failure | undefined
}

/** What can be talked to: a Worker, a MessagePort, the scope of a Worker, or those of node:worker_threads. */
export type Port = {
  // biome-ignore lint/suspicious/noExplicitAny: the web and Node know different objects that can move
  postMessage(message: unknown, transfer: any[]): void
} & (
  | { addEventListener(type: string, listener: (event: Event) => void): void }
  | { on(event: string, listener: (value: unknown) => void): unknown }
)

export function isPort(value: unknown): value is Port {
  const { postMessage, on, addEventListener } = (value ?? {}) as Record<string, unknown>
  return typeof postMessage === 'function' && (typeof on === 'function' || typeof addEventListener === 'function')
}

/** Calls `hear` for messages of the other side, `unreadable` for one that could not be read. */
export function listen<Message extends { lanewise: string }>(
  port: Port,
  hear: (message: Message) => void,
  unreadable: () => void,
): void {
  const take = (message: unknown) => {
    if (typeof (message as Message | null)?.lanewise === 'string') hear(message as Message)
  }
  if ('on' in port) {
    port.on('message', take)
    port.on('messageerror', unreadable)
    return
  }
  port.addEventListener('message', (event) => take((event as MessageEvent).data))
  port.addEventListener('messageerror', unreadable)
  // The end of a MessageChannel waits for this.
  ;(port as Partial<MessagePort>).start?.()
}

/** Calls `fail` when the worker behind `port` dies, or does not come to life; it tells whether somebody learns of it. */
export function watch(port: Port, fail: (error: Error) => boolean): void {
  if ('on' in port) {
    port.on('error', (error) => fail(error instanceof Error ? error : new Error(`the worker failed: ${error}`)))
    port.on('exit', (code) => fail(new Error(`the worker ended, with exit code ${code}`)))
    return
  }
  port.addEventListener('error', (event) => {
    const { message, filename, lineno } = event as Partial<ErrorEvent>
    const error = message
      ? `the worker failed: ${message}${filename ? ` (${filename}:${lineno})` : ''}`
      : 'the worker did not start; is its address right, and its script a module that loads?'
    // What nobody else learns of stays an uncaught error.
    if (fail(new Error(error))) event.preventDefault()
  })
}

const errors: Record<string, ErrorConstructor> = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError }

export function packError(thrown: unknown): Failure {
  if (!(thrown instanceof Error)) return { name: 'Error', message: String(thrown) }
  const { name, message, stack, cause } = thrown
  return { name, message, stack, cause: cause === undefined ? undefined : packError(cause) }
}

/** The Error of the other side, with its stack; an instance of its class if JavaScript itself has that. */
export function unpackError({ name, message, stack, cause }: Failure): Error {
  const Class = errors[name] ?? Error
  const error = new Class(message, cause && { cause: unpackError(cause) })
  if (error.name !== name) error.name = name
  if (stack !== undefined) error.stack = stack
  return error
}

/** The buffers of arrays within `value` that fill them: what can move instead of being copied. */
export function buffersOf(value: unknown): ArrayBuffer[] {
  const seen = new Set<unknown>()
  const buffers = new Set<ArrayBuffer>()
  const walk = (part: unknown) => {
    if (typeof part !== 'object' || part === null || seen.has(part)) return
    seen.add(part)
    if (!ArrayBuffer.isView(part)) for (const inner of Object.values(part)) walk(inner)
    else if (part.buffer instanceof ArrayBuffer && part.byteLength === part.buffer.byteLength) buffers.add(part.buffer)
  }
  walk(value)
  return [...buffers]
}
