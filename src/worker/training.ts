// The page's side.

import { callback, type Kind, kind, option, settle, written } from '../checks.ts'
import { isPort, listen, type Port, type Reply, type Request, unpackError, watch } from './messages.ts'
import type { AnyTrain, OptionsOf, ProgressOf, ResultOf, StateOf } from './types.ts'

const milliseconds: Kind<number> = /* @__PURE__ */ kind('number', 'milliseconds above 0, or Infinity', (ms) => ms > 0)

export interface TrainingOptions {
  /** Milliseconds that what is asked of the Worker waits for its script to load and to call `serve`; then it rejects, and
   *  the Worker, or a port to one, is closed. Infinity: for ever. Default 30 000. */
  timeout?: number | undefined
}

export interface StartOptions<Progress> {
  /** Called with the newest progress, at most once a frame, and with all that is reported. */
  onProgress?: ((progress: Progress) => void) | undefined
  /** Buffers within the options to move into the worker instead of copying them; they are empty here afterwards. */
  transfer?: Transferable[] | undefined
}

interface Pending {
  resolve(value: unknown): void
  reject(error: Error): void
  onProgress?: ((progress: never) => void) | undefined
}

/** Parts of the time that a Worker is given. Each begins when the page has turned to what came in before: where it was busy,
 *  or the machine slept, that counts as one of them. */
const PARTS = 10

/** A training that runs in a Worker whose script calls `serve(train)`:
 *  `new Training<typeof train>(new Worker(new URL('./train.js', import.meta.url), { type: 'module' }))`.
 *  Takes a Worker of the web or of node:worker_threads, or a MessagePort. When the Worker dies or cannot be loaded, or
 *  does not call serve in time, all that is waited for rejects, and so does every later call that needs it. */
export class Training<T extends AnyTrain = AnyTrain> {
  readonly #port: Port
  readonly #timeout: number
  /** Of the part that runs, while something is asked of a worker that does not listen yet. */
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #pending = new Map<number, Pending>()
  /** What is said before the worker listens; null once it does. */
  #unsent: [Request, Transferable[]][] | null = []
  /** Of requests; not those of another that talks to the same worker. */
  #ids = Math.floor(0x1000000000000 * Math.random())
  #run: Promise<unknown> | null = null
  #pausing = false
  #paused = false
  #failure: Error | null = null

