// Saves checkpoints to the folder that is named until it is killed.

import { init } from 'lanewise'
import { folderStore } from 'lanewise/node'
import { loadCheckpoint, saveCheckpoint } from 'lanewise/train'

await init()
const [, , folder] = process.argv
const store = folderStore(folder)
/** Numbers that are all those of one step. */
let values = new Float32Array(200_000)
const part = {
  stateDict: () => ({ values }),
  loadStateDict: (state) => {
    values = state.values
  },
}
let step = (await loadCheckpoint(store, { part }))?.step ?? 0
for (;;) {
  step++
  values.fill(step % 1000)
  await saveCheckpoint(store, { part }, { step, score: step % 7, keep: 2 })
  process.stdout.write(`${step}\n`)
}
