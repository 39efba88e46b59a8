// What runtimes are tested in: a project of a user's, and the runtimes themselves.

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './processes.mjs'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
export const root = here('../..')

/** The Nodes that are installed beside this file, by their first number. */
export const nodes = [20, 22, 24, 26]
export const node = (version) => here(`node_modules/node${version}/bin/node`)
export const deno = here('node_modules/@deno/linux-x64-glibc/deno')
export const bun = here('node_modules/@oven/bun-linux-x64/bin/bun')

/** The words before the file that Deno is to run. */
export const denoRun = ['run', '--allow-all', '--node-modules-dir=manual']

/** A new folder that has installed the packed package, and the package. */
export async function project() {
  const folder = mkdtempSync(join(tmpdir(), 'lanewise-runtimes-'))
  const [{ filename }] = JSON.parse(await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root }))
  const tarball = join(folder, filename)
  writeFileSync(join(folder, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n')
  await run('npm', ['install', '--no-audit', '--no-fund', '--offline', tarball], { cwd: folder })
  return { folder, tarball }
}
