// What the documents show is what happens.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { init, nn } from '../src/index.ts'
import { readSafetensors } from '../src/io/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'lanewise-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('the example of README.md prints what stands below it', () => {
  const readme = readFileSync('README.md', 'utf8')
  const [, code, output] = readme.match(/```js\n([\s\S]*?)```\n[^`]*```text\n([\s\S]*?)```/) as unknown as [
    string,
    string,
    string,
  ]
  const file = 'build/readme-example.mjs'
  writeFileSync(file, code)
  expect(execFileSync(process.execPath, [file], { encoding: 'utf8' })).toBe(output)
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(30)
})

test('the training in a Worker of README.md prints what stands below it', () => {
  const section = readFileSync('README.md', 'utf8').match(/## In a Worker\n([\s\S]*?)\n## /)?.[1] as string
  const [train, page, output] = [...section.matchAll(/```(?:js|text)\n([\s\S]*?)```/g)].map(
    ([, code]) => code as string,
  )
  // What a page has, and Node has elsewhere.
  const threads = "from 'node:worker_threads'\n"
  writeFileSync('build/train.js', `import { parentPort } ${threads}globalThis.self = parentPort\n${train}`)
  writeFileSync('build/page.js', `import { Worker } ${threads}console.debug = () => {}\n${page}`)
  expect(execFileSync(process.execPath, ['build/page.js'], { encoding: 'utf8' })).toBe(output)
})

const start = (...args: string[]) =>
  execFileSync('npx', ['tsx', 'examples/mnist/main.ts', ...args], {
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
  execFileSync('npx', ['tsx', `examples/${example}/main.ts`, ...args], { encoding: 'utf8' })

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
