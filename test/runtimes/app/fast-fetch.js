// The cores in an edge runtime that imports modules: as the package brings them, and the fast one passed.

import wasm from 'lanewise/kernels-relaxed.wasm'
import { fast } from './fast.js'

export default { fetch: async () => Response.json({ alone: await fast(), passed: await fast(wasm) }) }
