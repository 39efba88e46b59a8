// The cores in Vercel's edge runtime, as the package brings them.

import { fast } from './fast.js'

const answer = async () => new Response(JSON.stringify(await fast()))

addEventListener('fetch', (event) => event.respondWith(answer()))
