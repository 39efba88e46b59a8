// From nothing to the first loss of mlp-small: prints the milliseconds it took, and the loss.

const start = performance.now()
const { compile, init, losses, nn, optim } = await import('lanewise').catch(() => import('../../dist/index.js'))
await init()
const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10))
const optimizer = new optim.Adam(model.parameters())
const step = compile((x, y) => {
  const loss = losses.crossEntropy(model.forward(x), y)
  optimizer.minimize(loss)
  return loss
})
const x = { data: new Float32Array(32 * 784).fill(0.5), shape: [32, 784] }
const y = { data: new Int32Array(32), shape: [32] }
const loss = step(x, y).item()
console.log(JSON.stringify({ ms: performance.now() - start, loss }))
