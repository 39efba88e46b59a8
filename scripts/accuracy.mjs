// docs/accuracy.md from what the tests against PyTorch measured (build/accuracy): npm run accuracy.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'

const folder = 'build/accuracy'
const entries = readdirSync(folder).flatMap((file) => JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')))

const OVER_LARGEST = "the largest difference in a tensor, over PyTorch's largest value in it"
const TRAINING = 'the largest relative difference of a loss'

/** Sections, and the columns of each with what their figures are. */
const sections = {
  layers: {
    intro: `In all tested options, from the same weights and inputs. Layers without parameters have no training.
Dropout is compared in evaluation and with p = 1, where nothing is drawn: PyTorch's draws are other numbers.`,
    parts: {
      output: `${OVER_LARGEST}; also buffers after a forward in training`,
      gradients: 'the same, of inputs and parameters',
      training: `${TRAINING} in ten steps of SGD`,
    },
  },
  losses: {
    intro: `In all tested options and reductions.`,
    parts: {
      output: OVER_LARGEST,
      gradients: 'the same, of inputs',
      training: `${TRAINING} in ten steps of SGD on a linear layer (large where the loss itself is near 0)`,
    },
  },
  ops: {
    intro: `What is compared with PyTorch besides layers; all ops are compared with references in float64 in \`test/ops\`.`,
    parts: { output: OVER_LARGEST, gradients: 'the same, of inputs' },
  },
  optimizers: {
    intro: `Training of a small network from the same weights: twelve steps; with LBFGS ten, of up to six iterations each.
LBFGS divides by small differences of gradients, which magnifies every rounding: PyTorch's own LBFGS in float32 is up to
7e-5 away from float64 in the same tests (\`test/fixtures/lbfgs.py\`). For Rosenbrock's function, which falls to 0, only parameters are given.`,
    parts: {
      training: TRAINING,
      parameters: `after the last step, ${OVER_LARGEST}`,
      gradients: `after clipping, ${OVER_LARGEST}`,
      norm: 'that clipping returned, relative',
      averages: `after eight steps, ${OVER_LARGEST}`,
    },
  },
  schedules: {
    intro: `Learning rates, and momenta where the schedule sets them, over 120 steps. Both sides compute in float64, where
one rounding is 1.1e-16.`,
    parts: { rates: 'the largest difference over the largest rate of the run; of momenta the largest difference' },
  },
  models: {
    intro:
      'Networks of many layers, trained for 50 steps ("a small network" for ten) as in `test/pytorch/models.test.ts`.',
    parts: {
      output: OVER_LARGEST,
      gradients: 'the same, of inputs and parameters',
      training: TRAINING,
    },
  },
}

for (const { kind, part } of entries)
  if (!sections[kind]?.parts[part]) throw new Error(`accuracy: no explanation for ${part} of ${kind}; add it here`)

const cell = (error) => (error === undefined ? '' : error === 0 ? '0' : error.toExponential(1))

const section = ([kind, { intro, parts }]) => {
  const own = entries.filter((entry) => entry.kind === kind)
  const columns = Object.keys(parts).filter((part) => own.some((entry) => entry.part === part))
  const names = [...new Set(own.map(({ name }) => name))].sort((a, b) => a.localeCompare(b))
  const largest = (name, part) => {
    const errors = own.filter((entry) => entry.name === name && entry.part === part).map(({ error }) => error)
    return errors.length === 0 ? undefined : Math.max(...errors)
  }
  return [
    `## ${kind[0].toUpperCase()}${kind.slice(1)}`,
    '',
    intro,
    '',
    ...columns.map((part) => `- **${part}**: ${parts[part]}.`),
    '',
    `| name | ${columns.join(' | ')} |`,
    `| --- | ${columns.map(() => '---').join(' | ')} |`,
    ...names.map((name) => `| ${name} | ${columns.map((part) => cell(largest(name, part))).join(' | ')} |`),
    '',
  ].join('\n')
}

mkdirSync('docs', { recursive: true })
writeFileSync(
  'docs/accuracy.md',
  `# Accuracy

Written by \`npm run accuracy\` from what the tests in \`test/pytorch\` measure. Lanewise computes in float32, where one
rounding is 6.0e-8. Each figure is the largest error found, over all tested options, against PyTorch 1.13 in float64
rounded to float32 (\`test/fixtures\`, with the scripts that made them; what PyTorch 1.13 lacks is written there in its
operations). A figure of 0 means the same numbers; an empty cell, that there is nothing to compare.

${Object.entries(sections).map(section).join('\n')}`,
)
