// The examples, each copied to where a user would have it, with the packed package installed.

import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bundleForVercel, vercel, wranglerDev } from './edge.mjs'
import { answer, run } from './processes.mjs'

/** Flags of Chromium for a processor without SSE4.1. */
export const NO_SIMD = ['--js-flags=--no-enable-sse4-1']

/** Copies an example and installs the package in it; its folder. */
export async function installed({ folder, root, tarball }, name) {
  const example = join(folder, 'examples', name)
  cpSync(join(root, 'examples', name), example, { recursive: true })
  const file = join(example, 'package.json')
  const { devDependencies: _, ...pkg } = JSON.parse(readFileSync(file, 'utf8'))
  writeFileSync(file, JSON.stringify({ ...pkg, dependencies: { ...pkg.dependencies, lanewise: `file:${tarball}` } }))
  await run('npm', ['install', '--no-audit', '--no-fund', '--offline'], { cwd: example })
  return example
}

/** Posts JSON; the status and the answer. */
export async function post(served, path, body) {
  const response = await answer(new URL(path, served.url), served.process, {
    method: 'POST',
    body: JSON.stringify(body),
  })
  const text = await response.text()
  try {
    return { status: response.status, ...JSON.parse(text) }
  } catch {
    throw new Error(`${path}: status ${response.status}: ${text}\n${served.process.output}${served.process.errors}`)
  }
}

const rows = (count) =>
  Array.from({ length: count }, (_, i) => [0, 1, 2, 3].map((k) => Math.sin(i * (k + 1)) + 2 * (i % 3)))
const labels = (count) => Array.from({ length: count }, (_, i) => i % 3)

