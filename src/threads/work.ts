// What a worker does: an instance of the core over the memory of all, and a part in every run until the end.

import type { Core } from '../core/module.ts'
import { serve } from './walk.ts'
import type { Assignment } from './worker.ts'

/** Serves until the team ends; `ready` is called when it begins. */
export async function work(
  { module, memory, tileColumns, control, self }: Assignment,
  ready: () => void,
): Promise<void> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory, tileColumns } })
  const { run } = exports as unknown as Core
  ready()
  serve({ words: new Int32Array(memory.buffer), control, self, run, sleeps: true })
}
