import { check, number, option, settle } from '../checks.ts'
import { averageWeights, copy, countSteps } from '../core/commands.ts'
import { checkUntraced, currentEngine, emit, newHeldStorage } from '../core/engine.ts'
import { type Operand, releaseWith, type Storage, untie } from '../core/storage.ts'
import { show } from '../tensor/shape.ts'
import { faultsOf } from '../tensor/state.ts'
import { elements, type Tensor } from '../tensor/tensor.ts'
import { dtypeOf, type NDArray } from '../tensor/types.ts'
import { Flat } from './flat.ts'
import { leaves, stretchesOf } from './stretches.ts'

const caller = 'optim.ExponentialMovingAverage'

/** A running average of weights: average = decay · average + (1 - decay) · weight at each `update()`, the first of
 *  which copies.  torch.optim.swa_utils.AveragedModel with an exponential avg_fn. */
export class ExponentialMovingAverage {
  readonly #parameters: readonly Tensor[]
  readonly #average: Flat
  /** f64: decay, then the number of updates and two cells that countSteps leaves alone. */
  readonly #cells: Storage
  #stored: Float32Array[] | null = null

  /** decay: default 0.999; may be set later, a compiled update follows. */
  constructor(parameters: Iterable<Tensor>, options: { decay?: number | undefined } = {}) {
    const { decay } = settle(caller, options, { decay: option(number(0, 1), 0.999) })
    checkUntraced(`${caller}: cannot be made`, 'make it outside of the compiled function')
    const list = leaves(caller, parameters)
    if (list.length === 0) throw new RangeError(`${caller}: got no parameters`)
    const odd = list.find(({ dtype, node }) => dtype !== 'f32' || node)
    if (odd) throw new TypeError(`${caller}: a tensor ${show(odd.shape)} is ${odd.dtype}, expected f32 leaves`)
    this.#parameters = list
    this.#average = new Flat(list, caller)
    this.#cells = newHeldStorage(32, caller)
    currentEngine(caller).memory.f64.set([decay, 0, 0, 0], this.#cells.address / 8)
    for (const storage of [this.#average.whole, this.#cells]) releaseWith(this, storage)
    list.forEach((parameter, i) => {
      this.#view(i).set(elements(parameter))
    })
  }

  get decay(): number {
    return this.#cell(0)
  }

  set decay(value: number) {
    check(caller, 'decay', value, number(0, 1))
    this.#cells.check(caller)
    currentEngine(caller).memory.f64[this.#cells.address / 8] = value
  }

  /** Updates so far. */
  get updates(): number {
    return this.#cell(1)
  }

  /** Takes the present weights into the average; call it after `step()`, in the compiled function or outside. */
  update(): void {
    emit(countSteps({ storage: this.#cells, offset: 8 }, null, null, 1))
    const places = (parameter: Tensor, i: number) =>
      [
        [this.#average.whole, this.#average.offset(i)],
        [parameter.storage, parameter.offset],
      ] as const
    for (const { starts, sizes } of stretchesOf(this.#parameters, places)) {
      const [average, param] = starts as [Operand, Operand]
      const updates = { storage: this.#cells, offset: 8 }
      emit(averageWeights(average, param, updates, { storage: this.#cells, offset: 0 }, sizes))
    }
  }

  /** Writes the averages into the parameters; restore() brings back what they were before the first copyTo. */
  copyTo(): void {
    this.#outside('copyTo')
    this.#stored ??= this.#parameters.map((parameter) => (elements(parameter) as Float32Array).slice())
    this.#parameters.forEach((parameter, i) => {
      const from = { storage: this.#average.whole, offset: this.#average.offset(i) }
      emit(copy(parameter, from, parameter.size))
    })
  }

  /** Gives the parameters the values that they had before copyTo(). */
  restore(): void {
    this.#outside('restore')
    if (!this.#stored) throw new Error(`${caller}: restore without copyTo before`)
    this.#parameters.forEach((parameter, i) => {
      elements(parameter).set((this.#stored as Float32Array[])[i] as Float32Array)
    })
    this.#stored = null
  }

  /** Exchanges parameters and averages: once to evaluate, again to go on training. */
  swap(): void {
    this.#outside('swap')
    this.#parameters.forEach((parameter, i) => {
      const weights = (elements(parameter) as Float32Array).slice()
      elements(parameter).set(this.#view(i))
      this.#view(i).set(weights)
    })
  }

  /** The averages by the number of their parameter, and `updates` (i32). The decay is an option, not state. */
  stateDict(): Record<string, NDArray> {
    return {
      updates: { shape: [], data: Int32Array.of(this.updates) },
      ...Object.fromEntries(
        this.#parameters.map(({ shape }, i) => [String(i), { shape, data: this.#view(i).slice() }]),
      ),
    }
  }

  /** Takes what `stateDict` gave. Throws, with every missing, unexpected and misshaped key named, and changes nothing. */
  loadStateDict(state: Record<string, NDArray>): void {
    const own = Object.entries(this.stateDict())
    const faults = faultsOf(
      state ?? {},
      own.map(([name, { shape, data }]) => ({ name, shape, dtype: dtypeOf(data) })),
    )
    if (faults.length > 0) throw new Error(`${caller}: loadStateDict: ${faults.join('; ')}`)
    const { f64 } = currentEngine(caller).memory
    f64[this.#cells.address / 8 + 1] = (state.updates as NDArray).data[0] as number
    this.#parameters.forEach((_, i) => {
      this.#view(i).set((state[i] as NDArray).data)
    })
  }

  /** Frees the averages. */
  dispose(): void {
    untie(this)
    this.#average.whole.release()
    this.#cells.release()
  }

  #outside(method: string): void {
    checkUntraced(`${caller}: ${method}`, 'call it between calls of the compiled function')
    if (this.#cells.disposed) throw new Error(`${caller}: ${method} after dispose()`)
  }

  #cell(i: number): number {
    return currentEngine(caller).memory.f64[this.#cells.address / 8 + i] as number
  }

  #view(i: number): Float32Array {
    const at = (this.#average.whole.address + this.#average.offset(i)) / 4
    const { memory } = currentEngine(caller)
    return memory.f32.subarray(at, at + (this.#parameters[i] as Tensor).size)
  }
}
