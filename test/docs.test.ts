// What the documents show is what happens.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { documents, printed, programs } from '../scripts/docs.ts'
import { init, nn } from '../src/index.ts'
import { readSafetensors } from '../src/io/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'lanewise-'))
afterAll(() => rmSync(folder, { recursive: true }))

test.concurrent.each(
  documents.flatMap(programs).map((program) => [program.document, program.heading, program] as const),
)('%s, %s: what it prints stands below it', { timeout: 60_000 }, async (_, __, program) => {
  const outputs = program.outputs.map(({ code }) => code)
  expect((await printed(program)).slice(0, outputs.length)).toEqual(outputs)
})

const lines = (text: string) => text.trimEnd().split('\n')

test('README.md and ARCHITECTURE.md stay short', () => {
  const readme = readFileSync('README.md', 'utf8')
  expect(lines(readme).length).toBeLessThanOrEqual(130)
  const program = lines(readme.match(/```js\n([\s\S]*?)```/)?.[1] as string)
  expect(program.filter((line) => line !== '' && !line.startsWith('//')).length).toBeLessThanOrEqual(16)
  expect(lines(readFileSync('ARCHITECTURE.md', 'utf8')).length).toBeLessThanOrEqual(150)
})

/** Of tracked files, and of those that are new. */
const markdown = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], { encoding: 'utf8' })
  .trim()
  .split('\n')

