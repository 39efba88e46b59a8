// A program on the main entry alone, as any compiler and resolution since 5.6 should take it: test/types.test.ts.

import { compile, DataLoader, init, losses, nn, optim, type Tensor, TensorDataset, tensor, uniform } from 'lanewise'

/** Weights of a head tied to an embedding, as in GPT-2. */
class Tied extends nn.Module {
  readonly embedding = new nn.Embedding(3, 2)
  readonly head = new nn.Linear(2, 3, { bias: false })

  constructor() {
    super()
    this.head.weight = this.embedding.weight
  }

  forward(x: Tensor): Tensor {
    return this.head.forward(this.embedding.forward(x))
  }
}

export async function train(seed?: number): Promise<number[]> {
  await init()
  const model = new nn.Sequential(new nn.Linear(2, 3, { bias: undefined }), new nn.ReLU())
  // What may be undefined may be passed on.
  const optimizer = new optim.Adam(model.parameters(), { lr: 0.1, betas: undefined })
  optimizer.paramGroups[0].lr = 0.01
  const step = compile((x: Tensor, y: Tensor): Tensor => {
    const loss = losses.crossEntropy(model.forward(x), y, { reduction: undefined })
    optimizer.minimize(loss)
    return loss.mul(2).add(losses.mse(x, x)).sum({ axis: undefined, keepDim: false })
  })
  const data = new TensorDataset(
    { shape: [4, 2], data: new Float32Array(8) },
    { shape: [4], data: Int32Array.of(0, 1, 2, 0) },
  )
  const found: number[] = []
  for (const [x, y] of new DataLoader(data, { batchSize: 2, seed })) found.push(step(x, y).item())
  return [...found, uniform([2]).expm1().item(), new Tied().forward(tensor([1], { dtype: 'i32' })).size]
}

/** What is not for users is not there. */
export function strange(x: Tensor): unknown[] {
  return [
    // @ts-expect-error: bytes of the core
    x.storage,
    // @ts-expect-error: the tape
    x.node,
    // @ts-expect-error: for ops
    x.check,
    // @ts-expect-error: not a number of features
    new nn.Linear('2', 3),
    // @ts-expect-error: no such option
    x.sum({ axes: 1 }),
  ]
}