export function exampleChecks(context, { watched, preview, viteDev, cold, deno }) {
  const failures = (...pairs) => ({ failures: pairs.filter(([fits]) => !fits).map(([, what]) => what) })
  /** A page that must have drawn something, and say `words`. */
  const drawn = ([{ text, colours }], words) =>
    failures(
      [words.test(text), `shows "${text}"`],
      [colours.every((count) => count > 20), `canvases of ${colours} colours`],
    )

  /** The page with the installed script in place of the CDN's; the version it names. */
  const cdnPage = () => {
    cpSync(join(context.root, 'examples/cdn-page'), join(context.folder, 'examples/cdn-page'), { recursive: true })
    const file = join(context.folder, 'examples/cdn-page/index.html')
    const html = readFileSync(file, 'utf8')
    const address = /https:\/\/cdn\.jsdelivr\.net\/npm\/lanewise@([\d.]+)\//
    writeFileSync(file, html.replace(address, '/plain/node_modules/lanewise/'))
    return { named: html.match(address)?.[1], page: '/plain/examples/cdn-page/index.html' }
  }

  return {
    'examples/node': async () => {
      const cwd = await installed(context, 'node')
      const trained = await run(process.execPath, ['train.js'], { cwd })
      const loss = Number(trained.match(/epoch 30: loss ([\d.]+)/)?.[1])
      const arm = async (...point) => (await run(process.execPath, ['predict.js', ...point], { cwd })).trim()
      const first = await arm('-0.208', '0.455')
      const second = await arm('0.208', '-0.455')
      return failures(
        [loss < 0.05, trained],
        [/^arm 1 \((9|100)/.test(first), first],
        [/^arm 2 \((9|100)/.test(second), second],
        [await arm('here').catch((error) => error.message.includes('usage:')), 'takes "here" for a point'],
      )
    },
    'examples/deno': async () => {
      const cwd = await installed(context, 'deno')
      const env = { ...process.env, HOME: context.folder }
      await run(deno, ['check', 'main.ts'], { cwd, env })
      const text = await run(deno, ['task', 'start'], { cwd, env })
      return failures([Number(text.match(/([\d.]+) % of new points right/)?.[1]) > 95, text])
    },
    'examples/vite-page, built': async () => {
      const cwd = await installed(context, 'vite-page')
      return drawn(await preview(cwd, { until: 'done' }), /^step 3000 of 3000, loss 0\.0\d+$/)
    },
    'examples/vite-page, vite dev': async () => {
      const cwd = await installed(context, 'vite-page')
      return drawn(await viteDev(cwd, { until: 'done' }), /^step 3000 of 3000, loss 0\.0\d+$/)
    },
    'Vite dev with nothing cached, the line of docs/worker.md: the page is loaded once': async () => {
      const line = readFileSync(join(context.root, 'docs/worker.md'), 'utf8').match(
        /```js vite\.config\.js\n([\s\S]*?)```/,
      )[1]
      const found = await cold('cold', line)
      return failures(
        [found.loads === 1, `${found.loads} loads`],
        [found.loss < 1e-4, `loss ${found.loss}, ${found.error}`],
      )
    },
    // So that the row above can fail: once this does, the line is no longer needed.
    'Vite dev with nothing cached, without the line: the page is loaded again': async () => {
      const { loads } = await cold('cold-plain')
      return failures([loads > 1, `${loads} load`])
    },
    'examples/worker: every button, in Chromium': async () => {
      const cwd = await installed(context, 'worker')
      await run(join(context.root, 'node_modules/.bin/tsc'), ['--project', cwd])
      const [told] = await preview(cwd, { until: 'step', script: 'buttons' })
      const { paused, while: held, resumed, saved, stopped, continued, again, text, colours } = told
      return failures(
        [paused > 0 && held === paused, `step ${paused} when paused, ${held} later`],
        [resumed > paused, `step ${resumed} after the pause at ${paused}`],
        // 669 706 parameters, and a header.
        [saved > 4 * 669_706 && saved < 4 * 669_706 + 2000, `weights of ${saved} bytes`],
        [/^ended after step \d+, [\d.]+ % of new digits right$/.test(stopped), stopped],
        [continued.loss < again.loss / 2, `loss ${continued.loss} from weights, ${again.loss} without`],
        [/^step \d+ of 5000, loss [\d.]+, [\d.]+ ms a step$/.test(text), text],
        [colours.every((count) => count > 5), `canvases of ${colours} colours`],
      )
    },
    'examples/cdn-page': async () => {
      const { version } = JSON.parse(readFileSync(join(context.root, 'package.json'), 'utf8'))
      const { named, page } = cdnPage()
      const told = await watched('/plain', { page, until: 'loss', below: 0.05 })
      const { failures: found } = drawn(told, /^step \d+, loss 0\.0\d+, [\d.]+ ms a step$/)
      return failures([named === version, 'names another version'], [found.length === 0, found.join()])
    },
    'examples/cdn-page and vite-page, without SIMD': async () => {
      const { page } = cdnPage()
      const cwd = await installed(context, 'vite-page')
      const told = [
        ...(await watched('/plain', { page, until: 'failed', flags: NO_SIMD })),
        ...(await preview(cwd, { until: 'failed', flags: NO_SIMD })),
      ]
      return failures(
        ...told.map(({ text }) => [text.startsWith('init: this engine has no WebAssembly SIMD'), `shows "${text}"`]),
      )
    },
    'examples/cloudflare-worker': async () => {
      const served = await wranglerDev(await installed(context, 'cloudflare-worker'))
      try {
        let last
        for (let i = 0; i < 100; i++) last = await post(served, '/test/learn', { rows: rows(32), labels: labels(32) })
        const { classes } = await post(served, '/test/predict', { rows: rows(6) })
        const other = await post(served, '/other/learn', { rows: rows(1), labels: labels(1) })
        const wrong = []
        for (const body of [{ rows: [[1, 2]], labels: [0] }, { rows: [[1e39, 1, 1, 1]], labels: [0] }, null])
          wrong.push(await post(served, '/test/learn', body))
        const after = await post(served, '/test/learn', { rows: rows(32), labels: labels(32) })
        const refused = 'rows: expected 1 to 64 lists of 4 numbers that fit 32-bit floats'
        const lost = await post(served, '/test', {})
        return failures(
          [last.steps === 100 && last.seen === 3200 && last.loss < 0.2, JSON.stringify(last)],
          [classes.join() === '0,1,2,0,1,2', `classes ${classes}`],
          [other.steps === 1, 'two names share a model'],
          [wrong.every(({ status }) => status === 400), JSON.stringify(wrong)],
          [
            wrong.map(({ error }) => error).join() === [refused, refused, 'expected { rows, labels }'].join(),
            JSON.stringify(wrong),
          ],
          [after.steps === 101 && after.loss < 0.2, JSON.stringify(after)],
          [lost.status === 404, JSON.stringify(lost)],
        )
      } finally {
        await served.process.stop()
      }
    },
    'examples/vercel-edge': async () => {
      const cwd = await installed(context, 'vercel-edge')
      // What Vercel puts around a function.
      const entry =
        "import handler from './api/learn.js'\naddEventListener('fetch', (e) => e.respondWith(handler(e.request)))\n"
      writeFileSync(join(cwd, 'entry.js'), entry)
      const out = await bundleForVercel(cwd, 'entry.js', 'out')
      const ask = async (body) => {
        writeFileSync(join(cwd, 'body.json'), JSON.stringify(body))
        return vercel(out, join(cwd, 'body.json'))
      }
      const xor = {
        rows: [
          [0, 0],
          [0, 1],
          [1, 0],
          [1, 1],
        ],
        labels: [0, 1, 1, 0],
        ask: [
          [0, 1],
          [1, 1],
          [0, 0],
        ],
      }
      const { classes, loss } = await ask(xor)
      const { error } = await ask({ ...xor, labels: [0] })
      const wide = Array(200_000).fill(1)
      const wrong = []
      for (const row of [[1e39, 1], [], wide]) wrong.push((await ask({ rows: [row], labels: [0], ask: [row] })).error)
      wrong.push((await ask(null)).error)
      const refused = 'rows: expected 1 to 512 lists of 1 to 64 numbers that fit 32-bit floats, all of one length'
      return failures(
        [classes?.join() === '1,0,0' && loss < 0.1, `classes ${classes}, loss ${loss}`],
        [error === 'labels: expected a class from 0 to 99 for each row', error],
        [wrong.join() === [refused, refused, refused, 'expected { rows, labels, ask }'].join(), wrong.join('\n')],
      )
    },
  }
}
