// What the documents show is what happens.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { init, nn, readSafetensors } from '../src/index.ts'

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
