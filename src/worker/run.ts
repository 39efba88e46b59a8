// One training in a Worker, from start to end: makes its steps, and between them does what the page asks.

import { written } from '../checks.ts'
import { buffersOf, packError, type Reply, type Request } from './messages.ts'
import type { AnyTrain, Context } from './types.ts'

/** Least milliseconds of training between two looks at what the page has said; a look costs 1 µs in Node. */
const SLICE = 4
/** Least milliseconds between two messages with progress: a frame. */
const FRAME = 16

type Send = (reply: Reply, transfer?: Transferable[]) => void

export class Run {
  readonly #id: number
  readonly #send: Send
  readonly #stop = new AbortController()
  readonly #turns = new Turns()
  #source: { stateDict(): unknown } | null = null
  #paused = false
  /** Ids of requests that are not answered yet. */
  #pauses: number[] = []
  #weights: number[] = []
  /** Ends the wait of a paused training, to see what was asked. */
  #wake: () => void = () => {}
  /** The newest progress, if it was not sent yet; when the last was sent; whether the page has it. */
  #progress: unknown
  #sent = Number.NEGATIVE_INFINITY
  #received = true
  #ended = false

  constructor(id: number, send: Send) {
    this.#id = id
    this.#send = send
  }

  get ended(): boolean {
    return this.#ended
  }

  /** Runs the training, and sends its result or its Error. */
  async start(train: AnyTrain, options: unknown): Promise<void> {
    const id = this.#id
    try {
      const value = await this.#steps(train, options)
      this.#sendProgress()
      copied('result', () => this.#send({ lanewise: 'done', id, value }))
    } catch (error) {
      this.#send({ lanewise: 'failed', id, error: packError(error) })
    }
    this.#ended = true
    this.#turns.close()
    this.#answerPauses(false)
    this.#answerWeights()
  }

  /** What the page says after start; in the middle of a step it waits for the next checkpoint. */
  hear(request: Request): void {
    const { lanewise: what } = request
    if (what === 'received') this.#received = true
    else if (what === 'weights') this.#weights.push(request.id)
    else if (what === 'pause') {
      this.#pauses.push(request.id)
      this.#paused = !this.#ended && !this.#stop.signal.aborted
    } else {
      if (what === 'stop') this.#stop.abort()
      this.#paused = false
    }
    if (!this.#paused) this.#answerPauses(false)
    if (this.#ended) this.#answerWeights()
    this.#wake()
  }

  async #steps(train: AnyTrain, options: unknown): Promise<unknown> {
    const { signal } = this.#stop
    const steps = train(options, this.#context())
    if (typeof steps?.next !== 'function')
      throw new TypeError('serve: train gave no generator; write it as function* or async function*')
    try {
      for (let stopping = false; ; stopping = signal.aborted) {
        const step = steps.next()
        const { done, value } = step instanceof Promise ? await step : step
        if (done) return value
        if (value !== undefined) this.#progress = value
        const now = performance.now()
        if (this.#turns.due(now)) await this.#turns.pass()
        if (this.#progress !== undefined && this.#received && now - this.#sent >= FRAME) this.#sendProgress()
        while (this.#waits()) await new Promise<void>((wake) => (this.#wake = wake))
        if (stopping) return await leave(steps)
      }
    } catch (error) {
      await leave(steps)
      // A wait that the signal has ended.
      if (signal.aborted && (error as Error | null)?.name === 'AbortError') return undefined
      throw error
    }
  }

  #context(): Context<unknown, unknown> {
    return {
      signal: this.#stop.signal,
      share: (source) => {
        if (typeof source?.stateDict !== 'function')
          throw new TypeError(`share: source is ${written(source)}, expected a model`)
        this.#source = source
      },
      report: (progress) => this.#sendProgress(progress),
    }
  }

  /** Between two steps: answers what was asked; whether the training is paused. */
  #waits(): boolean {
    this.#answerWeights()
    if (!this.#paused) return false
    this.#sendProgress()
    this.#answerPauses(true)
    return true
  }

  /** Sends the newest progress, and what must not be lost. */
  #sendProgress(...more: unknown[]): void {
    const values = this.#progress === undefined ? more : [this.#progress, ...more]
    if (values.length === 0) return
    copied('progress', () => this.#send({ lanewise: 'progress', id: this.#id, values }))
    this.#progress = undefined
    this.#sent = performance.now()
    this.#received = false
  }

  #answerPauses(value: boolean): void {
    for (const id of this.#pauses.splice(0)) this.#send({ lanewise: 'done', id, value })
  }

  #answerWeights(): void {
    for (const id of this.#weights.splice(0)) {
      try {
        if (!this.#source) throw new Error('Training.weights: the training shared nothing; call share(model) in it')
        const value = this.#source.stateDict()
        copied('state dict', () => this.#send({ lanewise: 'done', id, value }, buffersOf(value)))
      } catch (error) {
        this.#send({ lanewise: 'failed', id, error: packError(error) })
      }
    }
  }
}

/** Ends a generator where it stands: its finally blocks run. What they return, if anything. */
async function leave(steps: ReturnType<AnyTrain>): Promise<unknown> {
  let step = await steps.return(undefined)
  while (!step.done) step = await steps.next()
  return step.value
}

function copied(what: string, send: () => void): void {
  try {
    send()
  } catch (cause) {
    const why = (cause as Error).message
    throw new TypeError(`serve: the ${what} cannot go to the page: ${why}; send plain values and typed arrays`, {
      cause,
    })
  }
}

/** Node, Deno and Bun have it. */
declare const setImmediate: ((callback: () => void) => void) | undefined

/** Gives messages their turn. A timer would take a millisecond and more. */
class Turns {
  #last = performance.now()
  #next: () => void = () => {}
  readonly #channel = typeof setImmediate === 'function' ? null : new MessageChannel()
  readonly #later: (callback: () => void) => void

  constructor() {
    const channel = this.#channel
    if (channel) {
      // A message to oneself comes after those that were there before. Not in Node, where a port takes up to 1000 in a
      // row while others wait.
      channel.port1.onmessage = () => this.#next()
      this.#later = () => channel.port2.postMessage(null)
    } else this.#later = setImmediate as NonNullable<typeof setImmediate>
  }

  due(now: number): boolean {
    return now - this.#last >= SLICE
  }

  async pass(): Promise<void> {
    await new Promise<void>((next) => {
      this.#next = next
      this.#later(next)
    })
    this.#last = performance.now()
  }

  close(): void {
    this.#channel?.port1.close()
  }
}
