import { anything, kind, option, required, settle, whole, word, written } from '../checks.ts'
import { getRngState, setRngState } from '../index.ts'
import { decodeState, encodeState, type Stateful } from './state.ts'
import type { Store } from './store.ts'

/** What a training consists of, by name: `{ model, optimizer, schedule, ema, loader }`. */
export type Parts = Readonly<Record<string, Stateful>>

export interface SaveOptions {
  /** Steps so far: checkpoints that are saved later have larger ones. */
  step: number
  /** How good the model is: the best checkpoint is kept. */
  score?: number | undefined
  /** Whether the best score is the least ('min', default, as of a loss) or the greatest. */
  best?: 'min' | 'max' | undefined
  /** How many of the newest are kept; default 3. */
  keep?: number | undefined
  /** Whatever else is to be kept: JSON. */
  facts?: Readonly<Record<string, unknown>> | undefined
}

/** A checkpoint in a store. */
export interface Checkpoint {
  readonly name: string
  readonly step: number
  readonly score: number | null
}

const pattern = /^checkpoint-(\d{9,16})(?:_(-?(?:[\d.]+(?:e[+-]\d+)?|Infinity)))?\.safetensors$/

/** The checkpoints of a store, the oldest first. */
export async function checkpoints(store: Store): Promise<Checkpoint[]> {
  checkStore('checkpoints', store)
  const found = (await store.list()).flatMap((name) => {
    const [, step, score] = pattern.exec(name) ?? []
    return step === undefined ? [] : [{ name, step: Number(step), score: score === undefined ? null : Number(score) }]
  })
  return found.sort((a, b) => a.step - b.step || (a.name < b.name ? -1 : 1))
}

function checkStore(caller: string, store: Store): void {
  for (const name of ['list', 'read', 'write', 'delete'] as const)
    if (typeof store?.[name] !== 'function')
      throw new TypeError(
        `${caller}: store is ${written(store)}, expected a Store, as folderStore(path) of lanewise/node`,
      )
}

function checkParts(caller: string, parts: Parts): void {
  if (typeof parts !== 'object' || parts === null || Object.keys(parts).length === 0)
    throw new TypeError(`${caller}: parts are ${written(parts)}, expected an object as { model, optimizer }`)
  for (const [name, part] of Object.entries(parts))
    if (typeof part?.stateDict !== 'function' || typeof part.loadStateDict !== 'function')
      throw new TypeError(`${caller}: part ${name} is ${written(part)}, expected stateDict and loadStateDict`)
}

/** The part that is there of itself: where the default generator stands. */
const RNG = 'lanewise.rng'

/** Saves the states of all parts, and where the default generator stands, as one file. What fails leaves the checkpoints as they
 *  were. Older ones go, but for the newest `keep` and the best. */
export async function saveCheckpoint(store: Store, parts: Parts, options: SaveOptions): Promise<Checkpoint> {
  const caller = 'saveCheckpoint'
  checkStore(caller, store)
  checkParts(caller, parts)
  const { step, score, best, keep, facts } = settle(caller, options, {
    step: required(whole(0, Number.MAX_SAFE_INTEGER)),
    score: option(kind<number>('number', 'a number', (x) => !Number.isNaN(x))),
    best: option(word('min', 'max'), 'min'),
    keep: option(whole(1), 3),
    facts: option(anything),
  })
  const states = Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, part.stateDict()]))
  const bytes = encodeState(caller, { ...states, [RNG]: getRngState() }, facts ?? {})
  const name = `checkpoint-${String(step).padStart(9, '0')}${score === undefined ? '' : `_${score}`}.safetensors`
  try {
    await store.sweep?.()
    await store.write(name, bytes)
  } catch (cause) {
    const last = (await checkpoints(store).catch(() => [])).at(-1)
    throw new Error(
      `${caller}: step ${step} was not saved: ${(cause as Error)?.message}; ${last ? `the last good checkpoint is ${last.name}` : 'there is no older checkpoint'}`,
      { cause },
    )
  }
  const all = await checkpoints(store)
  const kept = new Set([name, bestOf(all, best)?.name, ...all.slice(-keep).map((each) => each.name)])
  for (const each of all) if (!kept.has(each.name)) await store.delete(each.name)
  return { name, step, score: score ?? null }
}

function bestOf(all: readonly Checkpoint[], best: 'min' | 'max'): Checkpoint | undefined {
  const sign = best === 'min' ? 1 : -1
  return all
    .filter(({ score }) => score !== null)
    .reduce<Checkpoint | undefined>(
      (a, b) => (a && sign * (a.score as number) < sign * (b.score as number) ? a : b),
      undefined,
    )
}

export interface LoadOptions {
  /** 'newest' (default), 'best', or the name of a checkpoint. */
  which?: string | undefined
  /** Whether the best score is the least or the greatest; default 'min'. */
  best?: 'min' | 'max' | undefined
}

/** Puts all parts, and the default generator, where a checkpoint has them: training goes on with the same bits. Null where the
 *  store has none. What does not fit is an Error that names part and key, and changes nothing. */
export async function loadCheckpoint(
  store: Store,
  parts: Parts,
  options: LoadOptions = {},
): Promise<(Checkpoint & { readonly facts: Record<string, unknown> }) | null> {
  const caller = 'loadCheckpoint'
  checkStore(caller, store)
  checkParts(caller, parts)
  const { which, best } = settle(caller, options, {
    which: option(kind<string>('string', "'newest', 'best' or the name of a checkpoint"), 'newest'),
    best: option(word('min', 'max'), 'min'),
  })
  const all = await checkpoints(store)
  if (all.length === 0) return null
  const found =
    which === 'newest' ? all.at(-1) : which === 'best' ? bestOf(all, best) : all.find(({ name }) => name === which)
  if (!found)
    throw new Error(
      `${caller}: there is no checkpoint ${written(which)}${which === 'best' ? ' with a score' : ''}, expected one of ${all.map(({ name }) => name).join(', ')}`,
    )
  const where = `${caller}: ${found.name}`
  const { parts: saved, facts } = decodeState(where, await store.read(found.name))
  const faults = [
    ...Object.keys(parts).flatMap((name) => (saved.has(name) ? [] : [`missing part ${name}`])),
    ...[...saved.keys()].flatMap((name) =>
      name === RNG || Object.hasOwn(parts, name) ? [] : [`unexpected part ${name}`],
    ),
  ]
  if (faults.length > 0) throw new Error(`${where}: ${faults.join('; ')}`)
  const rng: Stateful = { stateDict: getRngState, loadStateDict: setRngState }
  // What was loaded before something does not fit goes back; what refuses is as it was.
  const before: [Stateful, unknown][] = []
  for (const [name, part] of [...Object.entries(parts), ...(saved.has(RNG) ? [[RNG, rng] as const] : [])]) {
    const state = stateOf(part)
    try {
      part.loadStateDict(saved.get(name))
    } catch (cause) {
      for (const [other, state] of before) other.loadStateDict(state)
      throw new Error(`${where}: part ${name}: ${(cause as Error)?.message}`, { cause })
    }
    if (state !== undefined) before.unshift([part, state])
  }
  return { ...found, facts }
}

/** A state, undefined where there is none yet, as of a pipeline that is not fitted. */
function stateOf(part: Stateful): unknown {
  try {
    return part.stateDict()
  } catch {
    return undefined
  }
}
