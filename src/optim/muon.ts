import { check, whole, word } from '../checks.ts'
import { countSteps, gemm, mixInto, muonMomentum, muonStep, normalize } from '../core/commands.ts'
import { emit, withScratch } from '../core/engine.ts'
import { gemmBytes } from '../core/scratch.ts'
import type { Operand } from '../core/storage.ts'
import { misshaped } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { hyper, type Params } from './definition.ts'
import { type Cells, Optimizer, type Run } from './optimizer.ts'

export interface MuonOptions {
  /** Default 1e-3. */
  lr?: number | undefined
  /** Apart from the gradient; default 0.1. */
  weightDecay?: number | undefined
  /** Default 0.95. */
  momentum?: number | undefined
  /** The least norm that a step is divided by; default 1e-7. */
  eps?: number | undefined
  /** Look ahead along the velocity; default true. */
  nesterov?: boolean | undefined
  /** Climb instead of descend; default false. */
  maximize?: boolean | undefined
  /** Iterations of Newton and Schulz; default 5. */
  nsSteps?: number | undefined
  /** 'original': steps times √max(1, rows / columns); 'match_rms_adamw': times 0.2 √max(rows, columns), so that
   *  rates of AdamW serve. Default 'original'. */
  adjustLrFn?: 'original' | 'match_rms_adamw' | undefined
}

type Hyper = { lr: number; weightDecay: number; momentum: number; eps: number }
type Flags = { nesterov: boolean; maximize: boolean }

/** Coefficients of the quintic that draws singular values towards 1. */
const [A, B, C] = [3.4445, -4.775, 2.0315]

/** Momentum made orthogonal, for the weights [out, in] of hidden layers: all parameters must have two axes; give
 *  the others (biases, embeddings, heads) to an AdamW of their own. The products are float32, where PyTorch's are
 *  bfloat16. Jordan et al., 2024. torch.optim.Muon. */
export class Muon extends Optimizer<Hyper, Flags> {
  readonly #steps: number
  readonly #original: boolean

  constructor(params: Params<MuonOptions>, options: MuonOptions = {}) {
    const { nsSteps = 5, adjustLrFn = 'original', ...rest } = options ?? {}
    check('optim.Muon', 'nsSteps', nsSteps, whole(0, 100))
    check('optim.Muon', 'adjustLrFn', adjustLrFn, word('original', 'match_rms_adamw'))
    const definition = {
      name: 'optim.Muon',
      hyper: { lr: hyper(1e-3), weightDecay: hyper(0.1), momentum: hyper(0.95, 0, 1), eps: hyper(1e-7) },
      flags: { nesterov: true, maximize: false },
      states: () => ['momentum_buffer'],
    } as const
    super(definition, params, rest)
    this.#steps = nsSteps
    this.#original = adjustLrFn === 'original'
  }

  protected override checkParameter(param: Tensor, i: number): void {
    if (param.ndim !== 2)
      throw misshaped('optim.Muon', `parameter ${i}`, param, 'two axes; give it to an AdamW of its own')
  }

  protected override count({ counters, sizes }: Run): void {
    emit(countSteps(counters, null, null, sizes[0] as number))
  }

  protected update({ params, param, grad, state, sizes }: Run, h: Cells<Hyper>, flags: Flags): void {
    const [velocity] = state as [Operand]
    const [nesterov, maximize] = [Number(flags.nesterov), Number(flags.maximize)]
    const total = sizes.slice(1).reduce((sum, size) => sum + size, 0)
    withScratch(4 * total, 'optim.Muon', (direction) => {
      emit(muonMomentum(direction, grad, velocity, sizes, h.momentum, nesterov, maximize))
      let offset = 0
      for (const [i, { shape, size }] of params.entries()) {
        const [rows, columns] = shape as [number, number]
        const u = { ...direction, offset }
        emit(normalize(u, h.eps, size))
        if (size > 0) this.#orthogonalize(u, rows, columns)
        const scale = this.#original ? Math.sqrt(Math.max(1, rows / columns)) : 0.2 * Math.sqrt(Math.max(rows, columns))
        emit(muonStep({ storage: param.storage, offset: param.offset + offset }, u, h.lr, h.weightDecay, scale, size))
        offset += 4 * (sizes[i + 1] as number)
      }
    })
  }

  /** X = a X + (b G + c G²) X with G = X Xᵀ, of the shorter side: for tall X, X = a X + X (b G + c G²), G = XᵀX. */
  #orthogonalize(x: Operand, rows: number, columns: number): void {
    const tall = rows > columns
    const n = Math.min(rows, columns)
    const longer = Math.max(rows, columns)
    const buffer = gemmBytes(longer, longer)
    const owner = 'optim.Muon'
    withScratch(buffer, owner, (pack) =>
      withScratch(4 * n * n, owner, (gram) =>
        withScratch(4 * n * n, owner, (square) =>
          withScratch(4 * rows * columns, owner, (product) => {
            for (let i = 0; i < this.#steps; i++) {
              emit(
                gemm(gram, null, x, x, null, pack, n, n, longer, columns, columns, n, Number(tall), Number(!tall), 0),
              )
              emit(gemm(square, null, gram, gram, null, pack, n, n, n, n, n, n, 0, 0, 0))
              emit(mixInto(square, gram, B, C, n * n))
              if (tall) emit(gemm(product, null, x, square, null, pack, rows, columns, n, columns, n, columns, 0, 0, 0))
              else emit(gemm(product, null, square, x, null, pack, rows, columns, n, n, columns, columns, 0, 0, 0))
              emit(mixInto(x, product, 1, A, rows * columns))
            }
          }),
        ),
      ),
    )
  }
}
