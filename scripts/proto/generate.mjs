// npm run proto: writes src/flower/fleet_pb.ts, the messages of fleet.proto.

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: 'inherit', cwd: here('../..') })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${status}`)
}

if (!existsSync(here('node_modules/.bin/buf'))) run('npm', ['ci', '--prefix', here('.'), '--no-audit', '--no-fund'])
const template = {
  version: 'v2',
  plugins: [
    {
      local: here('node_modules/.bin/protoc-gen-es'),
      out: 'src/flower',
      opt: ['target=ts', 'import_extension=ts'],
    },
  ],
}
run(here('node_modules/.bin/buf'), ['generate', 'src/flower', '--template', JSON.stringify(template)])
