// A training in a Worker of the web, in a process: Deno, Bun. It ends by itself.

import { training } from './training.js'

const start = (script) => new Worker(new URL(script, import.meta.url), { type: 'module' })
console.log(JSON.stringify(await training(start)))
