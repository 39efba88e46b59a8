import { settle, written } from '../checks.ts'
import { checkUntraced } from '../core/engine.ts'
import { inspect } from '../printed.ts'
import { guardState, touchState } from '../tensor/guards.ts'
import { keep } from '../tensor/scope.ts'
import { faultsOf } from '../tensor/state.ts'
import { elements, Tensor } from '../tensor/tensor.ts'
import type { NDArray } from '../tensor/types.ts'

/** A tensor that belongs to a module: it outlives the scope that it was made in. */
abstract class Held extends Tensor {
  constructor(kind: string, values: Tensor) {
    if (!(values instanceof Tensor))
      throw new TypeError(`${kind}: values are ${values === null ? 'null' : typeof values}, expected a Tensor`)
    values.check(kind)
    checkUntraced(`${kind}: cannot be made`, 'build the model outside of the compiled function')
    values.storage.retain()
    super(values.storage, values.shape, values.dtype, values.offset)
    keep(this)
  }
}

/** A tensor that a module learns: found by `parameters()`, and a leaf with requiresGrad. torch.nn.Parameter. */
export class Parameter extends Held {
  constructor(values: Tensor) {
    super('Parameter', values)
    this.requiresGrad = true
  }
}

/** A tensor that a module keeps but does not learn, as running statistics: part of the state dict unless
 *  `persistent` is false. torch.nn.Buffer. */
export class Buffer extends Held {
  readonly persistent: boolean

  constructor(values: Tensor, { persistent = true }: { persistent?: boolean | undefined } = {}) {
    super('Buffer', values)
    this.persistent = persistent
  }
}

export type StateDict = Record<string, NDArray>

/** Called after forward with what went in and came out; what it returns, if anything, replaces the output. */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that returns nothing is the usual one
export type ForwardHook = (module: Module, inputs: unknown[], output: Tensor) => Tensor | void

/** The base of layers and models. Fields that hold Parameters, Buffers or Modules (alone or in arrays) are
 *  found by name; subclasses define `forward`. Names in state dicts are PyTorch's: the field `inProjWeight`
 *  is `in_proj_weight` there. torch.nn.Module. */
export abstract class Module {
  #training = true
  readonly #hooks: ForwardHook[] = []

  // What a module takes and gives differs from one to the next: subclasses say it.
  // biome-ignore lint/suspicious/noExplicitAny: a stricter type would forbid subclasses theirs
  abstract forward(...inputs: any[]): unknown

