// Trains in a Worker, and tells how often the page was loaded until some time after.

import { Training } from 'lanewise/worker'

const loads = Number(sessionStorage.getItem('loads') ?? 0) + 1
sessionStorage.setItem('loads', loads)
const to = decodeURIComponent(location.search.slice(1))
const tell = (found) => fetch(to, { method: 'POST', mode: 'no-cors', body: JSON.stringify({ loads, ...found }) })
const training = new Training(new Worker(new URL('./train.js', import.meta.url), { type: 'module' }))
training.start({ steps: 300 }).then(
  // Vite waits for further dependencies before it reloads: longer than that.
  (loss) => setTimeout(() => tell({ loss }), 2000),
  (error) => tell({ error: String(error) }),
)
