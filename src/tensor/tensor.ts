import { settle } from '../checks.ts'
import type { Command } from '../core/command.ts'
import { copy } from '../core/commands.ts'
import { currentEngine, currentTrace, emit, newHeldStorage, newStorage } from '../core/engine.ts'
import { GRADIENTS, releaseWith, resolve, type Storage, untie } from '../core/storage.ts'
import { inspect } from '../printed.ts'
import { guardState, observeGrad, touchState } from './guards.ts'
import { keep, track } from './scope.ts'
import { checkShape, type Shape, show, sizeOf } from './shape.ts'
import {
  bytesOf,
  checkDType,
  type DType,
  dtypeOf,
  isNDArray,
  isTypedArray,
  type NDArray,
  type TypedArray,
} from './types.ts'

/** From ∂loss/∂result to ∂loss/∂input, of the input's shape. */
export type GradientRule = (dy: Tensor) => Tensor

/** What an op leaves behind its result: the tape (tape.ts) is made of these. */
export interface Node {
  readonly name: string
  readonly order: number
  readonly inputs: readonly Tensor[]
  /** One for each input; null where an input has no gradient (indices). null as a whole once used. */
  rules: readonly (GradientRule | null)[] | null
}

/** A contiguous array in the core's memory, of any number of axes.
 *
 *  Its bytes are freed when it is garbage collected, at once by `dispose()` or `using`, or at the end of
 *  the `scope` that it was made in. */
export class Tensor {
  readonly shape: Shape
  readonly dtype: DType
  /** Bytes, shared with the tensors that view the same values.
   *  @internal */
  storage: Storage
  /** Byte offset of the first element in the storage.
   *  @internal */
  readonly offset: number
  /** The operation that made this value, while its gradient is wanted.
   *  @internal */
  node: Node | null = null
  /** Where the gradient of a leaf is kept.
   *  @internal */
  gradStorage: Storage | null = null
  #grad: Tensor | null = null
  #requiresGrad = false

  protected constructor(storage: Storage, shape: Shape, dtype: DType, offset = 0) {
    this.storage = storage
    // A copy: the caller's array may change.
    this.shape = Object.freeze([...shape])
    this.dtype = dtype
    this.offset = offset
    if (!storage.planned) releaseWith(this, storage)
  }

