// The worker's side.

import { written } from '../checks.ts'
import { isPort, listen, type Port, packError, type Reply, type Request } from './messages.ts'
import { Run } from './run.ts'
import type { AnyTrain } from './types.ts'

/** Serves a training to the page that made this Worker; called once, in the Worker's script. `port`: what leads to the
 *  page, by default the Worker's own scope; in Node `parentPort` of node:worker_threads; or an end of a MessageChannel,
 *  whose other end a `Training` has. */
export function serve(train: AnyTrain, port: Port | null = scope()): void {
  if (typeof train !== 'function')
    throw new TypeError(`serve: train is ${written(train)}, expected a generator function`)
  if (port === null) throw new TypeError('serve: this is no Worker; in Node, pass parentPort of node:worker_threads')
  if (!isPort(port))
    throw new TypeError(`serve: port is ${written(port)}, expected parentPort of node:worker_threads, or a MessagePort`)
  const send = (reply: Reply, transfer: Transferable[] = []) => port.postMessage(reply, transfer)
  /** Runs, or has run: it still has what was shared. */
  let run: Run | null = null
  const hear = (request: Request) => {
    const refuse = (why: string) => {
      if ('id' in request) send({ lanewise: 'failed', id: request.id, error: packError(new Error(why)) })
    }
    if (request.lanewise === 'hello') send({ lanewise: 'ready' })
    else if (request.lanewise !== 'start') {
      if (run) run.hear(request)
      else refuse('Training.weights: no training was started')
    } else if (run && !run.ended) refuse('Training.start: a training is running in this Worker')
    else {
      run = new Run(request.id, send)
      run.start(train, request.options)
    }
  }
  listen(port, hear, () => {
    // Uncaught, so that the page learns of it.
    throw new Error('serve: a message of the page could not be read')
  })
  send({ lanewise: 'ready' })
}

/** The Worker's own scope; null on a page, in Node, which has none, and on the main thread of Deno. */
function scope(): Port | null {
  return typeof document === 'undefined' && typeof self !== 'undefined' && isPort(self) ? (self as Port) : null
}
