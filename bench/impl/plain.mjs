// A network in plain JavaScript, float64, loops written out: what one would write by hand for a page.

import { batches, cycle, layers } from '../cases.mjs'
import { serve } from './serve.mjs'

serve('-', {
  mlp(entry) {
    const { batch, sizes, lr } = entry
    if (entry.activation !== 'tanh' || entry.loss !== 'mse' || entry.optimizer !== 'sgd')
      throw new Error('only tanh, mse and sgd are written out')
    const net = layers(entry).map(({ inputs, outputs, weight, bias }) => ({
      inputs,
      outputs,
      weight: Float64Array.from(weight),
      bias: Float64Array.from(bias),
      dWeight: new Float64Array(weight.length),
      dBias: new Float64Array(bias.length),
    }))
    const values = sizes.map((size) => new Float64Array(size))
    const slopes = sizes.map((size) => new Float64Array(size))
    const next = cycle(batches(entry))
    let loss
    return {
      step() {
        const { x, y } = next()
        const outputs = sizes.at(-1)
        loss = 0
        for (const { dWeight, dBias } of net) {
          dWeight.fill(0)
          dBias.fill(0)
        }
        for (let row = 0; row < batch; row++) {
          for (let i = 0; i < sizes[0]; i++) values[0][i] = x[row * sizes[0] + i]
          for (let l = 0; l < net.length; l++) {
            const layer = net[l]
            for (let o = 0; o < layer.outputs; o++) {
              let sum = layer.bias[o]
              for (let i = 0; i < layer.inputs; i++) sum += layer.weight[o * layer.inputs + i] * values[l][i]
              values[l + 1][o] = l < net.length - 1 ? Math.tanh(sum) : sum
            }
          }
          for (let o = 0; o < outputs; o++) {
            const error = values[net.length][o] - y[row * outputs + o]
            loss += error * error
            slopes[net.length][o] = (2 * error) / (batch * outputs)
          }
          for (let l = net.length - 1; l >= 0; l--) {
            const layer = net[l]
            slopes[l].fill(0)
            for (let o = 0; o < layer.outputs; o++) {
              const out = values[l + 1][o]
              const slope = slopes[l + 1][o] * (l < net.length - 1 ? 1 - out * out : 1)
              layer.dBias[o] += slope
              for (let i = 0; i < layer.inputs; i++) {
                layer.dWeight[o * layer.inputs + i] += slope * values[l][i]
                slopes[l][i] += slope * layer.weight[o * layer.inputs + i]
              }
            }
          }
        }
        loss /= batch * outputs
        for (const { weight, bias, dWeight, dBias } of net) {
          for (let i = 0; i < weight.length; i++) weight[i] -= lr * dWeight[i]
          for (let i = 0; i < bias.length; i++) bias[i] -= lr * dBias[i]
        }
      },
      result: () => loss,
    }
  },
})
