// Browsers of Debian's packages. A page tells its results to the server, so opening it is all that is needed.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { answer, freePort, run, start, within } from './processes.mjs'

/** Each: `version()`, and `open(url, folder, options)`, which gives something to stop(). */
export const browsers = {
  Chromium: {
    version: async () => (await run('chromium', ['--version'])).match(/[\d.]+/)[0],
    open: async (url, folder, { flags = [] } = {}) =>
      start('chromium', [
        '--headless=new',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
        '--no-first-run',
        `--user-data-dir=${mkdtempSync(join(folder, 'chromium-'))}`,
        ...flags,
        url,
      ]),
  },
  Firefox: {
    version: async () => (await run('firefox-esr', ['--version'])).match(/[\d.]+/)[0],
    async open(url, folder) {
      const profile = mkdtempSync(join(folder, 'firefox-'))
      writeFileSync(join(profile, 'user.js'), 'user_pref("datareporting.policy.dataSubmissionEnabled", false);\n')
      const env = { ...process.env, HOME: folder }
      return start('firefox-esr', ['--headless', '--no-remote', '--profile', profile, url], { env })
    },
  },
  WebKitGTK: {
    async version() {
      const text = await run('dpkg-query', ['-W', '-f', '$' + '{Version}', 'webkit2gtk-driver'])
      return text.match(/[\d.]+/)[0]
    },
    async open(url, folder) {
      const port = await freePort()
      const home = mkdtempSync(join(folder, 'webkit-'))
      const env = { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, WEBKIT_DISABLE_COMPOSITING_MODE: '1' }
      mkdirSync(join(home, '.cache'))
      const driver = start('xvfb-run', ['-a', 'WebKitWebDriver', `--port=${port}`], { env })
      const post = async (path, body) => {
        const options = { method: 'POST', body: JSON.stringify(body) }
        const response = await answer(`http://127.0.0.1:${port}${path}`, driver, options)
        const { value } = await response.json()
        if (!response.ok) throw new Error(`WebKitWebDriver: ${value.error}: ${value.message}`)
        return value
      }
      try {
        const { sessionId } = await post('/session', { capabilities: { alwaysMatch: {} } })
        // The page may report, and the session end, before the driver has answered.
        post(`/session/${sessionId}/url`, { url }).catch(() => {})
      } catch (error) {
        await driver.stop()
        throw error
      }
      return driver
    },
  },
}

/** What a page tells `server`. `address` gives the page's address from the one that it is to post to. */
export async function told(browser, address, { folder, server, timeout = 60_000, flags = [] }) {
  const { to, said } = server.report()
  const url = address(to)
  const process = await browser.open(url, folder, { flags })
  try {
    return await within(said, timeout, url)
  } finally {
    await process.stop()
  }
}
