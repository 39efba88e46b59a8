import { option, whole, written } from '../checks.ts'
import { checkUntraced } from '../core/engine.ts'
import { faultsOf } from '../tensor/state.ts'
import { elements, Tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'
import { hyper, type Params } from './definition.ts'
import type { ParamGroup } from './group.ts'
import { ParameterGroups } from './parameters.ts'

export interface LBFGSOptions {
  /** Length of a step along the direction, or the first length that the line search tries; default 1. */
  lr?: number | undefined
  /** Iterations in one step(); default 20. */
  maxIter?: number | undefined
  /** Calls of the closure in one step(); default 1.25 maxIter. */
  maxEval?: number | undefined
  /** A step ends where no element of the gradient is larger; default 1e-7. */
  toleranceGrad?: number | undefined
  /** A step ends where parameters and loss change by no more; default 1e-9. */
  toleranceChange?: number | undefined
  /** Pairs of changes that stand for the Hessian; default 100. */
  historySize?: number | undefined
  /** Default null: no search, each iteration moves by lr. */
  lineSearch?: null | 'strongWolfe' | undefined
}

type Hyper = {
  lr: number
  maxIter: number
  maxEval: number
  toleranceGrad: number
  toleranceChange: number
  historySize: number
}

/** A change of the gradient, the change of the parameters that made it, and their dot product. */
interface Pair {
  readonly y: Float32Array
  readonly s: Float32Array
  readonly ys: number
}

/** What the last iteration leaves for the next. */
interface Last {
  readonly direction: Float32Array
  readonly t: number
  readonly gradient: Float32Array
  /** 1 for each parameter that had a gradient. */
  readonly withGrad: Uint8Array
}

/** A place on the line x + t d: loss, gradient, and slope ∂loss/∂t. */
interface Point {
  readonly t: number
  readonly loss: number
  readonly gradient: Float32Array
  readonly slope: number
}

const NAME = 'optim.LBFGS'

/** The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno: x += t d with d = -H ∂loss/∂x, where H, built
 *  from the last historySize changes, stands for the inverse Hessian.
 *
 *  `step(closure)` calls a closure several times, and computes on JavaScript's side: vectors are float32 over all
 *  parameters, sums float64. It is made for small models and whole-batch losses; compile the closure, not the step.
 *  All parameters are one group. Once other parameters have gradients than before (freezing), it starts afresh.
 *  torch.optim.LBFGS. */
export class LBFGS extends ParameterGroups<Hyper, Record<never, boolean>> {
  readonly #lineSearch: boolean
  readonly #size: number
  #iterations = 0
  #evaluations = 0
  #history: readonly Pair[] = []
  #last: Last | null = null

  constructor(params: Params<LBFGSOptions>, options: LBFGSOptions = {}) {
    const { lineSearch = null, ...rest } = options ?? {}
    if (lineSearch !== null && lineSearch !== 'strongWolfe')
      throw new RangeError(`${NAME}: lineSearch is ${written(lineSearch)}, expected null or 'strongWolfe'`)
    const { maxIter = 20 } = rest
    const definition = {
      name: NAME,
      hyper: {
        lr: hyper(1),
        maxIter: option(whole(1), maxIter),
        maxEval: option(whole(1), Math.floor((maxIter * 5) / 4)),
        toleranceGrad: hyper(1e-7),
        toleranceChange: hyper(1e-9),
        historySize: option(whole(1), 100),
      },
      oneGroup: true,
      states: () => [],
    } as const
    super(definition, params, rest)
    this.#lineSearch = lineSearch !== null
    this.#size = this.#params.reduce((sum, { size }) => sum + size, 0)
  }

  get #group(): ParamGroup<Hyper> {
    return this.paramGroups[0] as ParamGroup<Hyper>
  }

  get #params(): readonly Tensor[] {
    return this.#group.params
  }

  /** Up to maxIter iterations; returns the loss before them. The closure clears the gradients, computes the loss,
   *  calls backward() and returns the loss; it may be a compiled function. Where it throws, or loss or gradient are
   *  not finite, parameters and state are as before the step. */
  step(closure: () => Tensor): number {
    if (this.disposed) throw new Error(`${NAME}: step after dispose()`)
    checkUntraced(`${NAME}: step`, 'call it outside, the closure may be a compiled function')
    if (typeof closure !== 'function')
      throw new TypeError(
        `${NAME}: closure is ${closure === null ? 'null' : typeof closure}, expected a function that clears the gradients, calls backward() and returns the loss`,
      )
    for (const param of this.#params) param.check(NAME)
    const start = this.#values()
    try {
      return this.#iterate(closure)
    } catch (error) {
      this.#move(start)
      throw error
    }
  }

  #iterate(closure: () => Tensor): number {
    const { lr, maxIter, maxEval, toleranceGrad, toleranceChange, historySize } = this.#group
    const first = this.#evaluate(closure)
    let { loss, gradient } = first
    let evaluations = 1
    if (largest(gradient) <= toleranceGrad) {
      this.#evaluations++
      return loss
    }
    const withGrad = Uint8Array.from(this.#params, ({ grad }) => (grad ? 1 : 0))
    const afresh = String(this.#last?.withGrad) !== String(withGrad)
    let last = afresh ? null : this.#last
    const history = afresh ? [] : [...this.#history]
    let iterations = 0
    while (iterations < maxIter) {
      iterations++
      if (last) {
        const { direction, t } = last
        const y = difference(gradient, last.gradient)
        const s = direction.map((d) => d * t)
        const ys = dot(y, s)
        if (ys > 1e-10) {
          history.push({ y, s, ys })
          history.splice(0, history.length - historySize)
        }
      }
      const direction = descent(gradient, history)
      const before = { t: 0, loss, gradient, slope: dot(gradient, direction) }
      let t = Math.fround(last ? lr : Math.min(1, 1 / total(gradient)) * lr)
      const done = before.slope > -toleranceChange
      if (!done) {
        const x = this.#values()
        const at = (length: number): Point => {
          const rounded = Math.fround(length)
          this.#move(x, rounded, direction)
          evaluations++
          const found = this.#evaluate(closure)
          return { t: rounded, ...found, slope: dot(found.gradient, direction) }
        }
        if (this.#lineSearch) {
          const found = strongWolfe(at, before, t, largest(direction))
          t = found.t
          loss = found.loss
          gradient = found.gradient
          this.#move(x, t, direction)
        } else if (iterations < maxIter) {
          const found = at(t)
          loss = found.loss
          gradient = found.gradient
        } else this.#move(x, t, direction)
      }
      last = { direction, t, gradient: before.gradient, withGrad }
      if (done || evaluations >= maxEval || largest(gradient) <= toleranceGrad) break
      if (largest(direction) * t <= toleranceChange || Math.abs(loss - before.loss) < toleranceChange) break
    }
    this.#iterations += iterations
    this.#evaluations += evaluations
    this.#history = history
    this.#last = last
    return first.loss
  }

  #evaluate(closure: () => Tensor): { loss: number; gradient: Float32Array } {
    const value: unknown = closure()
    if (!(value instanceof Tensor))
      throw new TypeError(`${NAME}: the closure returned ${typeof value}, expected the loss, a tensor of one element`)
    const loss = value.item()
    if (!this.#params.some(({ grad }) => grad))
      throw new Error(`${NAME}: no parameter has a gradient after the closure; call backward() of the loss in it`)
    const gradient = this.#flat((param) => param.grad)
    if (!Number.isFinite(loss) || !Number.isFinite(total(gradient)))
      throw new Error(
        `${NAME}: the ${Number.isFinite(loss) ? 'gradient' : 'loss'} is not finite; lower lr, or search along the line: { lineSearch: 'strongWolfe' }`,
      )
    return { loss, gradient }
  }

  /** One vector over all parameters; 0 where `part` gives none. */
  #flat(part: (param: Tensor) => Tensor | null): Float32Array {
    const flat = new Float32Array(this.#size)
    let offset = 0
    for (const param of this.#params) {
      const values = part(param)
      if (values) flat.set(elements(values), offset)
      offset += param.size
    }
    return flat
  }

  #values(): Float32Array {
    return this.#flat((param) => param)
  }

  /** Sets the parameters to x + t d. */
  #move(x: Float32Array, t = 0, direction = x): void {
    const values = t === 0 ? x : x.map((value, i) => value + t * (direction[i] as number))
    let offset = 0
    for (const param of this.#params) {
      elements(param).set(values.subarray(offset, offset + param.size))
      offset += param.size
    }
  }

  protected override stateArrays(): Record<string, NDArray> {
    const count = (n: number): NDArray => ({ shape: [], data: Int32Array.of(n) })
    const counts = { '0.n_iter': count(this.#iterations), '0.func_evals': count(this.#evaluations) }
    if (!this.#last) return counts
    const { direction, t, gradient, withGrad } = this.#last
    const vector = (data: Float32Array): NDArray => ({ shape: [this.#size], data: data.slice() })
    const rows = (vectors: readonly Float32Array[]): NDArray => {
      const data = new Float32Array(vectors.length * this.#size)
      for (const [i, row] of vectors.entries()) data.set(row, i * this.#size)
      return { shape: [vectors.length, this.#size], data }
    }
    return {
      ...counts,
      '0.t': { shape: [], data: Float32Array.of(t) },
      '0.d': vector(direction),
      '0.prev_flat_grad': vector(gradient),
      '0.old_dirs': rows(this.#history.map(({ y }) => y)),
      '0.old_stps': rows(this.#history.map(({ s }) => s)),
      '0.with_grad': { shape: [withGrad.length], data: withGrad.slice() },
    }
  }

  protected override stateFaults(state: Record<string, NDArray>): string[] {
    const counts = ['0.n_iter', '0.func_evals'].map((name) => ({ name, shape: [], dtype: 'i32' }) as const)
    if (Object.keys(state).every((name) => counts.some((count) => count.name === name))) return faultsOf(state, counts)
    const vector = [this.#size]
    const rows = [state['0.old_dirs']?.shape?.[0] ?? 0, this.#size]
    return faultsOf(state, [
      ...counts,
      { name: '0.t', shape: [], dtype: 'f32' },
      { name: '0.d', shape: vector, dtype: 'f32' },
      { name: '0.prev_flat_grad', shape: vector, dtype: 'f32' },
      { name: '0.old_dirs', shape: rows, dtype: 'f32' },
      { name: '0.old_stps', shape: rows, dtype: 'f32' },
      { name: '0.with_grad', shape: [this.#params.length], dtype: 'u8' },
    ])
  }

  protected override takeState(state: Record<string, NDArray>): void {
    const data = (name: string) => (state[`0.${name}`] as NDArray).data
    const copy = (name: string) => Float32Array.from(data(name))
    this.#iterations = data('n_iter')[0] as number
    this.#evaluations = data('func_evals')[0] as number
    this.#last = null
    this.#history = []
    if (!('0.d' in state)) return
    const withGrad = Uint8Array.from(data('with_grad'))
    this.#last = { direction: copy('d'), t: data('t')[0] as number, gradient: copy('prev_flat_grad'), withGrad }
    const [ys, ss] = [copy('old_dirs'), copy('old_stps')]
    this.#history = Array.from({ length: (state['0.old_dirs'] as NDArray).shape[0] as number }, (_, i) => {
      const [from, to] = [i * this.#size, (i + 1) * this.#size]
      const [y, s] = [ys.slice(from, to), ss.slice(from, to)]
      return { y, s, ys: dot(y, s) }
    })
  }
}

const dot = (a: Float32Array, b: Float32Array | Float64Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}
const total = (a: Float32Array): number => a.reduce((sum, x) => sum + Math.abs(x), 0)
const largest = (a: Float32Array): number => a.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
const difference = (a: Float32Array, b: Float32Array): Float32Array => a.map((x, i) => x - (b[i] as number))
/** a += factor b. */
const accumulate = (a: Float64Array, factor: number, b: Float32Array): void => {
  for (let i = 0; i < a.length; i++) a[i] = (a[i] as number) + factor * (b[i] as number)
}

/** -H g by the two loops of Nocedal and Wright, Numerical Optimization, algorithm 7.4; H starts from (yᵀs / yᵀy) I. */
function descent(gradient: Float32Array, history: readonly Pair[]): Float32Array {
  const q = Float64Array.from(gradient, (g) => -g)
  const newest = history.at(-1)
  const factors = [...history].reverse().map(({ y, s, ys }) => {
    const factor = dot(s, q) / ys
    accumulate(q, -factor, y)
    return factor
  })
  if (newest) {
    const scale = newest.ys / dot(newest.y, newest.y)
    for (let i = 0; i < q.length; i++) q[i] = (q[i] as number) * scale
  }
  for (const { y, s, ys } of history) accumulate(q, (factors.pop() as number) - dot(y, q) / ys, s)
  return Float32Array.from(q)
}

/** Sufficient decrease and curvature, and how often the line is tried after the first length: as in PyTorch. */
const DECREASE = 1e-4
const CURVATURE = 0.9
const TRIALS = 25
const SHORTEST = 1e-9

/** A point where loss(t) <= loss(0) + 1e-4 t slope(0) and |slope(t)| <= 0.9 |slope(0)|, or the best found.
 *  Nocedal and Wright, algorithms 3.5 and 3.6, with PyTorch's safeguards. */
function strongWolfe(at: (t: number) => Point, start: Point, t: number, size: number): Point {
  const tooHigh = (point: Point) => point.loss > start.loss + DECREASE * point.t * start.slope
  const flat = (point: Point) => Math.abs(point.slope) <= -CURVATURE * start.slope
  let before = start
  let now = at(t)
  let trials = 0
  // Goes on until a minimum lies between two points.
  for (; trials < TRIALS; trials++) {
    if (tooHigh(now) || (trials > 1 && now.loss >= before.loss)) break
    if (flat(now)) return now
    if (now.slope >= 0) break
    const next = cubicMinimum(before, now, now.t + 0.01 * (now.t - before.t), 10 * now.t)
    before = now
    now = at(next)
  }
  if (trials === TRIALS) before = start
  let [low, high] = before.loss <= now.loss ? [before, now] : [now, before]
  // Narrows it down.
  let slow = false
  for (; trials < TRIALS && Math.abs(high.t - low.t) * size >= SHORTEST; trials++) {
    const [left, right] = low.t < high.t ? [low.t, high.t] : [high.t, low.t]
    let next: number = cubicMinimum(low, high, left, right)
    // Near an end for the second time, or on it: a tenth of the way inwards.
    const margin = 0.1 * (right - left)
    const near = Math.min(right - next, next - left) < margin
    const inwards: boolean = near && (slow || next >= right || next <= left)
    if (inwards) next = Math.abs(next - right) < Math.abs(next - left) ? right - margin : left + margin
    slow = near && !inwards
    const point = at(next)
    if (tooHigh(point) || point.loss >= low.loss) {
      high = point
      if (point.loss < low.loss) [low, high] = [high, low]
    } else {
      if (flat(point)) return point
      if (point.slope * (high.t - low.t) >= 0) high = low
      low = point
    }
  }
  return low
}

/** Where the cubic through two points with their slopes is least, within bounds; the middle of them where it has no
 *  minimum. */
function cubicMinimum(p: Point, q: Point, least: number, most: number): number {
  const [a, b] = p.t <= q.t ? [p, q] : [q, p]
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.t - b.t)
  const square = d1 * d1 - a.slope * b.slope
  if (!(square >= 0)) return (least + most) / 2
  const d2 = Math.sqrt(square)
  const minimum = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
  return Math.min(Math.max(minimum, least), most)
}
