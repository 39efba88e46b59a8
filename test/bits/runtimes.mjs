// Where `npm run bits` trains, and with how many threads.

import { browsers, told } from '../runtimes/browsers.mjs'
import { ask, workerd } from '../runtimes/edge.mjs'
import { run } from '../runtimes/processes.mjs'
import { bun, deno, denoRun, node, nodes } from '../runtimes/project.mjs'

/** With how many threads: in a process, and in a page that may have them. */
const THREADS = [1, 2, 3, 4, 7]
const PAGE_THREADS = [1, 2, 4]
/** Where one comes to run, though two are asked for. */
const ALONE = { threads: [1], asked: 2 }
/** The Nodes with V8's 256-bit pass. */
const WIDE = [24, 26]
/** For one run, with more threads than cores, on a busy machine. */
const TIMEOUT = 180_000

/** The runtimes by name: with how many `threads` to train, in turn; how many are `asked` for, where that is another
 *  number; and train(options), which tells what `bits` of app/models.mjs finds after init(options). `folder`: a project
 *  with the package, and with app as its folder bits. */
export function runtimes({ folder, server }) {
  const inProcess = (command, words = [], more = {}) => ({
    threads: THREADS,
    async train(options) {
      const args = [...words, 'bits/process.mjs', JSON.stringify({ ...options, ...more })]
      const env = { ...process.env, HOME: folder }
      return JSON.parse(await run(command, args, { cwd: folder, env, timeout: TIMEOUT }))
    },
  })
  const inPage = (browser, headers) => async (options) => {
    const query = (to) => encodeURIComponent(JSON.stringify({ options, to }))
    const address = (to) => `${server.origin}/${headers}/bits/page.html?${query(to)}`
    const found = await told(browser, address, { folder, server, timeout: TIMEOUT })
    if (found.error) throw new Error(found.error)
    return found
  }
  const inBrowser = (name, browser) => ({
    [name]: { ...ALONE, train: inPage(browser, 'plain') },
    [`${name}-isolated`]: { threads: PAGE_THREADS, train: inPage(browser, 'isolated') },
  })
  const inNode = (version) => ({
    [`node${version}`]: inProcess(node(version)),
    ...(WIDE.includes(version) ? { [`node${version}-wide`]: inProcess(node(version), [], { wide: true }) } : {}),
  })
  return {
    ...Object.assign({}, ...nodes.map(inNode)),
    deno: inProcess(deno, denoRun),
    bun: inProcess(bun),
    workerd: {
      ...ALONE,
      train: async (options) =>
        ask(await workerd(folder, 'bits/fetch.js', 'workerd'), { method: 'POST', body: JSON.stringify(options) }),
    },
    ...inBrowser('chromium', browsers.Chromium),
    ...inBrowser('firefox', browsers.Firefox),
    webkitgtk: { ...ALONE, train: inPage(browsers.WebKitGTK, 'plain') },
  }
}
