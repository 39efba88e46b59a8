// Two threads, where the headers of the page let memory be shared: how many run, why, and the bits of a training.

import { init, threads } from 'lanewise'
import { writeSafetensors } from 'lanewise/io'
import { BITS, hash, trained } from './smoke.js'

async function told() {
  await init({ threads: 2 })
  const bits = hash(writeSafetensors(trained().stateDict()))
  const wrong = bits === BITS ? [] : [`bits ${bits}, expected ${BITS}`]
  return { isolated: crossOriginIsolated, ...threads(), wrong }
}

const to = decodeURIComponent(location.search.slice(1))
told()
  .catch((error) => ({ wrong: [String(error)] }))
  .then((found) => fetch(to, { method: 'POST', mode: 'no-cors', body: JSON.stringify(found) }))