  /** A tensor over bytes of the core.
   *  @internal */
  static over(storage: Storage, shape: Shape, dtype: DType, offset = 0): Tensor {
    return new Tensor(storage, shape, dtype, offset)
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape)
  }

  /** Number of axes. */
  get ndim(): number {
    return this.shape.length
  }

  /** Whether `backward()` gives this tensor a gradient. Set it on leaves only. */
  get requiresGrad(): boolean {
    if (!this.node && !this.storage.planned) guardState(this, () => this.#requiresGrad)
    return this.#requiresGrad
  }

  set requiresGrad(value: boolean) {
    if (value && this.dtype !== 'f32')
      throw new TypeError(
        `Tensor.requiresGrad: the tensor is ${this.dtype}, expected f32: only real values have gradients`,
      )
    if (!value && this.node)
      throw new Error('Tensor.requiresGrad: cannot be turned off on a computed value; use detach()')
    if (value !== this.#requiresGrad && !this.node) touchState()
    this.#requiresGrad = value
  }

  /** ∂loss / ∂this of the last backward, of this tensor's shape; null before, and after zeroGrad. */
  get grad(): Tensor | null {
    observeGrad(this, this.#grad, false)
    return this.#grad
  }

  set grad(value: Tensor | null) {
    if (value && (value.dtype !== 'f32' || show(value.shape) !== show(this.shape))) {
      throw new TypeError(`Tensor.grad: got ${value.dtype} ${show(value.shape)}, expected f32 ${show(this.shape)}`)
    }
    observeGrad(this, this.#grad, true)
    this.#grad = value && this.#ownGradient(value)
  }

  /** `value` itself when it lies where the gradient is kept, else a copy there. */
  #ownGradient(value: Tensor): Tensor {
    if (value.storage === this.gradStorage) return value
    const grad = gradientOf(this)
    emit(copy(grad, value, this.size))
    return grad
  }

  /** The only element, as a number. */
  item(): number {
    this.check('Tensor.item')
    if (this.size !== 1)
      throw new RangeError(`Tensor.item: the tensor has shape ${show(this.shape)}, expected one element; use data()`)
    return this.#view('Tensor.item')[0] as number
  }

  /** A copy of the elements, row-major. */
  data(): TypedArray {
    return this.#view('Tensor.data').slice()
  }

  /** The elements as nested arrays; a number when there are no axes. */
  tolist(): NestedNumbers {
    const data = this.#view('Tensor.tolist')
    const nest = (axis: number, start: number, step: number): NestedNumbers => {
      if (axis === this.ndim) return data[start] as number
      const size = this.shape[axis] as number
      const inner = size === 0 ? 0 : step / size
      return Array.from({ length: size }, (_, i) => nest(axis + 1, start + i * inner, inner))
    }
    return nest(0, 0, this.size)
  }

  /** Overwrites the elements. `source`: a typed array of the tensor's dtype, or numbers, row-major. */
  copyFrom(source: ArrayLike<number>): this {
    const view = this.#view('Tensor.copyFrom')
    if (source.length !== view.length) {
      throw new RangeError(
        `Tensor.copyFrom: source has ${source.length} elements, expected ${view.length} for shape ${show(this.shape)}`,
      )
    }
    view.set(source)
    return this
  }

  /** The same values, cut off from the tape. */
  detach(): Tensor {
    return viewOf(this, this.shape)
  }

  /** Frees the bytes now, unless another tensor or a program still uses them. */
  dispose(): void {
    if (this.storage.planned) return
    untie(this)
    this.storage.release()
    this.gradStorage?.release()
    this.gradStorage = null
    this.#grad = null
    this.storage = disposedStorage
  }

  /** Says where the gradient is kept; the tensor holds those bytes from now on.
   *  @internal */
  keepGradientIn(storage: Storage): void {
    this.gradStorage?.release()
    this.gradStorage = storage
    untie(this)
    releaseWith(this, this.storage)
    releaseWith(this, storage)
  }

  /** Turns a result of a compiled function into a tensor of its own, cut off from the tape.
   *  @internal */
  settle(): void {
    releaseWith(this, this.storage)
    this.node = null
    this.#requiresGrad = false
  }

  /** Moves to other bytes, which already hold the values. Programs that knew the old ones are traced anew.
   *  @internal */
  moveTo(storage: Storage): void {
    untie(this)
    this.storage.left = true
    this.storage.release()
    this.storage = storage
    releaseWith(this, storage)
    if (this.gradStorage) releaseWith(this, this.gradStorage)
    touchState()
  }

  /** Throws when the elements cannot be used here: disposed, or the value of another trace.
   *  @internal */
  check(caller: string): void {
    if (this.storage === disposedStorage || this.storage.disposed) {
      throw new Error(
        `${caller}: tensor of shape ${show(this.shape)} was used after dispose() or the end of its scope; return it from the scope, or clone it`,
      )
    }
    const { trace } = this.storage
    if (trace && trace !== currentTrace()) {
      throw new Error(
        `${caller}: tensor of shape ${show(this.shape)} belongs to a compiled function and has no value outside; return it from the function`,
      )
    }
  }

  toString(): string {
    const values = this.storage.disposed || this.storage.trace ? '…' : printed(summary(this.tolist()))
    return `tensor(${values}, shape ${show(this.shape)}, ${this.dtype})`
  }

  /** @internal */
  [inspect](): string {
    return this.toString()
  }

  #view(caller: string): TypedArray {
    this.check(caller)
    if (currentTrace()) {
      throw new Error(
        `${caller}: values cannot be read or set while compile() traces: the function's JavaScript runs once, its commands at every call; return the tensor and read it there`,
      )
    }
    return elements(this)
  }
}

export type NestedNumbers = number | NestedNumbers[]

const disposedStorage = {
  planned: false,
  disposed: true,
  trace: null,
  redirect: null,
  release() {},
} as unknown as Storage

/** As JSON, but with NaN and Infinity by their names. */
const printed = (value: unknown): string => (Array.isArray(value) ? `[${value.map(printed).join(',')}]` : String(value))

const summary = (list: NestedNumbers, limit = 8): unknown => {
  if (!Array.isArray(list)) return Number(list.toPrecision(5))
  const shown = list.length > limit ? [...list.slice(0, limit - 1), '…'] : list
  return shown.map((x) => (x === '…' ? x : summary(x as NestedNumbers, limit)))
}

/** The elements without copying. Valid until the next allocation: growing memory detaches every view. */
export function elements(tensor: Tensor): TypedArray {
  const { memory } = currentEngine('Tensor')
  const { storage, offset } = resolve(tensor)
  storage.check('Tensor')
  const address = storage.address + offset
  if (tensor.dtype === 'u8') return memory.u8.subarray(address, address + tensor.size)
  const from = address >>> 2
  return (tensor.dtype === 'f32' ? memory.f32 : memory.i32).subarray(from, from + tensor.size)
}

/** A tensor over the bytes where the gradient of a leaf is kept. */
export function gradientOf(leaf: Tensor): Tensor {
  if (!leaf.gradStorage) leaf.keepGradientIn(newHeldStorage(4 * leaf.size, GRADIENTS))
  const storage = leaf.gradStorage as Storage
  storage.retain()
  return keep(Tensor.over(storage, leaf.shape, 'f32'))
}

/** A new value of the current trace, or of the allocator; its elements hold anything. */
export function empty(owner: string, shape: Shape, dtype: DType = 'f32'): Tensor {
  checkShape(owner, shape)
  checkDType(owner, dtype)
  const storage = newStorage(sizeOf(shape) * bytesOf[dtype], owner)
  return track(Tensor.over(storage, shape, dtype))
}

/** A new value, which a command writes. */
export function computed(owner: string, shape: Shape, command: (out: Tensor) => Command, dtype: DType = 'f32'): Tensor {
  const out = empty(owner, shape, dtype)
  emit(command(out))
  return out
}

/** The bytes of `tensor` under another shape of the same size. */
export function viewOf(tensor: Tensor, shape: Shape): Tensor {
  tensor.storage.retain()
  return track(Tensor.over(tensor.storage, shape, tensor.dtype, tensor.offset))
}

export interface TensorOptions {
  /** Default: of typed data its own, else f32. */
  dtype?: DType | undefined
  /** Default: as the data is nested. */
  shape?: Shape | undefined
  requiresGrad?: boolean | undefined
}

/** A tensor with the given elements: numbers, nested arrays of them, a typed array, or { data, shape }.
 *  Throws when nested arrays are ragged, or when the shape has another number of elements. */
export function tensor(values: NestedNumbers | TypedArray | NDArray, options: TensorOptions = {}): Tensor {
  const settled = settle('tensor', options, { dtype: undefined, shape: undefined, requiresGrad: false })
  const { data, shape: found } = flatten(values)
  const shape = settled.shape ?? found
  checkShape('tensor', shape)
  if (sizeOf(shape) !== data.length)
    throw new RangeError(`tensor: got ${data.length} values, expected ${sizeOf(shape)} for shape ${show(shape)}`)
  const dtype = settled.dtype ?? (isTypedArray(data) ? dtypeOf(data) : 'f32')
  checkDType('tensor', dtype)
  // Held also while tracing: the values are known now, and constant for the program.
  const result = track(Tensor.over(newHeldStorage(data.length * bytesOf[dtype], 'tensor'), [...shape], dtype))
  elements(result).set(data)
  if (settled.requiresGrad) result.requiresGrad = true
  return result
}

function flatten(values: NestedNumbers | TypedArray | NDArray): { data: ArrayLike<number>; shape: Shape } {
  if (typeof values === 'number') return { data: [values], shape: [] }
  if (isTypedArray(values)) return { data: values, shape: [values.length] }
  if (isNDArray(values)) return values
  if (!Array.isArray(values))
    throw new TypeError(
      `tensor: values are ${String(values)}, expected numbers, nested arrays, a typed array or { data, shape }`,
    )
  const shape: number[] = []
  for (let level: NestedNumbers = values; Array.isArray(level); level = level[0] as NestedNumbers)
    shape.push(level.length)
  const data: number[] = []
  const walk = (level: NestedNumbers, axis: number): void => {
    if (!Array.isArray(level)) {
      if (axis !== shape.length)
        throw new RangeError('tensor: nested arrays are ragged, expected the same length everywhere at one depth')
      if (typeof level !== 'number') throw new TypeError(`tensor: values contain ${String(level)}, expected numbers`)
      data.push(level)
      return
    }
    if (level.length !== shape[axis]) {
      throw new RangeError(
        `tensor: nested arrays are ragged: length ${level.length} at depth ${axis}, expected ${shape[axis] ?? 'a number'}`,
      )
    }
    for (const item of level) walk(item, axis + 1)
  }
  walk(values, 0)
  return { data, shape }
}
