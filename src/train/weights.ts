import { callback, flag, kind, option, settle, written } from '../checks.ts'
import { type ByteSource, openSafetensors, type SafetensorsSource, type Source } from '../io/index.ts'
import type { Stateful } from './state.ts'

export interface WeightsOptions {
  /** What stands before all names in the file and not in the model: 'model.' or 'bert.encoder.'; names without it are left. */
  prefix?: string | undefined
  /** Names in the file (after the prefix) to those of the model: a table, or a function that gives null for what is left out. */
  rename?: Readonly<Record<string, string>> | ((name: string) => string | null) | undefined
  /** Whether all names must be on both sides; default true. */
  strict?: boolean | undefined
  /** Opens the files that an index names; default those beside it. */
  open?: ((name: string) => Source | Promise<Source>) | undefined
}

/** What was loaded, and what was not. */
export interface LoadedWeights {
  readonly loaded: string[]
  /** Names of the model that kept their values. */
  readonly missing: string[]
  /** Names of the file that were left. */
  readonly unexpected: string[]
}

type Rename = NonNullable<WeightsOptions['rename']>

const renameKind = /* @__PURE__ */ kind<Rename>(
  'object',
  'an object of names, or a function of a name',
  (x) => x !== null,
)

/** Loads the weights of a safetensors file into a model: of PyTorch or Hugging Face, in one file or in many that an index names
 *  (model.safetensors.index.json). F16, BF16 and F64 become f32. Only what is asked for is read; what does not fit is an Error
 *  that names it, and the model stays as it was. torch: model.load_state_dict(load_file(path)). */
export async function load(model: Stateful, source: Source, options: WeightsOptions = {}): Promise<LoadedWeights> {
  const caller = 'load'
  if (typeof model?.stateDict !== 'function' || typeof model.loadStateDict !== 'function')
    throw new TypeError(`${caller}: model is ${written(model)}, expected a module`)
  const { rename: given, ...rest } = options
  const { prefix, strict, open } = settle(caller, rest as Omit<WeightsOptions, 'rename'>, {
    prefix: option(kind<string>('string', 'a text'), ''),
    strict: option(flag, true),
    open: option(callback),
  })
  if (given !== undefined && typeof given !== 'function' && !renameKind.fits(given))
    throw new TypeError(`${caller}: rename is ${written(given)}, expected ${renameKind.expected}`)
  const renamed = (name: string): string | null => {
    if (!name.startsWith(prefix)) return null
    const own = name.slice(prefix.length)
    if (typeof given === 'function') return given(own)
    return given && Object.hasOwn(given, own) ? (given[own] as string) : own
  }
  const files = await openAll(caller, source, open)
  const own = new Set(Object.keys(model.stateDict() as object))
  const wanted = new Map<string, { file: SafetensorsSource; name: string }>()
  const unexpected: string[] = []
  for (const file of files)
    for (const name of file.names) {
      const target = renamed(name)
      if (target === null || !own.has(target)) unexpected.push(name)
      else if (wanted.has(target))
        throw new Error(`${caller}: ${wanted.get(target)?.name} and ${name} both become ${target}`)
      else wanted.set(target, { file, name })
    }
  // A prefix, and a function that gives null, leave out on purpose.
  const faults = strict ? unexpected.filter((name) => renamed(name) !== null).map((name) => `unexpected ${name}`) : []
  if (faults.length > 0)
    throw new Error(`${caller}: ${some(faults)}; strict: false leaves them, rename gives them other names`)
  const state: Record<string, unknown> = {}
  for (const [target, { file, name }] of wanted) state[target] = await file.read(name)
  const found = model.loadStateDict.call(model, state, ...([{ strict }] as unknown as [])) as
    | { missing?: string[] }
    | undefined
  return { loaded: [...wanted.keys()], missing: found?.missing ?? [], unexpected }
}

const some = (faults: readonly string[]): string =>
  faults.length > 20 ? `${faults.slice(0, 20).join('; ')}; and ${faults.length - 20} more` : faults.join('; ')

/** The files of a model: one, or those that an index names. */
async function openAll(caller: string, source: Source, open: WeightsOptions['open']): Promise<SafetensorsSource[]> {
  const first = await openSafetensors(source)
  if (!('index' in first)) return [first]
  const map = (first.index as { weight_map?: unknown } | null)?.weight_map
  if (typeof map !== 'object' || map === null || Object.values(map).some((name) => typeof name !== 'string'))
    throw new Error(`${caller}: the file is neither safetensors nor an index with a weight_map of names and files`)
  const beside: ByteSource['sibling'] = first.source.sibling?.bind(first.source)
  const find = open ?? beside
  if (!find)
    throw new Error(`${caller}: the index names ${Object.values(map)[0]}, which open: (name) => source must open`)
  const files: SafetensorsSource[] = []
  for (const name of new Set(Object.values(map as Record<string, string>))) {
    if (/[/\\]|^\.\.?$/.test(name))
      throw new Error(`${caller}: the index names ${written(name)}, expected files beside it`)
    const file = await openSafetensors(await find(name))
    if ('index' in file) throw new Error(`${caller}: ${name} is no safetensors file`)
    files.push(file)
  }
  for (const [tensor, name] of Object.entries(map))
    if (!files.some(({ names }) => names.includes(tensor)))
      throw new Error(`${caller}: the index says that ${tensor} is in ${name}, but it is not`)
  return files
}
