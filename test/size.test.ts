// What the library adds to a page, as a bundler makes it: minified, gzipped, without the wasm.

import { resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, type Rolldown } from 'vite'
import { expect, test } from 'vitest'

/** The script that a page loads at the start for this code, which imports from 'lanewise'. */
async function bundled(code: string): Promise<{ script: string; bytes: number }> {
  const output = (await build({
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      minify: 'oxc',
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: 'entry', preserveEntrySignatures: 'strict' },
    },
    plugins: [
      {
        name: 'entry',
        enforce: 'pre',
        resolveId: (id) => (id === 'entry' ? '\0entry' : id === 'lanewise' ? resolve('dist/index.js') : null),
        load: (id) => (id === '\0entry' ? code : null),
      },
    ],
  })) as Rolldown.RolldownOutput
  const script = output.output[0].code.replace(/"data:application\/wasm[^"]*"|`data:application\/wasm[^`]*`/, '""')
  return { script, bytes: gzipSync(script, { level: 9 }).length }
}

test('the entry with all of tensor, ops, nn, optim and compile', async () => {
  const { script, bytes } = await bundled("export { init, tensor, compile, nn, optim } from 'lanewise'")
  expect(script).toContain('optim.LBFGS')
  expect(bytes).toBeLessThan(52_000)
})

test('a program carries what it uses of a namespace', async () => {
  const { script, bytes } = await bundled(
    "import { compile, init, losses, nn, optim } from 'lanewise'; globalThis.used = [compile, init, losses.mse, nn.Linear, optim.SGD]",
  )
  expect(script).toContain('optim.SGD')
  // Methods of Tensor come with it: src/chain.ts is listed in package.json as what has an effect by itself.
  expect(script).toContain('logSumExp')
  const unused = [
    'nn.LSTM',
    'optim.Adam',
    'optim.OneCycleLR',
    'crossEntropy',
    'metrics.',
    'normalEquations',
    'kMeans',
    'pca',
  ]
  for (const other of unused) expect(script).not.toContain(other)
  expect(bytes).toBeLessThan(26_000)
})
