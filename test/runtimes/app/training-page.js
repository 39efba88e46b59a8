// A training in a Worker of a page; the Workers lie beside the page.

import { training } from './training.js'

const start = (script) => new Worker(new URL(script, document.baseURI), { type: 'module' })
const to = decodeURIComponent(location.search.slice(1))
training(start).then((found) => fetch(to, { method: 'POST', mode: 'no-cors', body: JSON.stringify(found) }))
