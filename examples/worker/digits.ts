// Digits like those of MNIST, drawn: strokes of a pen, slanted, turned, scaled and moved at random. 28 × 28, one channel.

import type { NDArray } from 'lanewise'

type Point = readonly [x: number, y: number]

const SIDE = 28

/** Points of an ellipse in the unit square, y downwards, from one angle to another in degrees. */
const arc = (x: number, y: number, rx: number, ry: number, from = 0, to = 360): Point[] =>
  Array.from({ length: 13 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / 12) * Math.PI) / 180
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)]
  })

const line = (...numbers: number[]): Point[] =>
  Array.from({ length: numbers.length / 2 }, (_, i) => [numbers[2 * i] as number, numbers[2 * i + 1] as number])

/** The strokes of each digit. */
const shapes: readonly (readonly Point[])[][] = [
  [arc(0.5, 0.5, 0.25, 0.38)],
  [line(0.35, 0.26, 0.52, 0.12, 0.52, 0.88)],
  [[...arc(0.5, 0.33, 0.24, 0.21, 190, 400), ...line(0.28, 0.87, 0.76, 0.87)]],
  [[...arc(0.47, 0.31, 0.22, 0.19, 200, 450), ...arc(0.47, 0.69, 0.25, 0.19, 270, 520)]],
  [line(0.62, 0.88, 0.62, 0.12, 0.24, 0.64, 0.8, 0.64)],
  [[...line(0.72, 0.14, 0.34, 0.14, 0.31, 0.46), ...arc(0.48, 0.65, 0.24, 0.22, 235, 500)]],
  [arc(0.5, 0.66, 0.23, 0.21), line(0.62, 0.12, 0.42, 0.3, 0.29, 0.56, 0.27, 0.66)],
  [line(0.25, 0.14, 0.75, 0.14, 0.42, 0.88)],
  [arc(0.5, 0.31, 0.19, 0.18), arc(0.5, 0.68, 0.23, 0.2)],
  [arc(0.5, 0.35, 0.22, 0.21), line(0.72, 0.35, 0.68, 0.6, 0.56, 0.88)],
]

/** `count` digits in turn from 0 to 9: images [count, 784] in 0 .. 1, labels [count]. `random` gives numbers in [0, 1). */
export function drawDigits(count: number, random: () => number): [images: NDArray, labels: NDArray] {
  const images = new Float32Array(count * SIDE * SIDE)
  const labels = Int32Array.from({ length: count }, (_, i) => i % 10)
  for (let i = 0; i < count; i++) draw(images.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), i % 10, random)
  return [
    { data: images, shape: [count, SIDE * SIDE] },
    { data: labels, shape: [count] },
  ]
}

function draw(image: Float32Array, digit: number, random: () => number): void {
  const around = (middle: number, width: number) => middle + width * (2 * random() - 1)
  const [turn, slant, width, height] = [around(0, 0.3), around(0.1, 0.35), around(0.9, 0.25), around(0.9, 0.15)]
  const [right, down, pen] = [around(0.5, 0.1), around(0.5, 0.08), around(1.5, 0.6)]
  const place = ([x, y]: Point): Point => {
    const [u, v] = [width * (around(x, 0.025) - 0.5), height * (around(y, 0.025) - 0.5)]
    const w = u - slant * v
    return [
      SIDE * (right + w * Math.cos(turn) - v * Math.sin(turn)),
      SIDE * (down + w * Math.sin(turn) + v * Math.cos(turn)),
    ]
  }
  for (const stroke of shapes[digit] as (readonly Point[])[]) {
    const points = stroke.map(place)
    for (let i = 1; i < points.length; i++) segment(image, points[i - 1] as Point, points[i] as Point, pen)
  }
}

/** Draws from one point to another; a pixel at the rim of the pen is grey. */
function segment(image: Float32Array, [x0, y0]: Point, [x1, y1]: Point, pen: number): void {
  const [dx, dy] = [x1 - x0, y1 - y0]
  const length = dx * dx + dy * dy || 1
  const from = (a: number, b: number) => Math.max(0, Math.floor(Math.min(a, b) - pen - 1))
  const to = (a: number, b: number) => Math.min(SIDE - 1, Math.ceil(Math.max(a, b) + pen))
  for (let y = from(y0, y1); y <= to(y0, y1); y++)
    for (let x = from(x0, x1); x <= to(x0, x1); x++) {
      const [px, py] = [x + 0.5 - x0, y + 0.5 - y0]
      const along = Math.min(1, Math.max(0, (px * dx + py * dy) / length))
      const ink = pen + 0.5 - Math.hypot(px - along * dx, py - along * dy)
      const at = y * SIDE + x
      image[at] = Math.min(1, Math.max(ink, image[at] as number))
    }
}
