// npm run picture: docs/spirals.svg, what the first program of README.md learns: the plane as its network sees it, and the loss.

import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as Plot from '@observablehq/plot'
import { encode } from 'fast-png'
import { parseHTML } from 'linkedom'
import type { nn, Tensor } from '../src/index.ts'
import { programs } from './docs.ts'

/** Legible on white and on black. */
const INK = '#7d7d7d'
const ARMS = ['#2f7fd0', '#e0702d'] as const
const SNAPSHOTS = [1, 100, 300]
const PIXELS = 100
const SIZE = 210
const RANGE = 1.15

interface Seen {
  step: number
  loss: number
  model: nn.Module
}

const [program] = programs('README.md')
if (!program) throw new Error('README.md: no program')
// The program shows each step of its loop to `seen`, and gives away its points.
const code = program.code
  .replace(/^(\s*)if \(i % /m, '$1seen({ step: i, loss, model })\n$&')
  .replace(/^/, "import { seen } from './picture-seen.js'\n")
mkdirSync('build/docs', { recursive: true })
writeFileSync('build/docs/picture.js', `${code}\nexport { points }\n`)
writeFileSync('build/docs/picture-seen.js', 'export const seen = (what) => globalThis.seen(what)\n')

const { softmax, tensor } = (await import('lanewise' as string)) as typeof import('../src/index.ts')
const axis = Array.from({ length: PIXELS }, (_, i) => RANGE * ((2 * (i + 0.5)) / PIXELS - 1))
const losses: { step: number; loss: number }[] = []
const fields: { step: number; field: Float32Array }[] = []
Object.assign(globalThis, {
  seen({ step, loss, model }: Seen) {
    losses.push({ step, loss })
    if (!SNAPSHOTS.includes(step)) return
    const plane = tensor(axis.toReversed().flatMap((y) => axis.map((x) => [x, y])))
    const field = softmax(model.forward(plane) as typeof plane)
      .select(1, 1)
      .data() as Float32Array
    fields.push({ step, field: field.slice() })
  },
})
const data = (await import(pathToFileURL(resolve('build/docs/picture.js')).href)) as { points: Tensor }
const points = data.points.tolist() as [number, number][]

const { document } = parseHTML('<html><body></body></html>')
const rgb = (colour: string) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))

/** The plane: the colour of the arm that is likelier, the stronger the surer. */
function plane(field: Float32Array): string {
  const data = new Uint8Array(4 * field.length)
  for (const [i, p] of field.entries())
    data.set([...rgb(ARMS[p > 0.5 ? 1 : 0]), Math.round(170 * Math.abs(2 * p - 1))], 4 * i)
  const png = encode({ width: PIXELS, height: PIXELS, channels: 4, data })
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`
}

/** Points as dots of one path: a line of no length with round ends. */
const dots = (arm: number, place: (v: number) => string) =>
  points
    .filter((_, i) => i % 2 === arm)
    .map(([x, y]) => `M${place(x)} ${place(-y)}h0`)
    .join('')

const place = (v: number) => (((v + RANGE) / (2 * RANGE)) * SIZE).toFixed(1)
const panels = fields.map(({ step, field }, k) => {
  const image = `<image href="${plane(field)}" width="${SIZE}" height="${SIZE}"/>`
  const paths = ARMS.map((colour, arm) => `<path d="${dots(arm, place)}" stroke="${colour}"/>`).join('')
  const frame = `<rect width="${SIZE}" height="${SIZE}" fill="none" stroke="${INK}" stroke-opacity="0.5"/>`
  const title = `<text y="-8" fill="${INK}">after ${step} ${step === 1 ? 'step' : 'steps'}</text>`
  return `<g transform="translate(${8 + k * (SIZE + 14)},30)">${title}${image}<g stroke-width="3.2" stroke-linecap="round">${paths}</g>${frame}</g>`
})

const chart = Plot.plot({
  document: document as unknown as Document,
  width: 232,
  height: SIZE + 34,
  marginTop: 8,
  marginLeft: 42,
  marginBottom: 34,
  marginRight: 10,
  style: { color: INK, fontSize: '11px' },
  x: { label: 'step', labelArrow: 'none', ticks: SNAPSHOTS },
  y: { type: 'log', label: null, grid: true, ticks: [0.01, 0.1, 1], tickFormat: String, domain: [0.01, 1.2] },
  marks: [Plot.line(losses, { x: 'step', y: 'loss', stroke: ARMS[0], strokeWidth: 2 })],
})
chart.setAttribute('x', String(8 + 3 * (SIZE + 14)))
chart.setAttribute('y', '22')
const width = 8 + 3 * (SIZE + 14) + 232
const height = SIZE + 62
const last = losses.at(-1)?.loss.toFixed(4)
writeFileSync(
  'docs/spirals.svg',
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">
<title>Two spirals, and what a network says of the plane while it learns; its loss falls to ${last}</title>
${panels.join('\n')}
<text x="${50 + 3 * (SIZE + 14)}" y="22" fill="${INK}">loss</text>
${chart.outerHTML}
</svg>
`,
)
