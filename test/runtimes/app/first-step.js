// The first answer of a Worker that trains: init, one model, one step.

import { compile, init, losses, nn, optim, uniform } from 'lanewise'

export default {
  async fetch() {
    await init()
    const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10))
    const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 })
    const step = compile((x, y) => {
      const loss = losses.crossEntropy(model.forward(x), y)
      optimizer.minimize(loss)
      return loss
    })
    const y = { data: new Int32Array(32), shape: [32] }
    return new Response(`${step(uniform([32, 784]), y).item()}`)
  },
}
