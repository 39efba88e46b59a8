// Scopes free the eager values made inside them.

import type { Storage } from '../core/storage.ts'

/** What a scope frees: a Tensor, which is made of this and more. */
interface Value {
  readonly storage: Storage
  readonly dtype: string
  dispose(): void
}

let open: Set<Value> | null = null

/** Runs fn, then frees every tensor made inside, but for those it returns (alone, or anywhere in
 *  arrays and plain objects), parameters, and gradients. Scopes nest. */
export function scope<T>(fn: () => T): T {
  const outer = open
  const inner = new Set<Value>()
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
export function track<T extends Value>(tensor: T): T {
  if (!tensor.storage.planned) open?.add(tensor)
  return tensor
}

/** Lets a tensor outlive the scope that it was made in. */
export function keep<T extends Value>(tensor: T): T {
  open?.delete(tensor)
  return tensor
}

/** The tensors in a value: itself, or inside arrays and plain objects. */
export function* tensorsIn<T extends Value = Value>(value: unknown): Generator<T> {
  if (typeof value !== 'object' || value === null) return
  if ('storage' in value && 'dtype' in value) yield value as T
  else if (Array.isArray(value)) for (const item of value) yield* tensorsIn<T>(item)
  else if (Object.getPrototypeOf(value) === Object.prototype)
    for (const item of Object.values(value)) yield* tensorsIn<T>(item)
}
