// workerd's part of `npm run bits`: the answer to the options of init.

import * as lanewise from 'lanewise'
import * as learn from 'lanewise/learn'
import { bits } from './bits.mjs'

export default { fetch: async (request) => Response.json(await bits(lanewise, learn, await request.json())) }
