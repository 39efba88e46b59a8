// `npm run lecture`: all lessons, two at a time, each a process of its own; one line each with what it found.

import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { main, number } from '../command.ts'

const folder = relative('.', fileURLToPath(new URL('.', import.meta.url)))
const lessons = readdirSync(folder)
  .filter((file) => /^\d\d[a-z]?-.*\.ts$/.test(file))
  .map((file) => file.replace('.ts', ''))

const args = {
  quick: { type: 'boolean', default: false, description: 'fewer steps and samples: under a minute in all' },
  out: {
    type: 'string',
    default: join(folder, 'out'),
    description: 'folder of figures, and of what the lessons print',
  },
  only: { type: 'string', default: '', description: 'lessons whose names contain this, as in 09 or gpt' },
  together: { type: 'string', default: '2', description: 'lessons that run at a time' },
} as const

interface Result {
  code: number | null
  text: string
  seconds: number
}

function run(name: string, quick: boolean, out: string): Promise<Result> {
  const options = ['--out', out, ...(quick ? ['--quick'] : [])]
  const start = performance.now()
  const child = spawn(process.execPath, ['--import', 'tsx', join(folder, `${name}.ts`), ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part) => (text += part))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, text, seconds: (performance.now() - start) / 1000 }))
  })
}

await main(
  { name: 'npm run lecture --', description: 'Run the lecture' },
  args,
  async ({ quick, out, only, together }) => {
    const chosen = lessons.filter((name) => name.includes(only))
    if (chosen.length === 0) throw new Error(`--only ${only} names no lesson, expected one of ${lessons.join(', ')}`)
    mkdirSync(out, { recursive: true })
    const start = performance.now()
    const results = new Map<string, Result>()
    // Printed in the order of the lecture, each as soon as those before it are.
    let printed = 0
    // The GPT takes longest, so it begins.
    const waiting = chosen.toSorted((a, b) => Number(b.includes('gpt')) - Number(a.includes('gpt')))
    const worker = async () => {
      for (let name = waiting.shift(); name; name = waiting.shift()) {
        const result = await run(name, quick, out)
        writeFileSync(join(out, `${name}.txt`), result.text)
        results.set(name, result)
        for (let next = chosen[printed]; next && results.has(next); next = chosen[++printed]) {
          const { code, text, seconds } = results.get(next) as Result
          const last = text.trimEnd().split('\n').at(-1)
          const words = code === 0 ? `${last} (${join(out, `${next}.svg`)})` : `failed:\n${text}`
          console.log(`${next.padEnd(24)} ${seconds.toFixed(0).padStart(3)} s  ${words}`)
        }
      }
    }
    await Promise.all(Array.from({ length: number('together', together, { min: 1 }) }, worker))
    const failed = chosen.filter((name) => results.get(name)?.code !== 0)
    console.log(`${chosen.length} lessons in ${((performance.now() - start) / 1000).toFixed(0)} s`)
    if (failed.length > 0) throw new Error(`failed: ${failed.join(', ')}`)
  },
)
