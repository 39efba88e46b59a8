// Figures as SVG: panels of Observable Plot, or of pixels, side by side under one title.

import * as Plot from '@observablehq/plot'
import { encode } from 'fast-png'
import { parseHTML } from 'linkedom'

const { document } = parseHTML('<!doctype html><html><body></body></html>')

export interface Panel {
  width: number
  height: number
  svg: string
}

const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** Words in lines of at most `length` characters. */
function lines(text: string, length: number): string[] {
  const found = ['']
  for (const word of text.split(' ')) {
    const last = found.at(-1) as string
    if (last && last.length + word.length >= length) found.push(word)
    else found[found.length - 1] = last ? `${last} ${word}` : word
  }
  return found
}

const write = (text: string[], x: number, y: number, size: number, weight: string): string =>
  text
    .map(
      (line, i) =>
        `<text x="${x}" y="${y + 1.25 * size * (i + 1)}" font-size="${size}" font-weight="${weight}">${escape(line)}</text>`,
    )
    .join('')

/** A panel with a caption above it. */
function captioned(caption: string, width: number, height: number, svg: string): Panel {
  const text = lines(caption, width / 6.7)
  const top = 16 * text.length + 6
  return {
    width,
    height: height + top,
    svg: `${write(text, 4, 0, 12, 'normal')}<g transform="translate(0,${top})">${svg}</g>`,
  }
}

/** A chart by Observable Plot: https://observablehq.com/plot */
export function chart(caption: string, options: Plot.PlotOptions): Panel {
  const { width = 400, height = 300 } = options
  const drawn = Plot.plot({
    // A Document of linkedom is one as far as Plot needs it.
    document: document as unknown as Document,
    marginLeft: 52,
    marginBottom: 38,
    marginTop: 22,
    ...options,
    width,
    height,
  })
  drawn.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  drawn.setAttribute('xmlns:xlink', 'http://www.w3.org/1999/xlink')
  return captioned(caption, width, height, drawn.outerHTML)
}

/** A logarithmic axis: ticks at powers of ten. */
export const log = (label: string, options: Plot.ScaleOptions = {}): Plot.ScaleOptions => ({
  type: 'log',
  label,
  grid: true,
  ticks: 6,
  tickFormat: (value: number) => {
    const power = Math.round(Math.log10(value))
    if (Math.abs(value / 10 ** power - 1) > 1e-9) return ''
    return power >= -1 && power <= 3
      ? String(10 ** power)
      : `10${[...String(power)].map((c) => superscripts[c]).join('')}`
  },
  ...options,
})
const superscripts: Record<string, string> = {
  '-': '⁻',
  ...Object.fromEntries([...'⁰¹²³⁴⁵⁶⁷⁸⁹'].map((c, i) => [i, c])),
}

/** Words at a place of the chart. */
export const note = (x: number, y: number, text: string, fill: string) =>
  Plot.text([{ x, y }], { x: 'x', y: 'y', text: [text], fill, textAnchor: 'start' })

/** Words in the top left corner, in line number i. */
export const corner = (text: string, i: number, fill: string) =>
  Plot.text([text], { text: [text], fill, frameAnchor: 'top-left', dx: 8, dy: 4 + 15 * i })

/** A line, and its name at the end. */
export const curve = <T>(
  data: T[],
  x: keyof T & string,
  y: keyof T & string,
  stroke: string,
  name: string,
  dy = -12,
) => [
  Plot.line(data, { x, y, stroke, clip: true }),
  Plot.text(data.slice(-1), {
    x,
    y,
    text: [name],
    fill: stroke,
    stroke: 'white',
    strokeWidth: 4,
    dy,
    textAnchor: 'end',
  }),
]

/** A line for each value of `name`; the names stand right of the chart. */
export const labelled = <T>(
  data: T[],
  x: keyof T & string,
  y: keyof T & string,
  name: keyof T & string,
  marker = false,
) => [
  Plot.line(data, { x, y, stroke: name, marker }),
  ...[...new Set(data.map((d) => d[name]))].map((value, i) =>
    Plot.text([value], {
      text: [value],
      fill: [value],
      frameAnchor: 'top-right',
      textAnchor: 'start',
      dx: 8,
      dy: 15 * i,
    }),
  ),
]

