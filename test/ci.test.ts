// Continuous integration never passes by skipping: what cannot be run, takes too long or says nothing has failed, by name.

import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'lanewise-ci-'))
afterAll(() => rmSync(folder, { recursive: true }))

const scripts = {
  good: 'echo 3 passed, 0 failed',
  twice: "printf '1 passed, 0 failed\\n2 passed, 1 failed\\n'; exit 1",
  broken: 'exit 7',
  silent: 'true',
  none: 'echo 0 passed, 0 failed',
  late: 'sleep 60 & sleep 60; echo 1 passed, 0 failed',
  single: 'true',
}
const suites = [
  { npm: 'good', minutes: 1 },
  { npm: 'twice', minutes: 1 },
  { npm: 'broken', minutes: 1 },
  { npm: 'silent', minutes: 1 },
  { npm: 'none', minutes: 1 },
  { npm: 'single', minutes: 1, tally: false },
  { npm: 'late', minutes: 0.02 },
  { npm: 'good', words: ['--browser'], minutes: 1, debian: ['dpkg', 'no-such-browser'] },
  { npm: 'good', words: ['--folder'], minutes: 1, folders: ['nowhere'], alone: true },
]

function project(list: object[]): void {
  writeFileSync(join(folder, '.ci/suites.mjs'), `export const suites = ${JSON.stringify(list)}\n`)
}
function ci(...words: string[]) {
  // Nothing is installed here.
  const PATH = [join(folder, 'bin'), process.env.PATH].join(delimiter)
  const { status, stdout } = spawnSync(join(folder, '.ci/run'), words, {
    encoding: 'utf8',
    env: { ...process.env, PATH },
  })
  return { status, stdout, last: stdout.trimEnd().split('\n').at(-1) }
}

beforeAll(() => {
  cpSync('.ci', join(folder, '.ci'), { recursive: true })
  cpSync('scripts/install.mjs', join(folder, 'scripts/install.mjs'))
  mkdirSync(join(folder, 'bin'))
  for (const name of ['apt-get', 'sudo']) {
    writeFileSync(join(folder, 'bin', name), '#!/bin/sh\necho no network\nexit 100\n')
    chmodSync(join(folder, 'bin', name), 0o755)
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ engines: { node: '>=20.19' }, scripts }))
})

test('every suite is named with its seconds, and what is wrong with it', { timeout: 60_000 }, () => {
  project(suites)
  const { status, stdout, last } = ci()
  expect(status).toBe(1)
  expect(last).toBe('7 passed, 7 failed')
  const summary = stdout.split('in all\n')[1] as string
  const lines = summary.split('\n').map((line) => line.replace(/^ +\d+ +/, ''))
  for (const line of [
    'good',
    'single',
    'twice: 1 failed',
    'broken: exit code 7',
    'silent: ended without a check',
    'none: ended without a check',
    'late: stopped after 1 s, its limit',
    'good --browser: was not run',
    'good --folder: was not run',
  ])
    expect(lines).toContain(line)
  expect(lines.length).toBe(suites.length + 2)
  const seconds = [...summary.matchAll(/^ +(\d+) /gm)].map(([, text]) => Number(text))
  expect(seconds).toEqual(seconds.toSorted((a, b) => b - a))
  expect(stdout).toContain("Debian's no-such-browser cannot be had (100): apt-get install no-such-browser\nno network")
  expect(stdout).toContain('nowhere has neither package-lock.json nor requirements.txt')
})

test('some may be asked for, and what all have passed is a pass', () => {
  project(suites)
  const { status, last } = ci('single')
  expect({ status, last }).toEqual({ status: 0, last: '1 passed, 0 failed' })
})

test.each([
  ['a name that is no suite', ['god'], suites],
  ['a suite without a script', [], [...suites, { npm: 'gone', minutes: 1 }]],
] as const)('%s is refused', (_, words, list) => {
  project([...list])
  const { status, last } = ci(...words)
  expect({ status, last }).toEqual({ status: 1, last: '0 passed, 1 failed' })
})

test('each suite has a script, and each script of tests is a suite', () => {
  const text = readFileSync('.ci/suites.mjs', 'utf8')
  const named = new Set([...text.matchAll(/npm: '([^']+)'/g)].map(([, name]) => name))
  const own = Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).scripts)
  expect(own.filter((name) => /^test:|^bits$|^size$/.test(name) && !named.has(name))).toEqual([])
})
