// A program on all entries: test/types.test.ts.

import { compile, type InitOptions, init, losses, nn, type optim, type Tensor, tensor } from 'lanewise'
import { type FlowerNode, federate, type Handler, join } from 'lanewise/flower'
import { readNpz, readSafetensors, writeNpy, writeSafetensors } from 'lanewise/io'
import * as page from 'lanewise/lanewise.min.js'
import { kMeans } from 'lanewise/learn'
import { crossEntropy } from 'lanewise/losses'
import { Accuracy } from 'lanewise/metrics'
import { Linear } from 'lanewise/nn'
import { init as initNode, type NodeInitOptions } from 'lanewise/node'
import { SGD } from 'lanewise/optim'
import { type Context, serve, Training } from 'lanewise/worker'

const options: InitOptions = { maxMemory: 2 ** 24, threads: undefined }
const wide: NodeInitOptions = { ...options, wide: 'auto' }
await init(options)
await initNode(wide)
await page.init(options)
const model = new nn.Sequential(new Linear(2, 3), new nn.ReLU())
const optimizer: optim.Optimizer = new SGD(model.parameters(), { lr: 0.1 })
const step = compile((x, y): Tensor => {
  const loss = crossEntropy(model.forward(x), y)
  optimizer.minimize(loss)
  return loss.mul(2).add(losses.mse(x, x))
})
const value: number = step(tensor([[1, 2]]), tensor([0], { dtype: 'i32' })).item()
const bytes = writeSafetensors(model.stateDict())
model.loadStateDict(readSafetensors(bytes).tensors)
const file = new Blob([bytes, writeNpy({ shape: [1], data: Float32Array.of(1) })])
const names: string[] = Object.keys(await readNpz(file))
const { labels } = kMeans(tensor([[1], [2]]), 2)

const train = async function* ({ steps }: { steps: number }, { share }: Context) {
  share(model)
  for (let i = 0; i < steps; i++) yield { loss: 1 }
  return 'done'
}
serve(train)
const training = new Training<typeof train>(new Worker('train.js', { type: 'module' }))
const end: string | undefined = await training.start({ steps: 2 }, { onProgress: ({ loss }) => loss.toFixed(2) })
model.loadStateDict(await training.weights())
// @ts-expect-error: no option of this training
training.start({ rate: 1 })
export const found: unknown[] = [end, value, new Accuracy(), names, labels]

const own: Handler = ({ arrays, config }) => ({ arrays, metrics: { 'num-examples': 1n, rate: Number(config.lr) } })
const handlers = { ...federate(model, { train: [], loss: losses.mse, optimizer }), 'query.own': own }
const node: FlowerNode = await join({ superlink: 'https://example.org', handlers })
const id: bigint = node.id
await node.leave({ within: Number(id) })
