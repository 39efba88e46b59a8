// What a runtime tells `npm run bits`.

import { host } from './host.mjs'
import { hashes, STEPS } from './models.mjs'

/** The hashes of trainings and of what the host computes, and how many threads were there to the end. `lanewise` and
 *  `learn` are the package's entries; `parts`: the one that `learn` stands on, where `lanewise` is another. */
export async function bits(lanewise, learn, options, parts = lanewise) {
  await lanewise.init(options)
  const trained = { hashes: await hashes(lanewise, STEPS), ...lanewise.threads() }
  if (parts !== lanewise) await parts.init(options)
  const found = { ...trained, hashes: { ...trained.hashes, ...(await host(parts, learn)) } }
  if (parts !== lanewise) await parts.dispose()
  await lanewise.dispose()
  return found
}
