// npm run test:pool: what threads cost that have nothing to do, and whether many rounds of init and dispose leave
// anything: threads of the process, or memory.

import { readdirSync } from 'node:fs'
import * as lanewise from '../dist/index.js'

const { compile, dispose, init, losses, nn, optim, threads } = lanewise
const COUNT = 4
const ROUNDS = 1000

let passed = 0
let failed = 0
const check = (what, figure, fine) => {
  console.log(`${fine ? 'ok  ' : 'FAIL'} ${what}: ${figure}`)
  if (fine) passed++
  else failed++
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** A model whose steps are shared out. */
function training() {
  const model = new nn.Sequential(new nn.Linear(256, 256), new nn.ReLU(), new nn.Linear(256, 10))
  const optimizer = new optim.Adam(model.parameters())
  const step = compile((x, y) => {
    const loss = losses.crossEntropy(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  const x = { data: new Float32Array(64 * 256).fill(0.5), shape: [64, 256] }
  const y = { data: new Int32Array(64), shape: [64] }
  return () => step(x, y).item()
}

await init({ threads: COUNT })
check('threads', `${threads().count}, ${threads().reason}`, threads().count === COUNT)
const step = training()
for (let i = 0; i < 100; i++) step()
await sleep(100)
const before = process.cpuUsage()
await sleep(5000)
const { user, system } = process.cpuUsage(before)
const share = (user + system) / 5e6
check('processor time of the process while it waits for 5 s', `${(100 * share).toFixed(3)} % of a core`, share < 0.01)
// A step now and then: what the threads do between steps is in it.
const steps = process.cpuUsage()
const began = performance.now()
for (let i = 0; i < 50; i++) {
  step()
  await sleep(100)
}
const spent = process.cpuUsage(steps)
const inSteps = (spent.user + spent.system) / 1e3 / (performance.now() - began)
console.log(`     the same with ten steps a second: ${(100 * inSteps).toFixed(2)} % of a core`)
await dispose()

const tasks = () => (process.platform === 'linux' ? readdirSync('/proc/self/task').length : 0)
const rest = async () => {
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.()
    await sleep(20)
  }
  return { tasks: tasks(), rss: process.memoryUsage().rss / 1e6 }
}
const round = async () => {
  await init({ threads: 2 })
  training()()
  await dispose()
}
const start = performance.now()
// Node's own pools fill in the first half, to some 40 MB: the second tells what a round leaves.
for (let i = 0; i < ROUNDS / 2; i++) await round()
const first = await rest()
for (let i = 0; i < ROUNDS / 2; i++) await round()
const each = (performance.now() - start) / ROUNDS
const last = await rest()
console.log(`     ${ROUNDS} rounds of init, a step and dispose: ${each.toFixed(1)} ms each`)
check('threads of the process after half of them, and all', `${first.tasks}, ${last.tasks}`, last.tasks <= first.tasks)
const grown = last.rss - first.rss
check(
  'resident memory after half of them, and all',
  `${first.rss.toFixed(0)} MB, ${last.rss.toFixed(0)} MB (${((2000 * grown) / ROUNDS).toFixed(1)} KB a round)`,
  // A wasm memory, or the stack of a thread, for each round would be 500 MB or more.
  grown < 20,
)
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
