// The suite in an answer: workerd, Vercel's edge runtime.

import { smoke } from './smoke.js'

const answer = async () => new Response(JSON.stringify(await smoke()))

export default { fetch: answer }
if (typeof addEventListener === 'function' && typeof EdgeRuntime === 'string')
  addEventListener('fetch', (event) => event.respondWith(answer()))
