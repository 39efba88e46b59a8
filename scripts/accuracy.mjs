// docs/accuracy.md from what the tests against PyTorch measured (build/accuracy): npm run accuracy.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'

const folder = 'build/accuracy'
const entries = readdirSync(folder).flatMap((file) => JSON.parse(readFileSync(`${folder}/${file}`, 'utf8')))
const kinds = [...new Set(entries.map(({ kind }) => kind))].sort()
const cell = (error) => (error === undefined ? '' : error === 0 ? '0' : error.toExponential(1))
const table = (kind) => {
  const own = entries.filter((entry) => entry.kind === kind)
  const parts = ['output', 'gradients', 'training'].filter((part) => own.some((entry) => entry.part === part))
  const names = [...new Set(own.map(({ name }) => name))].sort((a, b) => a.localeCompare(b))
  const largest = (name, part) => {
    const errors = own.filter((entry) => entry.name === name && entry.part === part).map(({ error }) => error)
    return errors.length === 0 ? undefined : Math.max(...errors)
  }
  return [
    `## ${kind[0].toUpperCase()}${kind.slice(1)}`,
    '',
    `| name | ${parts.join(' | ')} |`,
    `| --- | ${parts.map(() => '---').join(' | ')} |`,
    ...names.map((name) => `| ${name} | ${parts.map((part) => cell(largest(name, part))).join(' | ')} |`),
    '',
  ].join('\n')
}
mkdirSync('docs', { recursive: true })
writeFileSync(
  'docs/accuracy.md',
  `# Accuracy

Written by \`npm run accuracy\`. Each figure is the largest error found against PyTorch 1.13 in float64
(\`test/fixtures\`, with the scripts that made them), over all tested options of the layer, loss or optimizer:

- **output**, **gradients**: the largest |ours − PyTorch's| in a tensor, over the largest |PyTorch's| in it.
  One rounding of float32 is 6.0e-8.
- **training**: the largest relative difference of a loss during the training steps of the test.

${kinds.map(table).join('\n')}`,
)