/** Text without code, in which brackets are no links. */
const prose = (file: string) => readFileSync(file, 'utf8').replaceAll(/^```[\s\S]*?^```$|`[^`\n]+`/gm, '')

/** As GitHub and npm name headings. */
const anchors = (file: string) =>
  [...readFileSync(file, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

test('links lead somewhere, and from what npm shows to what is in the package', () => {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' })
  const inPackage = (JSON.parse(packed) as [{ files: { path: string }[] }])[0].files.map(({ path }) => path)
  expect(inPackage).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'NOTICE', 'docs/guide.md']))
  expect(inPackage.filter((path) => /^examples\/.*(node_modules|dist)\//.test(path))).toEqual([])
  const broken: string[] = []
  for (const file of markdown) {
    for (const [, target] of prose(file).matchAll(/\]\(([^)\s]+)\)/g) as Iterable<[string, string]>) {
      if (/^https?:/.test(target)) continue
      const [path, anchor] = target.split('#') as [string, string?]
      const to = path === '' ? file : relative('.', join(dirname(file), path))
      const found = inPackage.includes(file)
        ? inPackage.some((other) => other === to || other.startsWith(`${to}/`))
        : existsSync(to)
      if (!found || (anchor !== undefined && !anchors(to).includes(anchor))) broken.push(`${file}: ${target}`)
    }
  }
  expect(broken).toEqual([])
})

test('documents name commands that there are', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
  const own = markdown.filter((file) => !file.startsWith('examples/') || file === 'examples/README.md')
  const missing = own.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/npm run ([\w:-]+)/g)]
      .filter(([, name]) => !Object.hasOwn(scripts, name as string))
      .map(([text]) => `${file}: ${text}`),
  )
  expect(missing).toEqual([])
})

/** The cells of the row of a table that begins with `name`. */
const row = (file: string, name: string) =>
  lines(readFileSync(file, 'utf8'))
    .find((line) => line.startsWith(`| ${name}`))
    ?.split('|')
    .map((cell) => cell.replaceAll('*', '').trim()) as string[]

test('figures of README.md are those of the documents', () => {
  const readme = readFileSync('README.md', 'utf8')
  const budget = row('docs/runtimes.md', 'a page that trains an MLP')[5]?.match(/(\d+) gzip/)?.[1]
  expect(readme).toMatch(`is at most ${budget} KB gzipped`)
  const [, , ours, tfjs, , , torch] = row('docs/performance.md', 'mlp-small, ms') as [
    string,
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  const times = (cell: string) => Number(cell.match(/\(([\d.]+)×\)/)?.[1])
  expect(readme).toMatch(`takes ${ours} ms: ${times(tfjs)} times as fast`)
  expect(readme).toMatch(`${times(torch).toFixed(1)} times as PyTorch`)
  const layers = readFileSync('docs/accuracy.md', 'utf8').match(/## Layers\n[\s\S]*?\n## /)?.[0] as string
  const largest = Math.max(...[...layers.matchAll(/ (\d\.\de-\d+) /g)].map(([, error]) => Number(error)))
  expect(readme).toMatch('by less than 1e-6')
  expect(largest).toBeGreaterThan(1e-8)
  expect(largest).toBeLessThan(1e-6)
})

test('the picture of README.md is of its program', () => {
  const loss = programs('README.md')[0]?.outputs[0]?.code.match(/loss ([\d.]+)\n$/)?.[1]
  expect(readFileSync('docs/spirals.svg', 'utf8')).toContain(`its loss falls to ${loss}<`)
})

const start = (...args: string[]) =>
  execFileSync(process.execPath, ['--import', 'tsx', 'examples/mnist/main.ts', ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })

test('npm start prints the same accuracy for the same seed, and saves the model', { timeout: 120_000 }, async () => {
  const out = join(folder, 'model.safetensors')
  const args = ['--epochs', '1', '--hidden', '32,16', '--seed', '3', '--out', out]
  const last = (text: string) => text.trim().split('\n').at(-1)
  const first = last(start(...args))
  expect(first).toMatch(/^test accuracy \d\d\.\d\d %$/)
  expect(Number(first?.match(/[\d.]+/)?.[0])).toBeGreaterThan(90)
  expect(last(start(...args))).toBe(first)
  await init()
  const model = new nn.Sequential(
    new nn.Linear(784, 32),
    new nn.ReLU(),
    new nn.Linear(32, 16),
    new nn.ReLU(),
    new nn.Linear(16, 10),
  )
  model.loadStateDict(readSafetensors(readFileSync(out)).tensors)
})

test.each([
  [['--help'], /epochs[\s\S]*hidden[\s\S]*batch[\s\S]*lr[\s\S]*seed[\s\S]*data/],
  [['--epochs', 'many'], /--epochs is many, expected a whole number/],
  [['--data', folder], /no train-images-idx3-ubyte .* name the folder of the MNIST files with --data/],
  [['--epoch', '3'], /unknown option --epoch, expected one of --epochs/],
])('npm start -- %j says what it takes', (args, message) => {
  let text: string
  try {
    text = start(...args)
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    text = stdout + stderr
    expect(text).not.toMatch(/\n\s+at /)
  }
  expect(text).toMatch(message)
})

const run = (example: string, ...args: string[]) =>
  execFileSync(process.execPath, ['--import', 'tsx', `examples/${example}/main.ts`, ...args], { encoding: 'utf8' })

test('train:mnist-cnn learns from any four IDX files', { timeout: 60_000 }, () => {
  const data = mkdtempSync(join(folder, 'idx-'))
  // Each class is a bright row of its own.
  for (const [part, count] of [
    ['train', 400],
    ['t10k', 50],
  ] as const) {
    const images = new Uint8Array(16 + count * 784)
    images.set([0, 0, 8, 3, 0, 0, count >> 8, count & 255, 0, 0, 0, 28, 0, 0, 0, 28])
    const labels = new Uint8Array(8 + count)
    labels.set([0, 0, 8, 1, 0, 0, count >> 8, count & 255])
    for (let i = 0; i < count; i++) {
      labels[8 + i] = i % 10
      images.fill(200, 16 + i * 784 + 28 * (2 * (i % 10) + 4), 16 + i * 784 + 28 * (2 * (i % 10) + 5))
    }
    writeFileSync(join(data, `${part}-images-idx3-ubyte`), images)
    writeFileSync(join(data, `${part}-labels-idx1-ubyte`), labels)
  }
  const text = run('mnist-cnn', '--data', data, '--epochs', '8', '--batch', '20', '--seed', '2')
  expect(text.trim().split('\n').at(-1)).toBe('test accuracy 100.00 %')
})

test('train:chars learns from any text, and writes', { timeout: 60_000 }, () => {
  const file = join(folder, 'text.txt')
  writeFileSync(file, 'the quick brown fox jumps over the lazy dog. '.repeat(60))
  const text = run('chars', '--data', file, '--steps', '12', '--seed', '2')
  const loss = Number(text.match(/validation loss ([\d.]+)/)?.[1])
  // 28 kinds of characters: knowing nothing costs ln 28.
  expect(loss).toBeLessThan(Math.log(28))
  expect(text.trim().split('\n').at(-1)?.length).toBeGreaterThan(300)
})
