import { currentTrace } from '../core/engine.ts'
import { guardState, touchState } from '../tensor/guards.ts'
import { keep } from '../tensor/scope.ts'
import { sameShape, show } from '../tensor/shape.ts'
import { elements, Tensor } from '../tensor/tensor.ts'
import { isNDArray, type NDArray, type TypedArray } from '../tensor/types.ts'

/** A tensor that a module learns: found by `parameters()`, and a leaf with requiresGrad. */
export class Parameter extends Tensor {
  constructor(values: Tensor) {
    if (currentTrace())
      throw new Error(
        'Parameter: cannot be made while compile() traces; build the model outside of the compiled function',
      )
    values.storage.retain()
    super(values.storage, values.shape, values.dtype, values.offset)
    keep(this)
    this.requiresGrad = true
  }
}

export type StateDict = Record<string, NDArray>

/** The base of layers and models. Fields that hold Parameters or Modules (alone or in arrays) are found
 *  by name; subclasses define `forward`. torch.nn.Module. */
export abstract class Module {
  #training = true

  abstract forward(...inputs: Tensor[]): Tensor | Tensor[]

  /** Whether layers that behave differently in training do so: see train and eval. */
  get training(): boolean {
    guardState(this, () => this.#training)
    return this.#training
  }

  /** Sets this module and those inside to training, or with false to evaluation. */
  train(training = true): this {
    if (training !== this.#training) touchState()
    this.#training = training
    for (const [, child] of this.children()) child.train(training)
    return this
  }

  eval(): this {
    return this.train(false)
  }

  /** The modules directly inside, with their names. */
  *children(): Generator<[string, Module]> {
    for (const [name, value] of fields(this)) if (value instanceof Module) yield [name, value]
  }

  /** Parameters here and in the modules inside, each once, with PyTorch's dotted names. */
  *namedParameters(prefix = '', seen = new Set<Parameter>()): Generator<[string, Parameter]> {
    for (const [name, value] of fields(this)) {
      if (!(value instanceof Parameter) || seen.has(value)) continue
      seen.add(value)
      yield [prefix + name, value]
    }
    for (const [name, child] of this.children()) yield* child.namedParameters(`${prefix}${name}.`, seen)
  }

  parameters(): Parameter[] {
    return [...this.namedParameters()].map(([, parameter]) => parameter)
  }

  /** Copies of all parameters by name: what io's formats write. */
  stateDict(): StateDict {
    return Object.fromEntries(
      [...this.namedParameters()].map(([name, p]) => [name, { shape: p.shape, data: p.data() }]),
    )
  }

  /** Takes values by name, from arrays or tensors. Throws, with every missing, unexpected and misshaped key
   *  named and nothing changed, unless the names and shapes are exactly those of this module. */
  loadStateDict(state: Record<string, NDArray | Tensor>): void {
    if (typeof state !== 'object' || state === null)
      throw new TypeError(`loadStateDict: state is ${String(state)}, expected an object of arrays by name`)
    const own = new Map(this.namedParameters())
    const faults: string[] = []
    const values = new Map<Parameter, TypedArray>()
    for (const [name, parameter] of own) {
      const given = Object.hasOwn(state, name) ? state[name] : undefined
      const value = given instanceof Tensor ? { shape: given.shape, data: given.data() } : given
      if (value === undefined) faults.push(`missing ${name} ${show(parameter.shape)}`)
      else if (!isNDArray(value) || !(value.data instanceof Float32Array))
        faults.push(`${name} is no array of f32 { shape, data }`)
      else if (!sameShape(value.shape, parameter.shape))
        faults.push(`${name} has shape ${show(value.shape)}, expected ${show(parameter.shape)}`)
      else if (value.data.length !== parameter.size)
        faults.push(`${name} has ${value.data.length} elements, expected ${parameter.size}`)
      else values.set(parameter, value.data)
    }
    for (const name of Object.keys(state)) if (!own.has(name)) faults.push(`unexpected ${name}`)
    if (faults.length > 0) throw new Error(`loadStateDict: ${faults.join('; ')}`)
    for (const [parameter, data] of values) elements(parameter).set(data)
  }
}

/** Own fields, those inside arrays by their index, as `layers.0`. */
function* fields(module: Module): Generator<[string, unknown]> {
  for (const [name, value] of Object.entries(module)) {
    if (Array.isArray(value)) for (const [i, item] of value.entries()) yield [`${name}.${i}`, item]
    else yield [name, value]
  }
}