  constructor(worker: Port, options: TrainingOptions = {}) {
    if (!isPort(worker))
      throw new TypeError(`Training: worker is ${written(worker)}, expected a Worker or a MessagePort`)
    const { timeout } = settle('Training', options, { timeout: option(milliseconds, 30_000) })
    this.#port = worker
    this.#timeout = timeout
    listen<Reply>(
      worker,
      (reply) => this.#hear(reply),
      () => this.#fail(new Error('a message of the worker could not be read')),
    )
    watch(worker, (error) => this.#fail(error))
    worker.postMessage({ lanewise: 'hello' } satisfies Request, [])
  }

  /** `running` from start() until its promise settles, but `paused` while nothing is computed after pause(). */
  get state(): 'idle' | 'running' | 'paused' {
    return this.#run === null ? 'idle' : this.#paused ? 'paused' : 'running'
  }

  /** Runs the training; a promise of what it returns, or of undefined where it was stopped before it could.
   *  Rejects with the Error of the training, its stack included; when one is already running; when options cannot be
   *  copied, or are wrong. After the end it may be called again: the same Worker then trains anew. */
  async start(
    ...[options, more = {}]: undefined extends OptionsOf<T>
      ? [options?: OptionsOf<T>, more?: StartOptions<ProgressOf<T>>]
      : [options: OptionsOf<T>, more?: StartOptions<ProgressOf<T>>]
  ): Promise<ResultOf<T> | undefined> {
    if (this.#run !== null) throw new Error('Training.start: a training is running; stop() it, or await its end')
    const { onProgress, transfer = [] } = settle('Training.start', more, {
      onProgress: option(callback),
      transfer: undefined,
    })
    if (!Array.isArray(transfer))
      throw new TypeError(`Training.start: transfer is ${written(transfer)}, expected an array of ArrayBuffers`)
    const run = this.#ask((id) => ({ lanewise: 'start', id, options }), transfer, onProgress)
    this.#run = run
    return run.finally(() => {
      this.#run = null
      this.#pausing = this.#paused = false
    }) as Promise<ResultOf<T> | undefined>
  }

  /** Holds the training at its next step; true once it computes no more, false when it is not running, or ends or is
   *  resumed before. */
  async pause(): Promise<boolean> {
    if (this.#run === null) return false
    this.#pausing = true
    const paused = (await this.#ask((id) => ({ lanewise: 'pause', id })).catch(() => false)) as boolean
    this.#paused = paused && this.#pausing
    return paused
  }

  /** Lets a paused training go on. */
  resume(): void {
    this.#pausing = this.#paused = false
    if (this.#run !== null) this.#send({ lanewise: 'resume' })
  }

  /** Ends the training at its next step, also a paused one; resolves when it has ended. The promise of start() then has
   *  what the training returned, and weights() what it learnt. */
  async stop(): Promise<void> {
    if (this.#run === null) return
    this.#send({ lanewise: 'stop' })
    await this.#run.catch(() => {})
  }

  /** The state dict of what the training shares, as it is between two steps, paused, or after the end: arrays that are
   *  the page's own, for loadStateDict or writeSafetensors. Rejects where nothing was started, or nothing shared. */
  weights(): Promise<StateOf<T>> {
    return this.#ask((id) => ({ lanewise: 'weights', id })) as Promise<StateOf<T>>
  }

  /** Ends the Worker at once; what is waited for rejects. */
  terminate(): void {
    this.#fail(new Error('the training was terminated'))
  }

  #ask(
    message: (id: number) => Request,
    transfer: Transferable[] = [],
    onProgress?: (progress: ProgressOf<T>) => void,
  ): Promise<unknown> {
    if (this.#failure) return Promise.reject(this.#failure)
    const id = ++this.#ids
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject, onProgress })
      // What a timer cannot count is for ever.
      if (this.#unsent && this.#timer === undefined && this.#timeout / PARTS < 0x7fffffff) this.#await()
      this.#send(message(id), transfer)
    })
  }

  /** Gives the worker its time to listen, or what is left of it. */
  #await(parts = PARTS): void {
    this.#timer = setTimeout(() => {
      if (parts > 1) return this.#await(parts - 1)
      this.#fail(
        new Error(
          `Training: the Worker did not call serve within ${this.#timeout} ms; its script has to call serve(train) of ` +
            'lanewise/worker; where that takes longer, pass { timeout }, in milliseconds or Infinity',
        ),
      )
    }, this.#timeout / PARTS)
  }

  #send(message: Request, transfer: Transferable[] = []): void {
    if (this.#unsent) this.#unsent.push([message, transfer])
    else
      try {
        this.#port.postMessage(message, transfer)
      } catch (error) {
        if ('id' in message) this.#take(message.id)?.reject(error as Error)
      }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    return pending
  }

  #hear(reply: Reply): void {
    if (reply.lanewise === 'ready') {
      clearTimeout(this.#timer)
      const unsent = this.#unsent ?? []
      this.#unsent = null
      for (const [message, transfer] of unsent) this.#send(message, transfer)
    } else if (reply.lanewise === 'progress') {
      this.#send({ lanewise: 'received' })
      const call = this.#pending.get(reply.id)?.onProgress
      for (const value of reply.values) call?.(value as never)
    } else if (reply.lanewise === 'done') this.#take(reply.id)?.resolve(reply.value)
    else if (reply.lanewise === 'failed') this.#take(reply.id)?.reject(unpackError(reply.error))
  }

  /** Ends everything; whether somebody was waiting, and so learns of it. */
  #fail(error: Error): boolean {
    if (this.#failure) return true
    this.#failure = error
    clearTimeout(this.#timer)
    const waiting = [...this.#pending.values()]
    this.#pending.clear()
    for (const { reject } of waiting) reject(error)
    const port = this.#port as Partial<Worker & MessagePort>
    if (port.terminate) port.terminate()
    else port.close?.()
    return waiting.length > 0
  }
}
