import { writeFile } from 'node:fs/promises'
import { writeSafetensors } from 'lanewise/io'
import { compile, DataLoader, init, losses, manualSeed, optim, TensorDataset } from 'lanewise/node'
import { network, spirals } from './spirals.js'

await init({ wide: 'auto' })
manualSeed(1)
const { points, arms } = spirals(1000)
const loader = new DataLoader(new TensorDataset(points, arms), { batchSize: 50, shuffle: true, seed: 1 })
const model = network()
const optimizer = new optim.AdamW(model.parameters(), { lr: 0.01 })
const step = compile((x, y) => {
  const loss = losses.crossEntropy(model.forward(x), y)
  optimizer.minimize(loss)
  return loss
})

for (let epoch = 1; epoch <= 30; epoch++) {
  let sum = 0
  for (const [x, y] of loader) sum += step(x, y).item()
  if (epoch % 5 === 0) console.log(`epoch ${epoch}: loss ${(sum / loader.length).toFixed(4)}`)
}
await writeFile('spirals.safetensors', writeSafetensors(model.stateDict()))
console.log('saved to spirals.safetensors')
