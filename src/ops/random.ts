// Random draws from a counter-based generator: the same seed gives the same numbers on every engine, and
// a compiled program draws fresh ones at each run.

import { instanceOf, option, written } from '../checks.ts'
import type { Command } from '../core/command.ts'
import * as core from '../core/commands.ts'
import type { Engine } from '../core/engine.ts'
import { checkUntraced, currentEngine, emit, newHeldStorage, withScratch, withTrace } from '../core/engine.ts'
import { type Operand, releaseWith, type Storage } from '../core/storage.ts'
import type { Shape } from '../tensor/shape.ts'
import { empty, type Tensor } from '../tensor/tensor.ts'

/** Philox4x32-10: a seed, and how many draws were taken. */
export class Generator {
  readonly #storage: Storage

  /** `seed`: a whole number from 0 to 2^53 - 1. */
  constructor(seed: number) {
    this.#storage = newHeldStorage(16, 'Generator')
    releaseWith(this, this.#storage)
    this.seed(seed)
  }

  /** Starts anew from `seed`, at draw 0 or the given one. */
  seed(seed: number, draw = 0): void {
    checkUntraced('Generator.seed: cannot be called', 'seed outside of the compiled function')
    for (const [name, value] of [
      ['seed', seed],
      ['draw', draw],
    ] as const) {
      if (!Number.isSafeInteger(value) || value < 0)
        throw new RangeError(`Generator.seed: ${name} is ${value}, expected a whole number from 0 to 2^53 - 1`)
    }
    this.#storage.check('Generator')
    const { i32 } = currentEngine('Generator').memory
    const at = this.#storage.address >>> 2
    i32.set(
      [seed, seed / 0x100000000, draw, draw / 0x100000000].map((x) => (Math.floor(x) % 0x100000000) | 0),
      at,
    )
  }

  /** Draws taken since the seed was set. */
  get draw(): number {
    this.#storage.check('Generator')
    const { i32 } = currentEngine('Generator').memory
    const at = this.#storage.address >>> 2
    return ((i32[at + 2] as number) >>> 0) + ((i32[at + 3] as number) >>> 0) * 0x100000000
  }

  /** The seed, and the draws taken since. */
  stateDict(): RngState {
    this.#storage.check('Generator')
    const { i32 } = currentEngine('Generator').memory
    const [low, high] = i32.subarray(this.#storage.address >>> 2)
    return { seed: ((low as number) >>> 0) + ((high as number) >>> 0) * 0x100000000, draw: this.draw }
  }

  /** Goes on where `stateDict` was taken. */
  loadStateDict(state: RngState): void {
    const { seed, draw, ...rest } = (state ?? {}) as Partial<RngState>
    const fits = (x: unknown) => Number.isSafeInteger(x) && (x as number) >= 0
    if (!fits(seed) || !fits(draw) || Object.keys(rest).length > 0)
      throw new TypeError(
        `Generator.loadStateDict: state is ${written(state)}, expected { seed, draw } of whole numbers >= 0`,
      )
    this.seed(seed as number, draw)
  }

  get operand() {
    return { storage: this.#storage, offset: 0 }
  }
}

/** Where a generator stands. */
export interface RngState {
  readonly seed: number
  readonly draw: number
}

/** The option that all have who draw. */
export const drawn = /* @__PURE__ */ option(/* @__PURE__ */ instanceOf(Generator, 'a Generator'))

const defaults = new WeakMap<Engine, Generator>()

/** The generator that draws use when none is given; it starts from seed 0. */
export function defaultGenerator(): Generator {
  const engine = currentEngine('Generator')
  let generator = defaults.get(engine)
  if (!generator) {
    // Also where its first use is inside of a compiled function: the generator is no value of the trace.
    generator = withTrace(null, () => new Generator(0))
    defaults.set(engine, generator)
  }
  return generator
}

/** Seeds the default generator: initial parameters and random draws follow from it. torch.manual_seed. */
export function manualSeed(seed: number): void {
  defaultGenerator().seed(seed)
}

/** Where the default generator stands, on which dropout, initial parameters and draws depend. torch.get_rng_state. */
export function getRngState(): RngState {
  return defaultGenerator().stateDict()
}

/** Puts the default generator where `getRngState` found it. torch.set_rng_state. */
export function setRngState(state: RngState): void {
  defaultGenerator().loadStateDict(state)
}

/** A command that draws, and another that counts the draw. Its scratch: four blocks of the generator, and so many bytes
 *  `more`. */
export function draw(
  owner: string,
  generator: Generator,
  command: (state: Operand, scratch: Operand) => Command,
  { more = 0, explain }: { more?: number | undefined; explain?: (position: number) => string } = {},
): void {
  withScratch(64 + more, owner, (scratch) => emit(command(generator.operand, scratch), explain))
  emit(core.nextDraw(generator.operand))
}

/** Numbers from U[low, high). */
export function uniform(shape: Shape, low = 0, high = 1, generator: Generator = defaultGenerator()): Tensor {
  if (!(low <= high)) throw new RangeError(`uniform: low is ${low} and high is ${high}, expected low <= high`)
  const out = empty('uniform', shape)
  draw('uniform', generator, (state, block) => core.uniform(out, state, block, low, high, 0, out.size))
  return out
}

/** Numbers from N(mean, std²). */
export function normal(shape: Shape, mean = 0, std = 1, generator: Generator = defaultGenerator()): Tensor {
  if (!(std >= 0)) throw new RangeError(`normal: std is ${std}, expected a number >= 0`)
  const out = empty('normal', shape)
  draw('normal', generator, (state, block) => core.normal(out, state, block, mean, std, 0, out.size))
  return out
}
