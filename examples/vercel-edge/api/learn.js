import { compile, init, losses, manualSeed, nn, optim, scope } from 'lanewise'

export const config = { runtime: 'edge' }

const MAX_ROWS = 512
const MAX_WIDTH = 64
const STEPS = 300

/** POST { rows: numbers[][], labels: number[], ask: numbers[][] } → { classes: number[], loss: number } */
export default async function handler(request) {
  let problem
  try {
    problem = checked(await request.json())
  } catch (error) {
    return Response.json({ error: error.message }, { status: 400 })
  }
  await init()
  // Nothing of a request outlives it: the isolate may serve many.
  return Response.json(scope(() => learn(problem)))
}

function learn({ rows, labels, ask }) {
  manualSeed(1)
  const classes = Math.max(...labels) + 1
  const model = new nn.Sequential(new nn.Linear(rows[0].length, 32), new nn.Tanh(), new nn.Linear(32, classes))
  const optimizer = new optim.AdamW(model.parameters(), { lr: 0.02 })
  const step = compile((x, y) => {
    const loss = losses.crossEntropy(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  const classify = compile((x) => model.forward(x).argmax({ axis: 1 }))
  try {
    const x = matrix(rows)
    const y = { data: Int32Array.from(labels), shape: [labels.length] }
    let loss = 0
    for (let i = 0; i < STEPS; i++) loss = step(x, y).item()
    return { classes: [...classify(matrix(ask)).data()], loss }
  } finally {
    step.dispose()
    classify.dispose()
  }
}

const matrix = (rows) => ({ data: Float32Array.from(rows.flat()), shape: [rows.length, rows[0].length] })

function checked(body) {
  if (typeof body !== 'object' || body === null) throw new Error('expected { rows, labels, ask }')
  const { rows, labels, ask } = body
  const width = rows?.[0]?.length
  // What is finite as JSON may be infinite in 32 bits.
  const finite = (value) => typeof value === 'number' && Number.isFinite(Math.fround(value))
  const fits = (row) => Array.isArray(row) && row.length === width && row.every(finite)
  for (const [name, list] of Object.entries({ rows, ask })) {
    const some = Array.isArray(list) && list.length > 0 && list.length <= MAX_ROWS
    if (!some || width < 1 || width > MAX_WIDTH || !list.every(fits))
      throw new Error(
        `${name}: expected 1 to ${MAX_ROWS} lists of 1 to ${MAX_WIDTH} numbers that fit 32-bit floats, all of one length`,
      )
  }
  if (
    !Array.isArray(labels) ||
    labels.length !== rows.length ||
    !labels.every((k) => Number.isInteger(k) && k >= 0 && k < 100)
  )
    throw new Error('labels: expected a class from 0 to 99 for each row')
  return { rows, labels, ask }
}
