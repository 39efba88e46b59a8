import { readFileSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

// The library: one ES module with the wasm core inside (src/core/kernels.ts), and the core as a file of its own.
export default defineConfig({
  assetsInclude: ['**/*.wasm'],
  build: {
    target: 'es2022',
    lib: { entry: { index: 'src/index.ts', node: 'src/node/index.ts' }, formats: ['es'] },
    sourcemap: true,
    minify: false,
    rolldownOptions: { external: /^node:/, output: { chunkFileNames: '[name].js' } },
  },
  plugins: [
    {
      name: 'kernels',
      generateBundle() {
        this.emitFile({ type: 'asset', fileName: 'kernels.wasm', source: readFileSync('build/kernels.wasm') })
      },
    },
  ],
  test: { include: ['test/**/*.test.ts'], reporters: ['default', './test/tally.ts'] },
})
