// The programs in documents, and what they print: npm run docs runs them, and with --write puts what they print below them.
//
// The `js` blocks of a section are one program. A `text` block after one is what has been printed since the text block before.
// A block with a name, ```js train.js, is a file beside the program and not run itself. Blocks of html and sh are not run.

import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const documents = [
  'README.md',
  ...readdirSync('docs')
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
]

interface Block {
  language: string
  /** What follows the language: the name of a file. */
  name: string
  code: string
  /** Where the code begins in the document. */
  at: number
}

export interface Program {
  document: string
  heading: string
  code: string
  /** Named blocks: files beside it. */
  files: Block[]
  /** What it is to print; the texts of the document, in their order. */
  outputs: Block[]
}

/** Between what is printed for one text block and for the next. */
const CUT = '\u0000\n'

/** The programs of a document, one for each section that has `js` blocks without a name. */
export function programs(document: string): Program[] {
  const text = readFileSync(document, 'utf8')
  const starts = [...text.matchAll(/^## (.*)$/gm)].map(({ index, 1: heading }) => ({
    index,
    heading: heading as string,
  }))
  const sections = [{ index: 0, heading: document }, ...starts]
  return sections.flatMap(({ index, heading }, i) => {
    const blocks: Block[] = [
      ...text.slice(index, sections[i + 1]?.index).matchAll(/^```(\w+)(?: ([^\n]*))?\n([\s\S]*?)^```$/gm),
    ].map(({ 0: all, 1: language = '', 2: name = '', 3: code = '', index: start }) => {
      return { language, name, code, at: index + start + all.length - code.length - 3 }
    })
    const isCode = ({ language, name }: Block) => language === 'js' && name === ''
    const isOutput = (block: Block, k: number) => block.language === 'text' && isCode(blocks[k - 1] as Block)
    if (!blocks.some(isCode)) return []
    const code = blocks
      .map((block, k) => {
        if (isCode(block)) return block.code
        return k > 0 && isOutput(block, k) ? `process.stdout.write(${JSON.stringify(CUT)})\n` : ''
      })
      .join('')
    const files = blocks.filter(({ language, name }) => language === 'js' && name !== '')
    return { document, heading, code, files, outputs: blocks.filter((block, k) => k > 0 && isOutput(block, k)) }
  })
}

/** What a page or a Worker has without an import, and Node has elsewhere. */
function inNode(code: string): string {
  const needed = [
    ...(/\bnew Worker\(/.test(code)
      ? ["import { Worker } from 'node:worker_threads'", 'console.debug = () => {}']
      : []),
    ...(/^serve\(/m.test(code)
      ? ["import { parentPort } from 'node:worker_threads'", 'globalThis.self = parentPort']
      : []),
  ]
  return [...needed, code].join('\n')
}

const run = promisify(execFile)

/** Runs a program in a folder of its own, where 'lanewise' is this package; what it printed for each of its outputs. */
export async function printed({ document, heading, code, files }: Program): Promise<string[]> {
  const folder = join('build/docs', `${document} ${heading}`.replace(/\W+/g, '-'))
  mkdirSync(folder, { recursive: true })
  for (const file of files) writeFileSync(join(folder, file.name), inNode(file.code))
  writeFileSync(join(folder, 'program.js'), inNode(code))
  const { stdout } = await run(process.execPath, ['program.js'], { cwd: folder })
  return stdout.split(CUT)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const write = process.argv.includes('--write')
  for (const document of documents) {
    let text = readFileSync(document, 'utf8')
    // From the last to the first, so that places in the text hold.
    for (const program of programs(document).reverse()) {
      const found = await printed(program)
      for (const [i, { code, at }] of [...program.outputs.entries()].reverse()) {
        if (found[i] === code) continue
        console.log(`${document}, ${program.heading}:\n${found[i]}`)
        text = text.slice(0, at) + found[i] + text.slice(at + code.length)
        if (!write) process.exitCode = 1
      }
    }
    if (write) writeFileSync(document, text)
  }
}
