// Lanewise. Batches come from JavaScript's memory at each step, as a user's do; the peers hold theirs as
// tensors.

import { batches, cycle, factors, layers } from '../cases.mjs'
import { serve, versionOf } from './serve.mjs'

// The second where bench's packages could not be installed: we need no peer.
const { compile, init, losses, nn, optim, tensor } = await import('lanewise').catch(() => import('../../dist/index.js'))
await init()

serve(versionOf('..'), {
  gemm(entry) {
    // Captured, not passed: inputs of a compiled function are copied in, and no peer copies its factors.
    const [a, b] = factors(entry).map((data) => tensor(data, { shape: [entry.n, entry.n] }))
    const product = compile(() => a.matmul(b), { profile: entry.profile })
    let c
    return {
      step() {
        c = product()
      },
      profile: () => product.profile,
      result: () => c.data(),
    }
  },

  mlp(entry) {
    const Activation = { relu: nn.ReLU, tanh: nn.Tanh }[entry.activation]
    const start = layers(entry)
    const model = new nn.Sequential(
      ...start.flatMap(({ inputs, outputs }, i) => [
        ...(i > 0 ? [new Activation()] : []),
        new nn.Linear(inputs, outputs),
      ]),
    )
    model.loadStateDict(
      Object.fromEntries(
        start.flatMap(({ inputs, outputs, weight, bias }, i) => [
          [`${2 * i}.weight`, { data: weight, shape: [outputs, inputs] }],
          [`${2 * i}.bias`, { data: bias, shape: [outputs] }],
        ]),
      ),
    )
    const Optimizer = { adam: optim.Adam, sgd: optim.SGD }[entry.optimizer]
    const optimizer = new Optimizer(model.parameters(), { lr: entry.lr })
    const step = compile(
      (x, y) => {
        const loss = losses[entry.loss](model.forward(x), y)
        optimizer.minimize(loss)
        return loss
      },
      { profile: entry.profile },
    )
    const { batch, sizes } = entry
    const next = cycle(
      batches(entry).map(({ x, y }) => [
        { data: x, shape: [batch, sizes[0]] },
        { data: y, shape: entry.loss === 'mse' ? [batch, sizes.at(-1)] : [batch] },
      ]),
    )
    let loss
    return {
      step() {
        const [x, y] = next()
        loss = step(x, y).item()
      },
      profile: () => step.profile,
      result: () => loss,
    }
  },
})
