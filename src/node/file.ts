import { statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type ByteSource, CHUNK } from '../io/source.ts'

/** A file of Node, Deno or Bun for whatever reads a Source: `readCsv(openFile('penguins.csv'))`. Nothing of it is read, and no
 *  handle stays open, until then. Throws where there is no such file. */
export function openFile(path: string | URL): ByteSource {
  const { size } = statSync(path)
  const name = basename(typeof path === 'string' ? path : decodeURIComponent(path.pathname))
  return {
    name,
    byteLength: size,
    async slice(start, end) {
      const file = await open(path)
      try {
        const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start))
        let filled = 0
        while (filled < bytes.length) {
          const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, start + filled)
          if (bytesRead === 0)
            throw new Error(`openFile: ${name} ends at byte ${start + filled}, it was cut off meanwhile`)
          filled += bytesRead
        }
        return bytes
      } finally {
        await file.close()
      }
    },
    async *stream() {
      const file = await open(path)
      try {
        for (;;) {
          const chunk = new Uint8Array(CHUNK)
          const { bytesRead } = await file.read(chunk, 0, CHUNK)
          if (bytesRead === 0) return
          yield chunk.subarray(0, bytesRead)
        }
      } finally {
        await file.close()
      }
    },
    sibling: (other) => openFile(typeof path === 'string' ? join(dirname(path), other) : new URL(other, path)),
  }
}
