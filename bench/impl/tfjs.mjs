// TensorFlow.js on its wasm backend, one thread: core ops, its own losses and optimizers.

import { setThreadsCount } from '@tensorflow/tfjs-backend-wasm'
import * as tf from '@tensorflow/tfjs-core'
// Only for the gradients that it registers: core alone has none.
import '@tensorflow/tfjs-layers'
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

  // The cell written out in core ops, as its layer does; the layer itself wants ops as methods of tensors, which
  // core lacks in Node.
  lstm(entry) {
    const { batch, length, inputs, hidden, lr } = entry
    const gates = 4 * hidden
    // PyTorch's names, sorted, as initial() counts them.
    const start = [
      ['head.bias', [10]],
      ['head.weight', [10, hidden]],
      ['lstm.bias_hh_l0', [gates]],
      ['lstm.bias_ih_l0', [gates]],
      ['lstm.weight_hh_l0', [gates, hidden]],
      ['lstm.weight_ih_l0', [gates, inputs]],
    ]
    const [headBias, headWeight, biasHidden, biasInput, recurrent, kernel] = start.map(([name, shape], i) => {
      const data = initial(name, shape, i)
      return tf.variable(
        shape.length === 1
          ? tf.tensor1d(data)
          : tf.tensor2d(transposed(data, shape[0], shape[1]), [shape[1], shape[0]]),
      )
    })
    const forward = (x) => {
      let h = tf.zeros([batch, hidden])
      let c = h
      for (const row of tf.unstack(x, 1)) {
        const z = tf.add(tf.add(tf.matMul(row, kernel), biasInput), tf.add(tf.matMul(h, recurrent), biasHidden))
        const [i, f, g, o] = tf.split(z, 4, 1)
        c = tf.add(tf.mul(tf.sigmoid(f), c), tf.mul(tf.sigmoid(i), tf.tanh(g)))
        h = tf.mul(tf.sigmoid(o), tf.tanh(c))
      }
      return tf.add(tf.matMul(h, headWeight), headBias)
    }
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
        const cost = optimizer.minimize(() => tf.losses.softmaxCrossEntropy(y, forward(x)), true)
        value = cost.dataSync()[0]
        cost.dispose()
      },
      result: () => value,
    }
  },
})
