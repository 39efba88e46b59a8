// From what may hold the core to a compiled module that is the core of this very version.

import { kernels, relaxedKernels } from '#kernels'
import { written } from '../checks.ts'
import { ABI } from './commands.ts'
import type { Precision } from './precision.ts'

/** Where the core may come from. */
export type WasmSource = WebAssembly.Module | BufferSource | Response | URL

// (module (func (result v128) i8x16.splat (i32.const 0)))
const SIMD_MODULE = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11],
)

const BLOCKED =
  "this place compiles no WebAssembly at run time. In a page, add 'wasm-unsafe-eval' to script-src of its " +
  'Content-Security-Policy; in a worker of an edge runtime, import kernels.wasm as a module and pass it: init({ wasm })'

/** What the core exports. */
export interface Core {
  /** Runs the program at a byte address; 1 when a command refused its data, which two words at `failure` tell. */
  run(program: number, failure: number): number
  /** The first byte that the host may use. */
  heapBase(): number
  abi(): number
  /** Whether it is the fast one. */
  fused(): number
}

/** Linear memory of `least` pages that may grow to `most`. Throws where the engine has no WebAssembly, or cannot reserve it.
 *  Shared memory has all its pages from the start: other threads would not see it grow. */
export function newMemory(least: number, most: number, shared = false): WebAssembly.Memory {
  if (typeof WebAssembly === 'undefined') {
    throw new Error('init: this engine has no WebAssembly; Node has it without --jitless, Safari outside Lockdown Mode')
  }
  const maximum = Math.floor(most)
  try {
    return new WebAssembly.Memory({ initial: shared ? maximum : least, maximum, shared })
  } catch (error) {
    throw new Error(
      `init: maxMemory, ${maximum * 65536} bytes, could not be reserved (${(error as Error).message}); ` +
        'pass a smaller one, as init({ maxMemory: 2 ** 28 })',
      { cause: error },
    )
  }
}

/** The core, from `given` or from the package itself, running on `env`; `share` makes of it one for shared
 *  memory. Throws an Error that tells apart what may be in the way: an engine without SIMD, a place that compiles nothing at run time, bytes that are no module, another version. */
export async function loadCore(
  given: WasmSource | Promise<WasmSource> | undefined,
  env: WebAssembly.ModuleImports,
  precision: Precision | 'auto' = 'reproducible',
  share?: (source: WebAssembly.Module | BufferSource) => BufferSource,
): Promise<{ core: Core; module: WebAssembly.Module }> {
  if (precision === 'auto' && given === undefined) {
    // Whatever is in the way of one core tells less than what is in the way of the other.
    return loadCore(given, env, 'fast', share).catch(() => loadCore(given, env, 'reproducible', share))
  }
  if (precision === 'fast') (await import('./precision.ts')).checkRelaxed()
  const source = given === undefined ? await own(precision) : await fetched(await given)
  const module = await compile(source, share)
  const exported = WebAssembly.Module.exports(module).map(({ name }) => name)
  if (!exported.includes('run')) {
    throw new Error(`init: wasm is not a Lanewise core: it exports ${exported.join(', ') || 'nothing'}, expected run`)
  }
  const version = 'wasm is the core of another version'
  const mend = 'use kernels.wasm of the same version of this package, and clear caches that may hold an older one'
  let core: Core
  try {
    core = (await WebAssembly.instantiate(module, { env })).exports as unknown as Core
  } catch (error) {
    const { name, message } = error as Error
    // WebKit refuses here what other engines refuse to compile.
    const reason = name === 'LinkError' || name === 'TypeError' ? `${version}; ${mend}` : hindrance(error as Error)
    throw new Error(`init: ${reason} (${message})`, { cause: error })
  }
  const abi = exported.includes('abi') ? core.abi() >>> 0 : 0
  if (abi !== ABI) throw new Error(`init: ${version} (abi ${hex(abi)}, expected ${hex(ABI)}); ${mend}`)
  const found = core.fused() ? 'fast' : 'reproducible'
  if (precision !== 'auto' && precision !== found) throw (await import('./precision.ts')).otherCore(precision, found)
  return { core, module }
}

/** The core that the package brings along. */
async function own(precision: Precision | 'auto'): Promise<WebAssembly.Module | BufferSource> {
  if (precision !== 'fast') return kernels()
  try {
    return await fetched(await relaxedKernels())
  } catch (error) {
    throw new Error(
      `init: precision is 'fast', but its core, kernels-relaxed.wasm of this package, is not to be had here ` +
        `(${(error as Error).message}); pass it: init({ precision: 'fast', wasm })`,
      { cause: error },
    )
  }
}

async function compile(
  source: WebAssembly.Module | BufferSource,
  share?: (source: WebAssembly.Module | BufferSource) => BufferSource,
): Promise<WebAssembly.Module> {
  if (!share && isModule(source)) return source
  if (!(isModule(source) || ArrayBuffer.isView(source) || isKind(source, 'ArrayBuffer'))) {
    throw new TypeError(
      `init: wasm is ${written(source)}, ` +
        'expected a WebAssembly.Module, bytes, a URL, a Response, or a promise of one of them',
    )
  }
  const bytes = share ? share(source) : (source as BufferSource)
  try {
    return await WebAssembly.compile(bytes)
  } catch (error) {
    throw new Error(`init: ${reason(bytes, error as Error)} (${(error as Error).message})`, { cause: error })
  }
}

/** What a URL or a Response brings. Nothing streams: the core compiles in a millisecond, and a server's wrong
 *  content type does no harm this way. */
async function fetched(source: WasmSource): Promise<WebAssembly.Module | BufferSource> {
  let response = source
  if (isKind(source, 'URL')) {
    try {
      response = await fetch(source as URL)
    } catch (error) {
      const { message } = error as Error
      throw new Error(`init: ${source} could not be fetched (${message}); in Node pass the bytes of the file`, {
        cause: error,
      })
    }
  }
  if (!isKind(response, 'Response')) return response as WebAssembly.Module | BufferSource
  const { ok, status, url } = response as Response
  if (!ok) throw new Error(`init: ${url || 'the response for wasm'} came with status ${status}, expected kernels.wasm`)
  return (response as Response).arrayBuffer()
}

/** A place that compiles nothing says CompileError or EvalError; a lack of memory is a RangeError. */
const hindrance = ({ name }: Error): string =>
  name === 'CompileError' || name === 'EvalError' ? BLOCKED : 'this engine could not start the core'

function reason(bytes: BufferSource, error: Error): string {
  if (WebAssembly.validate(bytes)) return hindrance(error)
  if (!WebAssembly.validate(SIMD_MODULE)) {
    return 'this engine has no WebAssembly SIMD. Chrome 93, Firefox 113, Safari 16.4, Node 20.19 and later have it'
  }
  return 'wasm is not a WebAssembly module that this engine knows; does its URL lead to kernels.wasm, or to a page?'
}

// By name, not by instanceof: in an edge runtime or a test runner the core may come from another realm.
const isKind = (value: unknown, name: string) => Object.prototype.toString.call(value) === `[object ${name}]`
const isModule = (source: unknown): source is WebAssembly.Module => isKind(source, 'WebAssembly.Module')
const hex = (abi: number) => `0x${abi.toString(16)}`
