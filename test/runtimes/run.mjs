// npm run test:runtimes: packs the package, installs it as a user does, and runs app/smoke.js in every runtime.

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { install } from '../../scripts/install.mjs'
import { writeTable } from '../../scripts/table.mjs'
import { run } from './processes.mjs'
import { project, root } from './project.mjs'

const help = `Usage: npm run test:runtimes -- [options]

  --only TEXT   only rows with TEXT in their name
  --timed       only rows that measure time, which want a quiet machine
  --untimed     only the others
  --readme      also write the table of runtimes into docs/runtimes.md
  --renew       write the bits that Node finds after 50 steps into app/smoke.js, and do nothing else
  --help`

const here = (name) => fileURLToPath(new URL(name, import.meta.url))

function options() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', default: '' },
        timed: { type: 'boolean', default: false },
        untimed: { type: 'boolean', default: false },
        readme: { type: 'boolean', default: false },
        renew: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
    if (values.timed && values.untimed) throw new Error('--timed and --untimed leave nothing to run')
    return values
  } catch (error) {
    console.error(`${error.message}\n\n${help}`)
    return process.exit(2)
  }
}

const mark = (value) => (value === undefined ? '' : value ? 'yes' : 'no')

/** Lines of a Markdown table, columns padded. */
function table(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)))
  const line = (row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`
  return [line(rows[0]), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...rows.slice(1).map(line)]
}

const { only, timed, untimed, readme, renew, help: wanted } = options()
if (wanted) {
  console.log(help)
  process.exit(0)
}
await install('test/runtimes')
const { checks } = await import('./checks.mjs')
const { stopBrowsers } = await import('./browsers.mjs')
const { folder, tarball } = await project()
cpSync(here('app'), join(folder, 'app'), { recursive: true })
let failed = 0
let passed = 0
let unknown = false
try {
  if (renew) {
    const { bits } = JSON.parse(await run(process.execPath, ['app/main.mjs'], { cwd: folder }))
    const file = here('app/smoke.js')
    writeFileSync(file, readFileSync(file, 'utf8').replace(/(export const BITS = ')\w+/, `$1${bits}`))
    console.log(`test:runtimes: bits are ${bits}`)
  } else {
    const { serve } = await import('./server.mjs')
    const server = await serve(folder)
    const groups = Object.entries(checks({ folder, tarball, root, server })).filter(([, { measuresTime = false }]) =>
      measuresTime ? !untimed : !timed,
    )
    const wantedRow = (name) => name.toLowerCase().includes(only.toLowerCase())
    const names = groups.flatMap(([, { rows }]) => Object.keys(rows))
    if (!names.some(wantedRow)) {
      console.error(`test:runtimes: no row has "${only}" in its name; there are\n  ${names.join('\n  ')}`)
      unknown = true
    }
    for (const [title, { columns, rows }] of groups) {
      const lines = [[...columns, 'result']]
      const failures = []
      for (const [name, check] of Object.entries(rows)) {
        if (!wantedRow(name)) continue
        process.stderr.write(`${name} …`)
        const started = performance.now()
        let found
        try {
          found = await check()
        } catch (error) {
          found = { failures: [error.stack ?? String(error)] }
        }
        process.stderr.write(` ${Math.round(performance.now() - started)} ms\n`)
        const fine = found.failures.length === 0
        if (fine) passed++
        else failed++
        const cells = { ...found, runtime: name, check: name, version: found.version ?? '' }
        const cell = (column) => (typeof cells[column] === 'string' ? cells[column] : mark(cells[column]))
        lines.push([...columns.map((column) => cell(column.toLowerCase())), fine ? 'passed' : 'FAILED'])
        for (const failure of found.failures) failures.push(`${name}: ${failure}`)
      }
      if (lines.length === 1) continue
      console.log([`\n${title}\n`, ...table(lines)].join('\n'))
      if (readme && title === 'Runtimes') writeTable('docs/runtimes.md', 'test:runtimes', table(lines))
      if (failures.length > 0) console.log(`\n${failures.join('\n\n')}`)
    }
    server.close()
  }
} finally {
  await stopBrowsers()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
if (!renew) {
  console.log(`\n${passed} passed, ${failed} failed`)
  process.exitCode = unknown ? 2 : failed > 0 ? 1 : 0
}
