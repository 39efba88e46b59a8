// How the weights of a model travel: an array for each by PyTorch's names, or all in one. Each array costs four requests.

import { written } from '../checks.ts'
import type { nn } from '../index.ts'
import { show } from '../tensor/shape.ts'
import type { NDArray } from '../tensor/types.ts'
import type { ConfigValue, ReceivedArrays } from './types.ts'

export type Layout = 'named' | 'packed'

/** Name of the array that holds all weights, flat, in the order of the state dict. */
const PACKED = 'packed'

type StateDict = ReturnType<nn.Module['stateDict']>

/** The layout that a config's `layout` names. */
export function layoutOf(model: nn.Module, name: ConfigValue | undefined): Layout {
  if (name === undefined || name === 'named') return 'named'
  if (name !== 'packed')
    throw new RangeError(`the server's config has layout ${written(name)}, expected named or packed`)
  checkPackable(model.stateDict())
  return 'packed'
}

/** Takes the server's weights, and says in which layout they came. Throws, with the model as it was, where they are not
 *  those of this model. */
export function readState(model: nn.Module, arrays: ReceivedArrays): Layout {
  const own = model.stateDict()
  const names = Object.keys(arrays)
  if (names.length === 0) throw new Error('the message has no arrays, expected the weights of the model')
  for (const [name, { data }] of Object.entries(arrays))
    if (data instanceof Float32Array && !data.every(Number.isFinite))
      throw new Error(`the server's array '${name}' has values that are not finite`)
  const packed = names.length === 1 && names[0] === PACKED && !(PACKED in own)
  model.loadStateDict(packed ? unpack(own, arrays[PACKED] as NDArray) : retyped(own, arrays))
  return packed ? 'packed' : 'named'
}

/** Weights as they travel. */
export function writeState(state: StateDict, layout: Layout): Record<string, NDArray> {
  if (layout === 'named') return state
  checkPackable(state)
  const parts = Object.values(state)
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0))
  let at = 0
  for (const part of parts) {
    data.set(part.data, at)
    at += part.data.length
  }
  return { [PACKED]: { data, shape: [data.length] } }
}

function checkPackable(state: StateDict): void {
  const whole = Object.keys(state).find((name) => !(state[name]?.data instanceof Float32Array))
  if (whole)
    throw new TypeError(`the weights cannot be packed into one array: ${whole} is not f32; use the layout named`)
}

function unpack(own: StateDict, { data, shape }: NDArray): Record<string, NDArray> {
  checkPackable(own)
  const total = Object.values(own).reduce((sum, part) => sum + part.data.length, 0)
  if (!(data instanceof Float32Array) || shape.length !== 1 || data.length !== total)
    throw new Error(`the server's array '${PACKED}' has shape ${show(shape)}, expected f32 of shape [${total}]`)
  let at = 0
  return Object.fromEntries(
    Object.entries(own).map(([name, part]) => {
      at += part.data.length
      return [name, { shape: part.shape, data: data.subarray(at - part.data.length, at) }]
    }),
  )
}

/** The arrays of a message with the types of the model's own. Counters that a strategy averaged come as floats. */
function retyped(own: StateDict, arrays: ReceivedArrays): Record<string, NDArray> {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, array]) => {
      const counter = own[name]?.data instanceof Int32Array && array.data instanceof Float32Array
      return [name, counter ? { shape: array.shape, data: Int32Array.from(array.data) } : array]
    }),
  )
}
