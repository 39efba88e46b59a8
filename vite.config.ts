import { readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { defineConfig } from 'vitest/config'

// The namespaces, each a file: of an object made of one, a bundler could drop nothing. Not more files than that: each
// costs a runtime about 0.6 ms at the start.
const namespaces: Readonly<Record<string, string>> = {
  nn: 'src/nn/index.ts',
  init: 'src/nn/initializers.ts',
  optim: 'src/optim/index.ts',
  losses: 'src/losses/index.ts',
  metrics: 'src/metrics/index.ts',
}

// The library: ES modules with the wasm core inside (src/core/kernels.ts), and the core as a file of its own.
export default defineConfig(({ command }) => ({
  assetsInclude: ['**/*.wasm'],
  build: {
    target: 'es2022',
    lib: {
      entry: { index: 'src/index.ts', learn: 'src/learn/index.ts', node: 'src/node/index.ts', ...namespaces },
      formats: ['es'],
    },
    sourcemap: true,
    minify: false,
    rolldownOptions: {
      external: /^node:/,
      output: {
        chunkFileNames: '[name].js',
        codeSplitting: { groups: [{ name: 'core', test: /src\/(core|tensor|ops)\// }] },
      },
    },
  },
  plugins: [
    {
      name: 'namespaces',
      enforce: 'pre',
      resolveId(source, importer) {
        if (command !== 'build' || !importer) return null
        const path = relative(import.meta.dirname, resolve(dirname(importer), source))
        const name = Object.keys(namespaces).find((key) => namespaces[key] === path)
        return name ? { id: `./${name}.js`, external: true } : null
      },
    },
    {
      name: 'kernels',
      generateBundle() {
        this.emitFile({ type: 'asset', fileName: 'kernels.wasm', source: readFileSync('build/kernels.wasm') })
      },
    },
  ],
  test: { include: ['test/**/*.test.ts'], reporters: ['default', './test/tally.ts'] },
}))
