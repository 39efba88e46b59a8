// The suite in a process: Node, Deno, Bun.

import { Worker } from 'node:worker_threads'
import { smoke } from './smoke.js'

const startWorker = () => new Worker(new URL('./process-worker.mjs', import.meta.url))
console.log(JSON.stringify(await smoke({ startWorker })))
