// The cores in a page.

import { fast } from './fast.js'

const to = decodeURIComponent(location.search.slice(1))
fast().then((found) => fetch(to, { method: 'POST', mode: 'no-cors', body: JSON.stringify(found) }))
