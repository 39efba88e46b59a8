// page.html?{ options, to }: trains after init(options), and tells the bits, or what went wrong.

import * as lanewise from 'lanewise'
import * as learn from 'lanewise/learn'
import * as parts from 'lanewise/parts'
import { bits } from './bits.mjs'

const { options, to } = JSON.parse(decodeURIComponent(location.search.slice(1)))
bits(lanewise, learn, options, parts)
  .catch((error) => ({ error: String(error.stack ?? error) }))
  .then((told) => fetch(to, { method: 'POST', mode: 'no-cors', body: JSON.stringify(told) }))
