// The core as pages carry it: deflated, in base64. Zopfli looks for two seconds, and saves every page two of 30 KB.

import { readFileSync, writeFileSync } from 'node:fs'
import { zlibAsync } from '@gfx/zopfli'

const deflated = await zlibAsync(readFileSync('build/kernels.wasm'), {})
writeFileSync('build/kernels.wasm.base64', Buffer.from(deflated).toString('base64'))
