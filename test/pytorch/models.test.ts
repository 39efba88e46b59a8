// Whole models from the same weights on the same batches: their losses are PyTorch's (fixtures/models.py).

import { beforeAll, describe, expect, test } from 'vitest'
import { compile, init, losses, type NDArray, nn, optim, relu, type Tensor, tensor } from '../../src/index.ts'
import { array, expectAccurate, fixture, recordAccuracy, under } from '../helpers/pytorch.ts'

beforeAll(() => init())
recordAccuracy('models')

class LeNet extends nn.Module {
  readonly features = new nn.Sequential(
    new nn.Conv2d(1, 6, 5, { padding: 2 }),
    new nn.BatchNorm2d(6),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(6, 12, 3),
    new nn.BatchNorm2d(12),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
  )
  readonly classifier = new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(108, 32),
    new nn.ReLU(),
    new nn.Dropout(0),
    new nn.Linear(32, 10),
  )

  forward(x: Tensor): Tensor {
    return this.classifier.forward(this.features.forward(x))
  }
}

class Recurrent extends nn.Module {
  readonly lstm = new nn.LSTM(8, 24, { numLayers: 2, batchFirst: true })
  readonly head = new nn.Linear(24, 5)

  forward(x: Tensor): Tensor {
    return this.head.forward(this.lstm.forward(x).output.select(1, -1))
  }
}

class GPT extends nn.Module {
  readonly token = new nn.Embedding(20, 24)
  readonly position = new nn.Embedding(16, 24)
  readonly blocks = new nn.ModuleList(
    Array.from(
      { length: 4 },
      () =>
        new nn.TransformerEncoderLayer(24, 4, {
          dimFeedforward: 96,
          dropout: 0,
          activation: 'gelu',
          batchFirst: true,
          normFirst: true,
        }),
    ),
  )
  readonly norm = new nn.LayerNorm(24)
  readonly head = new nn.Linear(24, 20, { bias: false })

  forward(x: Tensor): Tensor {
    let h = this.token.forward(x).add(this.position.weight)
    for (const block of this.blocks) h = block.forward(h, { isCausal: true })
    return this.head.forward(this.norm.forward(h)).flatten(0, 1)
  }
}

class Residual extends nn.Module {
  readonly stem = new nn.Conv2d(3, 8, 3, { padding: 1, bias: false })
  readonly norm0 = new nn.BatchNorm2d(8)
  readonly conv1 = new nn.Conv2d(8, 8, 3, { padding: 1, bias: false })
  readonly norm1 = new nn.BatchNorm2d(8)
  readonly conv2 = new nn.Conv2d(8, 16, 3, { stride: 2, padding: 1, bias: false })
  readonly norm2 = new nn.BatchNorm2d(16)
  readonly project = new nn.Conv2d(8, 16, 1, { stride: 2, bias: false })
  readonly pool = new nn.AdaptiveAvgPool2d(1)
  readonly head = new nn.Linear(16, 10)

  forward(x: Tensor): Tensor {
    let h = relu(this.norm0.forward(this.stem.forward(x)))
    h = relu(h.add(this.norm1.forward(this.conv1.forward(h))))
    h = relu(this.project.forward(h).add(this.norm2.forward(this.conv2.forward(h))))
    return this.head.forward(this.pool.forward(h).flatten(1))
  }
}

const models: Record<string, { make: () => nn.Module; name: string; lr: number }> = {
  lenet: { make: () => new LeNet(), name: 'LeNet-like CNN with batch norm', lr: 2e-3 },
  lstm: { make: () => new Recurrent(), name: '2-layer LSTM', lr: 5e-3 },
  gpt: { make: () => new GPT(), name: '4-layer GPT', lr: 2e-3 },
  residual: { make: () => new Residual(), name: 'residual CNN', lr: 2e-3 },
}

describe.each(Object.keys(models))('%s', (key) => {
  const { make, name, lr } = models[key] as (typeof models)[string]
  const given = under(fixture('models'), key)
  const expected = [...array(given, 'losses').data]
  const batch = ({ data, shape }: NDArray, step: number): NDArray => {
    const size = data.length / (shape[0] as number)
    const from = (step % (shape[0] as number)) * size
    return { data: data.subarray(from, from + size), shape: shape.slice(1) }
  }
  const train = (compiled: boolean): number[] => {
    const model = make()
    model.loadStateDict(under(given, 'state'))
    const optimizer = new optim.AdamW(model.parameters(), { lr })
    const update = (x: Tensor, y: Tensor): Tensor => {
      const loss = losses.crossEntropy(model.forward(x) as Tensor, y)
      optimizer.minimize(loss)
      return loss
    }
    const step = compile(update)
    const eager = compiled ? step : (x: NDArray, y: NDArray) => update(tensor(x), tensor(y))
    return expected.map((_, i) => eager(batch(array(given, 'x'), i), batch(array(given, 'y'), i)).item())
  }

  test('follows the losses of PyTorch for 50 steps', () => {
    for (const [i, loss] of train(true).entries()) {
      const error = Math.abs(loss / (expected[i] as number) - 1)
      expectAccurate({ kind: 'models', name, part: 'training', error }, i < 10 ? 1e-4 : 1e-3, `step ${i}`)
    }
  })
  test('eager steps give the bits of compiled ones', () => {
    expect(train(false)).toEqual(train(true))
  })
})
