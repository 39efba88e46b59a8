// The one suite that runs everywhere, on the installed package: initialise, train, one eager op, save and load, an
// error message, dispose. It imports nothing else and prints nothing: the caller has a way to bring the report home.

import { compile, init, losses, manualSeed, memoryStats, nn, optim, tensor, uniform } from 'lanewise'
import { readSafetensors, writeSafetensors } from 'lanewise/io'

/** The bits of mlp-small after 50 steps, on every engine. Kernels that round differently change it on purpose:
 *  `npm run test:runtimes -- --renew` writes what this machine's Node finds. */
export const BITS = '9b63d20e'

const STEPS = 50
const BATCH = 32

/** What the engine offers, and what went wrong: nothing, if all is well.
 *  `startWorker` starts a worker that stores 1 where the shared memory that it is sent begins. */
export async function smoke({ startWorker = null } = {}) {
  const failures = []
  const check = (name, fits, found) => {
    if (!fits) failures.push(`${name}: ${found}`)
  }
  const report = { ...features(), threads: await threads(startWorker), failures }
  try {
    await init()
    const model = trained()
    report.bits = hash(bytesOf(model))
    report.memory = memoryStats().reserved
    check('bits after 50 steps', report.bits === BITS, `${report.bits}, expected ${BITS}`)
    const product = tensor([
      [1, 2],
      [3, 4],
    ])
      .matmul(tensor([[5], [6]]))
      .tolist()
    check('eager matmul', JSON.stringify(product) === '[[17],[39]]', JSON.stringify(product))
    const { tensors } = readSafetensors(writeSafetensors(model.stateDict()))
    const copy = network()
    copy.loadStateDict(tensors)
    check('saved and loaded', hash(bytesOf(copy)) === report.bits, hash(bytesOf(copy)))
    const message = messageOf(() => model.forward(uniform([2, 783])))
    check('error message', /\[2, 783\].*784/.test(message), message)
    const before = memoryStats().used
    const large = tensor(new Float32Array(1 << 16))
    check('memory in use', memoryStats().used >= before + (4 << 16), memoryStats().used - before)
    large.dispose()
    check('disposed', memoryStats().used === before, memoryStats().used - before)
    check('use after dispose', messageOf(() => large.neg()) !== '', 'no Error')
  } catch (error) {
    failures.push(String(error?.stack ?? error))
  }
  return report
}

const network = () => new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10))

/** mlp-small of the benchmarks: 784-128-10, batches of 32, Adam. Yields after each step. */
export function* train(share = () => {}) {
  manualSeed(1)
  const model = network()
  share(model)
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 })
  const step = compile((x, y) => {
    const loss = losses.crossEntropy(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  const x = uniform([4, BATCH, 784]).data()
  for (let i = 0; i < STEPS; i++) {
    const batch = i % 4
    const y = Int32Array.from({ length: BATCH }, (_, k) => (k * 7 + batch) % 10)
    const images = x.slice(batch * BATCH * 784, (batch + 1) * BATCH * 784)
    step({ data: images, shape: [BATCH, 784] }, { data: y, shape: [BATCH] })
    yield i
  }
}

export function trained() {
  let model
  for (const _ of train((made) => (model = made)));
  return model
}

const bytesOf = (model) => writeSafetensors(model.stateDict())

/** FNV-1a. */
export function hash(bytes) {
  let h = 0x811c9dc5
  for (const byte of bytes) h = Math.imul(h ^ byte, 0x01000193)
  return (h >>> 0).toString(16).padStart(8, '0')
}

function messageOf(call) {
  try {
    call()
    return ''
  } catch (error) {
    return error.message
  }
}

/** Whether the engine takes a function of vectors, and of fused multiplication and addition. */
function features() {
  // (module (func (param v128) (result v128) local.get 0 (local.get 0 ...) OP))
  const takes = (operands, ...op) => {
    const body = [0, ...Array(operands).fill([0x20, 0]).flat(), ...op, 0x0b]
    const type = [1, 0x60, 1, 0x7b, 1, 0x7b]
    return WebAssembly.validate(
      Uint8Array.of(
        ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, type.length, ...type, 3, 2, 1, 0],
        ...[10, body.length + 2, 1, body.length, ...body],
      ),
    )
  }
  // f32x4.add, f32x4.relaxed_madd
  return { simd: takes(2, 0xfd, 0xe4, 1), relaxed: takes(3, 0xfd, 0x85, 2) }
}

/** Whether a worker and this thread see the same memory. */
async function threads(startWorker) {
  if (!startWorker || typeof SharedArrayBuffer !== 'function') return false
  let worker
  try {
    const { buffer } = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true })
    worker = startWorker()
    worker.postMessage(buffer)
    const cell = new Int32Array(buffer)
    for (let i = 0; i < 500 && Atomics.load(cell, 0) === 0; i++) await new Promise((done) => setTimeout(done, 10))
    return Atomics.load(cell, 0) === 1
  } catch {
    return false
  } finally {
    worker?.terminate()
  }
}
