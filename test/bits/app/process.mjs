// A process's part of `npm run bits`: Node, Deno, Bun. Its argument: options of init, as JSON.

import * as learn from 'lanewise/learn'
import { bits } from './bits.mjs'

const options = JSON.parse(process.argv[2])
const lanewise = await import('wide' in options ? 'lanewise/node' : 'lanewise')
console.log(JSON.stringify(await bits(lanewise, learn, options)))
