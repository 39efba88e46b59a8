// workerd's part of `npm run bits`: the answer to the options of init.

import * as lanewise from 'lanewise'
import { bits } from './models.mjs'

export default { fetch: async (request) => Response.json(await bits(lanewise, await request.json())) }
