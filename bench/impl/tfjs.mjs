// TensorFlow.js on its wasm backend, one thread: core ops, its own losses and optimizers.

import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
// Also for the gradients that it registers: core alone has none.
import * as tfl from '@tensorflow/tfjs-layers'
import { batches, cycle, factors, initial, labelled, layers, oneHot, transposed } from '../cases.mjs'
import { serve, versionOf } from './serve.mjs'

setThreadsCount(1)
await tf.setBackend('wasm')
await tf.ready()

serve(versionOf('node_modules/@tensorflow/tfjs-core'), {
  gemm(entry) {
    const [a, b] = factors(entry).map((data) => tf.tensor2d(data, [entry.n, entry.n]))
    let c
    return {
      step() {
        c?.dispose()
        c = tf.matMul(a, b)
      },
      result: () => c.dataSync(),
    }
  },

  mlp(entry) {
    const { batch, sizes, lr } = entry
    const weights = layers(entry).map(({ inputs, outputs, weight, bias }) => ({
      kernel: tf.variable(tf.tensor2d(transposed(weight, outputs, inputs), [inputs, outputs])),
      bias: tf.variable(tf.tensor1d(bias)),
    }))
    const activation = { relu: tf.relu, tanh: tf.tanh }[entry.activation]
    // tf.fused.matMul is no faster: with relu the same to 1 % on mlp-large, without an activation a third slower.
    const forward = (x) =>
      weights.reduce((input, { kernel, bias }, i) => {
        const y = tf.add(tf.matMul(input, kernel), bias)
        return i < weights.length - 1 ? activation(y) : y
      }, x)
    const loss = { crossEntropy: tf.losses.softmaxCrossEntropy, mse: tf.losses.meanSquaredError }[entry.loss]
    const optimizer = entry.optimizer === 'adam' ? tf.train.adam(lr, 0.9, 0.999, 1e-8) : tf.train.sgd(lr)
    const classes = sizes.at(-1)
    const next = cycle(
      batches(entry).map(({ x, y }) => ({
        x: tf.tensor2d(x, [batch, sizes[0]]),
        y: tf.tensor2d(entry.loss === 'mse' ? y : oneHot(y, classes), [batch, classes]),
      })),
    )
    let value
    return {
      step() {
        const { x, y } = next()
        const cost = optimizer.minimize(() => loss(y, forward(x)), true)
        value = cost.dataSync()[0]
        cost.dispose()
      },
      result: () => value,
    }
  },

  lstm(entry) {
    const { batch, length, inputs, hidden, lr } = entry
    const gates = 4 * hidden
    // PyTorch's names, sorted, as initial() counts them; its two biases are one here.
    const [headBias, headWeight, biasHidden, biasInput, recurrent, kernel] = [
      ['head.bias', [10]],
      ['head.weight', [10, hidden]],
      ['lstm.bias_hh_l0', [gates]],
      ['lstm.bias_ih_l0', [gates]],
      ['lstm.weight_hh_l0', [gates, hidden]],
      ['lstm.weight_ih_l0', [gates, inputs]],
    ].map(([name, shape], i) => initial(name, shape, i))
    const lstm = tfl.layers.lstm({
      units: hidden,
      recurrentActivation: 'sigmoid',
      inputShape: [length, inputs],
    })
    const model = tfl.sequential({ layers: [lstm, tfl.layers.dense({ units: 10 })] })
    model.setWeights([
      tf.tensor2d(transposed(kernel, gates, inputs), [inputs, gates]),
      tf.tensor2d(transposed(recurrent, gates, hidden), [hidden, gates]),
      tf.tensor1d(biasInput.map((b, i) => b + biasHidden[i])),
      tf.tensor2d(transposed(headWeight, 10, hidden), [hidden, 10]),
      tf.tensor1d(headBias),
    ])
    const optimizer = tf.train.adam(lr, 0.9, 0.999, 1e-8)
    const next = cycle(
      labelled(entry, [length, inputs], 10).map(({ x, y }) => ({
        x: tf.tensor3d(x.data, x.shape),
        y: tf.tensor2d(oneHot(y.data, 10), [batch, 10]),
      })),
    )
    let value
    return {
      step() {
        const { x, y } = next()
        const cost = optimizer.minimize(
          () => tf.losses.softmaxCrossEntropy(y, model.apply(x, { training: true })),
          true,
        )
        value = cost.dataSync()[0]
        cost.dispose()
      },
      result: () => value,
    }
  },
})
