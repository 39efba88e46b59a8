// What is measured: the cases, and the numbers they compute with.
//
// A case is plain data: a child in any language gets it as JSON. `kind` names what has to be built
// (impls.mjs says who can build what). A case with `flops` is reported in GFLOP/s, any other in
// milliseconds a step; a training step is forward, backward, update, and reading the loss.

const gemm = (n) => ({ name: `gemm-${n}`, kind: 'gemm', n, flops: 2 * n ** 3 })

// The rate of Adam is small because a network that has learnt its 20 batches by heart has gradients and
// moments that fade into denormal floats, and then all implementations are measured on their slowest path.
const adam = { optimizer: 'adam', lr: 1e-5 }

export const cases = [
  gemm(64),
  gemm(128),
  gemm(256),
  gemm(512),
  gemm(1024),
  {
    name: 'mlp-tiny',
    kind: 'mlp',
    batch: 10,
    sizes: [2, 8, 8, 1],
    activation: 'tanh',
    loss: 'mse',
    optimizer: 'sgd',
    lr: 0.03,
  },
  {
    name: 'mlp-small',
    kind: 'mlp',
    batch: 32,
    sizes: [784, 128, 10],
    activation: 'relu',
    loss: 'crossEntropy',
    ...adam,
  },
  {
    name: 'mlp-large',
    kind: 'mlp',
    batch: 128,
    sizes: [784, 512, 512, 10],
    activation: 'relu',
    loss: 'crossEntropy',
    ...adam,
  },
  { name: 'cold', kind: 'cold' },
  { name: 'logreg', kind: 'mlp', batch: 32, sizes: [784, 10], activation: 'relu', loss: 'crossEntropy', ...adam },
  { name: 'cnn-small', kind: 'cnn', batch: 32, side: 28, kernel: 3, channels: [1, 8, 16], hidden: [], ...adam },
  { name: 'cnn-large', kind: 'cnn', batch: 64, side: 28, kernel: 5, channels: [1, 32, 64], hidden: [128], ...adam },
  { name: 'gpt', kind: 'gpt', batch: 12, length: 64, vocabulary: 65, width: 128, heads: 4, blocks: 4, ...adam },
  { name: 'lstm', kind: 'lstm', batch: 16, length: 32, inputs: 64, hidden: 128, ...adam },
  // One operation each, with the gradients of all that it takes.
  { name: 'conv-1x1', kind: 'op', op: 'conv', shapes: [[32, 64, 14, 14], [128, 64, 1, 1], [128]] }, // biome-ignore format: one line a case
  { name: 'layernorm', kind: 'op', op: 'layerNorm', shapes: [[768, 256], [256], [256]] }, // biome-ignore format: one line a case
  { name: 'softmax', kind: 'op', op: 'softmax', shapes: [[768, 256]] },
  { name: 'embedding', kind: 'op', op: 'embedding', shapes: [[1000, 128]], indices: [12, 64] },
]

const BATCHES = 20

/** `count` floats in [low, high). A hash of the index, so that numpy makes the same bits in one pass
 *  (pytorch.py); equal numbers everywhere let the driver compare results. The hash is lowbias32 of
 *  github.com/skeeto/hash-prospector. */
export function uniform(count, stream, low = 0, high = 1) {
  const values = new Float32Array(count)
  for (let i = 0; i < count; i++) {
    let x = (i + Math.imul(stream, 0x9e3779b9)) >>> 0
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
    x = (x ^ (x >>> 16)) >>> 0
    values[i] = low + (high - low) * (x / 2 ** 32)
  }
  return values
}

/** The factors of a product: two [n, n]. */
export const factors = ({ n }) => [uniform(n * n, 1), uniform(n * n, 2)]

/** Initial layers as PyTorch lays them out and draws them: weight [outputs, inputs] and bias [outputs], both
 *  U(±1/√inputs). */
export const layers = ({ sizes }) =>
  sizes.slice(1).map((outputs, i) => {
    const inputs = sizes[i]
    const bound = 1 / Math.sqrt(inputs)
    return {
      inputs,
      outputs,
      weight: uniform(outputs * inputs, 100 + 2 * i, -bound, bound),
      bias: uniform(outputs, 101 + 2 * i, -bound, bound),
    }
  })

/** The batches a network is trained on in turn. x: [batch, inputs]; y: class indices [batch], or for a
 *  regression values [batch, outputs]. */
export const batches = ({ batch, sizes, loss }) =>
  Array.from({ length: BATCHES }, (_, i) => {
    const outputs = sizes.at(-1)
    const x = uniform(batch * sizes[0], 1000 + 2 * i)
    const y =
      loss === 'mse'
        ? uniform(batch * outputs, 1001 + 2 * i)
        : Int32Array.from(uniform(batch, 1001 + 2 * i), (u) => Math.floor(u * outputs))
    return { x, y }
  })

/** How the parameter at `index` of all, sorted by PyTorch's names, starts: vectors of factors (of norms) at 1, any
 *  other from U(±1/√inputs). */
export function initial(name, shape, index) {
  const size = shape.reduce((a, b) => a * b, 1)
  if (shape.length === 1 && name.endsWith('weight')) return new Float32Array(size).fill(1)
  const bound = 1 / Math.sqrt(shape.length === 1 ? size : size / shape[0])
  return uniform(size, 100 + index, -bound, bound)
}

/** Numbers of a stream as whole numbers below `limit`. */
export const integers = (count, stream, limit) => Int32Array.from(uniform(count, stream), (u) => Math.floor(u * limit))

/** Batches of inputs of the given shape and class indices [batch]; x in 0 .. 1. */
export const labelled = ({ batch }, shape, classes) =>
  Array.from({ length: BATCHES }, (_, i) => ({
    x: { data: uniform(batch * shape.reduce((a, b) => a * b, 1), 1000 + 2 * i), shape: [batch, ...shape] },
    y: { data: integers(batch, 1001 + 2 * i, classes), shape: [batch] },
  }))

/** Batches of symbols [batch, length] and those to predict [batch · length]. */
export const symbols = ({ batch, length, vocabulary }) =>
  Array.from({ length: BATCHES }, (_, i) => ({
    x: { data: integers(batch * length, 1000 + 2 * i, vocabulary), shape: [batch, length] },
    y: { data: integers(batch * length, 1001 + 2 * i, vocabulary), shape: [batch * length] },
  }))

/** The inputs of an operation, and the gradient of its result. */
export const operands = ({ shapes, indices }) => ({
  inputs: shapes.map((shape, i) => ({
    data: uniform(
      shape.reduce((a, b) => a * b, 1),
      10 + i,
      -1,
      1,
    ),
    shape,
  })),
  indices: indices && {
    data: integers(
      indices.reduce((a, b) => a * b, 1),
      20,
      shapes[0][0],
    ),
    shape: indices,
  },
  gradient: (size) => uniform(size, 30, -1, 1),
})

/** A function that gives the items of a list one by one, over and over. */
export function cycle(list) {
  let next = 0
  return () => {
    const item = list[next]
    next = (next + 1) % list.length
    return item
  }
}

/** [rows, columns] -> [columns, rows], for those who keep weights as [inputs, outputs]. */
export function transposed(data, rows, columns) {
  const out = new Float32Array(data.length)
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c]
  return out
}

/** Class indices as rows of zeros and a one. */
export function oneHot(labels, classes) {
  const out = new Float32Array(labels.length * classes)
  labels.forEach((label, row) => {
    out[row * classes + label] = 1
  })
  return out
}
