import { DurableObject } from 'cloudflare:workers'
import { compile, init, losses, memoryStats, nn, optim } from 'lanewise'
import { readSafetensors, writeSafetensors } from 'lanewise/io'

const FEATURES = 4
const CLASSES = 3
const MAX_ROWS = 64
const MEMORY_ROWS = 512
const BATCH = 32
const SAVE_AFTER_MS = 10_000

export default {
  /** POST /NAME/learn { rows, labels }, POST /NAME/predict { rows } */
  async fetch(request, env) {
    const [, name, action, ...rest] = new URL(request.url).pathname.split('/')
    if (request.method !== 'POST' || !name || !['learn', 'predict'].includes(action) || rest.length > 0)
      return problem(404, 'expected POST /NAME/learn or POST /NAME/predict')
    let body
    try {
      body = await request.json()
      check(body, action === 'learn')
    } catch (error) {
      return problem(400, error.message)
    }
    const learner = env.LEARNER.getByName(name)
    return Response.json(
      await (action === 'learn' ? learner.learn(body.rows, body.labels) : learner.predict(body.rows)),
    )
  },
}

/** One model, its optimizer, and the rows it remembers. */
export class Learner extends DurableObject {
  constructor(state, env) {
    super(state, env)
    state.blockConcurrencyWhile(async () => {
      await init()
      this.model = new nn.Sequential(new nn.Linear(FEATURES, 32), new nn.ReLU(), new nn.Linear(32, CLASSES))
      const saved = await state.storage.get('weights')
      if (saved) this.model.loadStateDict(readSafetensors(saved).tensors)
      this.steps = (await state.storage.get('steps')) ?? 0
      const optimizer = new optim.AdamW(this.model.parameters(), { lr: 0.01 })
      this.step = compile((x, y) => {
        const loss = losses.crossEntropy(this.model.forward(x), y)
        optimizer.minimize(loss)
        return loss
      })
      this.probabilities = compile((x) => this.model.forward(x).softmax())
      this.rows = new Float32Array(MEMORY_ROWS * FEATURES)
      this.labels = new Int32Array(MEMORY_ROWS)
      this.seen = 0
    })
  }

  /** Remembers the rows, and makes one step on a batch of what it remembers. */
  async learn(rows, labels) {
    for (const [i, row] of rows.entries()) {
      const place = this.seen++ % MEMORY_ROWS
      this.rows.set(row, place * FEATURES)
      this.labels[place] = labels[i]
    }
    const known = Math.min(this.seen, MEMORY_ROWS)
    // Batches of one size are one program, traced once.
    const x = new Float32Array(BATCH * FEATURES)
    const y = new Int32Array(BATCH)
    for (let i = 0; i < BATCH; i++) {
      // The newest first, then any.
      const at = i < rows.length ? (this.seen - 1 - i) % MEMORY_ROWS : Math.floor(Math.random() * known)
      x.set(this.rows.subarray(at * FEATURES, (at + 1) * FEATURES), i * FEATURES)
      y[i] = this.labels[at]
    }
    const loss = this.step({ data: x, shape: [BATCH, FEATURES] }, { data: y, shape: [BATCH] }).item()
    this.steps++
    if ((await this.ctx.storage.getAlarm()) === null) await this.ctx.storage.setAlarm(Date.now() + SAVE_AFTER_MS)
    return { steps: this.steps, seen: this.seen, loss, memory: memoryStats().used }
  }

  predict(rows) {
    // All requests fill the same number of rows, for the same reason.
    const x = new Float32Array(MAX_ROWS * FEATURES)
    x.set(rows.flat())
    const found = this.probabilities({ data: x, shape: [MAX_ROWS, FEATURES] })
      .tolist()
      .slice(0, rows.length)
    return { classes: found.map((row) => row.indexOf(Math.max(...row))), probabilities: found }
  }

  async alarm() {
    await this.ctx.storage.put({ weights: writeSafetensors(this.model.stateDict()), steps: this.steps })
  }
}

function check(body, labelled) {
  if (typeof body !== 'object' || body === null)
    throw new Error(`expected ${labelled ? '{ rows, labels }' : '{ rows }'}`)
  const { rows, labels } = body
  // What is finite as JSON may be infinite in 32 bits, and would be remembered.
  const finite = (value) => typeof value === 'number' && Number.isFinite(Math.fround(value))
  const fits = (row) => Array.isArray(row) && row.length === FEATURES && row.every(finite)
  if (!Array.isArray(rows) || rows.length < 1 || rows.length > MAX_ROWS || !rows.every(fits))
    throw new Error(`rows: expected 1 to ${MAX_ROWS} lists of ${FEATURES} numbers that fit 32-bit floats`)
  if (!labelled) return
  const known = (label) => Number.isInteger(label) && label >= 0 && label < CLASSES
  if (!Array.isArray(labels) || labels.length !== rows.length || !labels.every(known))
    throw new Error(`labels: expected a class from 0 to ${CLASSES - 1} for each row`)
}

const problem = (status, error) => Response.json({ error }, { status })
