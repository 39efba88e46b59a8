// Remote control as browsers and Node's relatives have it: numbered requests and answers over a WebSocket.

import { once } from 'node:events'
import { within } from './processes.mjs'

/** Connects to an address; `call(method, params)` gives the result. Throws what the other side says of an error. */
export async function connect(url) {
  const { default: WebSocket } = await import('ws')
  const socket = new WebSocket(url)
  await once(socket, 'open')
  const waiting = new Map()
  socket.on('message', (message) => {
    const { id, result, error, message: told } = JSON.parse(message)
    waiting.get(id)?.(error ? { error: told ?? JSON.stringify(error) } : { result })
    waiting.delete(id)
  })
  let last = 0
  return {
    async call(method, params = {}) {
      const id = ++last
      const answer = new Promise((done) => waiting.set(id, done))
      socket.send(JSON.stringify({ id, method, params }))
      const { result, error } = await within(answer, 20_000, method)
      if (error) throw new Error(`${method}: ${error}`)
      return result
    },
    close: () => socket.close(),
  }
}
