import { kindOf, unexpected } from '../checks.ts'
import type { Value } from '../ops/input.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Module } from './module.ts'

/** A module of one input and one output. */
export interface Layer extends Module {
  forward(input: Value): Tensor
}

function checkModule(caller: string, name: string, value: unknown): void {
  if (!(value instanceof Module)) throw new TypeError(`${caller}: ${name} is ${kindOf(value)}, expected a Module`)
}

/** Layers one after the other; their names are their indices. torch.nn.Sequential. */
export class Sequential extends Module {
  readonly layers: readonly Layer[]

  constructor(...layers: Layer[]) {
    super()
    for (const [i, layer] of layers.entries()) checkModule('nn.Sequential', `argument ${i}`, layer)
    this.layers = layers
  }

  override *children(): Generator<[string, Module]> {
    for (const [i, layer] of this.layers.entries()) yield [String(i), layer]
  }

  forward(input: Value): Tensor {
    let x = input
    for (const layer of this.layers) x = layer.forward(x)
    return x as Tensor
  }
}

/** Modules by number, for a `forward` of your own; their names are their indices. torch.nn.ModuleList. */
export class ModuleList<M extends Module = Module> extends Module implements Iterable<M> {
  readonly #modules: M[] = []

  constructor(modules: Iterable<M> = []) {
    super()
    if (typeof (modules as Iterable<M> | null)?.[Symbol.iterator] !== 'function')
      throw new TypeError(`nn.ModuleList: modules are ${String(modules)}, expected a list of Modules`)
    for (const module of modules) this.append(module)
  }

  get length(): number {
    return this.#modules.length
  }

  /** The module at `index`; negative counts from the end. Throws when there is none. */
  at(index: number): M {
    const module = this.#modules.at(index)
    if (!module || !Number.isInteger(index))
      throw unexpected('nn.ModuleList.at', 'index', index, `a whole number below ${this.length}`)
    return module
  }

  append(module: M): this {
    checkModule('nn.ModuleList', `module ${this.length}`, module)
    this.#modules.push(module)
    return this
  }

  [Symbol.iterator](): Iterator<M> {
    return this.#modules[Symbol.iterator]()
  }

  override *children(): Generator<[string, Module]> {
    for (const [i, module] of this.#modules.entries()) yield [String(i), module]
  }

  forward(): never {
    throw new Error('nn.ModuleList.forward: a list has no forward of its own; call those of its modules')
  }
}

/** Modules by name, for a `forward` of your own. torch.nn.ModuleDict. */
export class ModuleDict<M extends Module = Module> extends Module implements Iterable<[string, M]> {
  readonly #modules = new Map<string, M>()

  constructor(modules: Readonly<Record<string, M>> = {}) {
    super()
    if (typeof modules !== 'object' || modules === null)
      throw new TypeError(`nn.ModuleDict: modules are ${String(modules)}, expected an object of Modules by name`)
    for (const [name, module] of Object.entries(modules)) this.set(name, module)
  }

  /** The module named `name`. Throws, with the names there are, when there is none. */
  get(name: string): M {
    const module = this.#modules.get(name)
    if (!module)
      throw new RangeError(
        `nn.ModuleDict.get: no module ${name}, expected one of ${[...this.#modules.keys()].join(', ')}`,
      )
    return module
  }

  has(name: string): boolean {
    return this.#modules.has(name)
  }

  set(name: string, module: M): this {
    checkModule('nn.ModuleDict', name, module)
    if (name === '' || name.includes('.'))
      throw new RangeError(`nn.ModuleDict: name is '${name}', expected one that is not empty and has no dot`)
    this.#modules.set(name, module)
    return this
  }

  [Symbol.iterator](): Iterator<[string, M]> {
    return this.#modules[Symbol.iterator]()
  }

  override *children(): Generator<[string, Module]> {
    yield* this.#modules
  }

  forward(): never {
    throw new Error('nn.ModuleDict.forward: a dictionary has no forward of its own; call those of its modules')
  }
}
