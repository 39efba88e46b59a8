import { check, checkAll, unexpected, whole } from '../checks.ts'
import { flatten, reshape } from '../ops/copy.ts'
import { checked, float, type Value } from '../ops/input.ts'
import { checkAxis, checkShape, type Shape } from '../tensor/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { Module } from './module.ts'

/** The axes from `start` (default 1: all but the batch) to `end` (default the last) merged into one.
 *  torch.nn.Flatten. */
export class Flatten extends Module {
  readonly start: number
  readonly end: number

  constructor(start = 1, end = -1) {
    super()
    checkAll('nn.Flatten', { start, end }, whole(-Infinity))
    this.start = start
    this.end = end
  }

  forward(input: Tensor | NDArray): Tensor {
    return flatten(input, this.start, this.end)
  }

  override extraRepr(): string {
    return `start=${this.start}, end=${this.end}`
  }
}

/** One axis spread over several of the given sizes, of which one may be -1: what remains.  input: [..., n, ...],
 *  y: [..., ...sizes, ...] with Π sizes = n. torch.nn.Unflatten. */
export class Unflatten extends Module {
  readonly axis: number
  readonly sizes: Shape

  constructor(axis: number, sizes: Shape) {
    super()
    check('nn.Unflatten', 'axis', axis, whole())
    if (!Array.isArray(sizes)) throw unexpected('nn.Unflatten', 'sizes', sizes, 'an array')
    const open = sizes.indexOf(-1)
    checkShape(
      'nn.Unflatten',
      sizes.filter((_, i) => i !== open),
    )
    this.axis = axis
    this.sizes = [...sizes]
  }

  forward(input: Tensor | NDArray): Tensor {
    const x = checked('nn.Unflatten', 'input', input)
    const d = checkAxis('nn.Unflatten', this.axis, x.ndim)
    const size = x.shape[d] as number
    const known = this.sizes.reduce((product, n) => (n === -1 ? product : product * n), 1)
    const open = this.sizes.includes(-1)
    if (open ? !(known > 0 && size % known === 0) : known !== size)
      throw new RangeError(
        `nn.Unflatten: axis ${d} of input [${x.shape.join(', ')}] has size ${size}, expected ${open ? 'a multiple of ' : ''}${known} for sizes [${this.sizes.join(', ')}]`,
      )
    const sizes = this.sizes.map((n) => (n === -1 ? size / known : n))
    return reshape(x, [...x.shape.slice(0, d), ...sizes, ...x.shape.slice(d + 1)])
  }

  override extraRepr(): string {
    return `dim=${this.axis}, unflattened_size=(${this.sizes.join(', ')})`
  }
}

/** The input itself. torch.nn.Identity. */
export class Identity extends Module {
  forward(input: Value): Tensor {
    return float('nn.Identity', 'input', input)
  }
}
