// Browsers of Debian's packages, each started once. A page tells its results to the server, so opening it is all that is
// needed: by DevTools in Chromium, by WebDriver BiDi in Firefox, by WebDriver in WebKitGTK.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { answer, freePort, run, said, start, within } from './processes.mjs'
import { connect } from './socket.mjs'

/** Started when a page is first opened in it, anew for other flags. `launch(folder, flags)` gives its process, and
 *  open(url), which gives a function that closes the page. */
class Browser {
  #launch
  #running = new Map()

  constructor(version, launch) {
    this.version = version
    this.#launch = launch
  }

  /** Opens a page that shares nothing with others; a function that closes it. */
  async open(url, folder, flags) {
    const key = flags.join(' ')
    if (!this.#running.has(key)) this.#running.set(key, this.#launch(folder, flags))
    return (await this.#running.get(key)).open(url)
  }

  /** Ends what runs: the next page has a new one. */
  async stop() {
    const launched = await Promise.allSettled(this.#running.values())
    this.#running.clear()
    await Promise.all(launched.map(({ value }) => value?.process.stop()))
  }
}

/** `launch` of a process that is driven over a WebSocket, whose address it prints: its process, stopped if that fails. */
async function driven(process, path, open) {
  try {
    const [, address] = await said(process, /listening on (ws:\/\/\S+)/)
    const { call } = await connect(`${address}${path}`)
    return { process, open: await open(call) }
  } catch (error) {
    await process.stop()
    throw error
  }
}

async function chromium(folder, flags) {
  const process = start('chromium', [
    '--headless=new',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--remote-debugging-port=0',
    `--user-data-dir=${mkdtempSync(join(folder, 'chromium-'))}`,
    ...flags,
    'about:blank',
  ])
  return driven(process, '', (call) => async (url) => {
    const context = await call('Target.createBrowserContext')
    await call('Target.createTarget', { url, ...context })
    return () => call('Target.disposeBrowserContext', context)
  })
}

async function firefox(folder) {
  const profile = mkdtempSync(join(folder, 'firefox-'))
  writeFileSync(join(profile, 'user.js'), 'user_pref("datareporting.policy.dataSubmissionEnabled", false);\n')
  const words = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank']
  const process = start('firefox-esr', words, { env: { ...globalThis.process.env, HOME: folder } })
  return driven(process, '/session', async (call) => {
    await call('session.new', { capabilities: {} })
    return async (url) => {
      const { userContext } = await call('browser.createUserContext')
      const { context } = await call('browsingContext.create', { type: 'tab', userContext })
      await call('browsingContext.navigate', { context, url, wait: 'none' })
      return () => call('browser.removeUserContext', { userContext })
    }
  })
}

async function webkit(folder) {
  const port = await freePort()
  const home = mkdtempSync(join(folder, 'webkit-'))
  const env = { ...globalThis.process.env, HOME: home, XDG_RUNTIME_DIR: home, WEBKIT_DISABLE_COMPOSITING_MODE: '1' }
  mkdirSync(join(home, '.cache'))
  const process = start('xvfb-run', ['-a', 'WebKitWebDriver', `--port=${port}`], { env })
  const post = async (path, body) => {
    const options = { method: 'POST', body: JSON.stringify(body) }
    const response = await answer(`http://127.0.0.1:${port}${path}`, process, options)
    const { value } = await response.json()
    if (!response.ok) throw new Error(`WebKitWebDriver: ${value.error}: ${value.message}`)
    return value
  }
  try {
    const { sessionId } = await post('/session', { capabilities: { alwaysMatch: {} } })
    const go = (url) => post(`/session/${sessionId}/url`, { url })
    return {
      process,
      // One page, one set of storage, which no page of ours uses.
      async open(url) {
        // The page may report before the driver has answered.
        const opened = go(url).catch(() => {})
        return async () => {
          await opened
          await go('about:blank')
        }
      },
    }
  } catch (error) {
    await process.stop()
    throw error
  }
}

const versionOf = (command) => async () => (await run(command, ['--version'])).match(/[\d.]+/)[0]

export const browsers = {
  Chromium: new Browser(versionOf('chromium'), chromium),
  Firefox: new Browser(versionOf('firefox-esr'), firefox),
  WebKitGTK: new Browser(async () => {
    const text = await run('dpkg-query', ['-W', '-f', '$' + '{Version}', 'webkit2gtk-driver'])
    return text.match(/[\d.]+/)[0]
  }, webkit),
}

export const stopBrowsers = () => Promise.all(Object.values(browsers).map((browser) => browser.stop()))

/** What a page tells `server`. `address` gives the page's address from the one that it is to post to. */
export async function told(browser, address, { folder, server, timeout = 60_000, flags = [] }) {
  const { to, said } = server.report()
  const url = address(to)
  try {
    const close = await browser.open(url, folder, flags)
    const report = await within(said, timeout, url)
    await close()
    return report
  } catch (error) {
    // Whatever hangs is not there for the next page.
    await browser.stop()
    throw error
  }
}
