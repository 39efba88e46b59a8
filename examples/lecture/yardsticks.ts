// What the lessons' models are measured against.

import { compile, DataLoader, losses, type NDArray, nn, optim, softmax, type Tensor, TensorDataset } from 'lanewise'

/** The share of samples in the right group when each group counts as the class that most of it has. */
export function purity(groups: ArrayLike<number>, classes: ArrayLike<number>): number {
  const counts = new Map<number, Map<number, number>>()
  for (let i = 0; i < groups.length; i++) {
    const own = counts.get(groups[i]!) ?? new Map<number, number>()
    counts.set(groups[i]!, own.set(classes[i]!, (own.get(classes[i]!) ?? 0) + 1))
  }
  const most = [...counts.values()].map((own) => Math.max(...own.values()))
  return most.reduce((sum, count) => sum + count, 0) / groups.length
}

/** Nats that an image of `test` costs when each pixel is dark with its share over the images of `train`, whatever the
 *  others are. Pixels from 0 to 1, [n, pixels]. */
export function independentPixels(train: NDArray, test: NDArray): number {
  const pixels = train.shape[1] as number
  const share = new Float64Array(pixels)
  for (const [at, value] of train.data.entries()) share[at % pixels]! += value / train.shape[0]!
  let sum = 0
  for (const [at, value] of test.data.entries()) {
    const p = Math.min(1 - 1e-4, Math.max(1e-4, share[at % pixels]!))
    sum -= value * Math.log(p) + (1 - value) * Math.log(1 - p)
  }
  return sum / test.shape[0]!
}

/** Bits that a character of `test` costs by what was counted in `train`: alone, and given the one before. */
export function countedBits(train: Int32Array, test: Int32Array, kinds: number): { singles: number; pairs: number } {
  // A hundredth of a character for what never occurs.
  const counts = Array.from({ length: kinds }, () => new Float64Array(kinds).fill(0.01))
  for (let i = 1; i < train.length; i++) counts[train[i - 1]!]![train[i]!]! += 1
  const totals = counts.map((row) => row.reduce((sum, count) => sum + count, 0))
  const all = totals.reduce((sum, count) => sum + count, 0)
  let [singles, pairs] = [0, 0]
  for (let i = 1; i < test.length; i++) {
    singles -= Math.log2(totals[test[i]!]! / all) / (test.length - 1)
    pairs -= Math.log2(counts[test[i - 1]!]![test[i]!]! / totals[test[i - 1]!]!) / (test.length - 1)
  }
  return { singles, pairs }
}

/** Learns to read images [n, pixels]; gives, for others, the probability of the likeliest class, and the class. */
export function reader(x: NDArray, y: NDArray): (images: Tensor | NDArray) => { sure: number[]; classes: number[] } {
  const model = new nn.Sequential(new nn.Linear(x.shape[1]!, 128), new nn.ReLU(), new nn.Linear(128, 10))
  const optimizer = new optim.Adam(model.parameters(), { lr: 2e-3 })
  const step = compile((images, labels) => optimizer.minimize(losses.crossEntropy(model.forward(images), labels)))
  const loader = new DataLoader(new TensorDataset(x, y), { batchSize: 64, shuffle: true, seed: 1 })
  for (let epoch = 0; epoch < 4; epoch++) for (const [images, labels] of loader) step(images, labels)
  return (images) => {
    const { values, indices } = softmax(model.forward(images)).max({ axis: 1 })
    return { sure: [...values.data()], classes: [...indices.data()] }
  }
}