/** `count` numbers, each the same factor above the last. */
export const geometric = (from: number, to: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from * (to / from) ** (i / (count - 1)))

/** The centres of size × size pixels, row by row from the top left: x, y, x, y, … */
export const grid = (size: number, [x1, x2]: [number, number], [y1, y2]: [number, number]): number[] =>
  Array.from({ length: 2 * size * size }, (_, at) => {
    const [i, j] = [Math.floor(at / 2 / size), Math.floor(at / 2) % size]
    return at % 2 === 0 ? x1 + ((x2 - x1) * (j + 0.5)) / size : y2 + ((y1 - y2) * (i + 0.5)) / size
  })

/** Colours (0 .. 255, three a pixel) of size × size pixels, behind a chart of the usual size. */
export const raster = (colours: ArrayLike<number>, size: number) =>
  Plot.image([0], {
    src: [png({ width: size, height: size, channels: 3, data: Uint8Array.from(colours) })],
    frameAnchor: 'middle',
    width: 328,
    height: 240,
    imageRendering: 'pixelated',
    preserveAspectRatio: 'none',
  })

export interface Pixels {
  width: number
  height: number
  channels: 1 | 3
  /** 0 .. 255 */
  data: Uint8Array
}

/** Pixels as the address of a PNG that holds them. */
export const png = (pixels: Pixels): string => `data:image/png;base64,${Buffer.from(encode(pixels)).toString('base64')}`

/** Pixels, each drawn as `scale` × `scale`. */
export function picture(caption: string, { width, height, channels, data }: Pixels, scale: number): Panel {
  const large = {
    width: width * scale,
    height: height * scale,
    channels,
    data: new Uint8Array(data.length * scale ** 2),
  }
  for (let at = 0; at < large.data.length; at++) {
    const [place, channel] = [Math.floor(at / channels), at % channels]
    const [x, y] = [Math.floor((place % large.width) / scale), Math.floor(place / large.width / scale)]
    large.data[at] = data[(y * width + x) * channels + channel] as number
  }
  const image = `<image href="${png(large)}" width="${large.width}" height="${large.height}"/>`
  return captioned(caption, Math.max(large.width, 160), large.height, image)
}

/** Images of `size` × `size` values (0: white, 1: black) in rows of `columns`, a pixel apart. */
export function sheet(images: ArrayLike<number>, size: number, columns: number): Pixels {
  const count = images.length / (size * size)
  const width = columns * (size + 1) - 1
  const height = Math.ceil(count / columns) * (size + 1) - 1
  const data = new Uint8Array(width * height).fill(225)
  for (let at = 0; at < images.length; at++) {
    const [i, pixel] = [Math.floor(at / (size * size)), at % (size * size)]
    const x = (i % columns) * (size + 1) + (pixel % size)
    const y = Math.floor(i / columns) * (size + 1) + Math.floor(pixel / size)
    data[y * width + x] = 255 * (1 - Math.min(1, Math.max(0, images[at] as number)))
  }
  return { width, height, channels: 1, data }
}

/** The whole figure: title, then panels in rows of at most three. */
export function figure(title: string, panels: readonly Panel[]): string {
  const perRow = panels.length === 4 ? 2 : 3
  const rows = panels.flatMap((_, i) => (i % perRow === 0 ? [panels.slice(i, i + perRow)] : []))
  const gap = 16
  const width = Math.max(...rows.map((row) => row.reduce((sum, panel) => sum + panel.width + gap, gap)))
  const heading = lines(title, width / 9.6)
  let y = 20 * heading.length + 14
  let body = ''
  for (const row of rows) {
    let x = gap
    for (const panel of row) {
      body += `<g transform="translate(${x},${y})">${panel.svg}</g>`
      x += panel.width + gap
    }
    y += Math.max(...row.map((panel) => panel.height)) + gap
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" font-family="system-ui, sans-serif"><rect width="100%" height="100%" fill="white"/>${write(heading, gap, 4, 16, 'bold')}${body}</svg>\n`
}
