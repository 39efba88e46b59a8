// The driver's half of the protocol of impl/serve.mjs: a process for one implementation and one case.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A library that hangs must not hang the run. */
const PATIENCE_MS = 120_000

export class Child {
  #process
  #answers
  #stderr = ''
  #ended

  /** What the child said when it was ready: { version, runtime }. */
  about

  /** Starts the first of `commands` that comes up. Throws what the last one that could be run said. */
  static async start(commands) {
    let failure
    for (const command of commands) {
      const child = new Child(command)
      try {
        child.about = await child.#answer()
        return child
      } catch (error) {
        child.close()
        if (!failure || !child.missing) failure = error
      }
    }
    throw failure
  }

  constructor([binary, ...args]) {
    this.#process = spawn(binary, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#process.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr += text
    })
    // Writing to a child that has just died; its end is reported below.
    this.#process.stdin.on('error', () => {})
    this.#ended = new Promise((_, reject) => {
      this.#process.on('error', (error) => {
        this.missing = error.code === 'ENOENT'
        reject(error)
      })
      this.#process.on('close', (code, signal) =>
        reject(new Error(reasonIn(this.#stderr) ?? `ended with ${signal ?? code}`)),
      )
    })
    this.#ended.catch(() => {})
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }

  /** Builds a case and does its first steps; the mean of what they computed. */
  async prepare(entry) {
    return (await this.#ask(`prepare ${JSON.stringify(entry)}`)).check
  }

  /** Milliseconds that `steps` steps took, by the child's clock. */
  async run(steps) {
    return (await this.#ask(`run ${steps}`)).ms
  }

  /** Where the time of a step went, as text. */
  async profile() {
    return (await this.#ask('profile ')).profile
  }

  close() {
    this.#process.stdin.end()
    this.#process.kill()
  }

  #ask(line) {
    this.#process.stdin.write(`${line}\n`)
    return this.#answer()
  }

  async #answer() {
    let timer
    const patience = new Promise((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer in ${PATIENCE_MS / 1000} s`))
      }, PATIENCE_MS)
    })
    // At its end, a child's last lines on stderr say more than the end of its stdout.
    const line = this.#answers.next().then(({ done, value }) => (done ? this.#ended : value))
    try {
      const answer = JSON.parse(await Promise.race([line, this.#ended, patience]))
      if (answer.error !== undefined) throw new Error(answer.error)
      return answer
    } finally {
      clearTimeout(timer)
    }
  }
}

/** The line of an uncaught error, of Node or of Python, in what a process wrote. */
function reasonIn(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1)
}
