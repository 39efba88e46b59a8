import { setFlagsFromString } from 'node:v8'
import { anything, option, settle, written } from '../checks.ts'
import { type InitOptions, initOn, initOptions, runningOn } from '../start.ts'

export interface NodeInitOptions extends InitOptions {
  /** Whether V8 may join neighbouring 128-bit vectors of the core to 256-bit ones: the same module, the same bits, up
   *  to twice the speed. V8 calls it experimental. true: an Error where this Node cannot; 'auto': where it can. Default
   *  false. */
  wide?: boolean | 'auto' | undefined
}

/** The pass is built into V8 for x64 only, and distributions may have left it out. Node 22 takes the flag, and nothing
 *  changes. These two run the whole test suite under it; Node 26's aborts the process at some code that 24's leaves alone,
 *  so others are not trusted unseen. */
function whyNotWide(): string | null {
  const { variables } = process.config as { variables: Record<string, unknown> }
  if (process.arch !== 'x64') return `it is for x64 processors, this one is ${process.arch}`
  if (!['24', '26'].includes(process.versions.node.split('.')[0] as string))
    return `it takes Node 24 or 26, this is ${process.version}`
  if ('bun' in process.versions || 'deno' in process.versions) return 'this is not Node'
  if (variables.v8_enable_wasm_simd256_revec !== 1) return `this build of Node ${process.version} leaves it out`
  return null
}

/** As init of lanewise, with the option `wide`. The pass is switched on for the whole process, before the core is
 *  compiled: modules compiled before stay as they are.
 *  Throws where wide is true and this Node cannot, or the core already runs without. */
export async function init(options: NodeInitOptions = {}): Promise<void> {
  const { wide, ...rest } = settle('init', options, { wide: option(anything, false), ...initOptions })
  if (wide !== true && wide !== false && wide !== 'auto')
    throw new TypeError(`init: wide is ${written(wide)}, expected true, false or 'auto'`)
  const obstacle = wide === false ? null : whyNotWide()
  if (wide === true && obstacle)
    throw new Error(`init: wide is true, but V8's 256-bit pass is not to be had: ${obstacle}; use wide: 'auto'`)
  const on = wide !== false && !obstacle
  if (on && !runningOn()) setFlagsFromString('--experimental-wasm-revectorize')
  await initOn({ tileColumns: on ? 16 : 8 }, rest)
  if (wide === true && runningOn()?.tileColumns !== 16)
    throw new Error('init: wide is true, but the core already runs without it; make this the first init')
}
