const shades = ' ░▒▓█'
/** Digits lie in the middle 20×20 pixels of their 28×28. */
const MARGIN = 4
const WIDTH = 20

/** One image as ten lines of twenty characters: a character covers two rows of pixels. */
function lines(pixels: ArrayLike<number>): string[] {
  return Array.from({ length: WIDTH / 2 }, (_, row) =>
    Array.from({ length: WIDTH }, (_, column) => {
      const at = (MARGIN + 2 * row) * 28 + MARGIN + column
      const grey = ((pixels[at] as number) + (pixels[at + 28] as number)) / 2
      return shades[Math.round((grey / 255) * (shades.length - 1))]
    }).join(''),
  )
}

/** Images side by side, each over its caption. */
export function draw(images: { pixels: ArrayLike<number>; caption: string }[]): string {
  const columns = images.map(({ pixels, caption }) => [...lines(pixels), caption.padEnd(WIDTH)])
  return Array.from({ length: WIDTH / 2 + 1 }, (_, row) => columns.map((column) => column[row]).join('  ')).join('\n')
}
