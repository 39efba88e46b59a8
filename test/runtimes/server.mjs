// A static server whose first folder says under which headers the rest is served, and which takes reports.

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
}

const policy = (sources) => ({ 'Content-Security-Policy': `default-src 'self'; script-src ${sources}` })

const isolated = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' }
const document = { 'Document-Isolation-Policy': 'isolate-and-credentialless' }

/** What the folders of the address stand for. */
const modes = {
  plain: {},
  isolated,
  document: {},
  both: isolated,
  strict: policy("'self' 'wasm-unsafe-eval'"),
  nowasm: policy("'self'"),
  text: { 'Content-Type': 'text/plain' },
}

/** Headers of pages alone, not of what they load. */
const documents = { document, both: document }

/** Serves `root`. report() makes an address for one page to post to, and a promise of what it posts. */
export async function serve(root) {
  const waiting = new Map()
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost')
    if (url.pathname === '/report') {
      let body = ''
      for await (const chunk of request) body += chunk
      response.end()
      waiting.get(url.search.slice(1))?.(JSON.parse(body))
      return
    }
    const [, mode, ...path] = url.pathname.split('/')
    const file = join(root, normalize(`/${path.join('/')}`))
    const found = mode in modes ? await stat(file).catch(() => null) : null
    if (!found?.isFile()) {
      response.writeHead(404, { 'Content-Type': 'text/html' }).end('<!doctype html><title>Not found</title>')
      return
    }
    const headers = { 'Content-Type': types[extname(file)] ?? 'application/octet-stream', 'Cache-Control': 'no-store' }
    response.writeHead(200, { ...headers, ...modes[mode], ...(extname(file) === '.html' && documents[mode]) })
    createReadStream(file).pipe(response)
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  const origin = `http://127.0.0.1:${server.address().port}`
  return {
    origin,
    report() {
      const id = `${waiting.size}`
      const said = new Promise((done) => waiting.set(id, done))
      return { to: `${origin}/report?${id}`, said }
    },
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
