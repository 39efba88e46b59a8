import { compile, init, losses, manualSeed, nn, optim, uniform } from 'lanewise'

/** A small network and its step, the same at every call. */
export async function build(lr) {
  await init()
  manualSeed(1)
  const model = new nn.Sequential(new nn.Linear(8, 16), new nn.Tanh(), new nn.Linear(16, 1))
  const optimizer = new optim.Adam(model.parameters(), { lr })
  const x = uniform([32, 8], -1, 1)
  const y = x.sum({ axis: 1, keepDim: true }).sin()
  const step = compile((x, y) => {
    const loss = losses.mse(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  return { model, step: () => step(x, y).item() }
}
