// Three small trainings whose bits must be the same everywhere: an MLP with dropout, a CNN with batch norm, a GPT. Sizes
// are odd on purpose: tiles end in their middle. Nothing here depends on a runtime but `crypto.subtle`.

/** Numbers in [-1, 1) from a linear congruential generator of its own: the data do not depend on what is tested. */
function numbers(count, seed) {
  let state = (seed * 2654435761) >>> 0
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

const classes = (count, seed, limit) => Int32Array.from(numbers(count, seed), (u) => Math.floor(((u + 1) / 2) * limit))

function models({ nn, optim }) {
  class Gpt extends nn.Module {
    constructor() {
      super()
      const options = { dimFeedforward: 52, dropout: 0.1, activation: 'gelu', batchFirst: true, normFirst: true }
      this.token = new nn.Embedding(29, 26)
      this.position = new nn.Embedding(19, 26)
      this.blocks = new nn.ModuleList([0, 1].map(() => new nn.TransformerEncoderLayer(26, 2, options)))
      this.norm = new nn.LayerNorm(26)
      this.head = new nn.Linear(26, 29, { bias: false })
    }

    forward(x) {
      let h = this.token.forward(x).add(this.position.weight)
      for (const block of this.blocks) h = block.forward(h, { isCausal: true })
      return this.head.forward(this.norm.forward(h)).flatten(0, 1)
    }
  }

  return {
    mlp: {
      make: () =>
        new nn.Sequential(new nn.Linear(37, 53), new nn.Tanh(), new nn.Dropout(0.2), new nn.Linear(53, 41), new nn.ReLU(), new nn.Linear(41, 7)), // biome-ignore format: one line
      optimizer: (parameters) => new optim.AdamW(parameters, { lr: 3e-3 }),
      x: (seed) => ({ data: numbers(23 * 37, seed), shape: [23, 37] }),
      y: (seed) => ({ data: classes(23, seed, 7), shape: [23] }),
    },
    cnn: {
      make: () =>
        new nn.Sequential(
          ...[new nn.Conv2d(2, 11, 3, { padding: 1 }), new nn.BatchNorm2d(11), new nn.ReLU(), new nn.MaxPool2d(2)],
          ...[new nn.Conv2d(11, 13, 3, { stride: 2 }), new nn.ReLU(), new nn.Flatten(), new nn.Linear(13 * 9, 5)],
        ),
      optimizer: (parameters) => new optim.SGD(parameters, { lr: 0.02, momentum: 0.9 }),
      x: (seed) => ({ data: numbers(9 * 2 * 14 * 14, seed), shape: [9, 2, 14, 14] }),
      y: (seed) => ({ data: classes(9, seed, 5), shape: [9] }),
    },
    gpt: {
      make: () => new Gpt(),
      optimizer: (parameters) => new optim.AdamW(parameters, { lr: 2e-3 }),
      x: (seed) => ({ data: classes(3 * 19, seed, 29), shape: [3, 19] }),
      y: (seed) => ({ data: classes(3 * 19, seed + 50, 29), shape: [3 * 19] }),
    },
  }
}

/** The numbers of a state dict of an optimizer, in the order of its keys. */
function* arrays(value) {
  if (value === null || typeof value !== 'object') return
  if (ArrayBuffer.isView(value)) yield value
  else for (const key of Object.keys(value).sort()) yield* arrays(value[key])
}

async function sha256(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at)
    at += part.byteLength
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Trains each model for `steps` steps; { mlp, cnn, gpt }: the SHA-256 of all losses, parameters, buffers and states of
 *  the optimizer. `lanewise` is the package, after its init. */
export async function hashes(lanewise, steps) {
  const { compile, losses, manualSeed } = lanewise
  const found = {}
  for (const [name, { make, optimizer: optimizerOf, x, y }] of Object.entries(models(lanewise))) {
    manualSeed(7)
    const model = make()
    const optimizer = optimizerOf(model.parameters())
    const step = compile((a, b) => {
      const loss = losses.crossEntropy(model.forward(a), b)
      optimizer.minimize(loss)
      return loss
    })
    const seen = new Float32Array(steps)
    for (let i = 0; i < steps; i++) seen[i] = step(x(i % 5), y(i % 5)).item()
    const state = model.stateDict()
    found[name] = await sha256([
      seen,
      ...Object.keys(state)
        .sort()
        .map((key) => state[key].data),
      ...arrays(optimizer.stateDict()),
    ])
    optimizer.dispose()
  }
  return found
}
