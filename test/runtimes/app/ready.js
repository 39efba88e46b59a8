// The first answer of a Worker whose core is ready.

import { init, memoryStats } from 'lanewise'

export default {
  async fetch() {
    await init()
    return Response.json(memoryStats())
  },
}
