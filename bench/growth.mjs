// How the cost of a step grows: time against width, depth, batch and sequence length, beside the count of
// multiplications and additions, as one SVG.

import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

const mlp = (batch, sizes) => ({
  name: 'mlp',
  kind: 'mlp',
  batch,
  sizes,
  activation: 'relu',
  loss: 'crossEntropy',
  optimizer: 'adam',
  lr: 1e-5,
})

/** Forward, dW, and dX of all layers but the first: 2 multiplications and additions each. */
const mlpFlops = ({ batch, sizes }) =>
  sizes.slice(1).reduce((sum, outputs, i) => sum + (i > 0 ? 6 : 4) * batch * sizes[i] * outputs, 0)

const gpt = (batch, length) => ({
  name: 'gpt',
  ...{ kind: 'gpt', batch, length, vocabulary: 65, width: 128, heads: 4, blocks: 2, optimizer: 'adam', lr: 1e-5 },
})

/** 12 width² in the matrices of a block, the head; scores and their use, of which causal attention needs half. */
const gptFlops = ({ batch, length, width, blocks, vocabulary }) =>
  6 * batch * length * (blocks * 12 * width ** 2 + width * vocabulary + (blocks * 2 * width * length) / 2)

const powers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => 2 ** (from + i))

export const studies = [
  {
    axis: 'width w',
    title: 'MLP 784-w-w-10, batch 64',
    points: powers(4, 11).map((w) => [w, mlp(64, [784, w, w, 10])]),
    flops: mlpFlops,
  },
  {
    axis: 'depth d',
    title: 'MLP 256-(256 × d)-10, batch 64',
    points: powers(0, 6).map((d) => [d, mlp(64, [256, ...Array(d).fill(256), 10])]),
    flops: mlpFlops,
  },
  {
    axis: 'batch b',
    title: 'MLP 784-256-10, batch b',
    points: powers(0, 11).map((b) => [b, mlp(b, [784, 256, 10])]),
    flops: mlpFlops,
  },
  {
    axis: 'sequence length T',
    title: 'GPT 128 wide, 2 blocks, batch 4',
    points: powers(3, 9).map((t) => [t, gpt(4, t)]),
    flops: gptFlops,
  },
]

const WIDTH = 400
const HEIGHT = 300
const MARGIN = 46

/** The figure. results: for each study its [x, milliseconds, flops]; about: the machine. */
export function figure(results, about) {
  const { document } = parseHTML('<html><body></body></html>')
  const panels = studies.map(({ axis, title, points }, i) => {
    const rows = results[i].map(([x, ms, flops]) => ({ x, ms, flops }))
    // The line of the arithmetic: what it takes at the best rate of this study.
    const rate = Math.max(...rows.map(({ flops, ms }) => flops / ms))
    const svg = Plot.plot({
      document,
      width: WIDTH,
      height: HEIGHT,
      marginLeft: 60,
      marginTop: 44,
      marginRight: 20,
      x: { type: 'log', base: 2, label: axis, ticks: points.map(([x]) => x), tickFormat: String },
      y: {
        type: 'log',
        label: 'ms a step',
        labelAnchor: 'center',
        labelArrow: 'none',
        grid: true,
        tickFormat: (v) => (Math.log10(v) % 1 === 0 ? String(v) : ''),
      },
      marks: [
        Plot.line(rows, { x: 'x', y: ({ flops }) => flops / rate, stroke: '#999', strokeDasharray: '4 3' }),
        Plot.line(rows, { x: 'x', y: 'ms', stroke: '#0b6e4f', strokeWidth: 2 }),
        Plot.dot(rows, { x: 'x', y: 'ms', fill: '#0b6e4f', r: 3 }),
      ],
    })
    svg.setAttribute('x', String((i % 2) * WIDTH))
    svg.setAttribute('y', String(MARGIN + Math.floor(i / 2) * HEIGHT))
    const heading = `${title}: best ${(rate / 1e6).toFixed(0)} GFLOP/s`
    return `${svg.outerHTML.replace('</svg>', `<text x="60" y="14" text-anchor="start" font-size="12" font-weight="bold" fill="#222">${heading}</text></svg>`)}`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${2 * WIDTH}" height="${2 * HEIGHT + MARGIN}" viewBox="0 0 ${2 * WIDTH} ${2 * HEIGHT + MARGIN}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
<text x="60" y="20" font-size="15" font-weight="bold" fill="#222">Time grows with the arithmetic (dashed: all of it at the best rate)</text>
<text x="60" y="38" fill="#555">${about}</text>
${panels.join('\n')}
</svg>
`
}
