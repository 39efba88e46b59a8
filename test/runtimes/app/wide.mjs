// The suite with neighbouring vectors joined, where this Node can: the same bits.

import { Worker } from 'node:worker_threads'
import { init } from 'lanewise/node'
import { smoke } from './smoke.js'

await init({ wide: 'auto' })
const startWorker = () => new Worker(new URL('./process-worker.mjs', import.meta.url))
console.log(JSON.stringify(await smoke({ startWorker })))
