// The shape of the project itself: who may import whom, what a package may contain.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { expect, test } from 'vitest'

const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))

/** What each file imports: paths of files, or names of packages. */
const imports = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?'([^']+)'/g)].map(([, target]) =>
    target?.startsWith('.') ? normalize(join(dirname(file), target)) : (target as string),
  )

/** What the files of each folder of src may import, besides their own folder, and the files right in src that
 *  all may. */
const allowed: Record<string, string[]> = {
  core: ['#kernels'],
  threads: ['core', '#workers'],
  kernels: ['build', 'kernels.wasm', 'kernels.wasm?module'],
  tensor: ['core'],
  ops: ['core', 'tensor'],
  nn: ['core', 'tensor', 'ops'],
  losses: ['tensor', 'ops'],
  metrics: ['tensor', 'ops'],
  learn: ['tensor', 'ops'],
  optim: ['core', 'tensor'],
  data: ['io', 'tensor/shape.ts', 'tensor/types.ts'],
  io: ['tensor/shape.ts', 'tensor/types.ts', 'fflate', 'hyparquet', 'hyparquet-compressors', 'papaparse'],
  worker: ['tensor/types.ts'],
  flower: ['index.ts', 'tensor/shape.ts', 'tensor/types.ts', 'io/dtypes.ts', 'io/npy.ts', '@bufbuild/protobuf'],
  // The public entries alone: no private door into core or tensor.
  train: ['index.ts', 'io/index.ts', 'data/index.ts'],
  node: [
    'train/store.ts',
    'index.ts',
    'start.ts',
    'core',
    'threads',
    'kernels/base64.ts',
    'build',
    'io/source.ts',
    'node:fs',
    'node:fs/promises',
    'node:path',
    'node:os',
    'node:v8',
    'node:worker_threads',
  ],
}

test('imports of the host point one way', () => {
  const wrong: string[] = []
  for (const file of files('src')) {
    const inside = relative('src', file)
    const folder = inside.split('/')[0] as string
    // What lies in src itself is above all folders.
    if (!inside.includes('/')) continue
    for (const target of imports(file)) {
      const to = target.startsWith('src/') ? relative('src', target) : target
      const fits = [
        'checks.ts',
        'disposable.ts',
        'math.ts',
        'printed.ts',
        `${folder}/`,
        ...(allowed[folder] ?? []),
      ].some((prefix) => to === prefix || to.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`))
      if (!fits) wrong.push(`${file} imports ${target}`)
    }
  }
  expect(wrong).toEqual([])
  expect(
    readdirSync('src', { withFileTypes: true })
      .filter((e) => e.isDirectory())
      .map((e) => e.name)
      .sort(),
  ).toEqual(Object.keys(allowed).sort())
})

test('no file imports itself by way of others, not even for a type', () => {
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    expect(path, 'a circle of imports').not.toContain(file)
    if (done.has(file) || !/^src\/.*\.ts$/.test(file)) return
    for (const target of imports(file)) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of files('src')) if (!file.endsWith('.d.ts')) visit(file, [])
})

test('what is no part of training is no part of the main entry', () => {
  for (const file of files('src').filter((file) => !file.startsWith('src/learn/')))
    for (const target of imports(file)) expect(target, file).not.toMatch(/^src\/learn\//)
})

test('the core imports nothing from outside itself', () => {
  for (const file of files('assembly'))
    for (const target of imports(file)) expect(join(`${target}.ts`), file).toMatch(/^assembly\//)
})

test('no Node API, no code made at run time, nothing but the engine kept in globals', () => {
  for (const file of files('src').filter((file) => !file.startsWith('src/node/'))) {
    const text = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    expect(text, file).not.toMatch(/'node:|\bprocess\b|\bBuffer\.|\beval\([^)]|new Function|globalThis|require\(/)
    expect(text, file).not.toMatch(/^(const \w+ = )?await /m)
  }
})

test('the host computes alike on every engine', () => {
  const left =
    'acos acosh asin asinh atan atan2 atanh cbrt cos cosh exp expm1 hypot log log10 log1p log2 pow sin sinh tan tanh'
  const forbidden = new RegExp(
    `\\bMath\\.(${left.replaceAll(' ', '|')})\\b|\\*\\*|\\bDate\\.parse\\b|\\blocaleCompare\\b|\\btoLocale\\w+|\\bIntl\\.`,
  )
  for (const file of files('src')) {
    const text = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'/g, '')
    expect(
      text,
      `${file}: ECMAScript leaves this to the engine; src/math.ts has what is the same everywhere`,
    ).not.toMatch(forbidden)
  }
})

test('the package has no runtime dependency, no install script, and exact versions', () => {
  const pkg = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const kind of ['dependencies', 'optionalDependencies', 'peerDependencies']) expect(pkg[kind]).toBeUndefined()
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) expect(pkg.scripts[name]).toBeUndefined()
  for (const [name, version] of Object.entries(pkg.devDependencies)) expect(version, name).toMatch(/^\d+\.\d+\.\d+$/)
  for (const entry of Object.values(pkg.exports))
    if (typeof entry === 'object') expect(Object.keys(entry as object)[0]).toBe('types')
})

test('ops, kernels and their families have the same names', () => {
  const host = [...readdirSync('src/ops'), ...readdirSync('src/optim')]
  const kernels = readdirSync('assembly/kernels')
  expect(kernels.filter((f) => host.filter((g) => g === f).length !== 1)).toEqual([])
  // These have no kernels of their own.
  expect(readdirSync('src/ops').filter((f) => !kernels.includes(f))).toEqual([
    'broadcast.ts',
    'create.ts',
    'einsum.ts',
    'input.ts',
  ])
})

test('each family of kernels is covered by the tests of one file', () => {
  const covered = files('test').flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/^covers\(([^)]*)\)/gm)].flatMap(([, list]) =>
      [...(list as string).matchAll(/'(\w+)'/g)].map(([, family]) => family),
    ),
  )
  expect(covered.sort()).toEqual(
    readdirSync('assembly/kernels')
      .map((f) => f.replace('.ts', ''))
      .sort(),
  )
})

test('each op that is exported is used by a test of ops', () => {
  const lists = readFileSync('src/methods.ts', 'utf8') + readFileSync('src/index.ts', 'utf8')
  const exported = [...lists.matchAll(/^export \{([^}]*)\} from '\.\/ops\//gm)]
    .flatMap(([, list]) => (list as string).split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type ') && name !== 'Generator')
  const tests = files('test')
    .filter((file) => /^test\/ops(\.test\.ts|\/)/.test(file))
    .map((file) => readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''))
    .join('\n')
  // As lw.name, as x.name( of a chain, or imported by name.
  const idle = exported.filter(
    (name) => !new RegExp(`(?<!reference)\\.${name}\\b|^import \\{[^}]*\\b${name}\\b`, 'm').test(tests),
  )
  expect(exported.length).toBeGreaterThan(70)
  expect(idle).toEqual([])
})
