// jax-js on its wasm backend, which stays on one thread where there is no global Worker, as in Node. Its own
// grad, the optimizers by hand, and one jit around the whole step. An argument is consumed by the function
// it is passed to; .ref keeps it for another use.

import { init, jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax'
import { batches, cycle, factors, layers, oneHot, transposed } from '../cases.mjs'
import { serve, versionOf } from './serve.mjs'

// By name: the others are looked for in a browser's `navigator`.
await init('wasm')

const activations = { relu: nn.relu, tanh: np.tanh }

const losses = {
  crossEntropy: (logits, target) => np.mean(np.sum(nn.logSoftmax(logits).mul(target), -1)).neg(),
  mse: (output, target) => np.mean(np.square(output.sub(target))),
}

/** (params, gradients, state, ...scalars) -> [params, state]; `scalars(t)` gives what changes with step t. */
const optimizers = {
  sgd: ({ lr }) => ({
    state: () => [],
    scalars: () => [],
    update: (params, gradients, state) => [tree.map((p, g) => p.sub(g.mul(lr)), params, gradients), state],
  }),
  adam: ({ lr }) => ({
    state: (params) => {
      const zeros = () => tree.map((p) => np.zeros(p.shape), params)
      return [zeros(), zeros()]
    },
    scalars: (t) => [lr / (1 - 0.9 ** t), 1 / Math.sqrt(1 - 0.999 ** t)],
    update(params, gradients, [means, squares], rate, correction) {
      const m = tree.map((m, g) => m.mul(0.9).add(g.mul(0.1)), means, tree.ref(gradients))
      const v = tree.map((v, g) => v.mul(0.999).add(np.square(g).mul(0.001)), squares, gradients)
      const next = tree.map(
        (p, m, v) => p.sub(m.mul(rate.ref).div(np.sqrt(v).mul(correction.ref).add(1e-8))),
        params,
        tree.ref(m),
        tree.ref(v),
      )
      rate.dispose()
      correction.dispose()
      return [next, [m, v]]
    },
  }),
}

serve(versionOf('node_modules/@jax-js/jax'), {
  gemm(entry) {
    const [a, b] = factors(entry).map((data) => np.array(data, { shape: [entry.n, entry.n] }))
    // As it is, a product is compiled at each call: 64 x 64 took 2 to 4 times as long.
    const product = jit((a, b) => np.matmul(a, b))
    let c
    return {
      async step() {
        c?.dispose()
        c = product(a.ref, b.ref)
        await c.blockUntilReady()
      },
      result: () => c.ref.dataSync(),
    }
  },

  mlp(entry) {
    const { batch, sizes } = entry
    const activation = activations[entry.activation]
    const forward = (params, x) =>
      params.reduce((input, { kernel, bias }, i) => {
        const y = np.matmul(input, kernel).add(bias)
        return i < params.length - 1 ? activation(y) : y
      }, x)
    const loss = (params, x, y) => losses[entry.loss](forward(params, x), y)
    const optimizer = optimizers[entry.optimizer](entry)
    const train = jit((params, state, x, y, ...scalars) => {
      const [value, gradients] = valueAndGrad(loss)(tree.ref(params), x, y)
      const [newParams, newState] = optimizer.update(params, gradients, state, ...scalars)
      return [value, newParams, newState]
    })

    let params = layers(entry).map(({ inputs, outputs, weight, bias }) => ({
      kernel: np.array(transposed(weight, outputs, inputs), { shape: [inputs, outputs] }),
      bias: np.array(bias),
    }))
    let state = optimizer.state(params)
    const classes = sizes.at(-1)
    const next = cycle(
      batches(entry).map(({ x, y }) => ({
        x: np.array(x, { shape: [batch, sizes[0]] }),
        y: np.array(entry.loss === 'mse' ? y : oneHot(y, classes), { shape: [batch, classes] }),
      })),
    )
    let t = 0
    let value
    return {
      step() {
        const { x, y } = next()
        let cost
        ;[cost, params, state] = train(params, state, x.ref, y.ref, ...optimizer.scalars(++t))
        value = cost.item()
      },
      result: () => value,
    }
  },
})
