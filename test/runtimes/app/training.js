// A training in a Worker, seen from the page: what was found wrong.

import { writeSafetensors } from 'lanewise/io'
import { Training } from 'lanewise/worker'
import { BITS, hash } from './smoke.js'

/** `start` makes a Worker of the web from the name of a script. */
export async function training(start) {
  const failures = []
  const check = (name, fits, found) => {
    if (!fits) failures.push(`${name}: ${JSON.stringify(found)}`)
  }
  const messageOf = (promise) => promise.then(String, (error) => `${error.name}: ${error.message}`)
  try {
    const run = new Training(start('training-worker.js'))
    const seen = []
    const result = await run.start({ how: 'learns' }, { onProgress: (step) => seen.push(step) })
    check('result', result === 'done', result)
    check('progress', seen.at(-1) === 49, seen)
    const bits = hash(writeSafetensors(await run.weights()))
    check('bits of its weights', bits === BITS, bits)
    const end = run.start({ how: 'endless' }, { onProgress: (step) => seen.push(step) })
    check('paused', (await run.pause()) && run.state === 'paused', run.state)
    const { length } = seen
    await new Promise((wake) => setTimeout(wake, 50))
    check('nothing while paused', seen.length === length, seen.length - length)
    run.resume()
    await run.stop()
    check('stopped', (await end) === undefined && run.state === 'idle', run.state)
    const error = await messageOf(run.start({ how: 'fails' }))
    check('its Error', error === 'RangeError: as asked', error)
    run.terminate()
    const gone = await messageOf(run.start({ how: 'learns' }))
    check('terminated', /was terminated/.test(gone), gone)
    const silent = await messageOf(new Training(start('silent-worker.js'), { timeout: 500 }).start({}))
    check('a Worker without serve', /did not call serve within 500 ms/.test(silent), silent)
    const missing = await messageOf(new Training(start('no-worker.js'), { timeout: 20_000 }).start({}))
    check('a script that is not there', /^Error: the worker (failed|did not start)/.test(missing), missing)
  } catch (error) {
    failures.push(String(error?.stack ?? error))
  }
  return { failures }
}
