// A Worker that serves a training of lanewise/worker: that of the suite, one without end, or one that fails.

import { init } from 'lanewise'
import { serve } from 'lanewise/worker'
import { train } from './smoke.js'

serve(async function* ({ how }, { share }) {
  await init()
  if (how === 'fails') throw new RangeError('as asked')
  for (let i = 0; how === 'endless'; i++) yield i
  yield* train(share)
  return 'done'
})
