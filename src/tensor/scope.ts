// Scopes free the eager values made inside them.

import type { Tensor } from './tensor.ts'

let open: Set<Tensor> | null = null

/** Runs fn, then frees every tensor made inside, but for those it returns (alone, or anywhere in
 *  arrays and plain objects), parameters, and gradients. Scopes nest. */
export function scope<T>(fn: () => T): T {
  const outer = open
  const inner = new Set<Tensor>()
  open = inner
  try {
    const result = fn()
    if (result instanceof Promise)
      throw new TypeError('scope: fn returned a Promise, expected synchronous work; await outside of the scope')
    for (const kept of tensorsIn(result)) if (inner.delete(kept)) outer?.add(kept)
    return result
  } finally {
    open = outer
    for (const tensor of inner) tensor.dispose()
  }
}

/** Enters a new tensor into the open scope. */
export function track<T extends Tensor>(tensor: T): T {
  if (!tensor.storage.planned) open?.add(tensor)
  return tensor
}

/** Lets a tensor outlive the scope that it was made in. */
export function keep<T extends Tensor>(tensor: T): T {
  open?.delete(tensor)
  return tensor
}

/** The tensors in a value: itself, or inside arrays and plain objects. */
export function* tensorsIn(value: unknown): Generator<Tensor> {
  if (typeof value !== 'object' || value === null) return
  if ('storage' in value && 'dtype' in value) yield value as Tensor
  else if (Array.isArray(value)) for (const item of value) yield* tensorsIn(item)
  else if (Object.getPrototypeOf(value) === Object.prototype)
    for (const item of Object.values(value)) yield* tensorsIn(item)
}
