// Lanewise. Batches come from JavaScript's memory at each step, as a user's do; the peers hold theirs as
// tensors.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { batches, cycle, factors, initial, labelled, layers, operands, symbols } from '../cases.mjs'
import { serve, versionOf } from './serve.mjs'

// The second where bench's packages could not be installed: we need no peer.
const lanewise = await import('lanewise/node').catch(() => import('../../dist/node.js'))
const { compile, init, losses, nn, optim, tensor } = lanewise
const at = process.argv.indexOf('--threads')
const threads = at < 0 ? 1 : Number(process.argv[at + 1])
await init({
  wide: process.argv.includes('--wide'),
  precision: process.argv.includes('--fast') ? 'fast' : 'reproducible',
  threads,
})
if (lanewise.threads().count !== threads) throw new Error(`${threads} threads: ${lanewise.threads().reason}`)

/** Steps of Adam on the cross-entropy of a model, which starts as initial() says. */
function training(entry, model, data) {
  const state = model.stateDict()
  const names = Object.keys(state).sort()
  model.loadStateDict(
    Object.fromEntries(
      names.map((name, i) => [name, { data: initial(name, state[name].shape, i), shape: state[name].shape }]),
    ),
  )
  const optimizer = new optim.Adam(model.parameters(), { lr: entry.lr })
  const step = compile(
    (x, y) => {
      const loss = losses.crossEntropy(model.forward(x), y)
      optimizer.minimize(loss)
      return loss
    },
    { profile: entry.profile },
  )
  const next = cycle(data)
  let loss
  return {
    step() {
      const { x, y } = next()
      loss = step(x, y).item()
    },
    profile: () => step.profile,
    result: () => loss,
  }
}

class GPT extends nn.Module {
  constructor({ vocabulary, length, width, heads, blocks }) {
    super()
    const options = { dimFeedforward: 4 * width, dropout: 0, activation: 'gelu', batchFirst: true, normFirst: true }
    this.token = new nn.Embedding(vocabulary, width)
    this.position = new nn.Embedding(length, width)
    this.blocks = new nn.ModuleList(
      Array.from({ length: blocks }, () => new nn.TransformerEncoderLayer(width, heads, options)),
    )
    this.norm = new nn.LayerNorm(width)
    this.head = new nn.Linear(width, vocabulary, { bias: false })
  }

  forward(x) {
    let h = this.token.forward(x).add(this.position.weight)
    for (const block of this.blocks) h = block.forward(h, { isCausal: true })
    return this.head.forward(this.norm.forward(h)).flatten(0, 1)
  }
}

class Recurrent extends nn.Module {
  constructor({ inputs, hidden }) {
    super()
    this.lstm = new nn.LSTM(inputs, hidden, { batchFirst: true })
    this.head = new nn.Linear(hidden, 10)
  }

  forward(x) {
    return this.head.forward(this.lstm.forward(x).output.select(1, -1))
  }
}

const ops = {
  conv: ([x, weight, bias]) => lanewise.conv2d(x, weight, bias),
  layerNorm: ([x, weight, bias]) => lanewise.layerNorm(x, weight.shape, { weight, bias }),
  softmax: ([x]) => x.softmax(),
  embedding: ([weight], indices) => lanewise.embedding(indices, weight),
}

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

  // Import to first loss in a process of its own, by its own clock; Node's start is not in it.
  cold() {
    let last
    return {
      timed: true,
      step() {
        const script = fileURLToPath(new URL('cold.mjs', import.meta.url))
        last = JSON.parse(execFileSync(process.execPath, [script], { encoding: 'utf8' }))
        return last.ms
      },
      result: () => last.loss,
    }
  },

  cnn(entry) {
    const { channels, side, kernel } = entry
    const sizes = [channels.at(-1) * (side / 2 ** (channels.length - 1)) ** 2, ...entry.hidden, 10]
    const model = new nn.Sequential(
      ...channels
        .slice(1)
        .flatMap((outputs, i) => [
          new nn.Conv2d(channels[i], outputs, kernel, { padding: kernel >> 1 }),
          new nn.ReLU(),
          new nn.MaxPool2d(2),
        ]),
      new nn.Flatten(),
      ...sizes.slice(1).flatMap((outputs, i) => [...(i > 0 ? [new nn.ReLU()] : []), new nn.Linear(sizes[i], outputs)]),
    )
    return training(entry, model, labelled(entry, [channels[0], side, side], 10))
  },

  gpt: (entry) => training(entry, new GPT(entry), symbols(entry)),

  lstm: (entry) => training(entry, new Recurrent(entry), labelled(entry, [entry.length, entry.inputs], 10)),

  op(entry) {
    const given = operands(entry)
    const inputs = given.inputs.map((x) => tensor(x, { requiresGrad: true }))
    const indices = given.indices && tensor(given.indices)
    const size = ops[entry.op](inputs, indices)
    const gradient = tensor(given.gradient(size.size), { shape: size.shape })
    const step = compile(
      () => {
        for (const x of inputs) x.grad = null
        ops[entry.op](inputs, indices).backward({ gradient })
      },
      { profile: entry.profile },
    )
    return { step, profile: () => step.profile, result: () => inputs[0].grad.data().map(Math.abs) }
  },
})
