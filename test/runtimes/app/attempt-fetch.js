// What init says in an edge runtime to the bytes that it is sent.

import { init } from 'lanewise'

const said = async (request) => {
  const wasm = await request.arrayBuffer()
  return new Response(
    JSON.stringify(
      await init({ wasm }).then(
        () => '',
        (error) => error.message,
      ),
    ),
  )
}

export default { fetch: said }
if (typeof addEventListener === 'function' && typeof EdgeRuntime === 'string')
  addEventListener('fetch', (event) => event.respondWith(said(event.request)))
