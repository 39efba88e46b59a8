// 10c. Generative models: from noise to digits along a flow.
//
// Between noise ε ~ N(0, I) and an image x lies the line x_t = (1 - t) ε + t x, along which one moves with velocity
// x - ε = (x - x_t) / (1 - t). At one x_t many lines cross. A network learns the mean of the images that they lead to,
//   L(θ) = E ‖x̂_θ(x_t, t) - x‖²,   x from the data, ε normal, t uniform,
// and dx/dt = (x̂_θ(x, t) - x) / (1 - t), followed from t = 0 to 1, carries noise to images: the whole of N(0, I) to the
// whole of P (flow matching, Lipman et al. 2023; with fresh noise at each step it is a diffusion model).

import { cat, compile, DataLoader, losses, nn, normal, optim, type Tensor, TensorDataset, uniform } from 'lanewise'
import { mnist } from './data.ts'
import { chart, curve, picture, sheet } from './figure.ts'
import { lesson, percent, table } from './lesson.ts'
import { reader } from './yardsticks.ts'

const SIDE = 14
const PIXELS = SIDE ** 2
const FREQUENCIES = { shape: [1, 6], data: Float32Array.of(1, 2, 4, 8, 16, 32).map((f) => (Math.PI * f) / 2) }

await lesson('10c. Generative models: a flow carries noise to digits', async ({ draw, quick }) => {
  const { x, y } = await mnist('train', quick ? 2000 : 30_000, SIDE)
  // From -1 (paper) to 1 (ink): about as wide as the noise.
  const images = { shape: x.shape, data: x.data.map((value) => 2 * value - 1) }
  const width = quick ? 64 : 512
  const net = new nn.Sequential(
    ...[new nn.Linear(PIXELS + 12, width), new nn.SiLU(), new nn.Linear(width, width), new nn.SiLU()],
    ...[new nn.Linear(width, width), new nn.SiLU(), new nn.Linear(width, PIXELS)],
  )
  /** x̂_θ.  place: [n, pixels]; t: [n, 1], which enters as sines and cosines. */
  const imageAhead = (place: Tensor, t: Tensor): Tensor => {
    const angles = t.mul(FREQUENCIES)
    return net.forward(cat([place, angles.sin(), angles.cos()], 1))
  }

  const optimizer = new optim.Adam(net.parameters(), { lr: 0 })
  const step = compile((batch) => {
    const noise = normal(batch.shape)
    const t = uniform([batch.shape[0]!, 1])
    const place = noise.add(t.mul(batch.sub(noise)))
    const loss = losses.mse(imageAhead(place, t), batch)
    optimizer.minimize(loss)
    return loss
  })
  const loader = new DataLoader(new TensorDataset(images), { batchSize: 128, shuffle: true, seed: 1, dropLast: true })
  const epochs = quick ? 4 : 15
  const path: { step: number; loss: number }[] = []
  for (let epoch = 1, done = 0; epoch <= epochs; epoch++) {
    let sum = 0
    for (const [batch] of loader) {
      optimizer.lr = 1e-3 * (1 + Math.cos((Math.PI * done++) / (epochs * loader.length)))
      sum += step(batch).item()
    }
    path.push({ step: done, loss: sum / loader.length })
  }
  table(path.filter((_, i) => i % 3 === 0 || i === epochs - 1))

  // From t = 0 to 1 by the midpoint rule, on the way from noise to images in six looks.
  const count = 100
  const steps = quick ? 10 : 50
  const velocity = (place: Tensor, t: Tensor) => imageAhead(place, t).sub(place).div(t.neg().add(1))
  const advance = compile((place, t) => {
    const half = place.add(velocity(place, t).div(2 * steps))
    return place.add(velocity(half, t.add(1 / (2 * steps))).div(steps))
  })
  let place = { shape: [count, PIXELS], data: normal([count, PIXELS]).data() }
  const looks = [place.data]
  for (let i = 1; i <= steps; i++) {
    const t = { shape: [count, 1], data: new Float32Array(count).fill((i - 1) / steps) }
    place = { shape: place.shape, data: advance(place, t).data() }
    if (i % (steps / 5) === 0) looks.push(place.data)
  }

  // A classifier that has learnt from true digits looks at those drawn.
  const read = reader(images, y)
  const test = await mnist('t10k', quick ? 1000 : 10_000, SIDE)
  const truth = read({ shape: test.x.shape, data: test.x.data.map((value) => 2 * value - 1) })
  const drawn = read(place)
  const share = (list: number[]) => percent(list.filter((p) => p > 0.9).length / list.length, 0)
  const [ofTest, ofDrawn] = [share(truth.sure), share(drawn.sure)]
  const right = truth.classes.filter((digit, i) => digit === test.y.data[i]).length / truth.classes.length
  console.log(`\nclassifier: ${percent(right)} of test digits right, and sure (P > 0.9) of ${ofTest}`)
  console.log(`it is sure of ${ofDrawn} of the digits drawn, and finds ${new Set(drawn.classes).size} kinds among them`)

  const ink = (data: ArrayLike<number>) => Array.from(data, (value) => (value + 1) / 2)
  const way = looks.flatMap((look) => ink(look.subarray(0, 8 * PIXELS)))
  draw(
    `A flow carries noise to digits: a classifier is sure of ${ofDrawn} of them, and of ${ofTest} of true ones`,
    picture('100 images drawn', sheet(ink(place.data), SIDE, 10), 2),
    picture('eight on their way, t = 0, 0.2 … 1', sheet(way, SIDE, 8), 2),
    chart('mean squared error of the image ahead', {
      height: 260,
      x: { label: 'step (128 images each)' },
      y: { label: 'loss (pixels from -1 to 1)', grid: true },
      marks: curve(path, 'step', 'loss', 'crimson', 'training'),
    }),
  )
  return `a classifier is sure of ${ofDrawn} of 100 digits drawn (true ones: ${ofTest}), ${new Set(drawn.classes).size} kinds among them`
})
