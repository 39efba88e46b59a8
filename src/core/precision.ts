import { written } from '../checks.ts'
// Which of the two cores runs: they come from one source, and in the fast one products are added without being rounded
// first.

/** reproducible: the same bits on every engine. fast: a product that is added is not rounded before, where the engine's
 *  relaxed SIMD fuses the two. */
export type Precision = 'reproducible' | 'fast'

const choices: readonly unknown[] = ['reproducible', 'fast', 'auto'] satisfies (Precision | 'auto')[]

export function checkPrecision(precision: unknown): void {
  if (choices.includes(precision)) return
  throw new TypeError(`init: precision is ${written(precision)}, expected 'reproducible', 'fast' or 'auto'`)
}

// (module (func (result v128) (f32x4.relaxed_madd (i8x16.splat (i32.const 0)) (i8x16.splat …) (i8x16.splat …))))
const ZERO = [65, 0, 253, 15]
const RELAXED_MODULE = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0],
  ...[...ZERO, ...ZERO, ...ZERO, 253, 133, 2, 11],
)

/** Throws where the engine has no relaxed SIMD. */
export function checkRelaxed(): void {
  if (WebAssembly.validate(RELAXED_MODULE)) return
  throw new Error(
    "init: precision is 'fast', but this engine has no relaxed SIMD. Node 22, Chrome 114 and later have it; " +
      "precision: 'auto' takes the reproducible core where it is missing",
  )
}

/** The Error for a core that is not what was asked for. */
export function otherCore(asked: Precision, found: Precision): Error {
  const file = asked === 'fast' ? 'kernels-relaxed.wasm' : 'kernels.wasm'
  return new Error(
    `init: wasm is the ${found} core, but precision is '${asked}'; pass ${file}, or precision: '${found}'`,
  )
}