  /** Whether layers that behave differently in training do so: see train and eval. */
  get training(): boolean {
    guardState(this, () => this.#training)
    return this.#training
  }

  /** Sets this module and those inside to training, or with false to evaluation. */
  train(training = true): this {
    checkSwitch('train', 'training', training)
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

  /** This module (named '') and all inside, each once, with PyTorch's dotted names. */
  *namedModules(prefix = '', seen = new Set<Module>()): Generator<[string, Module]> {
    if (seen.has(this)) return
    seen.add(this)
    yield [prefix, this]
    for (const [name, child] of this.children()) yield* child.namedModules(prefix ? `${prefix}.${name}` : name, seen)
  }

  /** Parameters here and in the modules inside, each once, with PyTorch's dotted names. */
  *namedParameters(): Generator<[string, Parameter]> {
    const seen = new Set<Tensor>()
    for (const [name, value] of this.#state()) {
      if (value instanceof Parameter && !seen.has(value)) yield [name, value]
      seen.add(value)
    }
  }

  parameters(): Parameter[] {
    return [...this.namedParameters()].map(([, parameter]) => parameter)
  }

  /** Buffers here and in the modules inside, each once, with PyTorch's dotted names. */
  *namedBuffers(): Generator<[string, Buffer]> {
    const seen = new Set<Tensor>()
    for (const [name, value] of this.#state()) {
      if (value instanceof Buffer && !seen.has(value)) yield [name, value]
      seen.add(value)
    }
  }

  buffers(): Buffer[] {
    return [...this.namedBuffers()].map(([, buffer]) => buffer)
  }

  /** Parameters and buffers by name; one that is in two places has two names. */
  *#state(prefix = ''): Generator<[string, Parameter | Buffer]> {
    for (const [name, value] of fields(this))
      if (value instanceof Parameter || value instanceof Buffer) yield [prefix + name, value]
    for (const [name, child] of this.children()) yield* child.#state(`${prefix}${name}.`)
  }

  /** Freezes all parameters here and inside (false), or lets them learn (true). Compiled functions follow.
   *  torch.nn.Module.requires_grad_. */
  requiresGrad(value = true): this {
    checkSwitch('requiresGrad', 'value', value)
    for (const parameter of this.parameters()) parameter.requiresGrad = value
    return this
  }

  /** Calls fn with every module inside, then with this one: for initialisation, say. torch.nn.Module.apply. */
  apply(fn: (module: Module) => void): this {
    if (typeof fn !== 'function') throw new TypeError(`apply: fn is ${typeof fn}, expected a function of a module`)
    for (const [, child] of this.children()) child.apply(fn)
    fn(this)
    return this
  }

  /** Calls `hook` after each forward of this module; returns the function that takes it away. A compiled
   *  function calls it while tracing, so register it before. torch.nn.Module.register_forward_hook. */
  registerForwardHook(hook: ForwardHook): () => void {
    if (typeof hook !== 'function')
      throw new TypeError(`registerForwardHook: hook is ${typeof hook}, expected a function (module, inputs, output)`)
    if (this.#hooks.length === 0) {
      const forward = this.forward
      // On the instance, over the class's own: modules without hooks pay nothing.
      Object.defineProperty(this, 'forward', {
        configurable: true,
        value: (...inputs: unknown[]) => {
          let output = forward.apply(this, inputs)
          for (const each of [...this.#hooks]) output = each(this, inputs, output as Tensor) ?? output
          return output
        },
      })
    }
    // A function of its own, so that a hook registered twice is removed once.
    const entry: ForwardHook = (...args) => hook(...args)
    this.#hooks.push(entry)
    return () => {
      const i = this.#hooks.indexOf(entry)
      if (i >= 0) this.#hooks.splice(i, 1)
      if (this.#hooks.length === 0) Reflect.deleteProperty(this, 'forward')
    }
  }

  /** Copies of all parameters and persistent buffers by name: what io's formats write. As in PyTorch, what is shared
   *  (tied weights) stands under each of its names. */
  stateDict(): StateDict {
    return Object.fromEntries(
      [...this.#state()].flatMap(([name, value]) =>
        value instanceof Buffer && !value.persistent ? [] : [[name, { shape: value.shape, data: value.data() }]],
      ),
    )
  }

  /** Takes values by name, from arrays or tensors. With `strict` (default) the names must be exactly those of
   *  this module; without, names found on one side only are left alone. Throws, with every missing, unexpected
   *  and misshaped key named and nothing changed, where something does not fit. Returns the names found on one
   *  side only. torch.nn.Module.load_state_dict. */
  loadStateDict(
    state: Record<string, NDArray | Tensor>,
    options: { strict?: boolean | undefined } = {},
  ): { missing: string[]; unexpected: string[] } {
    checkUntraced('loadStateDict: cannot be called')
    const { strict } = settle('loadStateDict', options, { strict: true })
    if (typeof state !== 'object' || state === null)
      throw new TypeError(`loadStateDict: state is ${written(state)}, expected an object of arrays by name`)
    const own = new Map([...this.#state()].filter(([, x]) => x instanceof Parameter || x.persistent))
    const given = new Map(
      Object.entries(state).map(([name, value]) => [
        name,
        own.has(name) && value instanceof Tensor ? { shape: value.shape, data: value.data() } : (value as NDArray),
      ]),
    )
    // Files keep a tied weight under one of its names, as a rule: that serves for all of them.
    const sources = new Map<Tensor, string>()
    for (const [name, tensor] of own) if (given.get(name) !== undefined) sources.set(tensor, name)
    const absent = [...own].filter(([name]) => given.get(name) === undefined)
    for (const [name, tensor] of absent) if (sources.has(tensor)) own.delete(name)
    const missing = absent.flatMap(([name, tensor]) => (sources.has(tensor) ? [] : [name]))
    const unexpected = [...given.keys()].filter((name) => !own.has(name))
    const wanted = strict ? [...own] : [...own].filter(([name]) => !missing.includes(name))
    const faults = faultsOf(
      Object.fromEntries(strict ? given : wanted.map(([name]) => [name, given.get(name) as NDArray])),
      wanted.map(([name, { shape, dtype }]) => ({ name, shape, dtype })),
    )
    if (faults.length > 0) throw new Error(`loadStateDict: ${faults.join('; ')}`)
    for (const [, target] of wanted) target.check('loadStateDict')
    for (const [name, target] of wanted) elements(target).set((given.get(name) as NDArray).data)
    return { missing, unexpected }
  }

  /** What stands between the parentheses when the module is printed: its sizes and options. */
  extraRepr(): string {
    return ''
  }

  /** The module and those inside, one a line, as PyTorch prints them. */
  toString(): string {
    const inside = [...this.children()].map(([name, child]) => `(${name}): ${child}`.replaceAll('\n', '\n  '))
    const extra = this.extraRepr()
    return `${this.constructor.name}(${inside.length === 0 ? extra : `\n  ${[...(extra ? [extra] : []), ...inside].join('\n  ')}\n`})`
  }

  /** @internal */
  [inspect](): string {
    return this.toString()
  }
}

function checkSwitch(caller: string, name: string, value: unknown): void {
  if (typeof value !== 'boolean') throw new TypeError(`${caller}: ${name} is ${written(value)}, expected true or false`)
}

/** A field's name in a state dict: inProjWeight is in_proj_weight. */
const nameOf = (field: string): string => field.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** Own fields by their names in state dicts, those inside arrays by their index, as `layers.0`. */
function* fields(module: Module): Generator<[string, unknown]> {
  for (const [field, value] of Object.entries(module)) {
    const name = nameOf(field)
    if (Array.isArray(value)) for (const [i, item] of value.entries()) yield [`${name}.${i}`, item]
    else yield [name, value]
  }
}
