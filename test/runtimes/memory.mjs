import { readdirSync, readFileSync } from 'node:fs'

/** Bytes of memory that the processes named `name` hold whose parent, or group, is `leader`. */
export function resident(leader, name) {
  let bytes = 0
  for (const pid of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const [, comm, rest] = readFileSync(`/proc/${pid}/stat`, 'utf8').match(/^\d+ \((.*)\) (.*)$/s)
      if (comm !== name || !rest.split(' ').slice(1, 3).includes(String(leader))) continue
      bytes += 1024 * Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+)/m)[1])
    } catch {
      // It has ended meanwhile.
    }
  }
  return bytes
}
