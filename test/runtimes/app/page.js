// The suite in a page; the report goes to the address that the page is given.

import { smoke } from './smoke.js'

const startWorker = () => new Worker(new URL('page-worker.js', document.baseURI))
const to = decodeURIComponent(location.search.slice(1))
smoke({ startWorker }).then((report) => fetch(to, { method: 'POST', mode: 'no-cors', body: JSON.stringify(report) }))
