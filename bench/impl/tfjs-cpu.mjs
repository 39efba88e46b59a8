// TensorFlow.js on its cpu backend, plain JavaScript: the only one in Node without native code that trains a
// convolution.

import '@tensorflow/tfjs-backend-cpu'
import * as tf from '@tensorflow/tfjs-core'
// Only for the gradients that it registers: core alone has none.
import '@tensorflow/tfjs-layers'
import { cycle, initial, labelled, oneHot, transposed } from '../cases.mjs'
import { serve, versionOf } from './serve.mjs'

await tf.setBackend('cpu')
await tf.ready()

serve(versionOf('node_modules/@tensorflow/tfjs-core'), {
  cnn(entry) {
    const { batch, side, kernel, channels, lr } = entry
    const features = channels.at(-1) * (side / 2 ** (channels.length - 1)) ** 2
    // PyTorch's names, sorted, as initial() counts them: 0 and 3 are convolutions, the last is linear.
    const shapes = [
      ...channels.slice(1).flatMap((out, i) => [
        [`${3 * i}.bias`, [out]],
        [`${3 * i}.weight`, [out, channels[i], kernel, kernel]],
      ]),
      ['7.bias', [10]],
      ['7.weight', [10, features]],
    ]
    const start = Object.fromEntries(shapes.map(([name, shape], i) => [name, initial(name, shape, i)]))
    const convolutions = channels.slice(1).map((out, i) => ({
      weight: tf.variable(
        tf.transpose(tf.tensor4d(start[`${3 * i}.weight`], [out, channels[i], kernel, kernel]), [2, 3, 1, 0]),
      ),
      bias: tf.variable(tf.tensor1d(start[`${3 * i}.bias`])),
    }))
    const weight = tf.variable(tf.tensor2d(transposed(start['7.weight'], 10, features), [features, 10]))
    const bias = tf.variable(tf.tensor1d(start['7.bias']))
    const forward = (x) => {
      let h = x
      for (const layer of convolutions)
        h = tf.maxPool(tf.relu(tf.add(tf.conv2d(h, layer.weight, 1, 'same'), layer.bias)), 2, 2, 'valid')
      // PyTorch flattens [channels, rows, columns].
      return tf.add(tf.matMul(tf.reshape(tf.transpose(h, [0, 3, 1, 2]), [batch, features]), weight), bias)
    }
    const optimizer = tf.train.adam(lr, 0.9, 0.999, 1e-8)
    const next = cycle(
      labelled(entry, [channels[0], side, side], 10).map(({ x, y }) => ({
        x: tf.transpose(tf.tensor4d(x.data, x.shape), [0, 2, 3, 1]),
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
