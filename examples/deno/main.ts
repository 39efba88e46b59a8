import { compile, init, losses, manualSeed, nn, optim, type Tensor, uniform } from 'lanewise'
import { readSafetensors, writeSafetensors } from 'lanewise/io'

/** Points of a square, and which of them lie inside a circle. */
function circle(count: number) {
  const points = uniform([count, 2], -1, 1).data() as Float32Array
  const inside = Int32Array.from({ length: count }, (_, i) =>
    Number(Math.hypot(points[2 * i]!, points[2 * i + 1]!) < 0.7),
  )
  return { points: { data: points, shape: [count, 2] }, inside: { data: inside, shape: [count] } }
}

const network = () => new nn.Sequential(new nn.Linear(2, 32), new nn.Tanh(), new nn.Linear(32, 2))

await init()
manualSeed(1)
const model = network()
const optimizer = new optim.AdamW(model.parameters(), { lr: 0.02 })
const step = compile((x, y): Tensor => {
  const loss = losses.crossEntropy(model.forward(x), y)
  optimizer.minimize(loss)
  return loss
})
const { points, inside } = circle(512)
for (let i = 0; i <= 200; i++) {
  const loss = step(points, inside).item()
  if (i % 50 === 0) console.log(`step ${i}: loss ${loss.toFixed(4)}`)
}
await Deno.writeFile('circle.safetensors', writeSafetensors(model.stateDict()))

const loaded = network()
loaded.loadStateDict(readSafetensors(await Deno.readFile('circle.safetensors')).tensors)
const found = await test(loaded)
console.log(`read again from circle.safetensors: ${(100 * found).toFixed(1)} % of new points right`)

async function test(trained: ReturnType<typeof network>) {
  const { points, inside } = circle(1000)
  const run = compile((x) => trained.forward(x).argmax({ axis: 1 }))
  return (
    run(points)
      .data()
      .filter((label, i) => label === inside.data[i]).length / 1000
  )
}
