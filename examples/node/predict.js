import { readFile } from 'node:fs/promises'
import { readSafetensors } from 'lanewise/io'
import { init, softmax, tensor } from 'lanewise/node'
import { network } from './spirals.js'

const point = process.argv.slice(2).map(Number)
if (point.length !== 2 || !point.every(Number.isFinite)) {
  console.error('usage: npm run predict -- X Y, two numbers from -1 to 1')
  process.exit(2)
}
await init()
const model = network()
model.loadStateDict(readSafetensors(await readFile('spirals.safetensors')).tensors)
const [first, second] = softmax(model.forward(tensor([point]))).data()
console.log(`arm ${second > first ? 2 : 1} (${(100 * Math.max(first, second)).toFixed(1)} %)`)
