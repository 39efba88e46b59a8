// 10d. A model of language: P(text) = Π_t P(c_t | c_1 … c_{t-1}).
//
// A GPT reads characters and gives P of the next one at every place at once; learning minimizes -log₂ P, the bits that it
// takes to write down a character for someone who knows P. To write, draw from P, append, and ask again:
//   temperature τ   P^{1/τ}, normalized: below 1 what is likely becomes likelier
//   top-p           only the likeliest characters that together have probability p
// Keys and values of earlier characters do not change, so a cache keeps them, and each new character costs one step.

import * as Plot from '@observablehq/plot'
import { compile, losses, optim, type Tensor } from 'lanewise'
import type { SampleOptions } from 'lanewise/learn'
import { defaultFile, draws, readText, windows } from '../chars/data.ts'
import { Gpt } from '../chars/model.ts'
import { write } from '../chars/write.ts'
import { chart, curve } from './figure.ts'
import { lesson } from './lesson.ts'
import { countedBits } from './yardsticks.ts'

const block = 64
await lesson('10d. Generative models: a GPT writes Moby-Dick', async ({ draw, quick }) => {
  const { characters, training, validation } = await readText(defaultFile())
  const kinds = characters.length
  const sizes = quick ? { width: 32, layers: 2 } : { width: 128, layers: 4 }
  const model = new Gpt({ vocabulary: kinds, block, heads: 4, ...sizes })
  const optimizer = new optim.AdamW(model.parameters(), { lr: 0 })
  const lossOf = (input: Tensor, next: Tensor) => losses.crossEntropy(model.forward(input).reshape([-1, kinds]), next)
  const step = compile((input, next) => {
    const loss = lossOf(input, next)
    optimizer.minimize(loss)
    return loss
  })
  const measure = compile(lossOf)
  /** Bits per character over windows spread evenly over the held-out text. */
  const heldOut = (count: number): number => {
    let sum = 0
    for (let i = 0; i < count; i += 20) {
      const starts = Array.from({ length: 20 }, (_, j) =>
        Math.floor(((i + j) * (validation.length - block - 1)) / count),
      )
      sum += measure(...windows(validation, starts, block)).item()
    }
    return sum / (count / 20) / Math.LN2
  }

  const steps = quick ? 60 : 1500
  const rate = quick ? 5e-3 : 1.5e-3
  const warmUp = steps / 15
  const random = draws(1)
  const path = [{ step: 0, bits: heldOut(100) }]
  for (let i = 1; i <= steps; i++) {
    optimizer.lr = rate * Math.min(i / warmUp, 0.505 + 0.495 * Math.cos((Math.PI * i) / steps))
    const starts = Array.from({ length: 12 }, () => Math.floor(random() * (training.length - block)))
    step(...windows(training, starts, block))
    if (i % (steps / 15) === 0) {
      path.push({ step: i, bits: heldOut(i === steps ? 1000 : 100) })
      console.log(`step ${i}: ${path.at(-1)!.bits.toFixed(3)} bits per character on held-out text`)
    }
  }

  // The caches are in ../chars/write.ts.
  const start = [...'The whale'].map((c) => characters.indexOf(c))
  const continued = (options: SampleOptions) =>
    write(model, start, quick ? 100 : 400, options)
      .map((i) => characters[i])
      .join('')
  for (const options of [{ temperature: 0.5 }, { temperature: 1 }, { temperature: 0.9, topP: 0.9 }])
    console.log(`\n${JSON.stringify(options)}\n${continued(options)}`)

  const { singles, pairs } = countedBits(training, validation, kinds)
  const bits = path.at(-1)!.bits
  const line = (y: number, text: string) => [
    Plot.ruleY([y], { strokeDasharray: '4 3' }),
    Plot.text([y], { y: (d) => d, text: [`${text}: ${y.toFixed(2)}`], frameAnchor: 'right', dy: -7 }),
  ]
  draw(
    `A small GPT learns Moby-Dick: ${bits.toFixed(2)} bits per character of text that it has not seen`,
    chart(`${sizes.layers} layers, ${sizes.width} wide, ${steps} steps of 12 × 64 characters`, {
      width: 560,
      x: { label: 'step' },
      y: { label: 'held-out bits per character', domain: [2, 6.6], grid: true },
      marks: [
        ...line(singles, 'shares of characters'),
        ...line(pairs, 'shares of pairs'),
        ...curve(path, 'step', 'bits', 'crimson', 'GPT', 14),
      ],
    }),
  )
  return `${bits.toFixed(2)} bits per held-out character after ${steps} steps (single characters ${singles.toFixed(2)}, pairs ${pairs.toFixed(2)})`
})
