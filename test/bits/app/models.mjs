// Trainings whose bits must be the same everywhere: an MLP with dropout, a CNN with batch norm, a GPT, and a mixture of
// what these leave out. Sizes are odd on purpose: tiles and parts end in their middle. They are as large as threads need
// to share a command, 16 k elements or 200 k multiplications, in all layers but the last, and seven times that in some.
// Nothing here depends on a runtime but `crypto.subtle`.

/** How many steps the trainings of hashes.json have. */
export const STEPS = 200

/** What to say where they differ from hashes.json. */
export const CHANGED =
  'the bits changed; if that was meant, say so in CHANGELOG.md and run `npm run bits -- --renew`; if not, they are wrong'

/** Numbers in [-1, 1) from a linear congruential generator of its own: the data do not depend on what is tested. */
export function numbers(shape, seed) {
  let state = (seed * 2654435761) >>> 0
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
  return { data, shape }
}

function classes(shape, seed, limit) {
  const { data } = numbers(shape, seed)
  return { data: Int32Array.from(data, (u) => Math.floor(((u + 1) / 2) * limit)), shape }
}

/** For each name what makes a training: its model, its optimizer, the loss of a batch, what is done to the gradients
 *  before the update, and the batch of a seed. */
function trainings({ losses, nn, normal, optim }) {
  class Gpt extends nn.Module {
    constructor() {
      super()
      const options = { dimFeedforward: 211, dropout: 0.1, activation: 'gelu', batchFirst: true, normFirst: true }
      this.token = new nn.Embedding(83, 52)
      this.position = new nn.Embedding(47, 52)
      this.blocks = new nn.ModuleList([0, 1].map(() => new nn.TransformerEncoderLayer(52, 4, options)))
      this.norm = new nn.LayerNorm(52)
      this.head = new nn.Linear(52, 83, { bias: false })
    }

    forward(x) {
      let h = this.token.forward(x).add(this.position.weight)
      for (const block of this.blocks) h = block.forward(h, { isCausal: true })
      return this.head.forward(this.norm.forward(h)).flatten(0, 1)
    }
  }

  /** Images, made coarse and fine again, whose rows are read as steps of time. */
  class Mixed extends nn.Module {
    constructor() {
      super()
      this.images = new nn.Sequential(
        ...[new nn.Conv2d(3, 12, 3, { padding: 1, groups: 3 }), new nn.GroupNorm(4, 12), new nn.SiLU()],
        ...[new nn.AvgPool2d(2), new nn.Conv2d(12, 10, 3, { padding: 2, dilation: 2 }), new nn.Dropout2d(0.1)],
        ...[new nn.ConvTranspose2d(10, 7, 3, { stride: 2 }), new nn.Mish()],
        new nn.Upsample({ size: [11, 19], mode: 'bilinear' }),
      )
      this.lstm = new nn.LSTM(7 * 19, 53, { batchFirst: true })
      this.gru = new nn.GRU(53, 37, { batchFirst: true, bidirectional: true })
      this.norm = new nn.RMSNorm(74)
      this.head = new nn.Linear(74, 31)
    }

    forward(x) {
      const noise = normal(x.shape).mul(0.1)
      const rows = this.images.forward(x.add(noise)).permute([0, 2, 1, 3]).flatten(2)
      const { output } = this.gru.forward(this.lstm.forward(rows).output)
      return this.head.forward(this.norm.forward(output))
    }
  }

  const crossEntropy = (model, x, y) => losses.crossEntropy(model.forward(x), y)
  return {
    mlp: {
      make: () =>
        new nn.Sequential(
          ...[new nn.Linear(205, 433), new nn.Tanh(), new nn.Dropout(0.2)],
          ...[new nn.Linear(433, 131), new nn.ReLU(), new nn.Dropout(0.1), new nn.Linear(131, 87)],
        ),
      optimizer: (parameters) => new optim.AdamW(parameters, { lr: 1e-3 }),
      loss: crossEntropy,
      batch: (seed) => [numbers([99, 205], seed), classes([99], seed, 87)],
    },
    cnn: {
      make: () =>
        new nn.Sequential(
          ...[new nn.Conv2d(3, 11, 3, { padding: 1 }), new nn.BatchNorm2d(11), new nn.ReLU()],
          ...[new nn.Conv2d(11, 17, 3, { stride: 2, padding: 1 }), new nn.BatchNorm2d(17), new nn.ReLU()],
          ...[
            new nn.MaxPool2d(2),
            new nn.Flatten(),
            new nn.Linear(17 * 5 * 5, 37),
            new nn.ReLU(),
            new nn.Linear(37, 5),
          ],
        ),
      optimizer: (parameters) => new optim.SGD(parameters, { lr: 0.004, momentum: 0.9 }),
      loss: crossEntropy,
      batch: (seed) => [numbers([25, 3, 21, 21], seed), classes([25], seed, 5)],
    },
    gpt: {
      make: () => new Gpt(),
      optimizer: (parameters) => new optim.AdamW(parameters, { lr: 1e-3 }),
      loss: crossEntropy,
      batch: (seed) => [classes([7, 47], seed, 83), classes([7 * 47], seed + 50, 83)],
    },
    mixed: {
      make: () => new Mixed(),
      optimizer: (parameters) => new optim.RMSprop(parameters, { lr: 1e-3, momentum: 0.5 }),
      loss(model, x, y) {
        const logits = model.forward(x)
        return losses.smoothL1(logits, y).add(logits.logSumExp({ axis: -1 }).pow(2).mean().mul(0.01))
      },
      clip: (parameters) => optim.clipGradNorm(parameters, 0.1),
      batch: (seed) => [numbers([23, 3, 18, 22], seed), numbers([23, 11, 31], seed + 50)],
    },
  }
}

/** The numbers of a state dict of an optimizer, in the order of its keys. */
function* arrays(value) {
  if (typeof value === 'number') yield Float64Array.of(value)
  if (value === null || typeof value !== 'object') return
  if (ArrayBuffer.isView(value)) yield value
  else for (const key of Object.keys(value).sort()) yield* arrays(value[key])
}

/** In hexadecimal digits. */
export async function sha256(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at)
    at += part.byteLength
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Trains each model for `steps` steps, in turn on five batches; { mlp, cnn, gpt, mixed }: the SHA-256 of all losses,
 *  parameters, buffers and states of the optimizer. `lanewise` is the package, after its init. */
export async function hashes(lanewise, steps) {
  const { compile, manualSeed } = lanewise
  const found = {}
  for (const [name, training] of Object.entries(trainings(lanewise))) {
    manualSeed(7)
    const model = training.make()
    const optimizer = training.optimizer(model.parameters())
    const step = compile((x, y) => {
      const loss = training.loss(model, x, y)
      optimizer.zeroGrad()
      loss.backward()
      training.clip?.(model.parameters())
      optimizer.step()
      return loss
    })
    const batches = Array.from({ length: 5 }, (_, seed) => training.batch(seed))
    const seen = Float32Array.from({ length: steps }, (_, i) => step(...batches[i % 5]).item())
    const state = model.stateDict()
    const parameters = Object.keys(state).sort()
    found[name] = await sha256([seen, ...parameters.map((key) => state[key].data), ...arrays(optimizer.stateDict())])
    optimizer.dispose()
    step.dispose()
  }
  return found
}
