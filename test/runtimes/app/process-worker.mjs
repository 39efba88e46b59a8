import { parentPort } from 'node:worker_threads'

parentPort.once('message', (buffer) => Atomics.store(new Int32Array(buffer), 0, 1))
