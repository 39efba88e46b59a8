// Which core comes where precision asks for one, and what it computes.

import { dispose, init, matmul, precision, tensor } from 'lanewise'
import { writeSafetensors } from 'lanewise/io'
import { BITS, hash, trained } from './smoke.js'

/** What 'fast' and 'auto' bring: the name of the core, whether it fuses, and whether it trains to the bits of the default
 *  core; or a message. */
export async function fast(wasm) {
  const found = {}
  for (const asked of ['fast', 'auto']) {
    try {
      await init({ precision: asked, wasm })
      found[asked] = { core: precision(), fused: fused(), same: hash(writeSafetensors(trained().stateDict())) === BITS }
    } catch (error) {
      found[asked] = { message: error.message }
    }
    await dispose()
  }
  return found
}

/** (1 + 2^-12)² - 1 is 2^-11 + 2^-24, of which the last digit is lost where the square is rounded. */
function fused() {
  const x = 1 + 2 ** -12
  return matmul(tensor([[-1, x]]), tensor([[1], [x]])).item() === 2 ** -11 + 2 ** -24
}
