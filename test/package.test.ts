// What is published: whether bundlers, type checkers and runtimes that read package.json get on with it.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { publint } from 'publint'
import { afterAll, expect, test } from 'vitest'
import { loaded } from '../scripts/size.mjs'

const pkg = JSON.parse(readFileSync('package.json', 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'lanewise-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('publint has nothing to say', async () => {
  const { messages } = await publint({ pkgDir: '.', strict: true, level: 'suggestion' })
  expect(messages).toEqual([])
})

test('all that package.json names is there', () => {
  const paths = JSON.stringify([pkg.exports, pkg.imports, pkg.main, pkg.types, pkg.unpkg, pkg.jsdelivr]).match(
    /\.\/dist\/[^"]+/g,
  ) as string[]
  expect(paths.length).toBeGreaterThan(15)
  for (const path of paths.filter((path) => !path.includes('*'))) expect(existsSync(path), path).toBe(true)
  for (const file of ['kernels.wasm', 'kernels-relaxed.wasm']) expect(existsSync(`dist/${file}`)).toBe(true)
})

test('each library inside is listed with its licence, makes no code and asks for no other', () => {
  const libraries = readdirSync('dist/lib', { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.js'),
  )
  const notice = readFileSync('dist/THIRD_PARTY.md', 'utf8')
  expect(libraries.length).toBeGreaterThan(0)
  for (const file of libraries) {
    const name = file.slice(0, -3)
    const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
    expect(notice).toMatch(new RegExp(`\n## ${name} ${version} \\((MIT|\\(Apache-2\\.0 AND BSD-3-Clause\\))\\)\n`))
    const code = readFileSync(join('dist/lib', file), 'utf8')
    expect(code, file).not.toMatch(/\beval\(|new Function|\brequire\(|^import .*from ["'](?!\.)/m)
    // Neither does any compile wasm where it is imported: edge runtimes and pages refuse.
    expect(code.includes('WebAssembly'), file).toBe(false)
  }
})

test('maps do not repeat the core', () => {
  const files = readdirSync('dist/kernels')
  expect(files.filter((file) => file.endsWith('.map'))).toEqual([])
  for (const file of files.filter((file) => file.endsWith('.js')))
    expect(readFileSync(join('dist/kernels', file), 'utf8'), file).not.toContain('sourceMappingURL')
})

test('nothing outside src/node compiles against an API of Node', { timeout: 60_000 }, () => {
  const project = join(folder, 'web')
  mkdirSync(project)
  writeFileSync(join(project, 'stray.ts'), "import 'node:fs'\nexport const id = process.pid\n")
  const compile = (...include: string[]) => {
    const config = {
      extends: resolve('tsconfig.json'),
      compilerOptions: { types: [] },
      include,
      exclude: [resolve('src/node')],
    }
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(config))
    return readErrors(() =>
      execFileSync(resolve('node_modules/.bin/tsc'), ['--project', project], { encoding: 'utf8' }),
    )
  }
  expect(compile(resolve('src'))).toBe('')
  const errors = compile(resolve('src'), join(project, 'stray.ts'))
  expect(errors).toMatch(/stray\.ts\(1,8\).*node:fs/)
  expect(errors).toMatch(/stray\.ts\(2,19\).*process/)
})

test('NOTICE names what is in the package of others', () => {
  const notice = readFileSync('NOTICE', 'utf8')
  // Functions of AssemblyScript's library in the core, as the text of the build names them.
  const library = [...readFileSync('build/kernels.wat', 'utf8').matchAll(/\(func \$~lib\/math\/(\S+)/g)].map(
    ([, name]) => name,
  )
  expect(library.length).toBeGreaterThan(0)
  expect(library.filter((name) => !notice.includes(`  ${name} `))).toEqual([])
  const licences = readFileSync('dist/THIRD_PARTY.md', 'utf8')
  for (const words of ['## assemblyscript', 'Apache License', 'musl libc', 'END OF TERMS AND CONDITIONS'])
    expect(licences).toContain(words)
  expect(notice).toContain(`AssemblyScript ${pkg.devDependencies.assemblyscript},`)
})

test('files of the package import each other, the core, workers, and for Node modules of Node', () => {
  const scripts = readdirSync('dist', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.js'))
  expect(scripts.length).toBeGreaterThan(10)
  for (const file of scripts) {
    const text = readFileSync(join('dist', file), 'utf8')
    for (const [, target] of text.matchAll(/^(?:import|export)\b[^;'"]*["']([^"']+)["'];$/gm)) {
      expect(target, file).toMatch(/^node\b/.test(file) ? /^\.\.?\/|^node:/ : /^\.\.?\/|^#(kernels|workers)$/)
    }
  }
})

test('a program carries what it uses of a namespace, and the methods of Tensor', { timeout: 30_000 }, async () => {
  const files = await loaded(
    "import { compile, init, losses, nn, optim } from 'lanewise'; globalThis.used = [compile, init, losses.mse, nn.Linear, optim.SGD]",
  )
  // Without the core in base64, where any three letters may stand.
  const code = files.join('').replaceAll(/[\w+/=]{1000,}/g, '')
  const named = (...names: string[]) => names.filter((name) => code.includes(name))
  // logSumExp is a method of Tensor: dist/index.js, which makes ops methods, has an effect by itself.
  expect(named('nn.Linear', 'optim.SGD', 'logSumExp')).toEqual(['nn.Linear', 'optim.SGD', 'logSumExp'])
  const others = [
    'nn.MultiheadAttention',
    'nn.LSTM',
    'nn.Conv2d',
    'optim.Adam',
    'optim.LBFGS',
    'optim.OneCycleLR',
    'normalEquations',
    'kMeans',
    'pca',
  ]
  expect(named(...others, 'crossEntropy', 'metrics.', 'DataLoader', 'readSafetensors')).toEqual([])
})

test('lanewise.min.js keeps the names of classes, by which models print themselves', async () => {
  const page = await import(pathToFileURL('dist/lanewise.min.js').href)
  expect(String(new page.nn.Sequential(new page.nn.ReLU()))).toBe('Sequential(\n  (0): ReLU()\n)')
})

/** What the compiler printed, if it failed. */
function readErrors(run: () => string): string {
  try {
    return run()
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}
