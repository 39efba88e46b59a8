// 10b. Generative models: a variational autoencoder.
//
// An image x is made from a few hidden numbers, z ~ N(0, I), P(x | z) a network's probabilities of dark pixels. ln P(x)
// is an integral over z that no one can do; but an encoder q(z | x) = N(μ(x), σ(x)²) bounds it (Kingma, Welling 2014):
//
//   -ln P(x) ≤ E_q[-ln P(x | z)] + KL(q(z | x) ‖ N(0, I)),    KL = ½ Σ (μ² + σ² - 1 - ln σ²)
//
// The bound is what is minimized, in nats an image. z = μ + σ ε with ε ~ N(0, I) lets gradients pass through the draw.
// To make an image: z ~ N(0, I), and decode.

import { compile, DataLoader, losses, nn, normal, optim, sigmoid, type Tensor, TensorDataset } from 'lanewise'
import { mnist } from './data.ts'
import { chart, curve, picture, sheet } from './figure.ts'
import { lesson } from './lesson.ts'
import { independentPixels } from './yardsticks.ts'

const WIDTH = 16

await lesson('10b. Generative models: a variational autoencoder draws digits', async ({ draw, quick }) => {
  const { x } = await mnist('train', quick ? 2000 : 60_000, 28)
  const { x: test } = await mnist('t10k', quick ? 500 : 5000, 28)
  const encoder = new nn.Sequential(new nn.Linear(784, 256), new nn.ReLU(), new nn.Linear(256, 2 * WIDTH))
  const decoder = new nn.Sequential(new nn.Linear(WIDTH, 256), new nn.ReLU(), new nn.Linear(256, 784))
  const optimizer = new optim.Adam([...encoder.parameters(), ...decoder.parameters()], { lr: 0 })

  /** The two terms of the bound, each the mean over images. */
  const bound = (images: Tensor) => {
    const [mean, logVariance] = encoder.forward(images).split(WIDTH, 1) as [Tensor, Tensor]
    const z = mean.add(logVariance.mul(0.5).exp().mul(normal(mean.shape)))
    const n = images.shape[0]!
    const pixels = losses.bceWithLogits(decoder.forward(z), images, { reduction: 'sum' }).div(n)
    const divergence = mean
      .pow(2)
      .add(logVariance.exp())
      .sub(1)
      .sub(logVariance)
      .sum()
      .div(2 * n)
    return { pixels, divergence }
  }
  const step = compile((images) => {
    const { pixels, divergence } = bound(images)
    const loss = pixels.add(divergence)
    optimizer.minimize(loss)
    return loss
  })
  const measure = compile((images) => bound(images))
  const tested = () => {
    const { pixels, divergence } = measure(test)
    return { pixels: pixels.item(), divergence: divergence.item() }
  }

  const loader = new DataLoader(new TensorDataset(x), { batchSize: 128, shuffle: true, seed: 1 })
  const epochs = quick ? 10 : 6
  const path: { images: number; nats: number }[] = []
  for (let epoch = 0, done = 0; epoch < epochs; epoch++) {
    for (const [images] of loader) {
      optimizer.lr = 1e-3 * (1 + Math.cos((Math.PI * done++) / (epochs * loader.length)))
      step(images)
    }
    const { pixels, divergence } = tested()
    path.push({ images: (epoch + 1) * x.shape[0]!, nats: pixels + divergence })
    console.log(
      `epoch ${epoch + 1}: test images ${(pixels + divergence).toFixed(1)} nats, pixels ${pixels.toFixed(1)} and KL ${divergence.toFixed(1)}`,
    )
  }

  const alone = independentPixels(x, test)
  const nats = path.at(-1)!.nats
  console.log(`pixels independent of each other: ${alone.toFixed(1)} nats`)

  const drawn = sigmoid(decoder.forward(normal([100, WIDTH]))).data()
  const shown = test.data.subarray(0, 784 * 10)
  const back = sigmoid(decoder.forward(encoder.forward({ shape: [10, 784], data: shown }).split(WIDTH, 1)[0]!)).data()
  draw(
    `A variational autoencoder draws digits: ${nats.toFixed(0)} nats for an image of 784 pixels, ${alone.toFixed(0)} if pixels were independent`,
    picture('100 images drawn: z ~ N(0, I), decoded', sheet(drawn, 28, 10), 1),
    picture('test images, and what 16 numbers keep of them', sheet([...shown, ...back], 28, 5), 2),
    chart('the bound on -ln P(x) of test images', {
      height: 260,
      x: { label: 'training images seen' },
      y: { label: 'nats an image', grid: true },
      marks: curve(path, 'images', 'nats', 'crimson', 'test images'),
    }),
  )
  return `-ln P(x) ≤ ${nats.toFixed(1)} nats for a test image (pixels independent: ${alone.toFixed(1)})`
})
