// The training: mlp-large of the benchmarks, on drawn digits.

import {
  compile,
  DataLoader,
  init,
  losses,
  manualSeed,
  type NDArray,
  nn,
  optim,
  TensorDataset,
  uniform,
} from 'lanewise'
import type { Context } from 'lanewise/worker'
import { drawDigits } from './digits.ts'

const SHOWN = 24

export interface Options {
  lr: number
  epochs: number
  /** Where to start, instead of at random. */
  weights?: Record<string, NDArray>
}

/** A step, or what the network says of digits that it has not learnt from. */
export type Progress =
  | { step: number; loss: number; msPerStep: number }
  | { accuracy: number; images: Float32Array; classes: Int32Array }

export async function* train({ lr, epochs, weights }: Options, { signal, share, report }: Context<Progress>) {
  await init()
  manualSeed(1)
  const numbers = uniform([2 ** 20]).data()
  let used = 0
  const random = () => numbers[used++ % numbers.length] as number
  const data = new TensorDataset(...drawDigits(12_800, random))
  const [images, labels] = drawDigits(1000, random)

  const model = new nn.Sequential(
    new nn.Linear(784, 512),
    new nn.ReLU(),
    new nn.Linear(512, 512),
    new nn.ReLU(),
    new nn.Linear(512, 10),
  )
  if (weights) model.loadStateDict(weights)
  share(model)
  const optimizer = new optim.Adam(model.parameters(), { lr })
  const learn = compile((x, y) => {
    const loss = losses.crossEntropy(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  const classify = compile((x) => model.forward(x).argmax({ axis: 1 }))
  const test = () => {
    const classes = classify(images).data() as Int32Array
    const accuracy = classes.filter((digit, i) => digit === labels.data[i]).length / classes.length
    const pixels = (images.data as Float32Array).slice(0, SHOWN * 784)
    report({ accuracy, images: pixels, classes: classes.slice(0, SHOWN) })
    return accuracy
  }

  let step = 0
  const began = performance.now()
  try {
    for (let epoch = 0; epoch < epochs; epoch++)
      for (const [x, y] of new DataLoader(data, { batchSize: 128, shuffle: true, seed: epoch })) {
        const loss = learn(x, y).item()
        step++
        if (step % 20 === 0) test()
        yield { step, loss, msPerStep: (performance.now() - began) / step }
        if (signal.aborted) return test()
      }
    return test()
  } finally {
    learn.dispose()
    classify.dispose()
  }
}
