// node scripts/install.mjs FOLDER…: installs what folders need beside the packages of the root, once: npm's packages by
// package-lock.json into node_modules, Python's by requirements.txt into .venv. A folder is left alone when it holds
// what its list asks for; words go to stderr.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

function run(command, args) {
  const shell = process.platform === 'win32'
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell })
  return new Promise((done, fail) => {
    child.once('error', fail)
    child.once('close', (code, signal) => (code === 0 ? done() : fail(new Error(signal ?? `exit code ${code}`))))
  })
}

/** For each list of packages: where they go, what puts them there, and what to see to when it cannot. */
const kinds = {
  'package-lock.json': {
    to: 'node_modules',
    help: 'it needs the npm registry (npm config get registry)',
    install: (folder) =>
      run('npm', ['ci', '--prefix', folder, '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']),
  },
  'requirements.txt': {
    to: '.venv',
    help: "it needs python3 and Debian's python3-venv (apt-get install python3-venv), and PyPI (pip config list)",
    async install(folder) {
      const venv = join(folder, '.venv')
      rmSync(join(root, venv), { recursive: true, force: true })
      await run('python3', ['-m', 'venv', venv])
      const pip = join(root, venv, 'bin/python')
      await run(pip, [
        '-m',
        'pip',
        'install',
        '-q',
        '--disable-pip-version-check',
        '-r',
        join(folder, 'requirements.txt'),
      ])
    },
  },
}

/** Installs the packages of a folder of the project. Throws when one of its lists cannot be had. */
export async function install(folder) {
  const lists = Object.keys(kinds).filter((list) => existsSync(join(root, folder, list)))
  if (lists.length === 0) throw new Error(`${folder} has neither ${Object.keys(kinds).join(' nor ')}`)
  for (const list of lists) {
    const { to, help, install: put } = kinds[list]
    const wanted = createHash('sha256')
      .update(readFileSync(join(root, folder, list)))
      .digest('hex')
    // Written last: what was stopped half way is done again.
    const mark = join(root, folder, to, '.installed')
    if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) continue
    console.error(`installing ${folder}/${list}`)
    try {
      await put(folder)
    } catch (error) {
      throw new Error(`${folder}/${list} could not be installed (${error.message}): ${help}`)
    }
    writeFileSync(mark, wanted)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // Side by side: npm waits for the network, then for one core.
  const results = await Promise.allSettled(process.argv.slice(2).map(install))
  for (const { reason } of results) {
    if (!reason) continue
    console.error(`install: ${reason.message}`)
    process.exitCode = 1
  }
}
