// What the Worker imports, the page does not.

import { compile, init, losses, manualSeed, nn, optim, uniform } from 'lanewise'
import { readSafetensors, writeSafetensors } from 'lanewise/io'
import { serve } from 'lanewise/worker'

serve(async function* train({ steps }) {
  await init()
  manualSeed(1)
  const model = new nn.Linear(2, 1)
  model.loadStateDict(readSafetensors(writeSafetensors(model.stateDict())).tensors)
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.05 })
  const x = uniform([64, 2], -1, 1)
  const y = x.sum({ axis: 1, keepDim: true })
  const learn = compile((x, y) => {
    const loss = losses.mse(model.forward(x), y)
    optimizer.minimize(loss)
    return loss
  })
  for (let i = 1; i < steps; i++) yield learn(x, y).item()
  return learn(x, y).item()
})
