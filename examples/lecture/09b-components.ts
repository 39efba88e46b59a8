// 9b. Unsupervised learning: fewer dimensions.
//
// PCA: of all linear maps to m numbers and back, x ≈ (x - μ) V Vᵀ + μ with V the m right singular vectors of largest
// singular value of the centred samples, has the least squared error (Eckart, Young 1936).
// An autoencoder, x ≈ d(e(x)) with e: R^d → R^m and d: R^m → R^d networks, may bend: it can do better with as many
// numbers. Both are learnt from 80 % of the digits, and the errors are those of the other 20 %.

import { compile, DataLoader, losses, nn, optim, TensorDataset, tensor } from 'lanewise'
import { pca } from 'lanewise/learn'
import { part, samples } from './data.ts'
import { chart, labelled, picture, sheet } from './figure.ts'
import { lesson, table } from './lesson.ts'

await lesson('9b. Unsupervised learning: PCA and an autoencoder', async ({ draw, quick }) => {
  const { x: raw } = await samples('digits')
  const x = { shape: raw.shape, data: raw.data.map((value) => value / 16) }
  const every = [...Array(1797).keys()]
  const train = part(
    x,
    every.filter((i) => i % 5 > 0),
  )
  const test = part(
    x,
    every.filter((i) => i % 5 === 0),
  )
  /** Squared error of an image, Σ over its 64 pixels from 0 to 1. */
  const error = (back: ReturnType<typeof tensor>) => 64 * losses.mse(back, test).item()

  const autoencoder = (width: number) => {
    const encoder = new nn.Sequential(
      new nn.Linear(64, 256),
      new nn.GELU(),
      new nn.Linear(256, 128),
      new nn.GELU(),
      new nn.Linear(128, width),
    )
    const decoder = new nn.Sequential(
      new nn.Linear(width, 128),
      new nn.GELU(),
      new nn.Linear(128, 256),
      new nn.GELU(),
      new nn.Linear(256, 64),
    )
    const optimizer = new optim.AdamW([...encoder.parameters(), ...decoder.parameters()], {
      lr: 2e-3,
      weightDecay: 0.05,
    })
    const step = compile((input) => optimizer.minimize(losses.mse(decoder.forward(encoder.forward(input)), input)))
    const loader = new DataLoader(new TensorDataset(train), { batchSize: 32, shuffle: true, seed: 1 })
    const epochs = quick ? 15 : 120
    for (let epoch = 0; epoch < epochs; epoch++) {
      optimizer.lr = 1e-3 * (1 + Math.cos((Math.PI * epoch) / epochs))
      for (const [images] of loader) step(images)
    }
    return decoder.forward(encoder.forward(tensor(test)))
  }
  const widths = quick ? [2, 8] : [2, 4, 8, 16]
  const results = widths.map((width) => {
    const linear = pca(train, width)
    const flat = linear.inverse(linear.transform(test))
    const bent = autoencoder(width)
    return {
      width,
      flat,
      bent,
      PCA: error(flat),
      autoencoder: error(bent),
      kept: linear.shares.reduce((sum, share) => sum + share, 0),
    }
  })
  console.log('squared error of a test image (64 pixels from 0 to 1), and the share of variance that PCA keeps')
  table(results.map(({ width, PCA, autoencoder, kept }) => ({ width, PCA, autoencoder, 'kept by PCA': kept })))
  const eight = results.find(({ width }) => width === 8)!

  const curves = results.flatMap(({ width, PCA, autoencoder }) => [
    { width, error: PCA, name: 'PCA' },
    { width, error: autoencoder, name: 'autoencoder' },
  ])
  const count = 12
  const images = [test.data, eight.flat.data(), eight.bent.data()].flatMap((list) => [...list.subarray(0, 64 * count)])
  draw(
    `With 8 numbers an autoencoder loses ${eight.autoencoder.toFixed(2)} of a digit, PCA ${eight.PCA.toFixed(2)}: what bends fits better`,
    chart('test digits, squared error of 64 pixels from 0 to 1', {
      marginRight: 80,
      x: { label: 'numbers kept of an image', type: 'log', base: 2, ticks: widths, tickFormat: 'd' },
      y: { label: 'squared error of an image', domain: [0, 4], grid: true },
      marks: labelled(curves, 'width', 'error', 'name', true),
    }),
    picture('above: test digits; middle: by PCA; below: by the autoencoder, of 8 numbers', sheet(images, 8, count), 5),
  )
  return `squared error at 8 dimensions: autoencoder ${eight.autoencoder.toFixed(3)}, PCA ${eight.PCA.toFixed(3)} (test digits)`
})
