// Declarations as users' compilers read them: the oldest and the newest of TypeScript that are told of, every declaration
// checked (skipLibCheck: false).

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { install } from '../scripts/install.mjs'

const project = mkdtempSync(join(tmpdir(), 'lanewise-types-'))
afterAll(() => rmSync(project, { recursive: true }))

beforeAll(async () => {
  await install('test/types')
  mkdirSync(join(project, 'node_modules'))
  symlinkSync(resolve('.'), join(project, 'node_modules/lanewise'))
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }')
  for (const name of ['main.ts', 'entries.ts', 'using.ts']) copyFileSync(join('test/types', name), join(project, name))
}, 120_000)

const compilers = {
  5.6: 'test/types/node_modules/typescript-5.6/bin/tsc',
  5.9: 'test/types/node_modules/typescript-5.9/bin/tsc',
  7: 'node_modules/typescript/bin/tsc',
}

test.each([
  // No esnext: neither Symbol.dispose nor what came later.
  ['5.6', 'nodenext', 'es2022', ['main.ts', 'entries.ts']],
  ['5.6', 'node10', 'es2022', ['main.ts']],
  ['5.9', 'nodenext', 'es2022,esnext.disposable', ['main.ts', 'entries.ts', 'using.ts']],
  ['5.9', 'node10', 'es2022', ['main.ts']],
  ['7', 'nodenext', 'es2022', ['main.ts', 'entries.ts']],
  ['7', 'bundler', 'es2022,esnext.disposable', ['main.ts', 'entries.ts', 'using.ts']],
] as const)('TypeScript %s, %s resolution, lib %s', { timeout: 60_000 }, (version, resolution, lib, files) => {
  const module = { nodenext: 'nodenext', node10: 'commonjs', bundler: 'esnext' }[resolution]
  const compilerOptions = {
    ...{ module, moduleResolution: resolution, target: 'es2022', lib: [...lib.split(','), 'dom', 'dom.iterable'] },
    ...{
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      skipDefaultLibCheck: true,
      types: [],
      noEmit: true,
    },
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  expect(compile(resolve(compilers[version]))).toBe('')
})

/** What the compiler prints. */
function compile(tsc: string): string {
  try {
    return execFileSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8' })
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}
